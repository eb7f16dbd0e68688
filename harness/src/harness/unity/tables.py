"""Tables: read from their Delta logs, whoever wrote them."""

from collections.abc import Callable
from pathlib import Path

from harness.errors import ApiError
from harness.names import FullName
from harness.state import Documents, Store
from harness.unity.columns import columns
from harness.unity.folders import Folders, remove
from harness.unity.model import TableInfo, TableRecord


class Tables:
    """Delta tables under the warehouse. A table's id is its Delta metadata id: a table dropped and made again is another one."""

    def __init__(self, *, folders: Folders, store: Store, user: str, on_table_dropped: Callable[[FullName], None]) -> None:
        self._folders = folders
        self._user = user
        self._on_table_dropped = on_table_dropped
        self._seen = Documents(store, "table", TableRecord)

    def path(self, name: FullName) -> Path:
        """Return the folder of a table that need not exist yet; its schema must."""
        return self._folders.schema(name.catalog, name.schema) / name.name

    def exists(self, name: FullName) -> bool:
        """Return whether the table is there; a missing schema or catalog is the platform's 404."""
        return name in self._folders.tables(name.catalog, name.schema)

    def get(self, name: FullName) -> TableInfo:
        """Return what the Delta log says about a table, or raise the platform's 404."""
        info = _read(self._folders.table(name), name, self._user)
        if self._seen.get(str(name)) != TableRecord(str(name), info.table_id):
            self._seen.put(str(name), TableRecord(str(name), info.table_id))
        return info

    def in_schema(self, catalog: str, schema: str) -> list[TableInfo]:
        """Return the tables of a schema, in name order."""
        return [self.get(name) for name in self._folders.tables(catalog, schema)]

    def delete(self, name: FullName) -> None:
        """Remove a table and its files, and tell Spark."""
        remove(self._folders.table(name))
        self._seen.delete(str(name))
        self._on_table_dropped(name)

    def by_id(self, table_id: str, every_schema: list[tuple[str, str]]) -> FullName | None:
        """Return the table that has this id now, or None."""
        seen = [FullName.parse(record.full_name) for record in self._seen.list() if record.table_id == table_id]
        unseen = (name for catalog, schema in every_schema for name in self._folders.tables(catalog, schema))
        return next((name for name in (*seen, *unseen) if self._id_now(name) == table_id), None)

    def _id_now(self, name: FullName) -> str | None:
        try:
            return self.get(name).table_id
        except ApiError:  # gone since it was seen
            return None


def _read(folder: Path, name: FullName, owner: str) -> TableInfo:
    from deltalake import DeltaTable

    table = DeltaTable(folder)
    metadata = table.metadata()
    changed = int(next(iter(table.history(1)))["timestamp"])
    return TableInfo(
        name=name.name,
        catalog_name=name.catalog,
        schema_name=name.schema,
        full_name=str(name),
        table_id=str(metadata.id),
        columns=columns(table.schema().to_json(), metadata.partition_columns),
        properties=dict(metadata.configuration),
        storage_location=folder.as_uri(),
        owner=owner,
        created_at=int(metadata.created_time),
        updated_at=changed,
        comment=metadata.description,
    )
