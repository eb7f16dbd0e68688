"""The monitored table and its baseline, read for a refresh, with the values of the slicing expressions."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from harness.errors import UserError
from harness.monitoring import tables as delta
from harness.monitoring.ports import Expressions, Tables
from harness.monitoring.sample import Sample, UnfitTable
from harness.monitoring.slicing import plain_column
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
        columns = [plain_column(expression, rows.schema) for expression in slicing]
        if not all(columns):
            return self._by_spark(full_name, version, slicing), version
        return Sample(name, rows, [rows[column].cast(pa.string()) for column in columns]), version

    def _by_spark(self, name: FullName, version: int, slicing: Sequence[str]) -> Sample:
        try:
            found = self.expressions.rows(name, version, slicing)
        except UserError as error:
            raise UnfitTable(f"{name}: slicing_exprs {list(slicing)} cannot be evaluated: {error}") from error
        count = found.num_columns - len(slicing)
        values = [found.column(count + number).cast(pa.string()) for number in range(len(slicing))]
        return Sample(str(name), found.select(range(count)), values)
