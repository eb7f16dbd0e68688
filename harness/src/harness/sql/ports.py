"""What statements need of the engine."""

from collections.abc import Mapping
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
        """Return the execution of a statement, in its session or in one of its own."""
        ...

    def open(self, session: str, *, catalog: str | None, schema: str | None, confs: Mapping[str, str]) -> None:
        """Begin a session of this name with Spark's settings, or raise `StatementFailedError`."""
        ...

    def close(self, session: str) -> None:
        """End a session and what runs in it; twice without harm."""
        ...
