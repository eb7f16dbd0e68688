"""HTTP of tags: `w.entity_tag_assignments`."""

import datetime as dt
from collections.abc import Mapping

import msgspec

from harness.errors import ApiError
from harness.http import AnyRoute, Call, Route
from harness.unity.tags import Tag, Tags

_DOC = "https://docs.databricks.com/api/workspace/entitytagassignments"
_PATH = "/api/2.1/unity-catalog/entity-tag-assignments"
_CHANGEABLE = {"tag_value", "*"}


class _Assignment(msgspec.Struct):
    entity_type: str = ""
    entity_name: str = ""
    tag_key: str = ""
    tag_value: str = ""


def tags_routes(tags: Tags) -> list[AnyRoute]:
    """Return the routes of tag assignments. Lists are answered whole: no page has a next one."""

    def create(call: Call) -> object:
        asked = call.json(_Assignment)
        for name in ("entity_type", "entity_name", "tag_key"):
            if not getattr(asked, name):
                raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{name} is required")
        tags.set(asked.entity_type, asked.entity_name, {asked.tag_key: asked.tag_value}, new=True)
        return _assignment(asked.entity_type, asked.entity_name, tags.get(asked.entity_type, asked.entity_name, asked.tag_key))

    def list_tags(call: Call) -> object:
        kind, name = call.params["kind"], call.params["name"]
        return {"tag_assignments": [_assignment(kind, name, each) for each in tags.list(kind, name)]}

    def get(call: Call) -> object:
        return _one(tags, call.params)

    def update(call: Call) -> object:
        kind, name, key = call.params["kind"], call.params["name"], call.params["key"]
        mask = call.require("update_mask")
        if not set(mask.split(",")) <= _CHANGEABLE:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"update_mask '{mask}' names what cannot be changed; only tag_value can be")
        tags.get(kind, name, key)
        tags.set(kind, name, {key: call.json(_Assignment).tag_value})
        return _one(tags, call.params)

    def delete(call: Call) -> object:
        tags.unset(call.params["kind"], call.params["name"], [call.params["key"]], known=True)
        return {}

    of, one = f"{_PATH}/{{kind}}/{{name}}/tags", f"{_PATH}/{{kind}}/{{name}}/tags/{{key}}"
    return [
        Route("POST", _PATH, create, f"{_DOC}/create"),
        Route("GET", of, list_tags, f"{_DOC}/list"),
        Route("GET", one, get, f"{_DOC}/get"),
        Route("PATCH", one, update, f"{_DOC}/update"),
        Route("DELETE", one, delete, f"{_DOC}/delete"),
    ]


def _one(tags: Tags, params: Mapping[str, str]) -> object:
    return _assignment(params["kind"], params["name"], tags.get(params["kind"], params["name"], params["key"]))


def _assignment(kind: str, name: str, tag: Tag) -> object:
    at = dt.datetime.fromtimestamp(tag.updated_at / 1000, dt.UTC).isoformat(timespec="milliseconds")
    return {
        "entity_type": kind,
        "entity_name": name,
        "tag_key": tag.key,
        "tag_value": tag.value,
        "update_time": at.replace("+00:00", "Z"),
        "updated_by": tag.updated_by,
    }
