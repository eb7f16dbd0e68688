"""What inference tables need from others."""

from pathlib import Path
from typing import Protocol

import msgspec
import pyarrow as pa

from harness.names import FullName

FOREVER = 2**63 - 1  # nanoseconds since 1970: no call has to wait


class TableFolders(Protocol):
    """Where tables lie."""

    def table_folder(self, name: FullName) -> Path:
        """Return the folder of table `name`, whether or not it exists; `ApiError` 404 when its catalog or schema does not."""
        ...


class PayloadTable(Protocol):
    """A table that calls of one log are appended to, exactly once."""

    def exists(self) -> bool:
        """Return whether there is a table of that name, ours or not."""
        ...

    def create(self) -> None:
        """Make the table, empty; it must not exist."""
        ...

    def calls_held(self) -> int | None:
        """Return how many calls of the log the table holds; None when there is no table, or one that this log did not make."""
        ...

    def append(self, rows: pa.Table, calls_held: int) -> None:
        """Add `rows` and the knowledge that `calls_held` are now held, both or neither."""
        ...

    def tidy(self) -> None:
        """Do what keeps a table of many appends fast."""
        ...


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One commit that is wanted: from the journal in a folder to the table in another."""

    journal: str
    committed: int
    """How many calls the journal knows to be in the table; the table may know more."""
    end: int
    """How many calls were acknowledged."""
    until_ns: int
    """Calls received after this moment wait."""
    folder: str
    table: str
    application: str
    urgent: bool = False
    """Whether somebody waits for it."""


class Moved(msgspec.Struct, frozen=True):
    """What became of an order: the table holds so many calls of the log, or why it refuses more."""

    held: int
    failure: str | None = None


class Mover(Protocol):
    """Who carries out orders, one after the other."""

    def move(self, order: Order) -> Moved:
        """Commit once what is wanted and due, if anything is."""
        ...

    def close(self) -> None:
        """End what was started for moving. Twice without harm; a later order starts it again."""
        ...
