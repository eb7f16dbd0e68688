"""HTTP of Unity Catalog: catalogs, schemas, tables, volumes. Models are in `registry_routes` and `models_routes`.

Lists are answered whole: no page has a next one.
"""

from dataclasses import asdict

import msgspec

from harness.errors import ApiError, NotEmulated
from harness.http import AnyRoute, Call, Route
from harness.names import FullName, check_name
from harness.unity.grants import Change, Granted, Grants
from harness.unity.model import CatalogRecord, SchemaRecord, TableInfo, VolumeRecord
from harness.unity.models_routes import models_routes
from harness.unity.namespaces import split_schema
from harness.unity.registry_routes import registry_routes
from harness.unity.service import UnityService

_DOC = "https://docs.databricks.com/api/workspace"
_PREFIX = "/api/2.1/unity-catalog"
METASTORE_ID = "11111111-2222-4333-8444-555555555555"


class _CreateCatalog(msgspec.Struct):
    name: str
    comment: str = ""
    properties: dict[str, str] = {}


class _CreateSchema(msgspec.Struct):
    name: str
    catalog_name: str
    comment: str = ""
    properties: dict[str, str] = {}


class _CreateVolume(msgspec.Struct):
    name: str
    catalog_name: str
    schema_name: str
    volume_type: str = "MANAGED"
    comment: str = ""


class _Update(msgspec.Struct):
    comment: str | None = None
    new_name: str | None = None
    owner: str | None = None
    properties: dict[str, str] | None = None


class _Changes(msgspec.Struct):
    changes: list[Change] = []


def routes(service: UnityService) -> list[AnyRoute]:
    """Return all routes of Unity Catalog; they must stand before the MLflow proxy's."""
    return [
        *_catalog_routes(service),
        *_schema_routes(service),
        *_table_routes(service),
        *_volume_routes(service),
        *_grant_routes(service.grants),
        *models_routes(service.registry),
        *registry_routes(service.registry),
    ]


def _grant_routes(grants: Grants) -> list[AnyRoute]:
    def get(call: Call) -> object:
        return _granted(grants.get(call.params["kind"], call.params["name"]), call.query.get("principal"))

    def update(call: Call) -> object:
        return _granted(grants.update(call.params["kind"], call.params["name"], call.json(_Changes).changes), None)

    path = f"{_PREFIX}/permissions/{{kind}}/{{name}}"
    return [Route("GET", path, get, f"{_DOC}/grants/get"), Route("PATCH", path, update, f"{_DOC}/grants/update")]


def _granted(found: Granted, principal: str | None) -> object:
    held = {who: names for who, names in found.privileges.items() if principal in {None, who}}
    return {"privilege_assignments": [{"principal": who, "privileges": names} for who, names in held.items()]} if held else {}


def _catalog_routes(service: UnityService) -> list[AnyRoute]:
    catalogs = service.namespaces

    def create(call: Call) -> object:
        asked = call.json(_CreateCatalog)
        return _catalog(catalogs.create_catalog(asked.name, comment=asked.comment, properties=asked.properties))

    def list_catalogs(_: Call) -> object:
        return {"catalogs": [_catalog(each) for each in catalogs.catalogs()]}

    def get(call: Call) -> object:
        return _catalog(catalogs.catalog(call.params["name"]))

    def update(call: Call) -> object:
        asked = _update(call)
        return _catalog(catalogs.update_catalog(call.params["name"], asked.comment or ""))

    def delete(call: Call) -> object:
        service.delete_catalog(call.params["name"], force=_force(call))
        return {}

    one = f"{_PREFIX}/catalogs/{{name}}"
    return [
        Route("POST", f"{_PREFIX}/catalogs", create, f"{_DOC}/catalogs/create"),
        Route("GET", f"{_PREFIX}/catalogs", list_catalogs, f"{_DOC}/catalogs/list"),
        Route("GET", one, get, f"{_DOC}/catalogs/get"),
        Route("PATCH", one, update, f"{_DOC}/catalogs/update"),
        Route("DELETE", one, delete, f"{_DOC}/catalogs/delete"),
    ]


def _schema_routes(service: UnityService) -> list[AnyRoute]:
    schemas = service.namespaces

    def create(call: Call) -> object:
        asked = call.json(_CreateSchema)
        made = schemas.create_schema(asked.catalog_name, asked.name, comment=asked.comment, properties=asked.properties)
        return _schema(made)

    def list_schemas(call: Call) -> object:
        return {"schemas": [_schema(each) for each in schemas.schemas(call.require("catalog_name"))]}

    def get(call: Call) -> object:
        return _schema(schemas.schema(*split_schema(call.params["name"])))

    def update(call: Call) -> object:
        asked = _update(call)
        return _schema(schemas.update_schema(call.params["name"], comment=asked.comment, properties=asked.properties))

    def delete(call: Call) -> object:
        service.delete_schema(call.params["name"], force=_force(call))
        return {}

    one = f"{_PREFIX}/schemas/{{name}}"
    return [
        Route("POST", f"{_PREFIX}/schemas", create, f"{_DOC}/schemas/create"),
        Route("GET", f"{_PREFIX}/schemas", list_schemas, f"{_DOC}/schemas/list"),
        Route("GET", one, get, f"{_DOC}/schemas/get"),
        Route("PATCH", one, update, f"{_DOC}/schemas/update"),
        Route("DELETE", one, delete, f"{_DOC}/schemas/delete"),
    ]


