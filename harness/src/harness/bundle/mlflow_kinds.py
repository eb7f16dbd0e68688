"""The kinds of resources that MLflow holds: experiments, and models of the workspace's own registry."""

from collections.abc import Collection, Mapping

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import AlreadyExists, BadRequest, ResourceAlreadyExists, ResourceConflict

from harness.bundle.calls import Body, call, found
from harness.bundle.likeness import like
from harness.bundle.nodes import Json


class Experiments:
    """MLflow experiments."""

    identity: tuple[str, ...] = ("artifact_location",)
    holds_data = False  # a removed experiment is only marked so, and deploying it again brings it back
    _ROOT = "/api/2.0/mlflow/experiments"

    adopts = False

    def existing(self, workspace: WorkspaceClient, body: Body, known: Collection[str]) -> str | None:
        """Return the id of the experiment that has the name; a removed one may be brought back."""
        there = self._named(workspace, str(body["name"]))
        id_ = str(there.get("experiment_id")) if there is not None and there.get("lifecycle_stage") != "deleted" else None
        return None if id_ in known else id_

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make it, or bring the removed one of the same name back, and return its id."""
        try:
            return str(call(workspace, "POST", f"{self._ROOT}/create", body=body)["experiment_id"])
        except (AlreadyExists, BadRequest, ResourceAlreadyExists, ResourceConflict):
            there = self._named(workspace, str(body["name"]))
            if there is None or there.get("lifecycle_stage") != "deleted":
                raise
            id_ = str(there["experiment_id"])
            call(workspace, "POST", f"{self._ROOT}/restore", body={"experiment_id": id_})
            self.update(workspace, id_, body)
            return id_

    def read(self, workspace: WorkspaceClient, id_: str, body: Mapping[str, object]) -> Body | None:
        """Return how it stands, of its tags those that the bundle gives it; None also when it is marked as removed."""
        answer = found(workspace, f"{self._ROOT}/get", {"experiment_id": id_})
        there = _inner(answer, "experiment") if answer is not None else None
        if there is None or there.get("lifecycle_stage") == "deleted":
            return None
        return {**like(there, {key: value for key, value in body.items() if key != "tags"}), **_tags(there, body)}

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Rename it, and set its tags."""
        call(workspace, "POST", f"{self._ROOT}/update", body={"experiment_id": id_, "new_name": body["name"]})
        tags = body.get("tags")
        for tag in tags if isinstance(tags, list) else ():
            if isinstance(tag, dict):
                call(workspace, "POST", f"{self._ROOT}/set-experiment-tag", body={"experiment_id": id_, **tag})

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Mark it as removed."""
        call(workspace, "POST", f"{self._ROOT}/delete", body={"experiment_id": id_})

    def _named(self, workspace: WorkspaceClient, name: str) -> Body | None:
        answer = found(workspace, f"{self._ROOT}/get-by-name", {"experiment_name": name})
        return _inner(answer, "experiment") if answer is not None else None


class LegacyModels:
    """Registered models of the workspace's own registry."""

    identity: tuple[str, ...] = ("name",)
    holds_data = True
    _ROOT = "/api/2.0/mlflow/registered-models"

    adopts = False

    def existing(self, workspace: WorkspaceClient, body: Body, known: Collection[str]) -> str | None:
        """Return the name when it is taken."""
        name = str(body["name"])
        return name if name not in known and self.read(workspace, name, {}) is not None else None

    def create(self, workspace: WorkspaceClient, body: Body) -> str:
        """Make it and return its name."""
        call(workspace, "POST", f"{self._ROOT}/create", body=body)
        return str(body["name"])

    def read(self, workspace: WorkspaceClient, id_: str, body: Mapping[str, object]) -> Body | None:
        """Return how it stands."""
        answer = found(workspace, f"{self._ROOT}/get", {"name": id_})
        there = _inner(answer, "registered_model") if answer is not None else None
        return None if there is None else {**like(there, {key: body[key] for key in body if key != "tags"}), **_tags(there, body)}

    def update(self, workspace: WorkspaceClient, id_: str, body: Body) -> None:
        """Change its description, and set its tags."""
        call(workspace, "PATCH", f"{self._ROOT}/update", body={"name": id_, "description": body.get("description", "")})
        tags = body.get("tags")
        for tag in tags if isinstance(tags, list) else ():
            if isinstance(tag, dict):
                call(workspace, "POST", f"{self._ROOT}/set-tag", body={"name": id_, **tag})

    def delete(self, workspace: WorkspaceClient, id_: str) -> None:
        """Remove it, with its versions."""
        call(workspace, "DELETE", f"{self._ROOT}/delete", body={"name": id_})


def _inner(answer: Body, key: str) -> Body:
    inner = answer.get(key)
    return inner if isinstance(inner, dict) else {}


def _tags(there: Body, body: Mapping[str, object]) -> Body:
    """Return the tags that `body` gives, as they stand; others are of those who use the object."""
    wanted, now = body.get("tags"), there.get("tags")
    if not isinstance(wanted, list):
        return {}
    values: dict[Json, Json] = {str(tag["key"]): tag.get("value") for tag in now if isinstance(tag, dict)} if isinstance(now, list) else {}
    return {"tags": [{"key": tag["key"], "value": values.get(tag["key"])} for tag in wanted]}
