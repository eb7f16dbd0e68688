"""The metric tables as the dashboard reads them: flat Arrow columns, and matrices of columns by windows. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
TABLE = ":table"
ALL_MODELS = "*"


@dataclass(frozen=True, slots=True)
class Group:
    """Some rows of the monitored table: those of one slice (None: the whole), one model (`*`: all), by windows of one width."""

    granularity: str | None
    model: str | None = None
    slice_key: str | None = None
    slice_value: str | None = None

    @property
    def words(self) -> str:
        """How a sentence calls it."""
        model = {None: "all rows", ALL_MODELS: "all models"}.get(self.model, f"model {self.model}")
        return model if self.slice_key is None else f"{model}, {self.slice_key} = {self.slice_value}"


@dataclass(frozen=True, eq=False)
class Axis:
    """Windows in order, as microseconds since 1970; `ends` are equal to `starts` where a window is an instant."""

    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, eq=False)
class Facts:
    """Both metric tables, flat (`reading.py`); without rows when there has been no refresh."""

    profile: pa.Table
    drift: pa.Table
    _axes: dict[str | None, Axis] = field(default_factory=dict)
    _found: dict[tuple[str, Group], pa.Table] = field(default_factory=dict)

    @cached_property
    def groups(self) -> pa.Table:
        """Every group that the profile has, with the number of its rows in all windows."""
        keys = ["granularity", "model", "slice_key", "slice_value"]
        wholes = self.profile.filter((pc.field("column") == TABLE) & (pc.field("log") == "INPUT"))
        return wholes.group_by(keys).aggregate([("count", "sum")])

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The monitored columns, in their order."""
        names = pc.unique(self.profile["column"]).to_pylist()
        return tuple(name for name in names if name != TABLE)

    @property
    def has_baseline(self) -> bool:
        """Whether there are rows to compare with that are not of a window."""
        return bool(pc.any(pc.equal(self.profile["log"], "BASELINE")).as_py())

    def axis(self, granularity: str | None) -> Axis:
        """Return the windows of one width, of any group."""
        if granularity not in self._axes:
            rows = self.profile.filter(_same("granularity", granularity) & (pc.field("log") == "INPUT"))
            starts, firsts = np.unique(rows["start"].to_numpy(), return_index=True)
            self._axes[granularity] = Axis(starts, rows["end"].to_numpy()[firsts])
        return self._axes[granularity]

    def windows(self, group: Group) -> pa.Table:
        """Return the profile rows of a group in its windows."""
        return self._of("INPUT", group, lambda: self.profile.filter(_of(group) & (pc.field("log") == "INPUT")))

    def baseline(self, group: Group) -> pa.Table:
        """Return the profile rows of a group in the baseline, whatever the width."""
        whole = Group(None, group.model, group.slice_key, group.slice_value)
        return self._of("BASELINE", whole, lambda: self.profile.filter(_rows_of(whole) & (pc.field("log") == "BASELINE")))

    def drifted(self, group: Group, drift_type: str) -> pa.Table:
        """Return the drift rows of a group against its baseline or against the window before."""
        return self._of(f"drift {drift_type}", group, lambda: self.drift.filter(_of(group) & (pc.field("drift_type") == drift_type)))

    def _of(self, what: str, group: Group, find: Callable[[], pa.Table]) -> pa.Table:
        if (what, group) not in self._found:
            self._found[what, group] = find()
        return self._found[what, group]


def matrix(rows: pa.Table, value: str, *, columns: Sequence[str], axis: Axis) -> Numbers:
    """Return `value` of each of `columns` (down) in each window (across); NaN where there is none."""
    found = np.full((len(columns), len(axis)), np.nan)
    if value not in rows.column_names or not rows.num_rows or not len(axis):
        return found
    codes = pc.index_in(rows["column"], pa.array(columns, pa.string()))
    known = pc.is_valid(codes).to_numpy(zero_copy_only=False)
    down = codes.fill_null(-1).to_numpy().astype(np.int64)[known]
    starts = rows["start"].to_numpy()[known]
    across = np.minimum(np.searchsorted(axis.starts, starts), len(axis) - 1)
    there = axis.starts[across] == starts
    values = rows[value].cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)[known]
    found[down[there], across[there]] = values[there]
    return found


def series(rows: pa.Table, value: str, *, column: str = TABLE, axis: Axis) -> Numbers:
    """Return `value` of one column in each window."""
    found: Numbers = matrix(rows, value, columns=[column], axis=axis)[0]
    return found


def single(rows: pa.Table, value: str, *, column: str = TABLE) -> float:
    """Return `value` of one column in rows that have no window, NaN where there is none."""
    if value not in rows.column_names:
        return float("nan")
    found = rows.filter(pc.field("column") == column)[value]
    first = found[0].as_py() if len(found) else None
    return float("nan") if first is None else float(first)


def _of(group: Group) -> pc.Expression:
    return _same("granularity", group.granularity) & _rows_of(group)


def _rows_of(group: Group) -> pc.Expression:
    return _same("model", group.model) & _same("slice_key", group.slice_key) & _same("slice_value", group.slice_value)


def _same(name: str, value: str | None) -> pc.Expression:
    # NULL is a value here: the whole table is the slice that has neither key nor value.
    return pc.field(name).is_null() if value is None else pc.field(name) == value