def _table_routes(service: UnityService) -> list[AnyRoute]:
    tables = service.tables

    def list_tables(call: Call) -> object:
        found = tables.in_schema(check_name(call.require("catalog_name"), "catalog"), check_name(call.require("schema_name"), "schema"))
        return {"tables": [_table(each) for each in found]}

    def get(call: Call) -> object:
        return _table(tables.get(FullName.parse(call.params["name"])))

    def exists(call: Call) -> object:
        try:
            return {"table_exists": tables.exists(FullName.parse(call.params["name"]))}
        except ApiError as error:
            if error.status == 404:
                return {"table_exists": False}
            raise

    def delete(call: Call) -> object:
        tables.delete(FullName.parse(call.params["name"]))
        return {}

    one = f"{_PREFIX}/tables/{{name}}"
    return [
        Route("GET", f"{_PREFIX}/tables", list_tables, f"{_DOC}/tables/list"),
        Route("GET", one, get, f"{_DOC}/tables/get"),
        Route("GET", f"{one}/exists", exists, f"{_DOC}/tables/exists"),
        Route("DELETE", one, delete, f"{_DOC}/tables/delete"),
    ]


def _volume_routes(service: UnityService) -> list[AnyRoute]:
    volumes = service.volumes

    def create(call: Call) -> object:
        asked = call.json(_CreateVolume)
        if asked.volume_type != "MANAGED":
            raise NotEmulated(f"POST {_PREFIX}/volumes with volume_type={asked.volume_type}")
        return _volume(service, volumes.create(_name(asked.catalog_name, asked.schema_name, asked.name), comment=asked.comment))

    def list_volumes(call: Call) -> object:
        found = volumes.in_schema(check_name(call.require("catalog_name"), "catalog"), check_name(call.require("schema_name"), "schema"))
        return {"volumes": [_volume(service, each) for each in found]}

    def get(call: Call) -> object:
        return _volume(service, volumes.get(FullName.parse(call.params["name"], "volume")))

    def update(call: Call) -> object:
        asked = call.json(_Update)
        name = FullName.parse(call.params["name"], "volume")
        return _volume(service, volumes.update(name, comment=asked.comment, new_name=asked.new_name))

    def delete(call: Call) -> object:
        volumes.delete(FullName.parse(call.params["name"], "volume"))
        return {}

    one = f"{_PREFIX}/volumes/{{name}}"
    return [
        Route("POST", f"{_PREFIX}/volumes", create, f"{_DOC}/volumes/create"),
        Route("GET", f"{_PREFIX}/volumes", list_volumes, f"{_DOC}/volumes/list"),
        Route("GET", one, get, f"{_DOC}/volumes/read"),
        Route("PATCH", one, update, f"{_DOC}/volumes/update"),
        Route("DELETE", one, delete, f"{_DOC}/volumes/delete"),
    ]


def _update(call: Call) -> _Update:
    asked = call.json(_Update)
    if asked.new_name is not None:
        raise NotEmulated(f"PATCH {call.path} with new_name")
    return asked


def _force(call: Call) -> bool:
    return call.query.get("force", "false").lower() == "true"


def _name(catalog: str, schema: str, name: str) -> FullName:
    return FullName(check_name(catalog, "catalog"), check_name(schema, "schema"), check_name(name, "volume"))


def _catalog(found: CatalogRecord) -> dict[str, object]:
    body = asdict(found)
    del body["catalog_id"]
    return {**body, "id": found.catalog_id, "full_name": found.name, "catalog_type": "MANAGED_CATALOG", "metastore_id": METASTORE_ID}


def _schema(found: SchemaRecord) -> dict[str, object]:
    return {**asdict(found), "full_name": found.full_name, "catalog_type": "MANAGED_CATALOG", "metastore_id": METASTORE_ID}


def _table(found: TableInfo) -> dict[str, object]:
    columns = [_without_none(column) for column in asdict(found)["columns"]]
    return {**_without_none(asdict(found)), "columns": columns, "metastore_id": METASTORE_ID}


def _volume(service: UnityService, found: VolumeRecord) -> dict[str, object]:
    folder = service.volume_path(found.catalog_name, found.schema_name, found.name)
    more = {"full_name": found.full_name, "volume_type": "MANAGED", "storage_location": folder.as_uri(), "metastore_id": METASTORE_ID}
    return {**asdict(found), **more}


def _without_none(body: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in body.items() if value is not None}
