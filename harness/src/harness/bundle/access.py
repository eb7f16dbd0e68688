"""Who may do what with what a bundle deploys: access control lists, privileges in Unity Catalog, lines of secret scopes."""

from collections.abc import Sequence
from urllib.parse import quote

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from harness.bundle.calls import Body, call
from harness.bundle.nodes import Json

Lines = list[Json]
_LISTS = {"jobs": "jobs", "experiments": "experiments", "models": "registered-models", "model_serving_endpoints": "serving-endpoints"}
# docs.databricks.com/api/workspace/grants/update; a registered model is a securable of type function there.
_SECURABLES = {"schemas": "schema", "volumes": "volume", "registered_models": "function"}
# A bundle's levels that folders have another word for: docs.databricks.com/security/auth/access-control
_OF_FOLDERS = {"CAN_VIEW": "CAN_READ"}
_PRINCIPALS = ("user_name", "group_name", "service_principal_name")


def write_permissions(workspace: WorkspaceClient, kind: str, id_: str, wanted: Sequence[Body]) -> None:
    """Make `wanted` the access control list of a resource; whoever deploys keeps it."""
    me = workspace.current_user.me().user_name or ""
    if kind == "secret_scopes":
        _write_scope(workspace, id_, wanted, me)
        return
    others: Lines = [{**each} for each in wanted if me not in each.values()]
    own: Json = {"user_name": me, "permission_level": "IS_OWNER" if kind == "jobs" else "CAN_MANAGE"}
    call(workspace, "PUT", _list_path(workspace, kind, id_), body={"access_control_list": [own, *others]})


def read_permissions(workspace: WorkspaceClient, kind: str, id_: str) -> Lines:
    """Return the lines of a resource's access control list in one order; none when it is gone."""
    try:
        if kind == "secret_scopes":
            return _scope_lines(workspace, id_)
        lines = call(workspace, "GET", _list_path(workspace, kind, id_)).get("access_control_list")
    except NotFound:
        return []
    found = [(_principal(line), line.get("all_permissions")) for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
    return [{"principal": principal, "levels": levels} for principal, levels in sorted(found, key=str)]


def write_directory(workspace: WorkspaceClient, path: str, wanted: Sequence[Body]) -> None:
    """Make `wanted` the access control list of a folder of the workspace."""
    found = call(workspace, "GET", "/api/2.0/workspace/get-status", query={"path": path})
    me = workspace.current_user.me().user_name or ""
    others = [{**each, "permission_level": _OF_FOLDERS.get(str(each["permission_level"]), each["permission_level"])} for each in wanted]
    lines: Lines = [{"user_name": me, "permission_level": "CAN_MANAGE"}, *(each for each in others if me not in each.values())]
    call(workspace, "PUT", f"/api/2.0/permissions/directories/{found['object_id']}", body={"access_control_list": lines})


def write_grants(workspace: WorkspaceClient, kind: str, id_: str, wanted: Sequence[Body]) -> None:
    """Make `wanted` all that is granted on a securable."""
    before = {principal: set(names) for principal, names in _assignments(workspace, kind, id_).items()}
    after: dict[str, set[str]] = {}
    for line in wanted:
        names = line["privileges"]
        granted = {str(each) for each in names} if isinstance(names, list) else set()
        after[str(line["principal"])] = after.get(str(line["principal"]), set()) | granted
    changes: Lines = []
    for principal in sorted(before.keys() | after.keys()):
        add, remove = (sorted(one.get(principal, set()) - other.get(principal, set())) for one, other in ((after, before), (before, after)))
        if add or remove:
            changes.append({"principal": principal, "add": [*add], "remove": [*remove]})
    if changes:
        call(workspace, "PATCH", _grants_path(kind, id_), body={"changes": changes})


def read_grants(workspace: WorkspaceClient, kind: str, id_: str) -> Lines:
    """Return what is granted on a securable, in one order; nothing when it is gone."""
    try:
        found = _assignments(workspace, kind, id_)
    except NotFound:
        return []
    return [{"principal": principal, "privileges": [*sorted(names)]} for principal, names in sorted(found.items())]


def _assignments(workspace: WorkspaceClient, kind: str, id_: str) -> dict[str, list[str]]:
    lines = call(workspace, "GET", _grants_path(kind, id_)).get("privilege_assignments")
    found: dict[str, list[str]] = {}
    for line in lines if isinstance(lines, list) else ():
        names = line.get("privileges") if isinstance(line, dict) else None
        if isinstance(line, dict) and isinstance(names, list) and names:
            found[str(line["principal"])] = [str(each) for each in names]
    return found


def _grants_path(kind: str, id_: str) -> str:
    return f"/api/2.1/unity-catalog/permissions/{_SECURABLES[kind]}/{quote(id_, safe='')}"


def _list_path(workspace: WorkspaceClient, kind: str, id_: str) -> str:
    if kind == "model_serving_endpoints":  # lists of endpoints go by their id, all else of them by their name
        id_ = str(call(workspace, "GET", f"/api/2.0/serving-endpoints/{quote(id_, safe='')}")["id"])
    return f"/api/2.0/permissions/{_LISTS[kind]}/{quote(id_, safe='')}"


def _scope_lines(workspace: WorkspaceClient, scope: str) -> Lines:
    items = call(workspace, "GET", "/api/2.0/secrets/acls/list", query={"scope": scope}).get("items")
    return sorted(items if isinstance(items, list) else [], key=str)


def _write_scope(workspace: WorkspaceClient, scope: str, wanted: Sequence[Body], me: str) -> None:
    lines = {_principal(line): str(line["permission_level"]) for line in wanted}
    for principal, level in lines.items():
        call(workspace, "POST", "/api/2.0/secrets/acls/put", body={"scope": scope, "principal": principal, "permission": level})
    for line in _scope_lines(workspace, scope):
        principal = str(line["principal"]) if isinstance(line, dict) else me
        if principal not in lines and principal != me:
            call(workspace, "POST", "/api/2.0/secrets/acls/delete", body={"scope": scope, "principal": principal})


def _principal(line: Body) -> str:
    return next((str(line[key]) for key in _PRINCIPALS if line.get(key)), "")
