"""The alerts of one group, decided by `harness.monitoring.alerts` on its rows in the two metric tables."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from harness.dashboard.monitor.facts import Facts, Group
from harness.dashboard.monitor.reading import Wanted, of_groups
from harness.dashboard.monitor.subject import Subject
from harness.monitoring.alerts import Alert, find_alerts

MOST_ROWS = 6_000
"""Of one group of a profile table: a page must not take long. Of more, the newest windows are judged."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides on alerts from tables on disk, at the moment `now`."""

    subject: Subject
    facts: Facts
    profile: Path
    drift: Path
    now: dt.datetime
    _judged: dict[Group, list[Alert]] = field(default_factory=dict)

    def alerts(self, group: Group) -> Sequence[Alert]:
        """Return the alerts of one group; of many windows times columns, those of the newest windows."""
        if group not in self._judged:
            self.judge([group])
        return self._judged[group]

    def judge(self, groups: Sequence[Group]) -> None:
        """Decide on the alerts of several groups, reading the tables once."""
        self._judged.update({group: [] for group in groups})
        if not DeltaTable.is_deltatable(str(self.profile)) or not DeltaTable.is_deltatable(str(self.drift)):
            return
        windows = max(MOST_ROWS // (len(self.facts.columns) + 1), 1)
        widths = {group.granularity for group in groups}
        wanted = Wanted(groups, sorted({int(start) for width in widths for start in self.facts.axis(width).starts[-windows:]}))
        profile, drift = self._rows(self.profile, wanted), self._rows(self.drift, wanted)
        model, label = self.subject.model_id, self.subject.label
        for one in find_alerts(profile, drift, now=self.now, model_id_column=model, label_column=label):
            found = self._judged.get(Group(one.granularity, one.model_id, one.slice_key, one.slice_value))
            if found is not None:
                found.append(one)

    def _rows(self, path: Path, wanted: Wanted) -> Iterator[dict[str, object]]:
        dataset = DeltaTable(path).to_pyarrow_dataset()
        left_out = {"confusion_matrix", "non_null_columns"}
        columns = [name for name in dataset.schema.names if name not in left_out]
        baseline = pc.field("log_type") == "BASELINE" if "log_type" in columns else pc.scalar(False)
        start = pc.field("window", "start").cast(pa.int64())
        found = dataset.to_table(
            columns=columns,
            filter=of_groups(wanted.groups, self.subject.model_id) & (start.isin(pa.array(wanted.starts, pa.int64())) | baseline),
        )
        wide = found["quantiles"] if "quantiles" in columns else None
        narrow = found.drop_columns(["quantiles"]) if wide is not None else found
        for at, row in enumerate(narrow.to_pylist()):
            yield row if wide is None else row | {"quantiles": _Lazy(wide[at])}


class _Lazy(Sequence[float]):
    """The quantiles of one row, made into numbers only where somebody looks at them: most rows' are not looked at."""

    def __init__(self, scalar: pa.ListScalar) -> None:
        self._scalar = scalar

    def _values(self) -> list[float]:
        values = self._scalar.values
        return [] if values is None else [float(value) for value in np.asarray(values)]

    @overload
    def __getitem__(self, at: int) -> float: ...
    @overload
    def __getitem__(self, at: slice) -> list[float]: ...
    def __getitem__(self, at: int | slice) -> float | list[float]:
        return self._values()[at]

    def __iter__(self) -> Iterator[float]:
        return iter(self._values())

    def __len__(self) -> int:
        values = self._scalar.values
        return 0 if values is None else len(values)
