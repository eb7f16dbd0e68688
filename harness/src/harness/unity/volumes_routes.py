"""HTTP of volumes."""

import msgspec

from harness.errors import NotEmulated
from harness.http import AnyRoute, Call
from harness.names import FullName, check_name
from harness.unity import pages, rendering
from harness.unity.model import VolumeRecord
from harness.unity.securables_routes import PREFIX, asked_schema, five_routes, page_of
from harness.unity.service import UnityService


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
            raise NotEmulated(f"POST {PREFIX}/volumes with volume_type={asked.volume_type}")
        names = ((asked.catalog_name, "catalog"), (asked.schema_name, "schema"), (asked.name, "volume"))
        name = FullName(*(check_name(part, kind) for part, kind in names))
        return render(volumes.create(name, comment=asked.comment, user=call.user))

    def listed(call: Call) -> object:
        wanted = pages.asked(call.query, unless_said=pages.LONG_PAGE_SIZE, most=pages.LONG_PAGE_SIZE)
        return page_of("volumes", volumes.in_schema(*asked_schema(call)), wanted, render)

    def update(call: Call) -> object:
        asked, name = call.json(_Update), _name(call.params["name"])
        return render(volumes.update(name, comment=asked.comment, new_name=asked.new_name, owner=asked.owner, user=call.user))

    return five_routes(
        "volumes",
        create=create,
        listed=listed,
        get=lambda name: render(volumes.get(_name(name))),
        update=update,
        delete=lambda call: volumes.delete(_name(call.params["name"])),
    )


def _name(text: str) -> FullName:
    return FullName.parse(text, "volume")
