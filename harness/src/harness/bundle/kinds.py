"""How each kind of resource is made, found, changed and removed."""

from collections.abc import Collection, Mapping
from typing import Protocol
from urllib.parse import quote

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound

from harness.bundle.calls import Body, call, found
from harness.bundle.endpoints import Endpoints
from harness.bundle.likeness import like
from harness.bundle.mlflow_kinds import Experiments, LegacyModels

_SENT_ONLY = ("skip_builtin_dashboard", "warehouse_id")  # of monitors


class Kind(Protocol):
    """One kind of resource. An id is what its API gives; where that is a name, it is known before the resource is made."""

    identity: tuple[str, ...]
    """Fields that cannot change: another value means another resource."""
    holds_data: bool
    """Whether removing it removes data that the bundle cannot bring back."""

    adopts: bool
    """Whether what `existing` finds is surely of this very deployment."""

    def existing(self, workspace: WorkspaceClient, body: Body, known: Collection[str]) -> str | None:
        """Return the id of what stands where this would be made; `known` are the ids that the deployment has already."""
        ...

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make it and return its id."""
        ...

    def read(self, workspace: WorkspaceClient, id_: str, body: Mapping[str, object]) -> Body | None:
        """Return how it stands, of what `body` says only; None when there is none (any more)."""
        ...

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Make it what `body` says."""
        ...

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Remove it, or raise `NotFound`."""
        ...


class Jobs:
    """Jobs 2.2. How one stands is all its settings: what somebody added counts as much as what somebody changed."""

    identity: tuple[str, ...] = ()
    holds_data = False

    adopts = True

    def existing(self, workspace: WorkspaceClient, body: Body, known: Collection[str]) -> str | None:
        """Return a job that an interrupted deployment made and could not note down: names of jobs are not unique, deployments are."""
        for job in workspace.jobs.list(name=str(body.get("name"))):
            settings = job.settings.as_dict() if job.settings is not None else {}
            if settings.get("deployment") == body.get("deployment") and str(job.job_id) not in known:
                return str(job.job_id)
        return None

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make the job and return its id."""
        return str(call(workspace, "POST", "/api/2.2/jobs/create", body=body)["job_id"])

    def read(self, workspace: WorkspaceClient, id_: str, body: Mapping[str, object]) -> Body | None:
        """Return the job's settings."""
        answer = found(workspace, "/api/2.2/jobs/get", {"job_id": id_})
        settings = answer.get("settings") if answer is not None and body is not None else None
        return settings if isinstance(settings, dict) else None

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Replace all its settings."""
        call(workspace, "POST", "/api/2.2/jobs/reset", body={"job_id": int(id_), "new_settings": body})

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Remove it, or raise `NotFound`: an unknown job is a 400 on the platform."""
        try:
            call(workspace, "POST", "/api/2.2/jobs/delete", body={"job_id": int(id_)})
        except BadRequest as error:
            if "does not exist" in str(error):
                raise NotFound(str(error)) from error
            raise


