"""HTTP of volumes."""

import msgspec

from harness.errors import NotEmulated
from harness.http import AnyRoute, Call, Route
from harness.names import FullName, check_name
from harness.unity import pages, rendering
from harness.unity.model import VolumeRecord
from harness.unity.service import UnityService

_DOC = "https://docs.databricks.com/api/workspace/volumes"
_PATH = "/api/2.1/unity-catalog/volumes"


class _Create(msgspec.Struct):
    name: str
    catalog_name: str
    schema_name: str
    volume_type: str = "MANAGED"
    comment: str = ""


class _Update(msgspec.Struct):
    comment: str | None = None
    new_name: str | None = None
    owner: str | None = None


def volumes_routes(service: UnityService) -> list[AnyRoute]:
    """Return the routes of `w.volumes`."""
    volumes = service.volumes

    def render(found: VolumeRecord) -> object:
        return rendering.volume(found, service.volume_folder(found))

    def create(call: Call) -> object:
        asked = call.json(_Create)
        if asked.volume_type != "MANAGED":
            raise NotEmulated(f"POST {_PATH} with volume_type={asked.volume_type}")
        name = _name(asked.catalog_name, asked.schema_name, asked.name)
        return render(volumes.create(name, comment=asked.comment, user=call.user))

    def list_volumes(call: Call) -> object:
        catalog, schema = check_name(call.require("catalog_name"), "catalog"), check_name(call.require("schema_name"), "schema")
        wanted = pages.asked(call.query, unless_said=pages.LONG_PAGE_SIZE, most=pages.LONG_PAGE_SIZE)
        return pages.page(volumes.in_schema(catalog, schema), wanted, lambda each: each.name).body("volumes", render)

    def get(call: Call) -> object:
        return render(volumes.get(FullName.parse(call.params["name"], "volume")))

    def update(call: Call) -> object:
        asked = call.json(_Update)
        name = FullName.parse(call.params["name"], "volume")
        return render(volumes.update(name, comment=asked.comment, new_name=asked.new_name, owner=asked.owner, user=call.user))

    def delete(call: Call) -> object:
        volumes.delete(FullName.parse(call.params["name"], "volume"))
        return {}

    one = f"{_PATH}/{{name}}"
    return [
        Route("POST", _PATH, create, f"{_DOC}/create"),
        Route("GET", _PATH, list_volumes, f"{_DOC}/list"),
        Route("GET", one, get, f"{_DOC}/read"),
        Route("PATCH", one, update, f"{_DOC}/update"),
        Route("DELETE", one, delete, f"{_DOC}/delete"),
    ]


def _name(catalog: str, schema: str, name: str) -> FullName:
    return FullName(check_name(catalog, "catalog"), check_name(schema, "schema"), check_name(name, "volume"))
