"""The workspace calls of a deployment, through the official client. Bodies go as they are: nothing is renamed or left out."""

from typing import Protocol
from urllib.parse import quote

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import AlreadyExists, BadRequest, NotFound, ResourceAlreadyExists, ResourceConflict

from harness.bundle.nodes import Json

Body = dict[str, Json]


def call(workspace: WorkspaceClient, method: str, path: str, *, query: dict[str, str] | None = None, body: Body | None = None) -> Body:
    """Return the JSON that the workspace answers; the client's own error when it refuses."""
    answer = workspace.api_client.do(method, path, query=query, body=body, headers={"Accept": "application/json"})
    return answer if isinstance(answer, dict) else {}


def read_file(workspace: WorkspaceClient, path: str) -> bytes:
    """Return the content of a workspace file."""
    with workspace.workspace.download(path) as content:
        return content.read()


def write_file(workspace: WorkspaceClient, path: str, content: bytes) -> None:
    """Write a workspace file; its folder must exist."""
    workspace.api_client.do("POST", f"/api/2.0/workspace-files/import-file{quote(path)}", query={"overwrite": "true"}, data=content)


def make_directories(workspace: WorkspaceClient, path: str) -> None:
    """Make a folder of the workspace and those above it."""
    call(workspace, "POST", "/api/2.0/workspace/mkdirs", body={"path": path})


def list_names(workspace: WorkspaceClient, path: str) -> set[str]:
    """Return the full paths of what a workspace folder holds; nothing when there is none."""
    try:
        return {found.path or "" for found in workspace.workspace.list(path)}
    except NotFound:
        return set()


def delete_path(workspace: WorkspaceClient, path: str, *, recursive: bool = False) -> None:
    """Remove a workspace file or folder; nothing happens when there is none."""
    try:
        call(workspace, "POST", "/api/2.0/workspace/delete", body={"path": path, "recursive": recursive})
    except NotFound:
        return


class Kind(Protocol):
    """How one kind of resource is made, found, changed and removed."""

    identity: tuple[str, ...]
    """Fields that cannot change: another value means another resource."""
    holds_data: bool
    """Whether removing it removes data that the bundle cannot bring back."""

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make it and return its id."""
        ...

    def exists(self, workspace: WorkspaceClient, id_: str) -> bool:
        """Return whether it is (still) there."""
        ...

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Make it what `body` says."""
        ...

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Remove it, or raise `NotFound`."""
        ...


class Jobs:
    """Jobs 2.2."""

    identity: tuple[str, ...] = ()
    holds_data = False

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make the job and return its id."""
        return str(call(workspace, "POST", "/api/2.2/jobs/create", body=body)["job_id"])

    def exists(self, workspace: WorkspaceClient, id_: str) -> bool:
        """Return whether the job is there."""
        return _found(workspace, "/api/2.2/jobs/get", {"job_id": id_}) is not None

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Replace all its settings."""
        call(workspace, "POST", "/api/2.2/jobs/reset", body={"job_id": int(id_), "new_settings": body})

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Remove it."""
        call(workspace, "POST", "/api/2.2/jobs/delete", body={"job_id": int(id_)})


class Securables:
    """Schemas, volumes and registered models of Unity Catalog."""

    holds_data = True
    _ROOT = "/api/2.1/unity-catalog"

    def __init__(self, collection: str, identity: tuple[str, ...], defaults: Body, *, delete: dict[str, str] | None = None) -> None:
        self.identity = identity
        self._path = f"{self._ROOT}/{collection}"
        self._defaults = defaults
        self._delete = delete

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make it and return its full name."""
        return str(call(workspace, "POST", self._path, body={**self._defaults, **body})["full_name"])

    def exists(self, workspace: WorkspaceClient, id_: str) -> bool:
        """Return whether it is there."""
        return _found(workspace, self._one(id_)) is not None

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Change what can change: comment, properties."""
        changes = {key: value for key, value in body.items() if key not in self.identity}
        call(workspace, "PATCH", self._one(id_), body=changes)

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Remove it, with what is in it."""
        call(workspace, "DELETE", self._one(id_), query=self._delete)

    def _one(self, id_: str) -> str:
        return f"{self._path}/{quote(id_, safe='')}"


class Experiments:
    """MLflow experiments."""

    identity: tuple[str, ...] = ("artifact_location",)
    holds_data = False  # a removed experiment is only marked so, and deploying it again brings it back
    _ROOT = "/api/2.0/mlflow/experiments"

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make it, or bring the removed one of the same name back, and return its id."""
        try:
            return str(call(workspace, "POST", f"{self._ROOT}/create", body=body)["experiment_id"])
        except (AlreadyExists, BadRequest, ResourceAlreadyExists, ResourceConflict):
            found = _found(workspace, f"{self._ROOT}/get-by-name", {"experiment_name": str(body["name"])})
            if found is None or _experiment(found).get("lifecycle_stage") != "deleted":
                raise
            id_ = str(_experiment(found)["experiment_id"])
            call(workspace, "POST", f"{self._ROOT}/restore", body={"experiment_id": id_})
            return id_

    def exists(self, workspace: WorkspaceClient, id_: str) -> bool:
        """Return whether it is there and not removed."""
        found = _found(workspace, f"{self._ROOT}/get", {"experiment_id": id_})
        return found is not None and _experiment(found).get("lifecycle_stage") != "deleted"

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Rename it."""
        call(workspace, "POST", f"{self._ROOT}/update", body={"experiment_id": id_, "new_name": body["name"]})

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Mark it as removed."""
        call(workspace, "POST", f"{self._ROOT}/delete", body={"experiment_id": id_})


# In the order in which they are made.
KINDS: dict[str, Kind] = {
    "schemas": Securables("schemas", ("name", "catalog_name", "storage_root"), {}, delete={"force": "true"}),
    "volumes": Securables(
        "volumes", ("name", "catalog_name", "schema_name", "volume_type", "storage_location"), {"volume_type": "MANAGED"}
    ),
    "registered_models": Securables("models", ("name", "catalog_name", "schema_name", "storage_location"), {}),
    "experiments": Experiments(),
    "jobs": Jobs(),
}


def _found(workspace: WorkspaceClient, path: str, query: dict[str, str] | None = None) -> Body | None:
    try:
        return call(workspace, "GET", path, query=query)
    except NotFound:
        return None
    except BadRequest as error:  # jobs/get of an unknown job is a 400 on the platform
        if "does not exist" in str(error):
            return None
        raise


def _experiment(answer: Body) -> Body:
    found = answer.get("experiment")
    return found if isinstance(found, dict) else {}
