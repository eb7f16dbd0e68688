"""Deployment jobs: connected to a registered model by mlflow's own client, in both registry dialects, they run for its new versions."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from mlflow.tracking import MlflowClient

from harness.deployment_jobs import DeploymentJobs
from harness.http import OneToken, application
from harness.ids import SeededIds
from harness.jobs import Outcome
from harness.unity.registry_model import ModelVersion
from harness.unity.routes import routes
from harness.unity.service import UnityService
from harness.workspace.routes import identity_routes

TOKEN, OWNER = "t0ken", "me@example.com"
MODEL = "main.default.fares"
PARAMETERS = [{"name": "model_name", "default": ""}, {"name": "model_version", "default": ""}]


@pytest.fixture
def unity(workspace: Any) -> UnityService:
    """Unity Catalog beside the jobs."""
    catalogs = UnityService(
        layout=workspace.layout,
        clock=workspace.clock,
        ids=SeededIds(),
        store=workspace.store,
        user=OWNER,
        deployment_jobs=DeploymentJobs(lambda: workspace.service),
    )
    (workspace.layout.warehouse / "main" / "default").mkdir(parents=True, exist_ok=True)
    return catalogs


@pytest.fixture(params=["true", "false"], ids=["newer dialect", "older dialect"])
def client(unity: UnityService, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    """Mlflow's client in front of the registry."""
    app = application([*identity_routes(), *routes(unity)], callers=OneToken(TOKEN, OWNER))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
    socket = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    monkeypatch.setenv("DATABRICKS_HOST", f"http://127.0.0.1:{socket.getsockname()[1]}")
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    monkeypatch.setenv("MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY", request.param)
    yield MlflowClient(tracking_uri="databricks", registry_uri="databricks-uc")
    server.should_exit = True
    thread.join()
    socket.close()


def new_version(unity: UnityService) -> str:
    """Make a version as clients do, files and all, and return its number."""
    made = unity.registry.create_version(ModelVersion.asked(MODEL, user="somebody@example.com", tags={}))
    (unity.registry.files(MODEL, made.version) / "MLmodel").touch()
    for _ in range(2):  # a client that did not hear the answer asks again
        unity.registry.finalize(MODEL, made.version)
    return made.version


def told(client: MlflowClient, version: str) -> tuple[str, str, str]:
    """Return how the job stands to the model, where its run for a version stands, and the task it is at."""
    found = client.get_model_version(MODEL, version).deployment_job_state
    return found.job_state, found.run_state, found.current_task_name


def test_connected_job_runs_once_for_each_new_version(workspace: Any, scripts: Any, unity: UnityService, client: MlflowClient) -> None:
    """As the model's owner, with the version in its parameters; versions from before have no run."""
    parameters = ["{{job.parameters.model_name}}", "{{job.parameters.model_version}}"]
    job = workspace.create(scripts.task("evaluate", parameters=parameters), parameters=PARAMETERS)
    assert client.create_registered_model(MODEL).deployment_job_state == "NOT_SET_UP"
    before = new_version(unity)

    model = client.update_registered_model(MODEL, deployment_job_id=job)
    version = new_version(unity)

    assert (model.deployment_job_id, model.deployment_job_state) == (str(job), "CONNECTED")
    run = workspace.ended(int(client.get_model_version(MODEL, version).deployment_job_state.run_id))
    assert [list(task.program.arguments) for task in workspace.runner.ran] == [[MODEL, version]]
    assert run.creator_user_name == OWNER
    assert told(client, version) == ("CONNECTED", "SUCCEEDED", "")
    assert client.get_model_version(MODEL, before).deployment_job_state is None
    found = {str(each.version): each.deployment_job_state for each in client.search_model_versions(f"name='{MODEL}'")}
    assert (found[before], found[version].run_state) == (None, "SUCCEEDED")


def test_run_waits_for_approval_fails_and_is_repaired(workspace: Any, scripts: Any, unity: UnityService, client: MlflowClient) -> None:
    """The state is the run's own, with the task that it is at."""
    goes_on = threading.Event()

    def evaluates(_: Any, __: threading.Event) -> Any:
        assert goes_on.wait(20)
        return Outcome("SUCCESS")

    workspace.runner.acts = {"evaluate": [evaluates], "Approval_by_me": [scripts.fails], "deploy": [scripts.fails]}
    tasks = [scripts.task("deploy", "Approval_by_me"), scripts.task("Approval_by_me", "evaluate"), scripts.task("evaluate")]
    client.create_registered_model(MODEL, deployment_job_id=str(workspace.create(*tasks, parameters=PARAMETERS)))
    version = new_version(unity)
    run_id = int(client.get_model_version(MODEL, version).deployment_job_state.run_id)

    workspace.reaches(run_id, "RUNNING")
    assert told(client, version) == ("CONNECTED", "RUNNING", "evaluate")
    goes_on.set()
    workspace.ended(run_id)
    assert told(client, version) == ("CONNECTED", "APPROVAL", "Approval_by_me")
    workspace.sdk.jobs.repair_run(run_id, rerun_tasks=["Approval_by_me", "deploy"])
    workspace.ended(run_id)
    assert told(client, version) == ("CONNECTED", "FAILED", "deploy")


def test_job_that_cannot_deploy_is_told_and_not_run(workspace: Any, scripts: Any, unity: UnityService, client: MlflowClient) -> None:
    """One without the parameters, one that is gone, one that was disconnected."""
    job = workspace.create(scripts.task("evaluate"))
    client.create_registered_model(MODEL, deployment_job_id=str(job))
    assert client.get_registered_model(MODEL).deployment_job_state == "REQUIRED_PARAMETERS_CHANGED"
    unready = new_version(unity)
    workspace.sdk.jobs.delete(job)
    assert client.get_registered_model(MODEL).deployment_job_state == "NOT_FOUND"
    assert told(client, unready) == ("NOT_FOUND", "NO_VALID_DEPLOYMENT_JOB_FOUND", "")

    client.update_registered_model(MODEL, description="kept", deployment_job_id="")

    assert (client.get_registered_model(MODEL).deployment_job_state, client.get_registered_model(MODEL).description) == (
        "NOT_SET_UP",
        "kept",
    )
    assert client.get_model_version(MODEL, new_version(unity)).deployment_job_state is None
    assert workspace.runner.ran == []
