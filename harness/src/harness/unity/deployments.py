"""Deployment jobs: a job connected to a registered model runs for each new version of it. Rules; pure.

docs.databricks.com/aws/en/mlflow/deployment-job; states: mlflow's `databricks_uc_registry_messages.proto`.
"""

from collections.abc import Collection, Mapping
from typing import Literal

from harness.unity.ports import DeploymentRun

Connection = Literal["NOT_SET_UP", "CONNECTED", "NOT_FOUND", "REQUIRED_PARAMETERS_CHANGED"]
RunState = Literal["NO_VALID_DEPLOYMENT_JOB_FOUND", "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "APPROVAL"]

_REQUIRED = frozenset({"model_name", "model_version"})
_APPROVAL = "approval"


def connection(job_id: str, parameters: Collection[str] | None) -> Connection:
    """Return how a model stands to its job, of which the names of the parameters are told, or None when there is no such job.

    >>> connection("7", ["model_name", "model_version", "note"])
    'CONNECTED'
    """
    if not job_id:
        return "NOT_SET_UP"
    # Assumption: a job that is not there, or lacks the parameters, is connected all the same; the state says what is wrong.
    if parameters is None:
        return "NOT_FOUND"
    return "CONNECTED" if set(parameters) >= _REQUIRED else "REQUIRED_PARAMETERS_CHANGED"


def job_parameters(name: str, version: str) -> Mapping[str, str]:
    """Return what a job is told of the version it runs for."""
    return {"model_name": name, "model_version": version}


def run_state(run: DeploymentRun | None) -> tuple[RunState, str]:
    """Return where the run for a version stands, and the task it is at.

    >>> run_state(DeploymentRun("FAILED", "Approval_by_risk"))
    ('APPROVAL', 'Approval_by_risk')
    """
    if run is None:
        return "NO_VALID_DEPLOYMENT_JOB_FOUND", ""
    # A task of that name fails until its version is approved, and is then repaired. Assumption: until then this is the state.
    if run.state == "FAILED" and run.task.lower().startswith(_APPROVAL):
        return "APPROVAL", run.task
    return run.state, run.task
