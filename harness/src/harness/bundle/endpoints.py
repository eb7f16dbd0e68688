"""Model serving endpoints of a bundle: made, waited for, changed part by part."""

from collections.abc import Collection, Mapping
from urllib.parse import quote

from databricks.sdk import WorkspaceClient

from harness.bundle.calls import Body, call, found
from harness.bundle.likeness import like
from harness.clock import Clock, SystemClock
from harness.errors import UserError

_ROOT = "/api/2.0/serving-endpoints"
_MOST_SECONDS = 35 * 60  # as long as the official client waits
_SECONDS_BETWEEN = 1.0
# docs.databricks.com/api/workspace/servingendpoints: each part of an endpoint has its own call
_PARTS = {"config": ("PUT", "config"), "ai_gateway": ("PUT", "ai-gateway"), "rate_limits": ("PUT", "rate-limits")}


class Endpoints:
    """Model serving endpoints, by name."""

    identity: tuple[str, ...] = ("name", "description", "route_optimized")
    holds_data = False

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    adopts = False

    def existing(self, workspace: WorkspaceClient, body: Body, known: Collection[str]) -> str | None:
        """Return the name when it is taken."""
        name = str(body["name"])
        return name if name not in known and found(workspace, self._one(name)) is not None else None

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make it, wait until it has its configuration, and return its name."""
        call(workspace, "POST", _ROOT, body=body)
        self._wait(workspace, str(body["name"]))
        return str(body["name"])

    def read(self, workspace: WorkspaceClient, id_: str, body: Mapping[str, object]) -> Body | None:
        """Return how it stands; where an update goes on, as it will stand."""
        answer = found(workspace, self._one(id_))
        if answer is None:
            return None
        pending = answer.get("pending_config")
        return like({**answer, "config": pending} if isinstance(pending, dict) and pending else answer, body)

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Change the parts that stand otherwise, and wait until the endpoint has its configuration."""
        now = found(workspace, self._one(id_)) or {}
        for key, (method, part) in _PARTS.items():
            wanted = body.get(key)
            if isinstance(wanted, dict) and like(now, {key: wanted}).get(key) != wanted:
                call(workspace, method, f"{self._one(id_)}/{part}", body=wanted)
            elif isinstance(wanted, list) and now.get(key) != wanted:
                call(workspace, method, f"{self._one(id_)}/{part}", body={key: wanted})
        self._tag(workspace, id_, body, now)
        self._wait(workspace, id_)

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Remove it; its inference table stays."""
        call(workspace, "DELETE", self._one(id_))

    def _tag(self, workspace: WorkspaceClient, id_: str, body: Body, now: Body) -> None:
        wanted, there = body.get("tags"), now.get("tags")
        add = wanted if isinstance(wanted, list) else []
        keys = {tag.get("key") for tag in add if isinstance(tag, dict)}
        gone = [tag.get("key") for tag in there if isinstance(tag, dict) and tag.get("key") not in keys] if isinstance(there, list) else []
        if add != (there or []):
            call(workspace, "PATCH", f"{self._one(id_)}/tags", body={"add_tags": add, "delete_tags": gone})

    def _wait(self, workspace: WorkspaceClient, id_: str) -> None:
        waited = 0.0
        while waited < _MOST_SECONDS:
            state = call(workspace, "GET", self._one(id_)).get("state")
            update = state.get("config_update") if isinstance(state, dict) else None
            if update == "UPDATE_FAILED":
                raise UserError(f"endpoint {id_}: its models cannot be served; `harness serving explain {id_}` says why")
            if update != "IN_PROGRESS":
                return
            self._clock.sleep(_SECONDS_BETWEEN)
            waited += _SECONDS_BETWEEN
        raise UserError(f"endpoint {id_}: its configuration is still being updated after {_MOST_SECONDS} s; look at it, then deploy again")

    @staticmethod
    def _one(id_: str) -> str:
        return f"{_ROOT}/{quote(id_, safe='')}"
