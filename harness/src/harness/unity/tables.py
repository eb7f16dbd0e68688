"""Tables: read from their Delta logs, whoever wrote them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from harness.errors import ApiError, NotEmulated
from harness.names import FullName
from harness.state import Documents, Store
from harness.unity import keys
from harness.unity.columns import columns
from harness.unity.folders import Folders, remove
from harness.unity.model import TableInfo, TableNotes, TableRecord

_UNREADABLE = "Unsupported Delta table type"


class Tables:
    """Delta tables under the warehouse.

    A table's id is the one that its log began with: a table that is replaced (`CREATE OR REPLACE`) stays itself, with its grants and tags;
    one that is dropped and made again is another.
    """

    def __init__(self, *, folders: Folders, store: Store, user: str, on_table_dropped: Callable[[FullName], None]) -> None:
        self._folders = folders
        self._user = user
        self._on_table_dropped = on_table_dropped
        self._seen = Documents(store, "table", TableRecord)
        self._notes = Documents(store, "table_notes", TableNotes)

    def path(self, name: FullName) -> Path:
        """Return the folder of a table that need not exist yet; its schema must."""
        return self._folders.schema(name.catalog, name.schema) / name.name

    def exists(self, name: FullName) -> bool:
        """Return whether the table is there; a missing schema or catalog is the platform's 404."""
        return name in self._folders.tables(name.catalog, name.schema)

    def get(self, name: FullName) -> TableInfo:
        """Return what the Delta log says about a table, or raise the platform's 404."""
        info = read(self._folders.table(name), name)
        if self._seen.get(str(name)) != TableRecord(str(name), info.table_id):
            self._seen.put(str(name), TableRecord(str(name), info.table_id))
        notes = self.notes(info.table_id)
        return replace(
            info,
            owner=notes.owner or self._user,
            created_by=self._user,
            updated_by=self._user,
        )

    def in_schema(self, catalog: str, schema: str) -> list[TableInfo]:
        """Return the tables of a schema, in name order."""
        found = (self.unless_gone(name) for name in self._folders.tables(catalog, schema))
        return [info for info in found if info]

    def delete(self, name: FullName) -> None:
        """Remove a table and its files, and tell Spark."""
        found = self.get(name)
        if not remove(self._folders.table(name)):
            self._folders.table(name)  # another was first: not found
        self.forget(name, found.table_id)

    def forget(self, name: FullName, table_id: str) -> None:
        """Forget a table that is gone, and tell Spark."""
        self._seen.delete(str(name))
        self._notes.delete(table_id)
        self._on_table_dropped(name)

    def notes(self, table_id: str) -> TableNotes:
        """Return what is known of a table beside its log."""
        return self._notes.get(table_id) or TableNotes()

    def note(self, table_id: str, change: Callable[[TableNotes], TableNotes]) -> TableNotes:
        """Change what is known of a table beside its log, and return it then."""
        with self._notes.transaction():
            return self._notes.put(table_id, change(self.notes(table_id)))

    def by_id(self, table_id: str, every_schema: list[tuple[str, str]]) -> FullName | None:
        """Return the table that has this id now, or None."""
        seen = [FullName.parse(record.full_name) for record in self._seen.list() if record.table_id == table_id]
        unseen = (name for catalog, schema in every_schema for name in self._folders.tables(catalog, schema))
        return next((name for name in (*seen, *unseen) if self._id_now(name) == table_id), None)

    def _id_now(self, name: FullName) -> str | None:
        found = self.unless_gone(name)
        return found.table_id if found else None

    def unless_gone(self, name: FullName) -> TableInfo | None:
        """Return a table, or None when there is none of this name."""
        try:
            return self.get(name)
        except ApiError:  # gone since it was seen
            return None


class _MetaData(msgspec.Struct):
    id: str


class _Action(msgspec.Struct, rename={"metadata": "metaData"}):
    metadata: _MetaData | None = None


_action = msgspec.json.Decoder(_Action)


def _first_id(folder: Path) -> str | None:
    """Return the id that a table's first commit gave it; None when that commit is gone (Delta keeps it for 30 days after a checkpoint)."""
    try:
        lines = (folder / "_delta_log" / f"{0:020}.json").read_bytes().splitlines()
    except FileNotFoundError:
        return None
    return next((found.id for line in lines if (found := _action.decode(line).metadata)), None)


def read(folder: Path, name: FullName) -> TableInfo:
    """Return what a Delta log says of the table `name`, or raise the platform's 404."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    try:
        table = DeltaTable(folder)
        metadata, protocol = table.metadata(), table.protocol()
        changed = int(next(iter(table.history(1)))["timestamp"])
    except (TableNotFoundError, FileNotFoundError, DeltaError) as error:
        if isinstance(error, DeltaError) and folder.is_dir():
            why = str(error).splitlines()[0]
            if _UNREADABLE in why:  # what a query says COLLATE of is written as such, and delta-rs reads no collations
                raise NotEmulated(f"describing the table '{name}' over REST ({why})") from error
            raise
        raise ApiError(404, "TABLE_DOES_NOT_EXIST", f"Table '{name}' does not exist.") from error
    # What the platform adds to the properties that users set, as its answers show it:
    # github.com/databricks/terraform-provider-databricks/issues
    told = {
        "delta.lastCommitTimestamp": str(changed),
        "delta.lastUpdateVersion": str(table.version()),
        "delta.minReaderVersion": str(protocol.min_reader_version),
        "delta.minWriterVersion": str(protocol.min_writer_version),
    }
    return TableInfo(
        name=name.name,
        catalog_name=name.catalog,
        schema_name=name.schema,
        full_name=str(name),
        table_id=_first_id(folder) or str(metadata.id),
        columns=columns(table.schema().to_json(), metadata.partition_columns),
        properties={**keys.undeclared(metadata.configuration), **told},
        storage_location=folder.as_uri(),
        owner="",
        created_at=int(metadata.created_time),
        updated_at=changed,
        created_by="",
        updated_by="",
        comment=metadata.description,
        constraints=keys.declared(metadata.configuration),
    )
