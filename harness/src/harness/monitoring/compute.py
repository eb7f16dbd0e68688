"""From the rows of a monitored table to the rows of its two metric tables: pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from harness.monitoring.columns import Rows
from harness.monitoring.kind import kind_of
from harness.monitoring.metric_rows import Cell, Row, Source, drift_rows, moment, profile_rows
from harness.monitoring.profile import Summary, summarize
from harness.monitoring.sample import Group, Members, Prepared, prepared
from harness.monitoring.schemas import drift_schema, profile_schema
from harness.monitoring.windows import GRANULARITIES, Granularity, Window

__all__ = ["Metrics", "Source", "compute"]


@dataclass(frozen=True, slots=True)
class Metrics:
    """The two metric tables, whole."""

    profile: pa.Table
    drift: pa.Table


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of both metric tables."""

    profile: list[Row]
    drift: list[Row]


def compute(source: Source) -> Metrics:
    """Return both metric tables of `source`, every window of it; of a snapshot, the rows of this refresh."""
    kind = kind_of(source.config)
    data = prepared(source.sample, source.baseline, source.previous, kind, source.slicing)
    profiles: list[Row] = []
    drifts: list[Row] = []
    known: dict[tuple[object, ...], _Rows] = {}
    for group in data.groups:
        # While there is one model, its rows are those of all models: what they say is computed once.
        key = (group.slice.key, group.slice.value, _digest(group.members), group.opposite and _digest(group.opposite))
        if key not in known:
            known[key] = _snapshot_rows(source, data, group) if kind.is_snapshot else _rows(source, data, group)
        named: Row = {} if kind.model_id is None else {kind.model_id: group.model}
        profiles.extend(row | named for row in known[key].profile)
        drifts.extend(row | named for row in known[key].drift)
    return Metrics(pa.Table.from_pylist(profiles, profile_schema(kind)), pa.Table.from_pylist(drifts, drift_schema(kind)))


def _digest(members: Members) -> bytes:
    digest = blake2b()
    for rows in (members.rows, members.baseline, members.previous):
        digest.update(f"{len(rows)} ".encode())
        digest.update(np.ascontiguousarray(rows).data)
    return digest.digest()


def _rows(source: Source, data: Prepared, group: Group) -> _Rows:
    """Return the rows of one group in both tables, all but the model's name."""
    made = _Rows([], [])
    baseline = _baseline(data, group)
    if baseline:
        made.profile.extend(profile_rows(source, data, baseline))
    for name in source.granularities:
        before: Cell | None = None
        for cell in _cells(source, data, group, GRANULARITIES[name]):
            made.profile.extend(profile_rows(source, data, cell))
            if before and before.window and cell.window and before.window.end == cell.window.start:
                made.drift.extend(drift_rows(source, cell, before))
            if baseline:
                made.drift.extend(drift_rows(source, cell, baseline, only=data.common))
            before = cell
    return made


def _snapshot_rows(source: Source, data: Prepared, group: Group) -> _Rows:
    """Return the rows of one group of a snapshot: at one instant, against the instant of the refresh before."""
    made = _Rows([], [])
    baseline = _baseline(data, group)
    if baseline:
        made.profile.extend(profile_rows(source, data, baseline))
    # Assumption: a slice without rows has none in the metric tables; the whole table has, for it may be empty on the day it must not be.
    if group.slice.key is not None and not len(group.members.rows):
        return made
    opposite = None if group.opposite is None else group.opposite.rows
    window = Window(source.instant, source.instant)
    cell = Cell(group, group.members.rows, _summaries(data, group.members.rows), window, opposite=opposite)
    made.profile.extend(profile_rows(source, data, cell))
    if source.previous is not None and (group.slice.key is None or len(group.members.previous)):
        window = Window(source.previous_instant, source.previous_instant)
        summaries = _summaries(data, group.members.previous, data.kept)
        made.drift.extend(drift_rows(source, cell, Cell(group, group.members.previous, summaries, window), only=data.kept))
    if baseline:
        made.drift.extend(drift_rows(source, cell, baseline, only=data.common))
    return made


def _baseline(data: Prepared, group: Group) -> Cell | None:
    # Assumption: a model or slice without rows in the baseline is not compared with it.
    rows = group.members.baseline
    if not len(rows):
        return None
    opposite = None if group.opposite is None else group.opposite.baseline
    return Cell(group, rows, _summaries(data, rows, data.common), opposite=opposite)


def _cells(source: Source, data: Prepared, group: Group, granularity: Granularity) -> Iterator[Cell]:
    opposite = {} if group.opposite is None else dict(_by_window(data, group.opposite.rows, granularity))
    for start, members in _by_window(data, group.members.rows, granularity):
        window = granularity.window(start)
        # A window that the limit cuts is left out whole: docs.databricks.com, data profiling, footnote on the first run.
        if source.not_before is None or moment(window.start) >= source.not_before:
            yield Cell(group, members, _summaries(data, members), window, granularity.label, opposite.get(start))


def _by_window(data: Prepared, rows: Rows, granularity: Granularity) -> Iterator[tuple[int, Rows]]:
    starts = granularity.starts(data.moments[rows])
    order = np.argsort(starts, kind="stable")
    firsts, positions = np.unique(starts[order], return_index=True)
    # Cut at every start: the first part, before all of them, is empty.
    yield from zip(map(int, firsts), np.split(rows[order], positions)[1:], strict=True)


def _summaries(data: Prepared, rows: Rows, only: frozenset[str] | None = None) -> list[Summary]:
    return [summarize(column, rows) for column in data.columns if only is None or column.name in only]
