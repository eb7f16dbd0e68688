"""Which rows of a metric table are not as they were: bit for bit, whatever order they lie in. Pure."""

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from harness.monitoring.columns import Mask, Rows

# Which version of the table a refresh read is no figure: rows that it does not change stay as they are.
_NOT_COMPARED = "logging_table_commit_version"
_KEY = ("slice_key", "slice_value", "column_name")

Unit = tuple[str, str | None, int | None]
"""What is replaced as a whole: the rows of one kind (`log_type` or `drift_type`), granularity and start of the window."""


@dataclass(frozen=True, slots=True)
class Change:
    """The units of a metric table that are not as they were (None: all that there may be), and their rows as they shall be."""

    units: frozenset[Unit] | None
    rows: pa.Table

    @property
    def is_nothing(self) -> bool:
        """Whether the table is already as it shall be."""
        return self.units is not None and not self.units

    @classmethod
    def nothing(cls) -> "Change":
        """Return the change of nothing."""
        return cls(frozenset(), pa.table({}))

    def joined(self, other: "Change") -> "Change":
        """Return both changes as one."""
        units = None if self.units is None or other.units is None else self.units | other.units
        held = [change.rows for change in (self, other) if change.rows.num_columns]
        return Change(units, pa.concat_tables(held) if held else self.rows)


def units_of(table: pa.Table) -> list[Unit]:
    """Return the unit that each row of a metric table belongs to."""
    kind = "log_type" if "log_type" in table.column_names else "drift_type"
    starts = pc.struct_field(table["window"], "start").cast(pa.int64())
    return list(zip(table[kind].to_pylist(), table["granularity"].to_pylist(), starts.to_pylist(), strict=True))


def difference(old: pa.Table, new: pa.Table, model_id: str | None) -> Change:
    """Return which units differ between two states of a metric table of one schema."""
    before, after = units_of(old), units_of(new)
    places, kept = _keys(old, before, model_id), _keys(new, after, model_id)
    # Also of rows that somebody wrote twice.
    changed = {unit for unit, _ in Counter(before).items() ^ Counter(after).items()}
    changed |= {after[place] for key, place in kept.items() if key not in places}
    both = [key for key in kept if key in places]
    if both:
        mask = _differing(old.take([places[key] for key in both]), new.take([kept[key] for key in both]))
        changed |= {after[kept[both[number]]] for number in np.flatnonzero(mask).tolist()}
    rows = new.filter(pa.array([unit in changed for unit in after], pa.bool_()))
    return Change(frozenset(changed), rows)


def _keys(table: pa.Table, units: list[Unit], model_id: str | None) -> Mapping[Hashable, int]:
    names = _KEY if model_id is None else (*_KEY, model_id)
    columns = [table[name].to_pylist() for name in names]
    return {key: place for place, key in enumerate(zip(units, *columns, strict=True))}


def _differing(old: pa.Table, new: pa.Table) -> Mask:
    found = np.zeros(old.num_rows, np.bool_)
    for name in new.column_names:
        if name != _NOT_COMPARED:
            found |= differs(_one(old[name]), _one(new[name]))
    return found


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays([*column.chunks, pa.nulls(0, column.type)])


def differs(old: pa.Array, new: pa.Array) -> Mask:
    """Return where two arrays of one type and length hold different values; NaN is like NaN, and 0.0 not like -0.0."""
    valid, still = (pc.is_valid(array).to_numpy(zero_copy_only=False) for array in (old, new))
    found: Mask = valid != still
    if pa.types.is_struct(new.type):
        for number in range(new.type.num_fields):
            found |= valid & still & differs(old.field(number), new.field(number))
        return found
    if pa.types.is_list(new.type) or pa.types.is_large_list(new.type) or pa.types.is_map(new.type):
        return found | _lists_differ(old, new, valid & still)
    found |= valid & still & _values_differ(old, new)
    return found


def _values_differ(old: pa.Array, new: pa.Array) -> Mask:
    if pa.types.is_floating(new.type):
        bits = [pc.fill_null(array, 0.0).to_numpy(zero_copy_only=False).astype(np.float64) for array in (old, new)]
        other: Mask = (bits[0].view(np.int64) != bits[1].view(np.int64)) & ~(np.isnan(bits[0]) & np.isnan(bits[1]))
        return other
    unequal: Mask = pc.fill_null(pc.not_equal(old, new), fill_value=False).to_numpy(zero_copy_only=False)
    return unequal


def _lists_differ(old: pa.Array, new: pa.Array, both: Mask) -> Mask:
    """Return where lists or maps differ, of those places where both are there."""
    (first, sizes), (second, others) = (_extents(array) for array in (old, new))
    found: Mask = both & (sizes != others)
    held = np.flatnonzero(both & (sizes == others) & (sizes > 0))
    if not len(held):
        return found
    counts = sizes[held]
    inner = [_values(array).take(pa.array(_places(starts[held], counts))) for array, starts in ((old, first), (new, second))]
    found[held] = np.logical_or.reduceat(differs(*inner), np.cumsum(counts) - counts)
    return found


def _extents(array: pa.Array) -> tuple[Rows, Rows]:
    offsets = array.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    return offsets[:-1], np.diff(offsets)


def _places(first: Rows, counts: Rows) -> npt.NDArray[np.int64]:
    return np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())


def _values(array: pa.Array) -> pa.Array:
    if pa.types.is_map(array.type):
        return pa.StructArray.from_arrays([array.keys, array.items], names=["key", "value"])
    return array.values
