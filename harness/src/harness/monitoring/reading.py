"""The monitored table and its baseline, read for a refresh, with the values of the slicing expressions."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import UserError
from harness.monitoring import tables as delta
from harness.monitoring.fitness import UnfitTable, check_keys, times
from harness.monitoring.kind import Kind
from harness.monitoring.model import GranularityName
from harness.monitoring.ports import Expressions, Tables
from harness.monitoring.sample import Sample
from harness.monitoring.scope import Scope, inside, intervals
from harness.monitoring.slicing import counted, plain_column, ranked
from harness.monitoring.snapshots import Earlier
from harness.monitoring.spark_sql import between
from harness.monitoring.spark_types import is_time
from harness.monitoring.tables import Table
from harness.monitoring.windows import GRANULARITIES, Window
from harness.names import FullName

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads Delta tables by their folder; asks Spark only for expressions that are more than a column."""

    tables: Tables
    expressions: Expressions
    slicing: Sequence[str]

    def open(self, name: str) -> Table:
        """Return table `name` at its newest version."""
        return delta.opened(self.tables.table_path(FullName.parse(name)), name)

    def whole(self, table: Table) -> Sample:
        """Return all rows with the values of the expressions."""
        return self._sliced(table.name, table.rows(), table.at.version, self.slicing)

    def part(self, table: Table, kind: Kind, scope: Scope, values: Sequence[Sequence[str]]) -> Sample:
        """Return the rows that a scope needs, and perhaps some more, in slices of these values."""
        wanted, column = intervals(scope), kind.timestamp or ""
        where = between(column, wanted)
        if all(plain_column(expression, table.columns) for expression in self.slicing):
            rows = pa.concat_tables([table.columns.empty_table(), *(batch for batch in self._within(table, column, wanted))])
            sample = self._sliced(table.name, rows, table.at.version, self.slicing)
        else:
            sample = self._by_spark(table.name, table.at.version, self.slicing, where)
        return Sample(sample.name, sample.rows, sample.slices, sample.version, values, where)

    def counts(self, table: Table, kind: Kind, scope: Scope | None) -> dict[GranularityName, dict[int, int]]:
        """Return how many rows each window has (those of a scope: also which have none)."""
        found: dict[GranularityName, Counter[int]] = {name: Counter() for name in kind.granularities}
        wanted, column = None if scope is None else intervals(scope), kind.timestamp or ""
        names = [name for name in (column, kind.model_id) if name is not None]
        for rows in table.batches(names) if wanted is None else self._within(table, column, wanted, names):
            check_keys(table.name, rows, kind)
            instants, timed = times(table.name, rows, column)
            for name, counter in found.items():
                starts, many = np.unique(GRANULARITIES[name].starts(instants[timed]), return_counts=True)
                counter.update(dict(zip(starts.tolist(), many.tolist(), strict=True)))
        if scope is None:
            return {name: dict(counter) for name, counter in found.items()}
        return {name: {start: found[name][start] for start in span.drift} for name, span in scope.items()}

    def slice_values(self, table: Table) -> tuple[tuple[str, ...], ...]:
        """Return the values that make the slices of each expression over the whole table."""
        return tuple(ranked(self._counted(table, expression)) for expression in self.slicing)

    def earlier(self, name: str, earlier: Earlier) -> Table | None:
        """Return table `name` as an earlier refresh saw it; None when it cannot be had any more."""
        # Assumption: without the earlier rows there is nothing to compare with, and so no row of drift.
        table = delta.at_version(self.tables.table_path(FullName.parse(name)), name, earlier.version, earlier.instant)
        try:
            for _ in () if table is None else table.batches(table.columns.names[:1]):
                pass
        except UnfitTable as error:
            log.warning("what the refresh before saw is gone: %s", error)
            return None
        return table

    def by_columns(self, table: Table, others: Sequence[Table | None]) -> bool:
        """Return whether some columns can be read without the others, and each time in the same order, which Spark does not keep."""
        wanted = [(plain_column(expression, table.columns), expression) for expression in self.slicing]
        return all(other is None or other.in_order for other in (table, *others)) and all(
            column is not None and (other is None or column not in other.columns.names or plain_column(expression, other.columns))
            for column, expression in wanted
            for other in (None, *others)
        )

    def columns(self, table: Table, names: Sequence[str], *, sliced: bool) -> Sample:
        """Return these columns of all rows, those that there are, and the values of the expressions if wanted (`by_columns` holds)."""
        own = [name for name in names if name in table.columns.names]
        keys = [plain_column(expression, table.columns) for expression in self.slicing] if sliced else []
        rows = table.rows([*dict.fromkeys([*own, *(key for key in keys if key is not None)])])
        nothing = pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
        return Sample(
            table.name, rows.select(own), [nothing if key is None else rows[key].cast(pa.string()) for key in keys], table.at.version
        )

    def baseline(self, table: Table) -> Sample:
        """Return the rows of the baseline; an expression over a column that it lacks is NULL there."""
        try:
            return self.whole(table)
        except UnfitTable:
            # Assumption: the documentation's "best-effort heuristics": slices of which the baseline knows nothing are not compared with it.
            rows = table.rows()
            return Sample(table.name, rows, [self._values(table, rows, expression) for expression in self.slicing], table.at.version)

    def _values(self, table: Table, rows: pa.Table, expression: str) -> pa.ChunkedArray:
        try:
            return self._sliced(table.name, rows, table.at.version, [expression]).slices[0]
        except UnfitTable:
            return pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])

    def _within(self, table: Table, column: str, wanted: Sequence[Window], names: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows of these times: read with a condition where the column has one, else looked through."""
        for rows in table.batches(names, _condition(table.columns.field(column), wanted)):
            instants, timed = times(table.name, rows, column)
            yield rows.filter(pa.array(timed & inside(instants, wanted)))

    def _counted(self, table: Table, expression: str) -> Mapping[str, int]:
        if column := plain_column(expression, table.columns):
            total: Counter[str] = Counter()
            for rows in table.batches([column]):
                total.update(counted(rows[column].cast(pa.string())))
            return total
        name, version = FullName.parse(table.name), table.at.version
        try:
            found = self.expressions.groups(
                name, version, keys={"value": f"CAST(({expression}) AS STRING)"}, sets=[["value"]], figures=["count(*)"]
            )
        except UserError as error:
            raise self._refused(table.name, error) from error
        return {
            value: count
            for value, count in zip(found["value"].to_pylist(), found["figure_0"].to_pylist(), strict=True)
            if value is not None
        }

    def _sliced(self, name: str, rows: pa.Table, version: int, slicing: Sequence[str]) -> Sample:
        columns = [plain_column(expression, rows.schema) for expression in slicing]
        if not all(columns):
            return self._by_spark(name, version, slicing)
        return Sample(name, rows, [rows[column].cast(pa.string()) for column in columns], version)

    def _by_spark(self, name: str, version: int, slicing: Sequence[str], where: str = "") -> Sample:
        try:
            found = self.expressions.rows(FullName.parse(name), version, slicing, where)
        except UserError as error:
            raise self._refused(name, error) from error
        count = found.num_columns - len(slicing)
        values = [found.column(count + number).cast(pa.string()) for number in range(len(slicing))]
        return Sample(name, found.select(range(count)), values, version)

    def _refused(self, name: str, error: UserError) -> UnfitTable:
        return UnfitTable(f"{name}: slicing_exprs {list(self.slicing)} cannot be evaluated: {error}")


def _condition(field: pa.Field, wanted: Sequence[Window]) -> pc.Expression | None:
    """Return the condition for rows of these times, or a little more; None for a column whose time must be worked out."""
    if not is_time(field.type):
        return None
    zone = getattr(field.type, "tz", None)
    found = pc.scalar(False)
    for time in wanted:
        # A day earlier for dates, which are cut down to days.
        start, end = (pa.scalar(value, pa.int64()).cast(pa.timestamp("us", tz=zone)) for value in (time.start, time.end))
        if pa.types.is_date(field.type):
            start, end = (value.cast(pa.timestamp("s")).cast(pa.date32(), safe=False) for value in (start, end))
            found |= (pc.field(field.name) >= start) & (pc.field(field.name) <= end)
        else:
            found |= (pc.field(field.name) >= start) & (pc.field(field.name) < end)
    return found
