"""Whatever can stand after FROM: managed tables, external ones, views, and the relations of information schemas."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from harness.errors import ApiError
from harness.names import FullName
from harness.unity import information, records
from harness.unity.columns import columns
from harness.unity.folders import Folders, visible
from harness.unity.model import INFORMATION_SCHEMA, CatalogRecord, TableInfo
from harness.unity.records import External, Record, View
from harness.unity.tables import Tables, read

_HIDDEN = frozenset({"owner", "comment", "provider", "location", "external", "table_type", "view.schemaMode"})


class Relations:
    """Names are shared by all kinds, as in Spark."""

    def __init__(self, *, folders: Folders, tables: Tables, files: Path, catalog: Callable[[str], CatalogRecord], user: str) -> None:
        """`files`: where `/Volumes`, `/Workspace` and DBFS lie."""
        self._folders = folders
        self._tables = tables
        self._files = files
        self._catalog = catalog
        self._user = user

    def kinds(self, catalog: str, schema: str) -> Mapping[FullName, str]:
        """Return of which type each relation of a schema is, by name and in order."""
        if schema == INFORMATION_SCHEMA:
            self._folders.catalog(catalog)
            return {FullName(catalog, schema, name): "VIEW" for name in sorted(information.RELATIONS)}
        with self._folders.still:
            folder = self._folders.schema(catalog, schema)
            found = dict.fromkeys(self._folders.tables(catalog, schema), "MANAGED")
            found |= {FullName(catalog, schema, name): "EXTERNAL" for name in records.names(folder, ".external")}
            found |= {FullName(catalog, schema, name): "VIEW" for name in records.names(folder, ".views")}
        return dict(sorted(found.items()))

    def names(self, catalog: str, schema: str) -> list[FullName]:
        """Return the names of the relations of a schema, in order."""
        return list(self.kinds(catalog, schema))

    def get(self, name: FullName) -> TableInfo:
        """Return a relation, or raise the platform's 404."""
        if name.schema == INFORMATION_SCHEMA:
            return self._system(name)
        folder = self._folders.schema(name.catalog, name.schema)
        view = records.find(folder, ".views", name.name)
        if view is not None:
            return self._view(name, view)
        external = records.find(folder, ".external", name.name)
        return self._tables.get(name) if external is None else self._external(name, external)

    def named(self, names: Iterable[FullName]) -> list[TableInfo]:
        """Return the relations of these names that are (still) there."""
        return [found for name in names if (found := self._unless_gone(name))]

    def beside_tables(self, schemas: Iterable[tuple[str, str]]) -> Iterator[TableInfo]:
        """Yield the views and external tables of these schemas."""
        for catalog, schema in schemas:
            folder = self._folders.schema(catalog, schema)
            names = [name for kind in (".external", ".views") for name in records.names(folder, kind)]
            yield from self.named(FullName(catalog, schema, name) for name in names)

    def find(self, full_name: str) -> TableInfo | None:
        """Return the relation of this full name, or None."""
        return self._unless_gone(FullName.parse(full_name))

    def everywhere(self) -> Iterator[TableInfo]:
        """Return all relations there are but those of information schemas."""
        for catalog in visible(self._folders.root):
            for schema in visible(catalog):
                yield from self.named(self.names(catalog.name, schema.name))

    def log(self, name: FullName) -> Path:
        """Return the folder with the log of a Delta table, or raise the platform's error for what is none."""
        found = self.get(name)
        if found.data_source_format != "DELTA":
            what = f"a {found.table_type.lower()}" if found.table_type == "VIEW" else f"a table of format {found.data_source_format}"
            message = f"'{name}' is {what}; expected a Delta table"  # Assumption: the wording
            raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
        return self._folders.table(name) if found.table_type == "MANAGED" else self._located(found.storage_location or "")

    def delete(self, name: FullName) -> None:
        """Remove a relation; an external table's files stay."""
        found = self.get(name)
        if found.table_type == "MANAGED":
            self._tables.delete(name)
        elif name.schema == INFORMATION_SCHEMA:
            message = f"Table '{name}' is owned by the system and cannot be deleted"  # Assumption: the wording
            raise ApiError(403, "PERMISSION_DENIED", message)
        else:
            kind: records.Kind = ".views" if found.table_type == "VIEW" else ".external"
            records.remove(self._folders.schema(name.catalog, name.schema), kind, name.name)
            self._tables.forget(name, found.table_id)

    def change_owner(self, name: FullName, owner: str) -> None:
        """Make `owner` the owner of a relation."""
        if not owner:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Table '{name}': owner must not be empty")
        self._tables.note(self.get(name).table_id, lambda notes: replace(notes, owner=owner))

    def _unless_gone(self, name: FullName) -> TableInfo | None:
        try:
            return self.get(name)
        except ApiError:  # gone since it was seen
            return None

    def _system(self, name: FullName) -> TableInfo:
        catalog = self._catalog(name.catalog)
        if name.name not in information.RELATIONS:
            raise ApiError(404, "TABLE_DOES_NOT_EXIST", f"Table '{name}' does not exist.")
        return information.table(catalog, information.RELATIONS[name.name])

    def _view(self, name: FullName, record: Record) -> TableInfo:
        assert isinstance(record.content, View)  # noqa: S101 - the record of a view
        kept = record.content.properties
        return replace(
            self._described(name, record, kept),
            columns=columns(record.content.schema, []),
            table_type="VIEW",
            data_source_format="UNKNOWN_DATA_SOURCE_FORMAT",
            view_definition=record.content.query,
        )

    def _external(self, name: FullName, record: Record) -> TableInfo:
        found = record.content
        assert isinstance(found, External)  # noqa: S101 - the record of an external table
        described = self._described(name, record, found.properties)
        if found.provider.lower() == "delta":
            log = read(self._located(found.location), name)
            return replace(
                log,
                table_id=described.table_id,
                table_type="EXTERNAL",
                storage_location=found.location,
                owner=described.owner,
                created_by=self._user,
                updated_by=self._user,
            )
        return replace(
            described,
            columns=columns(found.schema, found.partitions),
            table_type="EXTERNAL",
            data_source_format=found.provider.upper(),
            storage_location=found.location,
        )

    def _described(self, name: FullName, record: Record, properties: Mapping[str, str]) -> TableInfo:
        return TableInfo(
            name=name.name,
            catalog_name=name.catalog,
            schema_name=name.schema,
            full_name=str(name),
            table_id=record.id,
            columns=[],
            properties={key: value for key, value in properties.items() if key not in _HIDDEN},
            owner=self._tables.notes(record.id).owner or self._user,
            created_at=record.changed_at,
            updated_at=record.changed_at,
            created_by=self._user,
            updated_by=self._user,
            comment=properties.get("comment"),
        )

    def _located(self, location: str) -> Path:
        """Return where a location of Spark's lies on this machine: `MountedFiles.java` decides the same."""
        scheme, colon, rest = location.partition(":")
        path = "/" + (rest if colon else location).lstrip("/")
        if path.startswith(("/Volumes/", "/Workspace/", "/dbfs/")):
            return self._files / path.lstrip("/")
        return self._files / "dbfs" / path.lstrip("/") if scheme == "dbfs" and colon else Path(path)
