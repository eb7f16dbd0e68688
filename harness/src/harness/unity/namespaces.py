"""Catalogs and schemas: folders, and what is remembered about them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from harness.clock import Clock, millis
from harness.config import CATALOGS
from harness.errors import ApiError
from harness.ids import Ids
from harness.names import check_name
from harness.state import Documents, Store
from harness.unity.folders import Folders, remove, visible
from harness.unity.model import CatalogRecord, SchemaRecord

DEFAULT_SCHEMA = "default"
_NO_PROPERTIES: Mapping[str, str] = {}


class Namespaces:
    """Whatever made a folder (REST, Spark, delta-rs) made the catalog or schema; a record is added when it is first asked for."""

    def __init__(
        self, *, folders: Folders, clock: Clock, ids: Ids, store: Store, user: str, on_catalog_created: Callable[[str], None]
    ) -> None:
        self._folders = folders
        self._clock = clock
        self._ids = ids
        self._user = user
        self._on_catalog_created = on_catalog_created
        self._catalogs = Documents(store, "catalog", CatalogRecord)
        self._schemas = Documents(store, "schema", SchemaRecord)
        for name in CATALOGS:
            (folders.root / name / DEFAULT_SCHEMA).mkdir(parents=True, exist_ok=True)

    def catalogs(self) -> list[CatalogRecord]:
        """Return all catalogs, in name order."""
        return [self.catalog(folder.name) for folder in visible(self._folders.root)]

    def catalog(self, name: str) -> CatalogRecord:
        """Return a catalog, or raise the platform's 404."""
        wanted = check_name(name, "catalog")
        self._folders.catalog(wanted)
        with self._catalogs.transaction():
            return self._catalogs.get(wanted) or self._remember_catalog(wanted, "", _NO_PROPERTIES)

    def create_catalog(self, name: str, *, comment: str = "", properties: Mapping[str, str] = _NO_PROPERTIES) -> CatalogRecord:
        """Make a catalog with its schema `default`, and tell Spark."""
        wanted = check_name(name, "catalog")
        with self._catalogs.transaction():
            if (self._folders.root / wanted).exists():
                raise ApiError(400, "CATALOG_ALREADY_EXISTS", f"Catalog '{wanted}' already exists")
            (self._folders.root / wanted / DEFAULT_SCHEMA).mkdir(parents=True)
            made = self._remember_catalog(wanted, comment, properties)
        self._on_catalog_created(wanted)
        return made

    def update_catalog(self, name: str, comment: str) -> CatalogRecord:
        """Change the comment of a catalog."""
        with self._catalogs.transaction():
            return self._catalogs.put(
                check_name(name, "catalog"), replace(self.catalog(name), comment=comment, updated_at=millis(self._clock.now()))
            )

    def delete_catalog(self, name: str) -> None:
        """Remove a catalog and its folder."""
        found = self.catalog(name)
        remove(self._folders.catalog(found.name))
        self._catalogs.delete(found.name)

    def schemas(self, catalog: str) -> list[SchemaRecord]:
        """Return the schemas of a catalog, in name order."""
        folder = self._folders.catalog(check_name(catalog, "catalog"))
        return [self.schema(folder.name, child.name) for child in visible(folder)]

    def schema(self, catalog: str, name: str) -> SchemaRecord:
        """Return a schema, or raise the platform's 404 for it or its catalog."""
        above, wanted = check_name(catalog, "catalog"), check_name(name, "schema")
        with self._schemas.transaction():
            if not self._folders.catalog(above).joinpath(wanted).is_dir():
                self._schemas.delete(f"{above}.{wanted}")  # dropped by Spark: a new one of this name is another one
            self._folders.schema(above, wanted)
            return self._schemas.get(f"{above}.{wanted}") or self._remember_schema(above, wanted, "", _NO_PROPERTIES)

    def create_schema(self, catalog: str, name: str, *, comment: str = "", properties: Mapping[str, str] = _NO_PROPERTIES) -> SchemaRecord:
        """Make a schema in a catalog that exists."""
        above, wanted = check_name(catalog, "catalog"), check_name(name, "schema")
        with self._schemas.transaction():
            folder = self._folders.catalog(above) / wanted
            if folder.exists():
                raise ApiError(400, "SCHEMA_ALREADY_EXISTS", f"Schema '{above}.{wanted}' already exists")
            folder.mkdir()
            return self._remember_schema(above, wanted, comment, properties)

    def update_schema(self, full_name: str, *, comment: str | None, properties: Mapping[str, str] | None) -> SchemaRecord:
        """Change what is given of a schema."""
        with self._schemas.transaction():
            found = self.schema(*split_schema(full_name))
            changed = replace(
                found,
                comment=found.comment if comment is None else comment,
                properties=found.properties if properties is None else dict(properties),
                updated_at=millis(self._clock.now()),
            )
            return self._schemas.put(found.full_name, changed)

    def delete_schema(self, full_name: str) -> None:
        """Remove a schema and its folder."""
        found = self.schema(*split_schema(full_name))
        remove(self._folders.schema(found.catalog_name, found.name))
        self._schemas.delete(found.full_name)

    def schema_by_id(self, schema_id: str) -> tuple[str, str] | None:
        """Return catalog and schema of a schema id, or None."""
        found = (schema for catalog in self.catalogs() for schema in self.schemas(catalog.name) if schema.schema_id == schema_id)
        return next(((schema.catalog_name, schema.name) for schema in found), None)

    def _remember_catalog(self, name: str, comment: str, properties: Mapping[str, str]) -> CatalogRecord:
        now = millis(self._clock.now())
        record = CatalogRecord(name, self._ids.uuid(), self._user, now, now, comment, dict(properties))
        return self._catalogs.put(name, record)

    def _remember_schema(self, catalog: str, name: str, comment: str, properties: Mapping[str, str]) -> SchemaRecord:
        now = millis(self._clock.now())
        record = SchemaRecord(catalog, name, self._ids.uuid(), self._user, now, now, comment, dict(properties))
        return self._schemas.put(record.full_name, record)


def split_schema(full_name: str) -> tuple[str, str]:
    """Return catalog and schema of a two-level name, or raise the platform's 400."""
    catalog, dot, schema = full_name.partition(".")
    if not dot or "." in schema:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"'{full_name}' is not a valid schema name; expected catalog_name.schema_name")
    return catalog, schema
