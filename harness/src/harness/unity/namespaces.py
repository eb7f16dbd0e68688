"""Catalogs and schemas: folders, and what those say of themselves."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from harness.clock import Clock, millis
from harness.config import CATALOGS
from harness.errors import ApiError
from harness.ids import Ids
from harness.names import check_name, split_name
from harness.state import Store
from harness.unity import about
from harness.unity.about import About
from harness.unity.folders import Folders, make, remove, sweep, visible
from harness.unity.model import INFORMATION_SCHEMA, SYSTEM_USER, CatalogRecord, Change, SchemaRecord

DEFAULT_SCHEMA = "default"
_NO_PROPERTIES: Mapping[str, str] = {}
_NOTHING = Change()


class Namespaces:
    """Whatever made a folder (REST, Spark, delta-rs) made the catalog or schema; it is given an id when it is first asked for."""

    def __init__(
        self, *, folders: Folders, clock: Clock, ids: Ids, store: Store, user: str, on_catalog_created: Callable[[str], None]
    ) -> None:
        self._folders = folders
        self._clock = clock
        self._ids = ids
        self._user = user
        self._store = store
        self._on_catalog_created = on_catalog_created
        sweep(folders.root, depth=2)
        for name in CATALOGS:
            (folders.root / name / DEFAULT_SCHEMA).mkdir(parents=True, exist_ok=True)

    def catalogs(self) -> list[CatalogRecord]:
        """Return all catalogs, in name order."""
        return [found for folder in visible(self._folders.root) if (found := self._catalog(folder))]

    def catalog(self, name: str) -> CatalogRecord:
        """Return a catalog, or raise the platform's 404."""
        wanted = check_name(name, "catalog")
        return self._catalog(self._folders.catalog(wanted)) or _gone(self._folders.catalog(wanted))

    def create_catalog(
        self,
        name: str,
        *,
        comment: str = "",
        properties: Mapping[str, str] = _NO_PROPERTIES,
        options: Mapping[str, str] = _NO_PROPERTIES,
        user: str = "",
    ) -> CatalogRecord:
        """Make a catalog with its schema `default`, and tell Spark."""
        wanted = check_name(name, "catalog")
        folder = self._folders.root / wanted
        known = replace(self._about(user, comment, properties), options=dict(options))

        def fill(new: Path) -> None:
            about.write(new, known)
            (new / DEFAULT_SCHEMA).mkdir()
            about.write(new / DEFAULT_SCHEMA, self._about(user, "Default schema (auto-created)", _NO_PROPERTIES))

        if not make(folder, fill):
            raise ApiError(400, "CATALOG_ALREADY_EXISTS", f"Catalog '{wanted}' already exists")
        self._on_catalog_created(wanted)
        return self._catalog_record(folder, known)

    def update_catalog(self, name: str, comment: str | None = None, *, change: Change = _NOTHING, user: str = "") -> CatalogRecord:
        """Change what is given of a catalog, but its name."""
        with self._store.transaction():
            found = self.catalog(name)
            about.write(self._folders.catalog(found.name), self._changed(found.about, change.with_comment(comment), user))
            return self.catalog(found.name)

    def bind_catalog(self, name: str, workspaces: Mapping[str, str], *, user: str = "") -> CatalogRecord:
        """Say to which workspaces a catalog is bound."""
        with self._store.transaction():
            found = self.catalog(name)
            about.write(self._folders.catalog(found.name), replace(self._changed(found.about, Change(), user), workspaces=dict(workspaces)))
            return self.catalog(found.name)

    def delete_catalog(self, name: str) -> None:
        """Remove a catalog and its folder."""
        found = self.catalog(name)
        if not remove(self._folders.root / found.name):
            self._folders.catalog(found.name)  # another was first: not found

    def schemas(self, catalog: str) -> list[SchemaRecord]:
        """Return the schemas of a catalog, in name order; `information_schema` is not among them."""
        wanted = check_name(catalog, "catalog")
        with self._folders.still:
            found = [self._schema(child) for child in visible(self._folders.catalog(wanted)) if child.name != INFORMATION_SCHEMA]
        return [each for each in found if each]

    def schema(self, catalog: str, name: str) -> SchemaRecord:
        """Return a schema, or raise the platform's 404 for it or its catalog."""
        above, wanted = check_name(catalog, "catalog"), check_name(name, "schema")
        if wanted == INFORMATION_SCHEMA:
            return self.information_schema(above)
        return self._schema(self._folders.schema(above, wanted)) or _gone(self._folders.schema(above, wanted))

    def information_schema(self, catalog: str) -> SchemaRecord:
        """Return the schema that every catalog has and that has no folder; it is as old as the catalog."""
        above = self.catalog(catalog)
        known = About(
            f"{above.catalog_id[:-4]}{_INFORMATION}",
            above.about.created_at,
            above.about.created_at,
            "Information schema (auto-created)",
            owner=SYSTEM_USER,
            created_by=SYSTEM_USER,
            updated_by=SYSTEM_USER,
        )
        return SchemaRecord(known, above.name, INFORMATION_SCHEMA, known.id, SYSTEM_USER)

    def create_schema(
        self, catalog: str, name: str, *, comment: str = "", properties: Mapping[str, str] = _NO_PROPERTIES, user: str = ""
    ) -> SchemaRecord:
        """Make a schema in a catalog that exists."""
        above, wanted = check_name(catalog, "catalog"), check_name(name, "schema")
        folder = self._folders.catalog(above) / wanted
        known = self._about(user, comment, properties)
        try:
            if wanted != INFORMATION_SCHEMA and make(folder, lambda new: about.write(new, known)):
                return self._schema_record(folder, known)
        except FileNotFoundError:  # the catalog went meanwhile
            self._folders.catalog(above)
            raise
        raise ApiError(400, "SCHEMA_ALREADY_EXISTS", f"Schema '{above}.{wanted}' already exists")

    def update_schema(self, full_name: str, *, comment: str | None = None, change: Change = _NOTHING, user: str = "") -> SchemaRecord:
        """Change what is given of a schema, but its name."""
        with self._store.transaction():
            found = self.schema(*split_schema(full_name))
            self.refuse_system(found, "changed")
            folder = self._folders.schema(found.catalog_name, found.name)
            about.write(folder, self._changed(found.about, change.with_comment(comment), user))
            return self.schema(found.catalog_name, found.name)

    def delete_schema(self, full_name: str, *, unless: Callable[[Path], bool] = lambda _: False) -> bool:
        """Remove a schema and its folder; False when it stays, since `unless` says so of its folder."""
        found = self.schema(*split_schema(full_name))
        self.refuse_system(found, "deleted")
        if remove(self._folders.root / found.catalog_name / found.name, unless=unless):
            return True
        self._folders.schema(found.catalog_name, found.name)  # not found, when another was first
        return False

    def schema_by_id(self, schema_id: str) -> tuple[str, str] | None:
        """Return catalog and schema of a schema id, or None."""
        found = (schema for catalog in self.catalogs() for schema in self.schemas(catalog.name) if schema.schema_id == schema_id)
        return next(((schema.catalog_name, schema.name) for schema in found), None)

    def _catalog(self, folder: Path) -> CatalogRecord | None:
        known = self._known(folder)
        return self._catalog_record(folder, known) if known else None

    def _schema(self, folder: Path) -> SchemaRecord | None:
        known = self._known(folder)
        return self._schema_record(folder, known) if known else None

    def _catalog_record(self, folder: Path, known: About) -> CatalogRecord:
        return CatalogRecord(known, folder.name, known.id, known.owner or self._user)

    def _schema_record(self, folder: Path, known: About) -> SchemaRecord:
        return SchemaRecord(known, folder.parent.name, folder.name, known.id, known.owner or self._user)

    def _known(self, folder: Path) -> About | None:
        """What a folder says of itself; None when it has gone since it was seen."""
        try:
            return about.read(folder) or about.adopt(folder, self._about("", "", _NO_PROPERTIES))
        except FileNotFoundError:
            return None

    def _about(self, user: str, comment: str, properties: Mapping[str, str]) -> About:
        now, whose = millis(self._clock.now()), user or self._user
        return About(self._ids.uuid(), now, now, comment, dict(properties), whose, whose, whose)

    def _changed(self, known: About, change: Change, user: str) -> About:
        if change.owner == "":
            raise ApiError(400, "INVALID_PARAMETER_VALUE", "owner must not be empty")
        given = {name: value for name in _CHANGEABLE if (value := getattr(change, name)) is not None}
        return replace(known, **given, updated_at=millis(self._clock.now()), updated_by=user or self._user)

    def refuse_system(self, found: SchemaRecord, what: str) -> None:
        """Raise the platform's 403 when a schema is nobody's to change."""
        # Assumption: the wording.
        if found.name == INFORMATION_SCHEMA:
            raise ApiError(403, "PERMISSION_DENIED", f"Schema '{found.full_name}' is owned by the system and cannot be {what}")


_INFORMATION = "15c4"  # ends the id of a catalog's information schema
_CHANGEABLE = (
    "comment",
    "owner",
    "properties",
    "isolation_mode",
    "enable_predictive_optimization",
    "options",
    "custom_max_retention_hours",
)


def _gone(folder: Path) -> NoReturn:
    message = f"{folder} was removed while it was read"  # and another of its name made: a caller that asks again meets that one
    raise ApiError(409, "ABORTED", message)


def split_schema(full_name: str) -> tuple[str, str]:
    """Return catalog and schema of a two-level name, or raise the platform's 400."""
    catalog, schema = split_name(full_name, "catalog", "schema")
    return catalog, schema
