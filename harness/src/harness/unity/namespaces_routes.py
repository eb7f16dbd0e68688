"""HTTP of catalogs and schemas."""

import msgspec

from harness.config import ISOLATED_USERS
from harness.errors import NotEmulated
from harness.http import AnyRoute, Call
from harness.unity import pages, rendering
from harness.unity.about import Isolation, Optimization
from harness.unity.model import Change
from harness.unity.namespaces import split_schema
from harness.unity.securables_routes import PREFIX, five_routes, is_forced, page_of
from harness.unity.service import UnityService


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
        _refuse(asked, "catalogs", "storage_root", "connection_name", "provider_name", "share_name", "custom_max_retention_hours")
        made = catalogs.create_catalog(
            asked.name, comment=asked.comment, properties=asked.properties, options=asked.options, user=call.user
        )
        return rendering.catalog(made)

    def listed(call: Call) -> object:
        wanted = pages.asked(call.query)
        found = [each for each in catalogs.catalogs() if call.shows(each.owner) or not each.owner.endswith(ISOLATED_USERS)]
        return page_of("catalogs", found, wanted, rendering.catalog)

    def update(call: Call) -> object:
        return rendering.catalog(service.update_catalog(call.params["name"], call.json(_Update).change(), user=call.user))

    return five_routes(
        "catalogs",
        create=create,
        listed=listed,
        get=lambda name: rendering.catalog(catalogs.catalog(name)),
        update=update,
        delete=lambda call: service.delete_catalog(call.params["name"], force=is_forced(call)),
    )


def _schema_routes(service: UnityService) -> list[AnyRoute]:
    schemas = service.namespaces

    def create(call: Call) -> object:
        asked = call.json(_CreateSchema)
        _refuse(asked, "schemas", "storage_root", "custom_max_retention_hours")
        made = schemas.create_schema(asked.catalog_name, asked.name, comment=asked.comment, properties=asked.properties, user=call.user)
        return rendering.schema(made)

    def listed(call: Call) -> object:
        catalog, wanted = call.require("catalog_name"), pages.asked(call.query)
        every = [*schemas.schemas(catalog), schemas.information_schema(catalog)]
        return page_of("schemas", sorted(every, key=lambda each: each.name), wanted, rendering.schema)

    def update(call: Call) -> object:
        asked = call.json(_Update)
        if asked.isolation_mode or asked.options is not None:
            raise NotEmulated(f"PATCH {PREFIX}/schemas with isolation_mode or options")
        return rendering.schema(service.update_schema(call.params["name"], asked.change(), user=call.user))

    return five_routes(
        "schemas",
        create=create,
        listed=listed,
        get=lambda name: rendering.schema(schemas.schema(*split_schema(name))),
        update=update,
        delete=lambda call: service.delete_schema(call.params["name"], force=is_forced(call)),
    )


def _refuse(asked: msgspec.Struct, kind: str, *fields: str) -> None:
    for field in fields:
        if getattr(asked, field) is not None:
            raise NotEmulated(f"POST {PREFIX}/{kind} with {field}")
