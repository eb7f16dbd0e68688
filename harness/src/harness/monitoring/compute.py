"""From the rows of a monitored table to the rows of its two metric tables: pure."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.monitoring.columns import Rows
from harness.monitoring.kind import kind_of
from harness.monitoring.kolmogorov import ks_pvalues
from harness.monitoring.metric_rows import Cell, Row, Source, drift_rows, moment, profile_rows
from harness.monitoring.model import GranularityName
from harness.monitoring.profile import Summary, summarize
from harness.monitoring.sample import Group, Members, Prepared, prepared
from harness.monitoring.schemas import drift_schema, profile_schema, unjudged
from harness.monitoring.scope import Scope, Span
from harness.monitoring.windows import GRANULARITIES, Granularity, Window

__all__ = ["Metrics", "Source", "compute", "metrics_of"]

T = TypeVar("T")
R = TypeVar("R")


_MANY_ROWS = 50_000
"""From here on windows are looked at in parallel: below, threads cost more than they give."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Rows of the two metric tables."""

    profile: pa.Table
    drift: pa.Table


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of both metric tables."""

    profile: list[Row]
    drift: list[Row]


@dataclass(frozen=True, slots=True)
class _Look:
    """A refresh at work: what it reads, which windows it is about (None: all), and what may end it."""

    source: Source
    data: Prepared
    scope: Scope | None
    check: Callable[[], None]
    threads: Executor

    def each(self, function: Callable[[T], R], items: Iterable[T], rows: int) -> list[R]:
        """Return what `function` says of each item; in parallel where there are many rows to look at."""
        found = []
        for one in self.threads.map(function, items) if rows >= _MANY_ROWS else map(function, items):
            self.check()
            found.append(one)
        return found


def compute(source: Source, scope: Scope | None = None, check: Callable[[], None] = lambda: None) -> Metrics:
    """Return the rows of both metric tables for the windows of `scope`, or for every one; of a snapshot, the rows of this refresh.

    `check` is called between windows, and may raise to end it.
    """
    return metrics_of(
        source, prepared(source.sample, source.baseline, source.previous, kind_of(source.config), source.slicing), scope, check
    )


def metrics_of(source: Source, data: Prepared, scope: Scope | None, check: Callable[[], None]) -> Metrics:
    """Return the same of what is prepared already."""
    kind = kind_of(source.config)
    profiles, drifts = [profile_schema(kind).empty_table()], [unjudged(drift_schema(kind)).empty_table()]
    known: dict[tuple[object, ...], _Rows] = {}  # of one slice: all of them would be a lot
    threads = ThreadPoolExecutor(os.cpu_count())
    try:
        look = _Look(source, data, scope, check, threads)
        for group in data.groups:
            # While there is one model, its rows are those of all models: what they say is computed once.
            key = (group.slice.key, group.slice.value, _digest(group.members), group.opposite and _digest(group.opposite))
            if key not in known:
                known = {key_: rows for key_, rows in known.items() if key_[:2] == key[:2]}
                known[key] = _snapshot_rows(look, group) if kind.is_snapshot else _rows(look, group)
            named: Row = {} if kind.model_id is None else {kind.model_id: group.model}
            profiles.append(pa.Table.from_pylist([row | named for row in known[key].profile], profile_schema(kind)))
            drifts.append(pa.Table.from_pylist([row | named for row in known[key].drift], drifts[0].schema))
    finally:
        threads.shutdown(cancel_futures=True)
    check()
    return Metrics(pa.concat_tables(profiles), _judged(pa.concat_tables(drifts), drift_schema(kind)))


def _judged(drift: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows of the drift table with the p-values of their Kolmogorov-Smirnov statistics: of all at once, which is quicker."""
    place = schema.get_field_index("ks_test")
    gaps = drift["ks_test"].combine_chunks()
    held = pc.is_valid(gaps)
    statistics, rows = (gaps.filter(held).field(name).to_numpy(zero_copy_only=False) for name in ("statistic", "rows"))
    pvalues = np.zeros(len(gaps))
    pvalues[held.to_numpy(zero_copy_only=False)] = ks_pvalues(statistics, rows)
    tests = pa.StructArray.from_arrays([gaps.field("statistic"), pvalues], fields=list(schema.field(place).type), mask=pc.invert(held))
    return drift.set_column(place, schema.field(place), tests)


def _digest(members: Members) -> bytes:
    digest = blake2b()
    for rows in (members.rows, members.baseline, members.previous):
        digest.update(f"{len(rows)} ".encode())
        digest.update(np.ascontiguousarray(rows).data)
    return digest.digest()


def _rows(look: _Look, group: Group) -> _Rows:
    """Return the rows of one group in both tables, all but the model's name."""
    source, data, many = look.source, look.data, len(group.members.rows)
    made = _Rows([], [])
    baseline = _baseline(data, group)
    if baseline:
        made.profile.extend(profile_rows(source, data, baseline))

    def drift(pair: tuple[Cell | None, Cell]) -> list[Row]:
        before, cell = pair
        found: list[Row] = []
        if before and before.window and cell.window and before.window.end == cell.window.start:
            found.extend(drift_rows(source, cell, before))
        if baseline:
            found.extend(drift_rows(source, cell, baseline, only=data.common))
        return found

    for name in source.granularities:
        cells = look.each(lambda make: make(), _cells(look, group, name), many)
        span = None if look.scope is None else look.scope.get(name, Span(*[frozenset[int]()] * 3))
        for cell in cells:
            if span is None or _start(cell) in span.profile:
                made.profile.extend(profile_rows(source, data, cell))
        pairs = [pair for pair in zip([None, *cells], cells, strict=False) if span is None or _start(pair[1]) in span.drift]
        made.drift.extend(row for rows in look.each(drift, pairs, many) for row in rows)
    return made


def _start(cell: Cell) -> int | None:
    return None if cell.window is None else cell.window.start


def _snapshot_rows(look: _Look, group: Group) -> _Rows:
    """Return the rows of one group of a snapshot: at one instant, against the instant of the refresh before."""
    source, data = look.source, look.data
    look.check()
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


def _cells(look: _Look, group: Group, name: GranularityName) -> Iterator[Callable[[], Cell]]:
    """Yield how to make the cell of each window that the scope needs, in order."""
    data, granularity = look.data, GRANULARITIES[name]
    seen = None if look.scope is None else look.scope[name].seen if name in look.scope else frozenset[int]()
    opposite = {} if group.opposite is None else dict(_by_window(data, group.opposite.rows, granularity))

    def cell(window: Window, members: Rows) -> Cell:
        return Cell(group, members, _summaries(data, members), window, granularity.label, opposite.get(window.start))

    for start, members in _by_window(data, group.members.rows, granularity):
        window = granularity.window(start)
        # A window that the limit cuts is left out whole: docs.databricks.com, data profiling, footnote on the first run.
        early = look.source.not_before is not None and moment(window.start) < look.source.not_before
        if not early and (seen is None or start in seen):
            yield partial(cell, window, members)


def _by_window(data: Prepared, rows: Rows, granularity: Granularity) -> Iterator[tuple[int, Rows]]:
    starts = granularity.starts(data.moments[rows])
    order = np.argsort(starts, kind="stable")
    firsts, positions = np.unique(starts[order], return_index=True)
    # Cut at every start: the first part, before all of them, is empty.
    yield from zip(map(int, firsts), np.split(rows[order], positions)[1:], strict=True)


def _summaries(data: Prepared, rows: Rows, only: frozenset[str] | None = None) -> list[Summary]:
    return [summarize(column, rows) for column in data.columns if only is None or column.name in only]
