"""What monitoring needs from the catalog."""

from pathlib import Path
from typing import Protocol

from harness.names import FullName


class Tables(Protocol):
    """Tables and schemas by the identifiers the monitor API uses, and where their Delta folders lie."""

    def table_path(self, full_name: FullName) -> Path:
        """Return the folder of `full_name`, whether or not the table exists."""
        ...

    def table_by_id(self, table_id: str) -> FullName | None:
        """Return the name of the table with this `table_id`, or None."""
        ...

    def schema_by_id(self, schema_id: str) -> tuple[str, str] | None:
        """Return (catalog, schema) of the schema with this `schema_id`, or None."""
        ...
