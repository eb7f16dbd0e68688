"""Payload tables as Delta tables, written by delta-rs."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError

from harness.config import Layout
from harness.errors import ApiError
from harness.inference_tables.columns import SCHEMA
from harness.names import FullName

log = logging.getLogger(__name__)
SMALL_FILES = 64  # so many files of a table, and they become one
COMPACTED_BYTES = 32 << 20  # what is this large stays as it is


@dataclass(frozen=True, slots=True)
class WarehouseFolders:
    """Tables in the harness's warehouse: `<catalog>/<schema>/<table>`."""

    layout: Layout

    def table_folder(self, name: FullName) -> Path:
        """Return the folder of table `name`; `ApiError` 404 when its schema does not exist."""
        schema = self.layout.warehouse / name.catalog / name.schema
        if not schema.is_dir():
            raise ApiError(404, "SCHEMA_DOES_NOT_EXIST", f"Schema '{name.catalog}.{name.schema}' does not exist.")
        return schema / name.name


@dataclass(frozen=True, slots=True)
class DeltaPayloadTable:
    """The table in `folder`. Its Delta log keeps, under `application`, how many calls of the log it holds (a `txn` action).

    That is what makes appending exactly-once: rows and their count are one commit. It also tells our table from one of the same name
    that somebody else made.
    """

    folder: Path
    application: str

    def exists(self) -> bool:
        """Return whether the folder holds a Delta table."""
        return bool(DeltaTable.is_deltatable(str(self.folder)))

    def create(self) -> None:
        """Make the table, empty, with its change data feed on.

        The platform's is also clustered by `request_date` and has deletion vectors and row tracking: delta-rs 1.6 does not write to tables
        with the features `clustering` and `domainMetadata` ("Unsupported table features required").
        """
        DeltaTable.create(
            self.folder,
            schema=SCHEMA,
            mode="error",
            name=self.folder.name,
            configuration={"delta.enableChangeDataFeed": "true"},
            commit_properties=self._commit(0),
        )

    def calls_held(self) -> int | None:
        """Return how many calls of the log the table holds; None when it is not there or not of this log."""
        return DeltaTable(self.folder).transaction_version(self.application) if self.exists() else None

    def append(self, rows: pa.Table, calls_held: int) -> None:
        """Commit `rows` and the count at once."""
        write_deltalake(self.folder, rows, mode="append", commit_properties=self._commit(calls_held))

    def tidy(self) -> None:
        """Make one file of many small ones, when there are many; the rows, their count and the change data feed stay as they are."""
        table = DeltaTable(self.folder)
        if len(table.file_uris()) < SMALL_FILES:
            return
        try:
            table.optimize.compact(target_size=COMPACTED_BYTES)
            table.vacuum(dry_run=False)  # what nobody has read for a week, as on the platform
        except DeltaError as error:  # somebody else changed the table meanwhile; the next commit tries again
            log.warning("%s could not be compacted: %s", self.folder, error)

    def _commit(self, calls_held: int) -> CommitProperties:
        return CommitProperties(app_transactions=[Transaction(self.application, calls_held)])
