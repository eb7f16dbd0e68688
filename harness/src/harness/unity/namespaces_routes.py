"""HTTP of catalogs and schemas."""

import msgspec

from harness.config import ISOLATED_USERS
from harness.errors import NotEmulated
from harness.http import AnyRoute, Call, Route
from harness.unity import pages, rendering
from harness.unity.about import Isolation, Optimization
from harness.unity.model import Change
from harness.unity.namespaces import split_schema
from harness.unity.service import UnityService

_DOC = "https://docs.databricks.com/api/workspace"
_PREFIX = "/api/2.1/unity-catalog"


class _CreateCatalog(msgspec.Struct):
    name: str
    comment: str = ""
    properties: dict[str, str] = {}
    options: dict[str, str] = {}
    storage_root: str | None = None
    connection_name: str | None = None
    provider_name: str | None = None
    share_name: str | None = None
    custom_max_retention_hours: int | None = None


class _CreateSchema(msgspec.Struct):
    name: str
    catalog_name: str
    comment: str = ""
    properties: dict[str, str] = {}
    storage_root: str | None = None
    custom_max_retention_hours: int | None = None


class _Update(msgspec.Struct):
    comment: str | None = None
    new_name: str | None = None
    owner: str | None = None
    properties: dict[str, str] | None = None
    isolation_mode: Isolation | None = None
    enable_predictive_optimization: Optimization | None = None
    options: dict[str, str] | None = None
    custom_max_retention_hours: int | None = None

    def change(self) -> Change:
        """Return what is asked for."""
        return Change(**msgspec.structs.asdict(self))


def namespaces_routes(service: UnityService) -> list[AnyRoute]:
    """Return the routes of `w.catalogs` and `w.schemas`."""
    return [*_catalog_routes(service), *_schema_routes(service)]


def _catalog_routes(service: UnityService) -> list[AnyRoute]:
    catalogs = service.namespaces

    def create(call: Call) -> object:
        asked = call.json(_CreateCatalog)
        for field in ("storage_root", "connection_name", "provider_name", "share_name", "custom_max_retention_hours"):
            if getattr(asked, field) is not None:
                raise NotEmulated(f"POST {_PREFIX}/catalogs with {field}")
        if asked.options:
            raise NotEmulated(f"POST {_PREFIX}/catalogs with options")
        made = catalogs.create_catalog(asked.name, comment=asked.comment, properties=asked.properties, user=call.user)
        return rendering.catalog(made)

    def list_catalogs(call: Call) -> object:
        wanted = pages.asked(call.query)
        found = [each for each in catalogs.catalogs() if call.shows(each.owner) or not each.owner.endswith(ISOLATED_USERS)]
        return pages.page(found, wanted, lambda each: each.name).body("catalogs", rendering.catalog)

    def get(call: Call) -> object:
        return rendering.catalog(catalogs.catalog(call.params["name"]))

    def update(call: Call) -> object:
        return rendering.catalog(catalogs.update_catalog(call.params["name"], change=call.json(_Update).change(), user=call.user))

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
        for field in ("storage_root", "custom_max_retention_hours"):
            if getattr(asked, field) is not None:
                raise NotEmulated(f"POST {_PREFIX}/schemas with {field}")
        made = schemas.create_schema(asked.catalog_name, asked.name, comment=asked.comment, properties=asked.properties, user=call.user)
        return rendering.schema(made)

    def list_schemas(call: Call) -> object:
        catalog, wanted = call.require("catalog_name"), pages.asked(call.query)
        every = [*schemas.schemas(catalog), schemas.information_schema(catalog)]
        found = pages.page(sorted(every, key=lambda each: each.name), wanted, lambda each: each.name)
        return found.body("schemas", rendering.schema)

    def get(call: Call) -> object:
        return rendering.schema(schemas.schema(*split_schema(call.params["name"])))

    def update(call: Call) -> object:
        asked = call.json(_Update)
        if asked.isolation_mode or asked.options is not None:
            raise NotEmulated(f"PATCH {_PREFIX}/schemas with isolation_mode or options")
        return rendering.schema(schemas.update_schema(call.params["name"], change=asked.change(), user=call.user))

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


def _force(call: Call) -> bool:
    return call.query.get("force", "false").lower() == "true"
