"""What inference tables need from others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from harness.inference_tables.model import PayloadRow
from harness.names import FullName


class TableFolders(Protocol):
    """Where tables lie."""

    def table_folder(self, name: FullName) -> Path:
        """Return the folder of table `name`, whether or not it exists; `ApiError` 404 when its catalog or schema does not."""
        ...


class PayloadTable(Protocol):
    """A table that rows of one log are appended to, exactly once."""

    def exists(self) -> bool:
        """Return whether there is a table of that name, ours or not."""
        ...

    def create(self) -> None:
        """Make the table, empty; it must not exist."""
        ...

    def rows_held(self) -> int | None:
        """Return how many rows of the log the table holds; None when there is no table, or one that this log did not make."""
        ...

    def append(self, rows: Sequence[PayloadRow], rows_held: int) -> None:
        """Add `rows` and the knowledge that `rows_held` are now held, both or neither."""
        ...
