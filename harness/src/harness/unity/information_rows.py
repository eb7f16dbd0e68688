"""The rows of an information schema, found when they are asked for: nothing is kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from harness.errors import ApiError
from harness.unity import information as model
from harness.unity.functions import FunctionInfo
from harness.unity.grants import Inherited
from harness.unity.information import RELATIONS, Row, Value
from harness.unity.information_routines import columns, parameters, routine
from harness.unity.model import CatalogRecord, Constraint, SchemaRecord, TableInfo, VolumeRecord
from harness.unity.service import UnityService

_SYSTEM = "system"
_FIXED: Mapping[str, Value] = {"is_deferrable": "YES", "initially_deferred": "NO", "enforced": "NO"}


@dataclass(frozen=True, slots=True)
class InformationSchema:
    """Unity Catalog as relations. The catalog `system` has the rows of all catalogs."""

    unity: UnityService

    def rows(self, catalog: str, relation: str) -> list[Row]:
        """Return the rows of a relation of a catalog, or raise the platform's 404."""
        found = self.unity.namespaces.catalog(catalog)
        every = self.unity.namespaces.catalogs() if found.name == _SYSTEM else [found]
        if relation not in RELATIONS:
            raise ApiError(404, "TABLE_DOES_NOT_EXIST", f"Table '{catalog}.information_schema.{relation}' does not exist.")
        if relation == model.INFORMATION_SCHEMA_CATALOG_NAME.name:
            return [model.INFORMATION_SCHEMA_CATALOG_NAME.row(catalog_name=found.name)]
        if relation == model.CATALOGS.name:
            every = self.unity.namespaces.catalogs()  # as the platform does: a catalog's own relation has all of them too
        return list(chain.from_iterable(self._of(each, relation) for each in every))

    def _of(self, catalog: CatalogRecord, relation: str) -> Iterable[Row]:
        by_catalog: dict[str, Callable[[CatalogRecord], Iterable[Row]]] = {
            "catalogs": lambda found: [_catalog(found)],
            "catalog_privileges": lambda found: self._privileges(model.CATALOG_PRIVILEGES, "catalog", found.name),
            "catalog_tags": lambda found: self._tags("catalogs", found.name),
            "schemata": lambda found: map(_schema, self._schemas(found)),
        }
        if relation in by_catalog:
            return by_catalog[relation](catalog)
        schemas = self._schemas(catalog)
        by_schema: dict[str, Callable[[SchemaRecord], Iterable[Row]]] = {
            "schema_privileges": lambda schema: self._privileges(model.SCHEMA_PRIVILEGES, "schema", schema.full_name),
            "schema_tags": lambda schema: self._tags("schemas", schema.full_name),
            "volume_tags": lambda schema: chain.from_iterable(self._tags("volumes", each.full_name) for each in self._volumes(schema)),
            "volumes": lambda schema: map(self._volume, self._volumes(schema)),
            "volume_privileges": lambda schema: chain.from_iterable(
                self._privileges(model.VOLUME_PRIVILEGES, "volume", each.full_name) for each in self._volumes(schema)
            ),
            "routines": lambda schema: map(routine, self._functions(schema)),
            "parameters": lambda schema: chain.from_iterable(map(parameters, self._functions(schema))),
            "routine_columns": lambda schema: chain.from_iterable(map(columns, self._functions(schema))),
            "routine_privileges": lambda schema: chain.from_iterable(
                self._privileges(model.ROUTINE_PRIVILEGES, "function", each.full_name) for each in self._functions(schema)
            ),
        }
        if relation in by_schema:
            return chain.from_iterable(by_schema[relation](schema) for schema in schemas)
        tables = (table for schema in schemas for table in self._tables(schema))
        return chain.from_iterable(self._of_table(table, relation) for table in tables)

    def _of_table(self, table: TableInfo, relation: str) -> Iterable[Row]:
        rows: dict[str, Callable[[], Iterable[Row]]] = {
            "tables": lambda: [_table(table)],
            "columns": lambda: _columns(table),
            "views": lambda: [_view(table)] if table.table_type == "VIEW" else (),
            "table_constraints": lambda: [_constraint(table, key) for key in table.constraints],
            "key_column_usage": lambda: (row for key in table.constraints for row in _key_columns(table, key)),
            "constraint_table_usage": lambda: [_used(table, key) for key in table.constraints],
            "constraint_column_usage": lambda: [row for key in table.constraints for row in _used_columns(table, key)],
            "referential_constraints": lambda: [self._referring(table, key) for key in table.constraints if key.parent_table],
            "table_tags": lambda: self._tags("tables", table.full_name),
            "column_tags": lambda: ((*_place(table).values(), column, tag.key, tag.value) for column, tag in self.unity.column_tags(table)),
            "table_privileges": lambda: self._privileges(model.TABLE_PRIVILEGES, "table", table.full_name),
        }
        return rows[relation]()

    def _tables(self, schema: SchemaRecord) -> list[TableInfo]:
        try:
            return self.unity.relations.named(self.unity.relations.names(schema.catalog_name, schema.name))
        except ApiError:  # gone since it was listed
            return []

    def _volumes(self, schema: SchemaRecord) -> list[VolumeRecord]:
        try:
            return self.unity.volumes.in_schema(schema.catalog_name, schema.name)
        except ApiError:  # gone since it was listed
            return []

    def _functions(self, schema: SchemaRecord) -> list[FunctionInfo]:
        try:
            return self.unity.functions.in_schema(schema.catalog_name, schema.name)
        except ApiError:  # gone since it was listed
            return []

    def _schemas(self, catalog: CatalogRecord) -> list[SchemaRecord]:
        return [*self.unity.namespaces.schemas(catalog.name), self.unity.namespaces.information_schema(catalog.name)]

    def _volume(self, found: VolumeRecord) -> Row:
        return model.VOLUMES.row(
            volume_catalog=found.catalog_name,
            volume_schema=found.schema_name,
            volume_name=found.name,
            volume_type="MANAGED",
            volume_owner=found.owner,
            comment=found.comment or None,
            storage_location=self.unity.volume_folder(found).as_uri(),
            **_changes(found.created_at, found.created_by or found.owner, found.updated_at, by=found.updated_by or found.owner),
        )

    def _privileges(self, relation: model.Relation, kind: str, full_name: str) -> Iterator[Row]:
        names = [column for column in relation.columns if column.endswith(("_catalog", "_schema", "_name"))]
        parts = full_name.split(".")
        place: dict[str, Value] = dict(zip(names, parts * (len(names) // len(parts)), strict=True))  # of routines the names are told twice
        try:
            held = self.unity.grants.effective(kind, full_name)
        except ApiError:  # gone since it was listed
            return
        for grantee, privileges in sorted(held.items()):
            for each in privileges:
                # Assumption: who granted is not recorded; the workspace's user stands for it.
                yield relation.row(
                    grantor=self.unity.user,
                    grantee=grantee,
                    privilege_type=each.privilege,
                    is_grantable="NO",
                    inherited_from=_from(each),
                    **place,
                )

    def _tags(self, kind: str, full_name: str) -> Iterator[Row]:
        try:
            held = self.unity.tags.list(kind, full_name)
        except ApiError:  # gone since it was listed
            return
        for tag in held:
            yield (*full_name.split("."), tag.key, tag.value)

    def _referring(self, table: TableInfo, key: Constraint) -> Row:
        catalog, schema, _ = key.parent_table.split(".")
        parents = self.unity.relations.find(key.parent_table)
        unique = next((each.name for each in parents.constraints if not each.parent_table), None) if parents else None
        return model.REFERENTIAL_CONSTRAINTS.row(
            constraint_catalog=table.catalog_name,
            constraint_schema=table.schema_name,
            constraint_name=key.name,
            unique_constraint_catalog=catalog,
            unique_constraint_schema=schema,
            unique_constraint_name=unique,
            match_option="FULL",
            update_rule="NO ACTION",
            delete_rule="NO ACTION",
        )


def _from(held: Inherited) -> str:
    # Assumption: NONE for what is granted on the securable itself; the documentation allows no NULL.
    return held.from_type or "NONE"


def _changes(created: int, created_by: str, altered: int, *, by: str) -> dict[str, Value]:
    return {"created": created * 1000, "created_by": created_by, "last_altered": altered * 1000, "last_altered_by": by}


def _described(found: CatalogRecord | SchemaRecord) -> dict[str, Value]:
    about = found.about
    changes = _changes(about.created_at, about.created_by or found.owner, about.updated_at, by=about.updated_by or found.owner)
    return {"comment": about.comment or None, **changes}


def _catalog(found: CatalogRecord) -> Row:
    return model.CATALOGS.row(catalog_name=found.name, catalog_owner=found.owner, **_described(found))


def _schema(found: SchemaRecord) -> Row:
    return model.SCHEMATA.row(catalog_name=found.catalog_name, schema_name=found.name, schema_owner=found.owner, **_described(found))


def _place(found: TableInfo) -> dict[str, Value]:
    return {"table_catalog": found.catalog_name, "table_schema": found.schema_name, "table_name": found.name}


def _table(found: TableInfo) -> Row:
    return model.TABLES.row(
        **_place(found),
        table_type=found.table_type,
        is_insertable_into="NO" if found.table_type == "VIEW" else "YES",
        commit_action="PRESERVE",
        table_owner=found.owner,
        comment=found.comment,
        data_source_format=found.data_source_format,
        storage_path=found.storage_location,
        **_changes(found.created_at, found.created_by, found.updated_at, by=found.updated_by),
    )


def _columns(found: TableInfo) -> Iterator[Row]:
    for column in found.columns:
        yield model.COLUMNS.row(
            **_place(found),
            column_name=column.name,
            ordinal_position=column.position + 1,  # "numbered from 1"
            is_nullable="YES" if column.nullable else "NO",
            **model.data_type(column.type_name, column.type_text, column.type_precision, scale=column.type_scale),
            is_identity="NO",
            is_generated="NO",
            is_system_time_period_start="NO",
            is_system_time_period_end="NO",
            is_updatable="NO" if found.table_type == "VIEW" else "YES",
            partition_ordinal_position=None if column.partition_index is None else column.partition_index + 1,
            comment=column.comment,
        )


def _view(found: TableInfo) -> Row:
    return model.VIEWS.row(
        **_place(found), view_definition=found.view_definition, check_option="NONE", is_updatable="NO", is_insertable_into="NO"
    )


def _constrained(found: TableInfo, key: Constraint) -> dict[str, Value]:
    names = {"constraint_catalog": found.catalog_name, "constraint_schema": found.schema_name, "constraint_name": key.name}
    return {**names, **_place(found)}


def _constraint(found: TableInfo, key: Constraint) -> Row:
    kind = "FOREIGN KEY" if key.parent_table else "PRIMARY KEY"
    return model.TABLE_CONSTRAINTS.row(**_constrained(found, key), constraint_type=kind, **_FIXED)


def _used(found: TableInfo, key: Constraint) -> Row:
    # Assumption: as in the SQL standard a foreign key uses the table that it refers to, and is told in the catalog that has it.
    return model.CONSTRAINT_TABLE_USAGE.row(**{**_constrained(found, key), **_referred(found, key)})


def _used_columns(found: TableInfo, key: Constraint) -> Iterator[Row]:
    used = {**_constrained(found, key), **_referred(found, key)}
    for column in key.parent_columns or key.child_columns:
        yield model.CONSTRAINT_COLUMN_USAGE.row(**used, column_name=column)


def _referred(found: TableInfo, key: Constraint) -> dict[str, Value]:
    names = (key.parent_table or found.full_name).split(".")
    return dict(zip(("table_catalog", "table_schema", "table_name"), names, strict=True))


def _key_columns(found: TableInfo, key: Constraint) -> Iterator[Row]:
    for position, column in enumerate(key.child_columns, 1):
        place = _constrained(found, key)
        within = position if key.parent_table else None
        yield model.KEY_COLUMN_USAGE.row(**place, column_name=column, ordinal_position=position, position_in_unique_constraint=within)
