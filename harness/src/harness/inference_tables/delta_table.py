"""Payload tables as Delta tables, written in this process by delta-rs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from harness.config import Layout
from harness.errors import ApiError
from harness.inference_tables.model import PayloadRow
from harness.inference_tables.ports import TableFolders
from harness.names import FullName

# Names, order and types of a real AI Gateway inference table.
SCHEMA = pa.schema(
    [
        ("databricks_request_id", pa.string()),
        ("request_date", pa.date32()),
        ("client_request_id", pa.string()),
        ("request_time", pa.timestamp("us", tz="UTC")),
        ("status_code", pa.int32()),
        ("sampling_fraction", pa.float64()),
        ("execution_duration_ms", pa.int64()),
        ("request", pa.string()),
        ("response", pa.string()),
        ("logging_error_codes", pa.list_(pa.string())),
        ("served_entity_id", pa.string()),
        ("requester", pa.string()),
    ],
)


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
    """The table `name`. Its Delta log keeps, under `application`, how many rows of the log it holds (a `txn` action).

    That is what makes appending exactly-once: rows and their count are one commit. It also tells our table from one of the same name
    that somebody else made.
    """

    tables: TableFolders
    name: FullName
    application: str

    @property
    def folder(self) -> Path:
        """Where the table lies; `ApiError` 404 when its schema is gone."""
        return self.tables.table_folder(self.name)

    def exists(self) -> bool:
        """Return whether the folder holds a Delta table."""
        return bool(DeltaTable.is_deltatable(str(self.folder)))

    def create(self) -> None:
        """Make the table, empty, with its change data feed on."""
        DeltaTable.create(
            self.folder,
            schema=SCHEMA,
            mode="error",
            name=self.name.name,
            configuration={"delta.enableChangeDataFeed": "true"},
            commit_properties=self._commit(0),
        )

    def rows_held(self) -> int | None:
        """Return how many rows of the log the table holds; None when it is not there or not of this log."""
        return DeltaTable(self.folder).transaction_version(self.application) if self.exists() else None

    def append(self, rows: Sequence[PayloadRow], rows_held: int) -> None:
        """Commit `rows` and their count at once."""
        columns = {name: [getattr(row, name) for row in rows] for name in SCHEMA.names}
        data = pa.table(columns, schema=SCHEMA)
        write_deltalake(self.folder, data, mode="append", commit_properties=self._commit(rows_held))

    def _commit(self, rows_held: int) -> CommitProperties:
        return CommitProperties(app_transactions=[Transaction(self.application, rows_held)])
