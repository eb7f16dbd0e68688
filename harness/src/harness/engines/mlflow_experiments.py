"""Whose an experiment is: a tag that it gets when it is made, as the platform does it."""

import json
import shutil
from collections.abc import Callable

import httpx

from harness.config import Layout
from harness.engines.mlflow_child import ARTIFACTS
from harness.errors import ApiError, UserError
from harness.http import Identity
from harness.state import Documents, Store

OWNER = "mlflow.ownerEmail"  # observed on experiments of workspaces
_PAGE = 1000
_SECONDS = 30.0


def experiment_of(body: bytes, owner: str) -> bytes:
    """Return the body of experiments/create with the owner's tag; the platform's 400 for a name that is no path."""
    try:
        asked = json.loads(body or b"{}")
    except ValueError as error:
        raise ApiError(400, "MALFORMED_REQUEST", f"experiments/create: body is not JSON: {error}") from error
    if not isinstance(asked, dict):
        return body
    name = asked.get("name")
    if isinstance(name, str) and not name.startswith("/"):
        # docs.databricks.com/mlflow/experiments: an experiment is a workspace object and its name a path.
        message = f"Got an invalid experiment name '{name}'. An absolute path is expected, such as '/Users/<user-name>/{name}'"
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
    tags = asked.get("tags", [])
    if not isinstance(tags, list):
        return body
    return json.dumps({**asked, "tags": [*tags, {"key": OWNER, "value": owner}]}).encode()


def search_of(body: bytes, owner: str) -> bytes:
    """Return the body of experiments/search that finds no experiment but the owner's."""
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return body  # the server says what is wrong with it
    if not isinstance(asked, dict):
        return body
    own = _owned(owner)
    filter_ = asked.get("filter")
    return json.dumps({**asked, "filter": f"{filter_} AND {own}" if filter_ else own}).encode()


class OwnedExperiments:
    """The experiments that users of isolated workspaces made on the server at `url()`."""

    def __init__(self, *, url: Callable[[], str], store: Store, layout: Layout) -> None:
        self._url = url
        self._owners = Documents(store, "experiment_owner", str)
        self._artifacts = layout.mlflow / ARTIFACTS

    def told(self, maker: Identity) -> None:
        """Remember that this caller makes one."""
        if maker.isolated:
            self._owners.put(maker.user, maker.user)

    def delete_of(self, owner: str) -> None:
        """Delete the experiments of `owner` with their artifacts; their names are free again."""
        if self._owners.get(owner) is None:
            return  # the server need not be asked, nor be up
        try:
            with httpx.Client(base_url=f"{self._url()}/api/2.0/mlflow/experiments/", timeout=_SECONDS, trust_env=False) as server:
                while found := self._of(server, owner):
                    for experiment in found:
                        self._delete(server, experiment["experiment_id"])
        except httpx.TransportError as error:
            raise UserError(f"the MLflow server does not answer: {error!r}; see logs/mlflow.log") from error
        self._owners.delete(owner)

    def _delete(self, server: httpx.Client, id_: str) -> None:
        # The server keeps what is deleted, and its name with it.
        _post(server, "update", {"experiment_id": id_, "new_name": f"/deleted/{id_}"})
        _post(server, "delete", {"experiment_id": id_})
        shutil.rmtree(self._artifacts / id_, ignore_errors=True)

    def _of(self, server: httpx.Client, owner: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = _post(server, "search", {"max_results": _PAGE, "filter": _owned(owner)}).get("experiments", [])
        return found


def _post(server: httpx.Client, what: str, body: dict[str, object]) -> dict[str, list[dict[str, str]]]:
    answer = server.post(what, json=body)
    answer.raise_for_status()
    found: dict[str, list[dict[str, str]]] = answer.json()
    return found


def _owned(owner: str) -> str:
    return f"tags.`{OWNER}` = '{owner}'"
