"""What monitoring needs from the catalog and from Spark."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from harness.names import FullName


class Tables(Protocol):
    """Tables and schemas by the identifiers the monitor API uses, and where their Delta folders lie."""

    def table_path(self, full_name: FullName) -> Path:
        """Return the folder of `full_name`, whether or not the table exists."""
        ...

    def table_by_id(self, table_id: str) -> FullName | None:
        """Return the name of the table with this `table_id`, or None."""
        ...

    def table_id(self, table: FullName) -> str:
        """Return the `table_id` of this table, or raise the platform's 404."""
        ...

    def schema_id(self, catalog: str, schema: str) -> str:
        """Return the `schema_id` of this schema, or raise the platform's 404."""
        ...

    def schema_by_id(self, schema_id: str) -> tuple[str, str] | None:
        """Return (catalog, schema) of the schema with this `schema_id`, or None."""
        ...


class Expressions(Protocol):
    """SQL expressions over a table, as the platform evaluates them."""

    def rows(self, table: FullName, version: int, expressions: Sequence[str], where: str = "") -> pa.Table:
        """Return the table's columns at `version` and behind them one text column for each expression; of rows `where` one more holds.

        Raises a `UserError` that says what is wrong with an expression.
        """
        ...

    def groups(
        self, table: FullName, version: int, *, keys: Mapping[str, str], sets: Sequence[Sequence[str]], figures: Sequence[str],
        where: str = "",
    ) -> pa.Table:  # fmt: skip
        """Return the aggregate expressions `figures` of the rows at `version` (`where` one more holds), grouped in several ways.

        `keys` are expressions to group by, and each of `sets` names some of them. The answer has a row for each group of each set: the
        number of its `set`, every key's value (NULL where the set does not have it), and `figure_0` and so on.
        Raises a `UserError` that says what is wrong with an expression.
        """
        ...

    def evaluate(self, rows: pa.Table, expressions: Sequence[str]) -> pa.Table:
        """Return a column for each expression over `rows`, in their order.

        Raises a `UserError` that says what is wrong with an expression.
        """
        ...
