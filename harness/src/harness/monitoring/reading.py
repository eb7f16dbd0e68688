"""The monitored table and its baseline, read for a refresh, with the values of the slicing expressions."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from harness.errors import UserError
from harness.monitoring import tables as delta
from harness.monitoring.fitness import UnfitTable
from harness.monitoring.ports import Expressions, Tables
from harness.monitoring.sample import Sample
from harness.monitoring.slicing import plain_column
from harness.monitoring.snapshots import Earlier
from harness.names import FullName


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads Delta tables by their folder; asks Spark only for expressions that are more than a column."""

    tables: Tables
    expressions: Expressions

    def read(self, name: str, slicing: Sequence[str]) -> tuple[Sample, int]:
        """Return the rows of table `name` with the values of the expressions, and the version they are of."""
        full_name = FullName.parse(name)
        rows, version = delta.read(self.tables.table_path(full_name), name)
        return self._sliced(full_name, rows, version, slicing), version

    def read_again(self, name: str, slicing: Sequence[str], earlier: Earlier) -> Sample | None:
        """Return what an earlier refresh saw of table `name`; None when that cannot be had any more."""
        # Assumption: without the earlier rows there is nothing to compare with, and so no row of drift.
        full_name = FullName.parse(name)
        rows = delta.read_version(self.tables.table_path(full_name), earlier.version, earlier.instant)
        return None if rows is None else self._sliced(full_name, rows, earlier.version, slicing)

    def read_baseline(self, name: str, slicing: Sequence[str]) -> Sample:
        """Return the rows of the baseline table `name`; an expression over a column that it lacks is NULL there."""
        full_name = FullName.parse(name)
        rows, version = delta.read(self.tables.table_path(full_name), name)
        try:
            return self._sliced(full_name, rows, version, slicing)
        except UnfitTable:
            # Assumption: the documentation's "best-effort heuristics": slices of which the baseline knows nothing are not compared with it.
            return Sample(str(full_name), rows, [self._values(full_name, rows, version, expression) for expression in slicing], version)

    def _values(self, name: FullName, rows: pa.Table, version: int, expression: str) -> pa.ChunkedArray:
        try:
            return self._sliced(name, rows, version, [expression]).slices[0]
        except UnfitTable:
            return pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])

    def _sliced(self, name: FullName, rows: pa.Table, version: int, slicing: Sequence[str]) -> Sample:
        columns = [plain_column(expression, rows.schema) for expression in slicing]
        if not all(columns):
            return self._by_spark(name, version, slicing)
        return Sample(str(name), rows, [rows[column].cast(pa.string()) for column in columns], version)

    def _by_spark(self, name: FullName, version: int, slicing: Sequence[str]) -> Sample:
        try:
            found = self.expressions.rows(name, version, slicing)
        except UserError as error:
            raise UnfitTable(f"{name}: slicing_exprs {list(slicing)} cannot be evaluated: {error}") from error
        count = found.num_columns - len(slicing)
        values = [found.column(count + number).cast(pa.string()) for number in range(len(slicing))]
        return Sample(str(name), found.select(range(count)), values, version)
