"""`dbutils.notebook.run`: another notebook as a one-time run of the workspace, in the same environment as this task."""

import json
import os
import time
from collections.abc import Mapping
from typing import Any

ENVIRONMENT = "HARNESS_TASK_ENVIRONMENT"
_KEY = "default"
_LOOK_SECONDS = 0.1


class NotebookRunError(RuntimeError):
    """The other notebook did not succeed."""


def run_apart(path: str, timeout_seconds: float, arguments: Mapping[str, str]) -> str:
    """Run the notebook at `path` with `arguments` as its widgets and return what it exits with, "" for nothing; 0 seconds are no limit."""
    from databricks.sdk import WorkspaceClient

    calls = WorkspaceClient().api_client
    task = {
        "task_key": path.rpartition("/")[2].replace(".", "_").replace(" ", "_")[:100],
        "notebook_task": {"notebook_path": path, "base_parameters": dict(arguments)},
        "environment_key": _KEY,
        "timeout_seconds": int(timeout_seconds),
    }
    environment = {"environment_key": _KEY, "spec": json.loads(os.environ[ENVIRONMENT])}
    body = {"run_name": f"dbutils.notebook.run {path}", "tasks": [task], "environments": [environment]}
    run_id = _asked(calls, "POST", "submit", body=body)["run_id"]
    try:
        run = _ended(calls, run_id)
    except BaseException:  # this task is ended, or interrupted: the other one is not to go on alone
        _asked(calls, "POST", "cancel", body={"run_id": run_id})
        raise
    output = _asked(calls, "GET", "get-output", query={"run_id": run["tasks"][0]["run_id"]})
    if run["state"].get("result_state") != "SUCCESS":
        raise NotebookRunError(f"{path}: run {run_id} ended {run['state'].get('result_state')}: {output.get('error', '')}")
    return str(output.get("notebook_output", {}).get("result", ""))


def _ended(calls: Any, run_id: int) -> Any:
    while True:
        run = _asked(calls, "GET", "get", query={"run_id": run_id})
        if run["state"]["life_cycle_state"] in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
            return run
        time.sleep(_LOOK_SECONDS)


def _asked(calls: Any, method: str, what: str, **more: object) -> Any:
    return calls.do(method, f"/api/2.2/jobs/runs/{what}", **more)
