"""Unity Catalog: one object over catalogs, schemas, tables, volumes and registered models."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.clock import Clock
from harness.config import Layout
from harness.errors import ApiError, NotEmulated
from harness.ids import Ids
from harness.names import FullName, check_name
from harness.state import Store
from harness.unity.columns import column_key
from harness.unity.constraints import Constraints
from harness.unity.folders import Folders, is_table, remove, visible
from harness.unity.functions import FunctionInfo, Functions
from harness.unity.grants import Grants
from harness.unity.model import INFORMATION_SCHEMA, METASTORE_ID, CatalogRecord, Change, SchemaRecord, TableInfo, VolumeRecord
from harness.unity.namespaces import DEFAULT_SCHEMA, Namespaces, split_schema
from harness.unity.ports import (
    CatalogCreated,
    DeploymentJobs,
    LoggedModel,
    LoggedModels,
    ModelsChanged,
    NoJobs,
    RunSql,
    TableDropped,
)
from harness.unity.prompts import PromptRegistry
from harness.unity.registry import ModelRegistry
from harness.unity.registry_model import RegisteredModel
from harness.unity.relations import Relations
from harness.unity.renames import HeldBy, Renames
from harness.unity.tables import Tables
from harness.unity.tags import Tag, Tags
from harness.unity.volumes import VolumeCatalog


def _without_engine(_: str) -> None:
    raise NotEmulated("SQL without an engine")


class UnityService:
    """Truth about tables is the folder tree; everything else is a record in the store.

    `namespaces`, `tables`, `volumes` and `registry` hold the rules of each kind; the methods here cross them or serve as ports for others.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        clock: Clock,
        ids: Ids,
        store: Store,
        user: str,
        on_catalog_created: CatalogCreated = lambda _: None,
        on_table_dropped: TableDropped = lambda _: None,
        on_models_changed: ModelsChanged = lambda: None,
        logged_models: LoggedModels = lambda _: LoggedModel(),
        deployment_jobs: DeploymentJobs | None = None,
        held_by: HeldBy = lambda _: (),
        run_sql: RunSql = _without_engine,
    ) -> None:
        self._folders = Folders(layout.warehouse)
        self._files = layout.files
        self.user = user
        self.namespaces = Namespaces(
            folders=self._folders, clock=clock, ids=ids, store=store, user=user, on_catalog_created=on_catalog_created
        )
        self.tables = Tables(folders=self._folders, store=store, user=user, on_table_dropped=on_table_dropped)
        self.relations = Relations(
            folders=self._folders, tables=self.tables, files=layout.files, catalog=self.namespaces.catalog, user=user
        )
        self.functions = Functions(folders=self._folders, user=user, note=self.tables.note, run_sql=run_sql)
        self.constraints = Constraints(self.relations, clock=clock)
        self.volumes = VolumeCatalog(root=layout.files / "Volumes", folders=self._folders, clock=clock, ids=ids, store=store, user=user)
        self.registry = ModelRegistry(
            root=layout.files / "Models",
            folders=self._folders,
            clock=clock,
            ids=ids,
            store=store,
            on_change=on_models_changed,
            logged=logged_models,
            jobs=deployment_jobs or NoJobs(),
        )
        self.prompts = PromptRegistry(folders=self._folders, clock=clock, store=store)
        self._on_catalog_created = on_catalog_created
        self.renames = Renames(
            folders=self._folders,
            files=layout.files,
            store=store,
            follow=[self.volumes.follow, self.registry.follow, self.prompts.follow, self.constraints.follow],
            held_by=held_by,
        )
        self.renames.finish()
        self.grants = Grants(store=store, id_of=self._securable_id)
        self.tags = Tags(store=store, clock=clock, user=user, id_of=self._tagged_id)

    def update_catalog(self, name: str, change: Change, *, user: str) -> CatalogRecord:
        """Change what is given of a catalog; a renamed one takes all that it holds with it."""
        found = self.namespaces.catalog(name)
        target = check_name(found.name if change.new_name is None else change.new_name, "catalog")
        if target == found.name:
            return self.namespaces.update_catalog(found.name, change=change, user=user)

        def first() -> None:
            if target in {each.name for each in self.namespaces.catalogs()}:
                raise ApiError(400, "CATALOG_ALREADY_EXISTS", f"Catalog '{target}' already exists")
            self.namespaces.update_catalog(found.name, change=change, user=user)

        self.renames.rename(found.name, target, first=first)
        self._on_catalog_created(target)
        return self.namespaces.catalog(target)

    def update_schema(self, full_name: str, change: Change, *, user: str) -> SchemaRecord:
        """Change what is given of a schema; a renamed one takes all that it holds with it."""
        found = self.namespaces.schema(*split_schema(full_name))
        self.namespaces.refuse_system(found, "changed")
        target = check_name(found.name if change.new_name is None else change.new_name, "schema")
        if target == found.name:
            return self.namespaces.update_schema(found.full_name, change=change, user=user)

        def first() -> None:
            if target in {INFORMATION_SCHEMA, *(each.name for each in self.namespaces.schemas(found.catalog_name))}:
                raise ApiError(400, "SCHEMA_ALREADY_EXISTS", f"Schema '{found.catalog_name}.{target}' already exists")
            self.namespaces.update_schema(found.full_name, change=change, user=user)

        self.renames.rename(found.full_name, f"{found.catalog_name}.{target}", first=first)
        return self.namespaces.schema(found.catalog_name, target)

    def rename_model(self, name: str, new_name: str) -> RegisteredModel:
        """Rename a registered model within its schema."""
        found = self.registry.get(name)
        target = str(replace(FullName.parse(found.name, "model"), name=check_name(new_name, "model")))
        if target == found.name:
            return found
        self.renames.rename(found.name, target, first=lambda: self.registry.require_free(target))
        return self.registry.touch(target)

    def delete_schema(self, full_name: str, *, force: bool) -> None:
        """Remove a schema; what it holds goes with it when `force`, and otherwise keeps it."""
        found = self.namespaces.schema(*split_schema(full_name))
        self.namespaces.refuse_system(found, "deleted")
        place = (found.catalog_name, found.name)
        tables = self.relations.named(self.relations.names(*place))
        functions, volumes, models = self.functions.names(*place), self.volumes.in_schema(*place), self.registry.models(*place)
        prompts = self.prompts.prompts(*place)
        if (tables or functions or volumes or models or prompts) and not force:
            held = f"{len(tables)} table(s), {len(functions)} function(s), {len(volumes)} volume(s), {len(models)} model(s)"
            held += f", {len(prompts)} prompt(s)" if prompts else ""
            raise _not_empty("Schema", found.full_name, f"The schema has {held}")
        if not self.namespaces.delete_schema(found.full_name, unless=lambda folder: not force and any(map(is_table, visible(folder)))):
            raise _not_empty("Schema", found.full_name, "The schema has a table that was made meanwhile")
        for table in tables:
            self.tables.forget(FullName.parse(table.full_name), table.table_id)
        self.volumes.forget_schema(found.catalog_name, found.name)
        for model in models:
            self.registry.delete(model.name)
        for prompt in prompts:
            self.prompts.drop(prompt.name)

    def delete_catalog(self, name: str, *, force: bool) -> None:
        """Remove a catalog; one that holds more than its empty schema `default` only when `force`."""
        found = self.namespaces.catalog(name)
        schemas = self.namespaces.schemas(found.name)
        if not force and any(schema.name != DEFAULT_SCHEMA for schema in schemas):
            raise _not_empty("Catalog", found.name, f"The catalog has {len(schemas)} schema(s)")
        for schema in schemas:
            self.delete_schema(schema.full_name, force=force)
        self.namespaces.delete_catalog(found.name)
        for root in (self._files / "Volumes", self._files / "Models"):  # empty folders, by now
            remove(root / found.name)

    def delete_of(self, owner: str) -> None:
        """Remove the catalogs and schemas of `owner`, with all that they hold."""
        for catalog in self.namespaces.catalogs():
            if catalog.owner == owner:
                self.delete_catalog(catalog.name, force=True)
                continue
            for schema in self.namespaces.schemas(catalog.name):
                if schema.owner == owner:
                    self.delete_schema(schema.full_name, force=True)

    def _securable_id(self, kind: str, full_name: str) -> str:
        ids: dict[str, Callable[[], str]] = {
            "metastore": lambda: _metastore_id(full_name),
            "catalog": lambda: self.namespaces.catalog(full_name).catalog_id,
            "schema": lambda: self.namespaces.schema(*split_schema(full_name)).schema_id,
            "table": lambda: self.relations.get(FullName.parse(full_name)).table_id,
            "volume": lambda: self.volumes.get(FullName.parse(full_name, "volume")).volume_id,
            "function": lambda: self._function_id(full_name),
        }
        if kind.lower() not in ids:
            raise NotEmulated(f"grants on securables of type {kind}")
        return ids[kind.lower()]()

    def _function_id(self, full_name: str) -> str:
        """Return the id of a function, or of what a registered model is to grants: docs.databricks.com/api/workspace/grants."""
        found = self._sql_function(full_name)
        return found.function_id if found else self.registry.get(full_name).registered_model_id

    def _function_owner(self, full_name: str) -> str:
        found = self._sql_function(full_name)
        if found:
            return found.owner
        model = self.registry.get(full_name)
        return model.owner or model.user_id

    def _sql_function(self, full_name: str) -> FunctionInfo | None:
        try:
            return self.functions.get(FullName.parse(full_name, "function"))
        except ApiError:
            return None

    def owner_of(self, kind: str, full_name: str) -> str:
        """Return whose a securable is, or raise the platform's errors for one that is not there."""
        owners: dict[str, Callable[[], str]] = {
            "metastore": lambda: self.user,
            "catalog": lambda: self.namespaces.catalog(full_name).owner,
            "schema": lambda: self.namespaces.schema(*split_schema(full_name)).owner,
            "table": lambda: self.relations.get(FullName.parse(full_name)).owner,
            "volume": lambda: self.volumes.get(FullName.parse(full_name, "volume")).owner,
            "function": lambda: self._function_owner(full_name),
        }
        if kind.lower() not in owners:
            raise NotEmulated(f"securables of type {kind}")
        return owners[kind.lower()]()

    def column_tags(self, table: TableInfo) -> list[tuple[str, Tag]]:
        """Return the tags on the columns of a table, each with its column's name."""
        return [(column.name, tag) for column in table.columns for tag in self.tags.of(_column_id(table, column.name))]

    def _tagged_id(self, kind: str, full_name: str) -> str:
        match kind:
            case "catalogs" | "schemas" | "tables" | "volumes":
                return self._securable_id(kind.removesuffix("s"), full_name)
            case "columns":
                *table, column = full_name.split(".", 3)
                return _column_id(self.relations.get(FullName.parse(".".join(table))), column)
            case "functions":
                raise NotEmulated("tags on functions")
        known = "catalogs, schemas, tables, columns, volumes"
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"entity_type '{kind}' is not valid; expected one of {known}")

    def table_kinds(self, catalog: str) -> list[tuple[FullName, str]]:
        """Return the names of all relations of a catalog but those of its information schema, and of which type each is."""
        schemas = self.namespaces.schemas(catalog)
        return [pair for schema in schemas for pair in self.relations.kinds(schema.catalog_name, schema.name).items()]

    def volume_folder(self, found: VolumeRecord) -> Path:
        """Return where the files of a volume lie."""
        return self.volumes.folder(FullName(found.catalog_name, found.schema_name, found.name))

    def table_path(self, full_name: FullName) -> Path:
        """Return the folder of a table that need not exist yet; its schema must."""
        return self.tables.path(full_name)

    def table_id(self, full_name: FullName) -> str:
        """Return the id of a managed table, or raise the platform's 404; a view or an external table is refused by name."""
        return _managed(self.relations.get(full_name)).table_id

    def table_by_id(self, table_id: str) -> FullName | None:
        """Return the managed table that has this id now, or None; a view or an external table is refused by name."""
        every = [(catalog.name, schema.name) for catalog in visible(self._folders.root) for schema in visible(catalog)]
        found = self.tables.by_id(table_id, every)
        if found is None:
            for relation in self.relations.beside_tables(every):
                if relation.table_id == table_id:
                    _managed(relation)
        return found

    def schema_id(self, catalog: str, schema: str) -> str:
        """Return the id of a schema, or raise the platform's 404."""
        return self.namespaces.schema(catalog, schema).schema_id

    def schema_by_id(self, schema_id: str) -> tuple[str, str] | None:
        """Return catalog and schema of a schema id, or None."""
        return self.namespaces.schema_by_id(schema_id)

    def volume_path(self, catalog: str, schema: str, volume: str) -> Path:
        """Return the folder of a volume, or raise the platform's 404."""
        names = (check_name(catalog, "catalog"), check_name(schema, "schema"), check_name(volume, "volume"))
        return self.volumes.path(FullName(*names))

    def model_path(self, catalog: str, schema: str, model: str, version: str) -> Path:
        """Return the folder of a model version (ready or not), or raise the platform's 404."""
        return self.registry.files(f"{catalog}.{schema}.{model}", version)

    def model_files(self, name: str, version: str) -> Path:
        """Return the folder with the `MLmodel` file of a version that is READY, or raise the platform's error."""
        found = self.registry.version(name, version)
        if found.status != "READY":
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Model version {found.name}/{found.version} is {found.status}, not READY")
        return self.registry.files(name, version)

    def model_version_exists(self, name: str, version: str) -> bool:
        """Return whether the version exists and is READY."""
        try:
            self.model_files(name, version)
        except ApiError:
            return False
        return True


def _metastore_id(name: str) -> str:
    if name != METASTORE_ID:
        raise ApiError(404, "METASTORE_DOES_NOT_EXIST", f"Metastore '{name}' does not exist.")
    return METASTORE_ID


def _not_empty(what: str, name: str, why: str) -> ApiError:
    return ApiError(400, f"{what.upper()}_NOT_EMPTY", f"{what} '{name}' is not empty. {why}")


def _column_id(table: TableInfo, column: str) -> str:
    return f"{table.table_id}/{column_key(table, column)}"


def _managed(relation: TableInfo) -> TableInfo:
    if relation.table_type != "MANAGED":
        # Documented as monitorable; here refreshes read Delta tables in the workspace's own folders.
        raise NotEmulated(
            f"a monitor of {relation.full_name}, which is of type {relation.table_type}: only managed Delta tables are monitored"
        )
    return relation
