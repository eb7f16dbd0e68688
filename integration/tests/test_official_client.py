"""The calls of a user's own `databricks bundle` (direct engine), in their order, played by plain HTTP; and the client itself where it is.

The sequences were observed (contract of this project, jobs-bundles.md §2); no code of the client is here or needed.
"""

import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.cli.connection import Connection

pytestmark = pytest.mark.platform
Json = dict[str, Any]
ME = "developer@harness.local"
CLIENT = {"User-Agent": "cli/1.0.0 databricks-sdk-go/0.100.0 cmd/bundle_deploy engine/direct"}


class Player:
    """Sends what the client sends, and fails at an answer that it would not take."""

    def __init__(self, connection: Connection, root: str) -> None:
        self.root = root
        self.http = httpx.Client(
            base_url=connection.host,
            headers={**CLIENT, "Authorization": f"Bearer {connection.token}", "X-Databricks-Workspace-Id": "1"},
            timeout=90,
        )

    def ask(self, method: str, path: str, status: int = 200, **sent: Any) -> Any:
        """Send one call and return its answer, JSON decoded where it is JSON."""
        answer = self.http.request(method, path, **sent)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else answer.content

    def upload(self, relative: str, content: bytes, *, overwrite: bool = True) -> None:
        """Import a file below the root, its folder made when the first attempt says that it is missing."""
        path = f"/api/2.0/workspace-files/import-file{self.root}/{relative}"
        query = {"overwrite": str(overwrite).lower()}
        answer = self.http.post(path, params=query, content=content)
        if answer.status_code == httpx.codes.NOT_FOUND:
            assert answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
            self.ask("POST", "/api/2.0/workspace/mkdirs", json={"path": f"{self.root}/{relative}".rpartition("/")[0]})
            answer = self.http.post(path, params=query, content=content)
        assert answer.status_code == httpx.codes.OK, answer.text

    def state(self, name: str) -> bytes | None:
        """Return a state file's raw content, as the client reads it; None where there is none."""
        path = f"{self.root}/state/{name}"
        answer = self.http.get("/api/2.0/workspace/get-status", params={"path": path, "return_export_info": "true"})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        exported = self.http.get("/api/2.0/workspace/export", params={"path": path, "direct_download": "true"})
        assert exported.status_code == httpx.codes.OK
        return exported.content

    def lock(self) -> str:
        """Take the lock and return its id."""
        id_ = str(uuid.uuid4())
        self.upload("state/deploy.lock", json.dumps({"ID": id_, "IsForced": False, "User": ME}).encode(), overwrite=False)
        found = self.state("deploy.lock")
        assert found is not None
        assert json.loads(found)["ID"] == id_
        return id_

    def unlock(self) -> None:
        """Give the lock back."""
        assert self.state("deploy.lock") is not None
        self.ask("POST", "/api/2.0/workspace/delete", json={"path": f"{self.root}/state/deploy.lock"})


@pytest.fixture
def player(connection: Connection, catalog: str) -> Iterator[Player]:
    """A client with a bundle of its own."""
    made = Player(connection, f"/Workspace/Users/{ME}/.bundle/official_{catalog}/dev")
    yield made
    made.http.close()


def settings(root: str) -> Json:
    """A job as the client sends it."""
    return {
        "name": "[dev developer] nightly",
        "deployment": {"kind": "BUNDLE", "metadata_file_path": f"{root}/state/metadata.json"},
        "edit_mode": "UI_LOCKED",
        "format": "MULTI_TASK",
        "queue": {"enabled": True},
        "max_concurrent_runs": 4,
        "tags": {"dev": "developer"},
        "environments": [{"environment_key": "default", "spec": {"environment_version": "4", "dependencies": ["numpy"]}}],
        "parameters": [{"name": "day", "default": "monday"}],
        "schedule": {"quartz_cron_expression": "0 0 8 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"},
        "tasks": [
            {"task_key": "ask", "condition_task": {"op": "EQUAL_TO", "left": "{{job.parameters.day}}", "right": "monday"}},
            {
                "task_key": "say",
                "depends_on": [{"task_key": "ask", "outcome": "true"}],
                "environment_key": "default",
                "spark_python_task": {"python_file": f"{root}/files/say.py", "parameters": ["{{job.parameters.day}}"]},
            },
        ],
    }


