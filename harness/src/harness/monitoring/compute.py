"""From the rows of a monitored table to the rows of its two metric tables: pure."""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from harness.monitoring.columns import Rows
from harness.monitoring.comparison import comparison
from harness.monitoring.model import InferenceLogConfig
from harness.monitoring.profile import Summary, summarize
from harness.monitoring.sample import Group, Prepared, Sample, prepared
from harness.monitoring.schemas import TABLE, drift_schema, profile_schema
from harness.monitoring.windows import GRANULARITIES, Granularity, Window

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Source:
    """What a refresh reads: the table's rows at a version, the baseline's if there is one, and for which configuration."""

    sample: Sample
    version: int
    config: InferenceLogConfig
    monitor_version: int
    baseline: Sample | None = None
    slicing: tuple[str, ...] = ()
    not_before: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """The two metric tables, whole."""

    profile: pa.Table
    drift: pa.Table


@dataclass(frozen=True, slots=True)
class _Cell:
    """The rows of one group in one window, or in the baseline, which has no window; and what each column says there."""

    group: Group
    rows: Rows
    summaries: Sequence[Summary]
    window: Window | None = None
    granularity: str | None = None

    @property
    def slice(self) -> dict[str, object]:
        """The cells that say which slice it is."""
        return {"slice_key": self.group.slice.key, "slice_value": self.group.slice.value}


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of both metric tables."""

    profile: list[dict[str, object]]
    drift: list[dict[str, object]]


def compute(source: Source) -> Metrics:
    """Return both metric tables of `source`, every window of it."""
    data = prepared(source.sample, source.baseline, source.config, source.slicing)
    profiles: list[dict[str, object]] = []
    drifts: list[dict[str, object]] = []
    known: dict[tuple[object, ...], _Rows] = {}
    for group in data.groups:
        # While there is one model, its rows are those of all models: what they say is computed once.
        key = (group.slice.key, group.slice.value, group.rows.tobytes(), group.baseline.tobytes())
        if key not in known:
            known[key] = _rows(source, data, group)
        named = {source.config.model_id_column: group.model}
        profiles.extend(row | named for row in known[key].profile)
        drifts.extend(row | named for row in known[key].drift)
    column = source.config.model_id_column
    profile = pa.Table.from_pylist(profiles, profile_schema(column, regression=source.config.is_regression))
    return Metrics(profile, pa.Table.from_pylist(drifts, drift_schema(column)))


def _rows(source: Source, data: Prepared, group: Group) -> _Rows:
    """Return the rows of one group in both tables, all but the model's name."""
    made = _Rows([], [])
    baseline = _baseline(data, group)
    if baseline:
        made.profile.extend(_profile_rows(source, data, baseline))
    for name in source.config.granularities:
        before: _Cell | None = None
        for cell in _cells(data, group, GRANULARITIES[name], source.not_before):
            made.profile.extend(_profile_rows(source, data, cell))
            if before and before.window and cell.window and before.window.end == cell.window.start:
                made.drift.extend(_drift_rows(source, cell, before))
            if baseline:
                made.drift.extend(_drift_rows(source, cell, baseline, only=data.common))
            before = cell
    return made


def _baseline(data: Prepared, group: Group) -> _Cell | None:
    # Assumption: a model or slice without rows in the baseline is not compared with it.
    if not len(group.baseline):
        return None
    return _Cell(group, group.baseline, [summarize(column, group.baseline) for column in data.columns if column.name in data.common])


def _cells(data: Prepared, group: Group, granularity: Granularity, not_before: dt.datetime | None) -> Iterator[_Cell]:
    starts = granularity.starts(data.moments[group.rows])
    order = np.argsort(starts, kind="stable")
    firsts, positions = np.unique(starts[order], return_index=True)
    # Cut at every start: the first part, before all of them, is empty.
    for start, members in zip(firsts, np.split(group.rows[order], positions)[1:], strict=True):
        window = granularity.window(int(start))
        # A window that the limit cuts is left out whole: docs.databricks.com, data profiling, footnote on the first run.
        if not_before is None or moment(window.start) >= not_before:
            yield _Cell(group, members, [summarize(column, members) for column in data.columns], window, granularity.label)


def _profile_rows(source: Source, data: Prepared, cell: _Cell) -> Iterator[dict[str, object]]:
    head = {
        "window": bounds(cell.window),
        "log_type": "INPUT" if cell.window else "BASELINE",
        "logging_table_commit_version": source.version,
        "monitor_version": source.monitor_version,
        "granularity": cell.granularity,
    } | cell.slice
    non_null = [summary.column_name for summary in cell.summaries if summary.has_values]
    whole = {"column_name": TABLE, "count": len(cell.rows), "non_null_columns": non_null}
    yield head | whole | dict(data.quality(cell.rows) if data.quality else {})
    for summary in cell.summaries:
        yield head | {"column_name": summary.column_name, "data_type": summary.data_type} | dict(summary.cells)


def _drift_rows(source: Source, cell: _Cell, base: _Cell, only: Collection[str] | None = None) -> Iterator[dict[str, object]]:
    """Yield the rows of `cell` against `base`; against a baseline, of the columns that `only` names."""
    head = {
        "window": bounds(cell.window),
        "granularity": cell.granularity,
        "monitor_version": source.monitor_version,
        "window_cmp": bounds(base.window),
        "drift_type": "CONSECUTIVE" if base.window else "BASELINE",
    } | cell.slice
    summaries = [summary for summary in cell.summaries if only is None or summary.column_name in only]
    pairs = list(zip(summaries, base.summaries, strict=True))
    yield head | {
        "column_name": TABLE,
        "count_delta": len(cell.rows) - len(base.rows),
        "non_null_columns_delta": {
            "added": sum(now.has_values and not then.has_values for now, then in pairs),
            "missing": sum(then.has_values and not now.has_values for now, then in pairs),
        },
    }
    for now, then in pairs:
        yield head | comparison(now, then)


def bounds(window: Window | None) -> dict[str, dt.datetime] | None:
    """Return the struct that the metric tables hold for `window`; None for the baseline, which has none."""
    return {"start": moment(window.start), "end": moment(window.end)} if window else None


def moment(micros: int) -> dt.datetime:
    """Return the UTC time `micros` after 1970."""
    return EPOCH + dt.timedelta(microseconds=micros)
