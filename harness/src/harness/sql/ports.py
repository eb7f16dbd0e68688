"""What statements need of the engine."""

from typing import Protocol

import pyarrow as pa

from harness.sql.model import ColumnInfo, Query


class Running(Protocol):
    """One statement that the engine is at."""

    def result(self) -> tuple[tuple[ColumnInfo, ...], pa.Table]:
        """Wait for the columns and rows, or raise `StatementFailedError`; one row more than `row_limit` tells that there are more."""
        ...

    def cancel(self) -> None:
        """Let `result` fail soon, also when it has not been called yet."""
        ...


class Engine(Protocol):
    """Whatever executes SQL."""

    def begin(self, query: Query) -> Running:
        """Return the execution of a statement, with a session of its own."""
        ...
