"""A snapshot computed some columns at a time, so that memory follows the largest column and not the table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.monitoring.compute import Metrics, metrics_of
from harness.monitoring.kind import kind_of
from harness.monitoring.metric_rows import Source
from harness.monitoring.reading import Reader
from harness.monitoring.sample import EMPTY, Group, Sample, prepared
from harness.monitoring.schemas import TABLE
from harness.monitoring.tables import Table

Bundle = Sequence[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a snapshot reads: its table, the baseline, the version that the refresh before saw; of so many values at a time, if it can."""

    reader: Reader
    table: Table
    baseline: Table | None
    previous: Table | None
    source: Source
    most_cells: int

    def bundles(self) -> list[Bundle]:
        """Return the columns to be looked at together; all of them where slices are of expressions that Spark must evaluate."""
        names = self.table.columns.names
        if not self._by_columns:
            return [names]
        rows = sum(table.count() for table in (self.table, self.baseline, self.previous) if table)
        step = max(1, self.most_cells // max(1, rows))
        return [names[start : start + step] for start in range(0, len(names), step)]

    def read(self, names: Bundle, *, sliced: bool) -> Source:
        """Return these columns of all tables, with the values of the slicing expressions if they are wanted."""
        sample, baseline, previous = (
            None if table is None else self._sample(table, names, sliced=sliced) for table in (self.table, self.baseline, self.previous)
        )
        return replace(self.source, sample=sample or EMPTY, baseline=baseline, previous=previous)

    def described(self, read: Source) -> Source:
        """Return what was read as a whole, without its rows."""
        baseline = None
        if read.baseline is not None and self.baseline is not None:
            baseline = replace(read.baseline, rows=self.baseline.columns.empty_table())
        return replace(read, sample=replace(read.sample, rows=self.table.columns.empty_table()), baseline=baseline, previous=None)

    def _sample(self, table: Table, names: Bundle, *, sliced: bool) -> Sample:
        if self._by_columns:
            return self.reader.columns(table, names, sliced=sliced)
        return self.reader.baseline(table) if table is self.baseline else self.reader.whole(table)

    @property
    def _by_columns(self) -> bool:
        return self.reader.by_columns(self.table, [self.baseline, self.previous])


class Reads(Protocol):
    """Returns what a refresh reads of some columns, with the values of slicing expressions if they are wanted."""

    def __call__(self, names: Bundle, *, sliced: bool) -> Source:
        """Read."""
        ...


def compute_bundles(columns: Sequence[Bundle], read: Reads, check: Callable[[], None]) -> tuple[Source, Metrics]:
    """Return the rows of both metric tables of a snapshot, and what was read, without its rows."""
    told: Source | None = None
    groups: Sequence[Group] | None = None
    found: list[Metrics] = []
    for names in columns:
        source = read(names, sliced=groups is None)
        data = prepared(source.sample, source.baseline, source.previous, kind_of(source.config), source.slicing, groups)
        groups = list(data.groups)
        told = told or _without_rows(source)
        found.append(metrics_of(source, replace(data, groups=groups), None, check))
        check()
    assert told is not None  # noqa: S101 - every table has a column
    return told, Metrics(_joined([each.profile for each in found]), _joined([each.drift for each in found]))


def _without_rows(source: Source) -> Source:
    baseline = None if source.baseline is None else replace(source.baseline, rows=EMPTY.rows)
    return replace(source, sample=replace(source.sample, rows=EMPTY.rows), baseline=baseline, previous=None)


def _joined(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all columns, and of the table's own rows, which every part has in the same order, one each."""
    if len(parts) == 1:
        return parts[0]
    own = [part.filter(pc.equal(part["column_name"], TABLE)).combine_chunks() for part in parts]
    columns = [part.filter(pc.not_equal(part["column_name"], TABLE)) for part in parts]
    return pa.concat_tables([_with(own[0], own), *columns])


def _with(whole: pa.Table, own: Sequence[pa.Table]) -> pa.Table:
    for name, join in (("non_null_columns", _lists), ("non_null_columns_delta", _sums)):
        if name in whole.column_names:
            place = whole.schema.get_field_index(name)
            whole = whole.set_column(place, whole.schema.field(place), join([part[name] for part in own], whole.schema.field(place).type))
    return whole


def _lists(parts: Sequence[pa.ChunkedArray], kind: pa.DataType) -> pa.Array:
    rows = zip(*(part.to_pylist() for part in parts), strict=True)
    return pa.array([[name for names in row for name in names] for row in rows], kind)


def _sums(parts: Sequence[pa.ChunkedArray], kind: pa.StructType) -> pa.Array:
    fields = [np.sum([pc.struct_field(part, field.name).to_numpy() for part in parts], axis=0) for field in kind]
    return pa.StructArray.from_arrays([pa.array(values, field.type) for values, field in zip(fields, kind, strict=True)], fields=list(kind))