class Securables:
    """Schemas, volumes and registered models of Unity Catalog."""

    holds_data = True
    _ROOT = "/api/2.1/unity-catalog"

    def __init__(self, collection: str, identity: tuple[str, ...], defaults: Body, *, delete: dict[str, str] | None = None) -> None:
        self.identity = identity
        self._path = f"{self._ROOT}/{collection}"
        self._defaults = defaults
        self._delete = delete

    adopts = False

    def existing(self, workspace: WorkspaceClient, body: Body, known: Collection[str]) -> str | None:
        """Return the full name when it is taken."""
        return _taken(self, workspace, ".".join(str(body[key]) for key in ("catalog_name", "schema_name", "name") if key in body), known)

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make it and return its full name."""
        return str(call(workspace, "POST", self._path, body={**self._defaults, **body})["full_name"])

    def read(self, workspace: WorkspaceClient, id_: str, body: Mapping[str, object]) -> Body | None:
        """Return how it stands."""
        answer = found(workspace, self._one(id_))
        return None if answer is None else like(answer, body)

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Change what can change: comment, properties."""
        changes = {key: value for key, value in body.items() if key not in self.identity}
        call(workspace, "PATCH", self._one(id_), body=changes)

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Remove it, with what is in it."""
        call(workspace, "DELETE", self._one(id_), query=self._delete)

    def _one(self, id_: str) -> str:
        return f"{self._path}/{quote(id_, safe='')}"


class Monitors:
    """Quality monitors of tables, by the name of the table."""

    identity: tuple[str, ...] = ("table_name", "assets_dir", *_SENT_ONLY)
    holds_data = False

    adopts = False

    def existing(self, workspace: WorkspaceClient, body: Body, known: Collection[str]) -> str | None:
        """Return the name when it is taken."""
        return _taken(self, workspace, str(body["table_name"]), known)

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make it and return the table's name."""
        id_ = str(body["table_name"])
        call(workspace, "POST", self._one(id_), body=_without(body, "table_name"))
        return id_

    def read(self, workspace: WorkspaceClient, id_: str, body: Mapping[str, object]) -> Body | None:
        """Return how it stands."""
        answer = found(workspace, self._one(id_))
        # No answer shows these; they are as they were sent, for they cannot be changed.
        sent: Body = {key: value for key in _SENT_ONLY if isinstance(value := body.get(key), str | bool)}
        return None if answer is None else {**like(answer, body), **sent}

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Replace its settings."""
        call(workspace, "PUT", self._one(id_), body=_without(body, *self.identity))

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Remove it; its tables stay."""
        call(workspace, "DELETE", self._one(id_))

    @staticmethod
    def _one(id_: str) -> str:
        return f"/api/2.1/unity-catalog/tables/{quote(id_, safe='')}/monitor"


class SecretScopes:
    """Secret scopes, by name."""

    identity: tuple[str, ...] = ("name", "backend_type")
    holds_data = True
    _ROOT = "/api/2.0/secrets/scopes"

    adopts = False

    def existing(self, workspace: WorkspaceClient, body: Body, known: Collection[str]) -> str | None:
        """Return the name when it is taken."""
        return _taken(self, workspace, str(body["name"]), known)

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make it and return its name."""
        backend: Body = {"scope_backend_type": body["backend_type"]} if "backend_type" in body else {}
        call(workspace, "POST", f"{self._ROOT}/create", body={"scope": body["name"], **backend})
        return str(body["name"])

    def read(self, workspace: WorkspaceClient, id_: str, body: Mapping[str, object]) -> Body | None:
        """Return its name when it is there."""
        scopes = call(workspace, "GET", f"{self._ROOT}/list").get("scopes")
        there = any(isinstance(each, dict) and each.get("name") == id_ for each in (scopes if isinstance(scopes, list) else ()))
        return {"name": id_} if there and body is not None else None

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Do nothing: a scope has nothing that can change but who may read it."""

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Remove it, with its secrets."""
        call(workspace, "POST", f"{self._ROOT}/delete", body={"scope": id_})


# In the order in which they are made, where none refers to another.
KINDS: dict[str, Kind] = {
    "secret_scopes": SecretScopes(),
    "schemas": Securables("schemas", ("name", "catalog_name", "storage_root"), {}, delete={"force": "true"}),
    "volumes": Securables(
        "volumes", ("name", "catalog_name", "schema_name", "volume_type", "storage_location"), {"volume_type": "MANAGED"}
    ),
    "registered_models": Securables("models", ("name", "catalog_name", "schema_name", "storage_location"), {}),
    "models": LegacyModels(),
    "experiments": Experiments(),
    "quality_monitors": Monitors(),
    "model_serving_endpoints": Endpoints(),
    "jobs": Jobs(),
}


def _taken(kind: Kind, workspace: WorkspaceClient, id_: str, known: Collection[str]) -> str | None:
    return id_ if id_ not in known and kind.read(workspace, id_, {}) is not None else None


def _without(body: Body, *keys: str) -> Body:
    return {key: value for key, value in body.items() if key not in keys}