def test_validate_makes_its_folder(player: Player) -> None:
    """§2.2: who am I, is the folder there, make it, is it a folder."""
    assert httpx.get(player.http.base_url.join("/.well-known/databricks-config")).json()["workspace_id"]
    assert player.ask("GET", "/api/2.0/preview/scim/v2/Me")["userName"] == ME
    files = f"{player.root}/files"

    assert player.ask("GET", "/api/2.0/workspace/get-status", 404, params={"path": files})["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    player.ask("POST", "/api/2.0/workspace/mkdirs", json={"path": files})

    found = player.ask("GET", "/api/2.0/workspace/get-status", params={"path": files})
    assert found["object_type"] == "DIRECTORY"
    folder = player.ask("GET", "/api/2.0/workspace/get-status", params={"path": player.root})
    player.ask("GET", f"/api/2.0/permissions/directories/{folder['object_id']}")


def test_a_second_holder_of_the_lock_is_told(player: Player) -> None:
    """§2.3, 5: with the words that the client looks for."""
    player.lock()

    refused = player.http.post(
        f"/api/2.0/workspace-files/import-file{player.root}/state/deploy.lock", params={"overwrite": "false"}, content=b"{}"
    )

    assert refused.status_code == httpx.codes.CONFLICT or "already exists." in refused.json()["message"]
    player.unlock()
    player.lock()


def schema(player: Player, catalog: str) -> None:
    body = {"name": "s1", "catalog_name": catalog, "comment": "first"}
    root = "/api/2.1/unity-catalog/schemas"
    made = player.ask("POST", root, json=body)["full_name"]
    assert {"name", "catalog_name", "full_name", "owner"} <= set(player.ask("GET", f"{root}/{made}"))
    assert player.ask("PATCH", f"{root}/{made}", json={"comment": "second"})["comment"] == "second"
    player.ask("DELETE", f"{root}/{made}", params={"force": "true"})
    player.ask("GET", f"{root}/{made}", 404)


def volume(player: Player, catalog: str) -> None:
    root = "/api/2.1/unity-catalog/volumes"
    made = player.ask("POST", root, json={"name": "v1", "catalog_name": catalog, "schema_name": "default", "volume_type": "MANAGED"})
    name = made["full_name"]
    assert {"name", "catalog_name", "schema_name", "volume_type", "storage_location", "full_name"} <= set(
        player.ask("GET", f"{root}/{name}")
    )
    player.ask("HEAD", f"/api/2.0/fs/directories/Volumes/{catalog}/default/v1/.internal", 404)
    player.ask("PUT", f"/api/2.0/fs/directories/Volumes/{catalog}/default/v1/.internal", 204)
    player.ask("PUT", f"/api/2.0/fs/files/Volumes/{catalog}/default/v1/.internal/a.whl", 204, params={"overwrite": "true"}, content=b"x")
    player.ask("DELETE", f"{root}/{name}")


def model(player: Player, catalog: str) -> None:
    root = "/api/2.1/unity-catalog/models"
    name = player.ask("POST", root, json={"name": "m1", "catalog_name": catalog, "schema_name": "default"})["full_name"]
    assert {"name", "catalog_name", "schema_name", "full_name"} <= set(player.ask("GET", f"{root}/{name}"))
    grants = f"/api/2.1/unity-catalog/permissions/function/{name}"
    player.ask("PATCH", grants, json={"changes": [{"principal": "account users", "add": ["EXECUTE"]}]})
    assert player.ask("GET", grants)["privilege_assignments"] == [{"principal": "account users", "privileges": ["EXECUTE"]}]
    player.ask("PATCH", f"{root}/{name}", json={"comment": "second"})
    player.ask("DELETE", f"{root}/{name}")


def legacy_model(player: Player, catalog: str) -> None:
    root, name = "/api/2.0/mlflow", f"official_{catalog}"
    player.ask("POST", f"{root}/registered-models/create", json={"name": name, "description": "first"})
    found = player.ask("GET", f"{root}/databricks/registered-models/get", params={"name": name})["registered_model_databricks"]
    assert (found["name"], found["description"]) == (name, "first")
    player.ask("PUT", f"/api/2.0/permissions/registered-models/{found['id']}", json=acl("CAN_READ"))
    player.ask("PATCH", f"{root}/registered-models/update", json={"name": name, "description": "second"})
    player.ask("DELETE", f"{root}/registered-models/delete", json={"name": name})
    player.ask("GET", f"{root}/databricks/registered-models/get", 404, params={"name": name})


def experiment(player: Player, catalog: str) -> None:
    root = "/api/2.0/mlflow/experiments"
    id_ = player.ask("POST", f"{root}/create", json={"name": f"/Users/{ME}/official-{catalog}"})["experiment_id"]
    found = player.ask("GET", f"{root}/get", params={"experiment_id": id_})["experiment"]
    assert (found["experiment_id"], found["lifecycle_stage"]) == (id_, "active")
    player.ask("PUT", f"/api/2.0/permissions/experiments/{id_}", json=acl("CAN_READ"))
    player.ask("POST", f"{root}/update", json={"experiment_id": id_, "new_name": f"/Users/{ME}/official-{catalog}-2"})
    player.ask("POST", f"{root}/delete", json={"experiment_id": id_})


def scope(player: Player, catalog: str) -> None:
    root, name = "/api/2.0/secrets", f"official_{catalog}"
    player.ask("POST", f"{root}/scopes/create", json={"scope": name})
    player.ask("POST", f"{root}/acls/put", json={"scope": name, "principal": "users", "permission": "READ"})
    assert {"principal": "users", "permission": "READ"} in player.ask("GET", f"{root}/acls/list", params={"scope": name})["items"]
    assert name in [each["name"] for each in player.ask("GET", f"{root}/scopes/list")["scopes"]]
    player.ask("POST", f"{root}/scopes/delete", json={"scope": name})


def acl(level: str) -> Json:
    """An access list as the client sends it: it adds itself."""
    return {
        "access_control_list": [{"group_name": "users", "permission_level": level}, {"user_name": ME, "permission_level": "CAN_MANAGE"}]
    }


@pytest.mark.parametrize("live", [schema, volume, model, legacy_model, experiment, scope])
def test_a_kind_of_resource_lives_as_the_client_expects(player: Player, catalog: str, live: Callable[[Player, str], None]) -> None:
    """§2.5: made, read with the fields that it needs, changed, removed."""
    live(player, catalog)


def test_deploy_plan_run_summary_destroy(player: Player) -> None:
    """§2.3, 2.6, 2.7: files, state and lock; a job that stands as it was sent; a run that is followed; everything gone."""
    root = player.root
    assert player.state("resources.json") is None
    player.lock()
    refused = player.http.post("/api/2.0/workspace/delete", json={"path": f"{root}/artifacts/.internal", "recursive": True})
    assert refused.status_code in {httpx.codes.OK, httpx.codes.NOT_FOUND}
    player.ask("POST", "/api/2.0/workspace/mkdirs", json={"path": f"{root}/artifacts/.internal"})
    player.upload("files/say.py", b"import sys\nprint('said', sys.argv[1])\n")
    player.upload("state/deployment.json", json.dumps({"version": 1, "seq": 1, "files": [{"local_path": "say.py"}]}).encode())
    folder = player.ask("GET", "/api/2.0/workspace/get-status", params={"path": root})["object_id"]
    player.ask("PUT", f"/api/2.0/permissions/directories/{folder}", json=acl("CAN_READ"))
    sent = settings(root)
    job_id = player.ask("POST", "/api/2.2/jobs/create", json=sent)["job_id"]
    owner = {
        "access_control_list": [{"user_name": ME, "permission_level": "IS_OWNER"}, {"group_name": "users", "permission_level": "CAN_VIEW"}]
    }
    player.ask("PUT", f"/api/2.0/permissions/jobs/{job_id}", json=owner)
    state = {"state_version": 2, "lineage": str(uuid.uuid4()), "serial": 1, "state": {"resources.jobs.nightly": {"__id__": str(job_id)}}}
    for name, content in (("resources.json", state), ("metadata.json", {"version": 1})):
        player.upload(f"state/{name}", json.dumps(content).encode())
    player.unlock()
    telemetry = player.ask("POST", "/telemetry-ext", json={"uploadTime": 1, "items": [], "protoLogs": ["{}"]})
    assert (telemetry["errors"], telemetry["numProtoSuccess"]) == ([], 1)

    # plan: what the server adds is on the client's list of what it may
    found = player.ask("GET", "/api/2.2/jobs/get", params={"job_id": job_id})
    assert {"job_id", "settings", "creator_user_name", "run_as_user_name"} <= set(found)
    assert without_defaults(found["settings"]) == sent
    changed = {**sent, "max_concurrent_runs": 2}
    player.ask("POST", "/api/2.2/jobs/reset", json={"job_id": job_id, "new_settings": changed})
    assert without_defaults(player.ask("GET", "/api/2.2/jobs/get", params={"job_id": job_id})["settings"]) == changed

    # run
    begun = player.ask("POST", "/api/2.2/jobs/run-now", json={"job_id": job_id, "job_parameters": {"day": "monday"}})
    assert begun["number_in_job"]
    run = followed(player, begun["run_id"])
    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == ("TERMINATED", "SUCCESS")
    assert run["run_page_url"].startswith("http")
    assert run["run_name"]
    outputs = {task["task_key"]: output(player, task["run_id"]) for task in run["tasks"]}
    assert outputs["say"]["logs"].endswith("said monday\n")
    assert outputs["ask"]["metadata"]["state"]["result_state"] == "SUCCESS"

    # summary and destroy
    assert json.loads(player.state("resources.json") or b"")["state"]["resources.jobs.nightly"]["__id__"] == str(job_id)
    player.lock()
    player.ask("POST", "/api/2.2/jobs/delete", json={"job_id": job_id})
    player.ask("POST", "/api/2.0/workspace/delete", json={"path": root, "recursive": True})
    assert player.ask("GET", "/api/2.0/workspace/get-status", 404, params={"path": root})["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def without_defaults(found: Json) -> Json:
    """What is left of a job's settings without what §2.6 lets a server add."""
    tasks = [{key: value for key, value in task.items() if (key, value) != ("run_if", "ALL_SUCCESS")} for task in found["tasks"]]
    for task in tasks:
        for kind in ("spark_python_task", "notebook_task"):
            if kind in task:
                task[kind] = {key: value for key, value in task[kind].items() if key != "source"}
    return {key: value for key, value in found.items() if key != "run_as"} | {"tasks": tasks}


def followed(player: Player, run_id: int) -> Json:
    """Poll a run to its end."""
    deadline = time.monotonic() + 120
    while True:
        run: Json = player.ask("GET", "/api/2.2/jobs/runs/get", params={"run_id": run_id})
        if run["state"]["life_cycle_state"] in {"TERMINATED", "SKIPPED", "INTERNAL_ERROR"}:
            return run
        assert time.monotonic() < deadline, run
        time.sleep(0.2)


def output(player: Player, run_id: int) -> Json:
    """The output of one task, which must be there for every kind of task."""
    found: Json = player.ask("GET", "/api/2.2/jobs/runs/get-output", params={"run_id": run_id})
    return found


@pytest.mark.skipif(shutil.which("databricks") is None, reason="no `databricks` on PATH: users bring their own")
def test_the_client_itself(connection: Connection, root: Path, tmp_path: Path, catalog: str) -> None:
    """A user's own client validates, deploys, runs and destroys a bundle, unchanged."""
    shutil.copytree(root / "integration" / "bundles" / "wheel_only", tmp_path / "bundle", ignore=shutil.ignore_patterns("dist"))
    environment = {
        **connection.environment(),
        "DATABRICKS_BUNDLE_ENGINE": "direct",
        "DATABRICKS_CACHE_ENABLED": "false",
        "DATABRICKS_CONFIG_FILE": "/dev/null",
        "DATABRICKS_CLI_DISABLE_UPDATE_CHECK": "true",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    client = shutil.which("databricks") or ""
    for verb in (["validate"], ["deploy"], ["plan"], ["run", "bakery_demand"], ["destroy", "--auto-approve"]):
        command = [client, "bundle", *verb, "--var", f"catalog={catalog}"]
        done = subprocess.run(command, cwd=tmp_path / "bundle", env=environment, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, f"{verb}: {done.stdout}{done.stderr}"
