"""HTTP of the one metastore, of what catalogs are bound to, and of what a harness has none of."""

from typing import Literal

import msgspec

from harness.config import WORKSPACE_ID
from harness.errors import ApiError, NotEmulated
from harness.http import AnyRoute, Call, Route
from harness.unity import pages, rendering
from harness.unity.model import METASTORE_ID
from harness.unity.service import UnityService

_DOC = "https://docs.databricks.com/api/workspace"
_PREFIX = "/api/2.1/unity-catalog"
_Binding = Literal["BINDING_TYPE_READ_WRITE", "BINDING_TYPE_READ_ONLY"]
_READ_WRITE: _Binding = "BINDING_TYPE_READ_WRITE"


class _WorkspaceBinding(msgspec.Struct):
    workspace_id: int
    binding_type: _Binding = _READ_WRITE


class _UpdateBindings(msgspec.Struct):
    add: list[_WorkspaceBinding] = []
    remove: list[_WorkspaceBinding] = []


class _UpdateWorkspaces(msgspec.Struct):
    assign_workspaces: list[int] = []
    unassign_workspaces: list[int] = []


def metastore_routes(service: UnityService) -> list[AnyRoute]:
    """Return the routes of `w.metastores`, `w.workspace_bindings`, and the lists of what is never there."""
    return [*_metastores(service), *_old_bindings(service), *_bindings(service), *_empty_lists()]


def _metastores(service: UnityService) -> list[AnyRoute]:
    def one() -> rendering.Body:
        # Assumption: it is as old as the catalog main, and whoever the workspace belongs to owns it.
        return rendering.metastore(service.user, service.namespaces.catalog("main").created_at)

    def current(_: Call) -> object:
        return {"workspace_id": int(WORKSPACE_ID), "metastore_id": METASTORE_ID, "default_catalog_name": "main"}

    def get(call: Call) -> object:
        if call.params["id"] != METASTORE_ID:
            raise ApiError(404, "METASTORE_DOES_NOT_EXIST", f"Metastore '{call.params['id']}' does not exist.")
        return one()

    return [
        Route("GET", f"{_PREFIX}/current-metastore-assignment", current, f"{_DOC}/metastores/current"),
        Route("GET", f"{_PREFIX}/metastore_summary", lambda _: one(), f"{_DOC}/metastores/summary"),
        Route("GET", f"{_PREFIX}/metastores", lambda _: {"metastores": [one()]}, f"{_DOC}/metastores/list"),
        Route("GET", f"{_PREFIX}/metastores/{{id}}", get, f"{_DOC}/metastores/get"),
    ]


def _old_bindings(service: UnityService) -> list[AnyRoute]:
    def get(call: Call) -> object:
        return {"workspaces": [int(each) for each in service.namespaces.catalog(call.params["name"]).about.workspaces]}

    def update(call: Call) -> object:
        asked = call.json(_UpdateWorkspaces)
        bound = dict(service.namespaces.catalog(call.params["name"]).about.workspaces)
        bound |= {str(each): _READ_WRITE for each in asked.assign_workspaces}
        for each in asked.unassign_workspaces:
            bound.pop(str(each), None)
        service.namespaces.bind_catalog(call.params["name"], bound, user=call.user)
        return get(call)

    path = f"{_PREFIX}/workspace-bindings/catalogs/{{name}}"
    return [
        Route("GET", path, get, f"{_DOC}/workspacebindings/get"),
        Route("PATCH", path, update, f"{_DOC}/workspacebindings/update"),
    ]


def _bindings(service: UnityService) -> list[AnyRoute]:
    def get(call: Call) -> object:
        _catalogs_only(call)
        found = rendering.bindings(service.namespaces.catalog(call.params["name"]).about.workspaces)
        return pages.page(found, pages.asked(call.query), lambda each: str(each["workspace_id"])).body("bindings", lambda each: each)

    def update(call: Call) -> object:
        _catalogs_only(call)
        asked = call.json(_UpdateBindings)
        bound = dict(service.namespaces.catalog(call.params["name"]).about.workspaces)
        bound |= {str(each.workspace_id): each.binding_type for each in asked.add}
        for each in asked.remove:
            bound.pop(str(each.workspace_id), None)
        return {
            "bindings": rendering.bindings(service.namespaces.bind_catalog(call.params["name"], bound, user=call.user).about.workspaces)
        }

    path = f"{_PREFIX}/bindings/{{kind}}/{{name}}"
    return [
        Route("GET", path, get, f"{_DOC}/workspacebindings/getbindings"),
        Route("PATCH", path, update, f"{_DOC}/workspacebindings/updatebindings"),
    ]


def _catalogs_only(call: Call) -> None:
    if call.params["kind"] != "catalog":
        raise NotEmulated(f"workspace bindings of securables of type {call.params['kind']}")


def _empty_lists() -> list[AnyRoute]:
    """What has to do with clouds, other databases and sharing: a harness has none, and says so."""
    kinds = {
        "external-locations": ("external_locations", "externallocations"),
        "storage-credentials": ("storage_credentials", "storagecredentials"),
        "credentials": ("credentials", "credentials"),
        "connections": ("connections", "connections"),
    }

    def none_of(key: str) -> Route:
        name, doc = kinds[key]

        def empty(call: Call) -> object:
            pages.asked(call.query)  # refuses what cannot be asked
            return {name: []}

        return Route("GET", f"{_PREFIX}/{key}", empty, f"{_DOC}/{doc}/list")

    return [none_of(key) for key in kinds]
