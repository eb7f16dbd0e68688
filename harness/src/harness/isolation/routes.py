"""HTTP of isolated workspaces. They are the harness's own: nothing here mirrors the platform."""

from collections.abc import Callable

import msgspec

from harness.errors import ApiError
from harness.http import AnyRoute, Call, Reply, Route
from harness.isolation.model import IsolatedWorkspace
from harness.isolation.service import IsolationService

DOC = "docs/testing.md"
_PATH = "/__harness__/workspaces"


class _Create(msgspec.Struct, forbid_unknown_fields=True):
    process: int = 0


def routes(service: IsolationService, *, host: str, remote_of: Callable[[str], str]) -> list[AnyRoute]:
    """Return the routes; `remote_of` says what a user's `SPARK_REMOTE` must be."""

    def shown(workspace: IsolatedWorkspace) -> dict[str, object]:
        return {
            "workspace_id": workspace.workspace_id,
            "user": workspace.user,
            "catalog": workspace.catalog,
            "home": workspace.home,
            "host": host,
            "spark_remote": remote_of(workspace.user),
            "process": workspace.process,
            "created_at": workspace.created_at,
        }

    def create(call: Call) -> object:
        _check(call)
        asked = call.json(_Create)
        if asked.process < 0:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"process {asked.process}: expected the id of a process, or 0 for none")
        workspace, token = service.create(asked.process)
        return Reply({**shown(workspace), "token": token}, headers={"cache-control": "no-store"})

    def list_(call: Call) -> object:
        _check(call)
        return {"workspaces": [shown(each) for each in service.list()]}

    def get(call: Call) -> object:
        _check(call)
        return shown(service.get(call.params["workspace_id"]))

    def delete(call: Call) -> object:
        _check(call)
        service.delete(call.params["workspace_id"])
        return {}

    one = f"{_PATH}/{{workspace_id}}"
    return [
        Route("POST", _PATH, create, DOC),
        Route("GET", _PATH, list_, DOC),
        Route("GET", one, get, DOC),
        Route("DELETE", one, delete, DOC),
    ]


def _check(call: Call) -> None:
    if call.isolated:
        message = f"{call.user} is the user of an isolated workspace, who sees no other; use the token that `harness up` prints"
        raise ApiError(403, "PERMISSION_DENIED", message)
