"""What Unity Catalog's API says of catalogs, schemas, tables, volumes and grants, as JSON. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from harness.unity.about import About
from harness.unity.grants import Granted, Inherited
from harness.unity.model import (
    METASTORE_ID,
    METASTORE_NAME,
    CatalogRecord,
    Constraint,
    SchemaRecord,
    TableInfo,
    VolumeRecord,
)

Body = dict[str, object]


def catalog(found: CatalogRecord) -> Body:
    """Return a catalog."""
    more = {
        "id": found.catalog_id,
        "isolation_mode": found.about.isolation_mode,
        "securable_type": "CATALOG",
        "options": found.about.options or None,
    }
    return _without_none({"name": found.name, **_described(found.about, found.owner), "full_name": found.name, **more})


def schema(found: SchemaRecord) -> Body:
    """Return a schema."""
    names = {"name": found.name, "catalog_name": found.catalog_name, "full_name": found.full_name, "schema_id": found.schema_id}
    return _without_none({**names, **_described(found.about, found.owner)})


def table(found: TableInfo, *, whole: bool = True, omit: frozenset[str] = frozenset()) -> Body:
    """Return a table. A listed one (not `whole`) says nothing of its keys: docs.databricks.com/api/workspace/tables/list."""
    body = {**_without_none(asdict(found)), "metastore_id": METASTORE_ID}
    del body["constraints"]
    body["columns"] = [_without_none(asdict(each)) for each in found.columns]
    if whole and found.constraints:
        body["table_constraints"] = [constraint(each) for each in found.constraints]
    if found.table_type == "MANAGED":
        body["delta_runtime_properties_kvpairs"] = {}
    return {key: value for key, value in body.items() if key not in omit}


def constraint(found: Constraint) -> Body:
    """Return a key of a table."""
    body: Body = {"name": found.name, "child_columns": found.child_columns, "rely": found.rely}
    if found.parent_table:
        return {"foreign_key_constraint": {**body, "parent_table": found.parent_table, "parent_columns": found.parent_columns}}
    more = {"timeseries_columns": found.timeseries_columns} if found.timeseries_columns else {}
    return {"primary_key_constraint": {**body, **more}}


def volume(found: VolumeRecord, folder: Path) -> Body:
    """Return a volume."""
    more = {"full_name": found.full_name, "volume_type": "MANAGED", "storage_location": folder.as_uri(), "metastore_id": METASTORE_ID}
    return {**asdict(found), "created_by": found.created_by or found.owner, "updated_by": found.updated_by or found.owner, **more}


def assignments(found: Granted, principal: str | None) -> list[tuple[str, list[str]]]:
    """Return who holds what, in the order of their names; `principal`: of one alone."""
    return [(who, names) for who, names in sorted(found.privileges.items()) if principal in {None, "", who}]


def assignment(one: tuple[str, Sequence[str]]) -> Body:
    """Return what one principal holds."""
    return {"principal": one[0], "privileges": list(one[1])}


def effective(one: tuple[str, Sequence[Inherited]]) -> Body:
    """Return what one principal holds, and from where."""
    return {"principal": one[0], "privileges": [_inherited(each) for each in one[1]]}


def metastore(owner: str, created_at: int) -> Body:
    """Return the one metastore there is."""
    return {
        "metastore_id": METASTORE_ID,
        "name": METASTORE_NAME,
        "cloud": "local",
        "region": "local",
        "global_metastore_id": f"local:local:{METASTORE_ID}",
        "privilege_model_version": "1.0",
        "delta_sharing_scope": "INTERNAL",
        "external_access_enabled": False,
        "owner": owner,
        "created_at": created_at,
        "created_by": owner,
        "updated_at": created_at,
        "updated_by": owner,
    }


def summary(name: str, kind: str) -> Body:
    """Return a table as `list_summaries` has it."""
    return {"full_name": name, "table_type": kind}


def bindings(found: Mapping[str, str]) -> list[Body]:
    """Return to which workspaces a catalog is bound."""
    return [{"workspace_id": int(workspace), "binding_type": kind} for workspace, kind in sorted(found.items())]


def _inherited(one: Inherited) -> Body:
    if not one.from_type:
        return {"privilege": one.privilege}
    return {"privilege": one.privilege, "inherited_from_type": one.from_type, "inherited_from_name": one.from_name}


def _described(about: About, owner: str) -> Body:
    return {
        "owner": owner,
        "comment": about.comment or None,
        "properties": about.properties or None,
        "created_at": about.created_at,
        "created_by": about.created_by or owner,
        "updated_at": about.updated_at,
        "updated_by": about.updated_by or owner,
        "catalog_type": "MANAGED_CATALOG",
        "metastore_id": METASTORE_ID,
        "enable_predictive_optimization": about.enable_predictive_optimization,
        "custom_max_retention_hours": about.custom_max_retention_hours,
    }


def _without_none(body: Body) -> Body:
    return {key: value for key, value in body.items() if value is not None}
