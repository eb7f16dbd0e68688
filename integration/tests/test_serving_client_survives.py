"""Deployments whose process is killed, on the whole platform."""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from databricks.sdk import WorkspaceClient

from serving_client import Deployer, DeploymentPlan, Waiting, Watch
from serving_client.example import input_example

pytestmark = pytest.mark.platform

PROCESS = """
import sys
from datetime import timedelta
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from serving_client import Deployer, DeploymentPlan, Waiting, Watch
from serving_client.example import input_example
from serving_client.tasks import report

catalog, version = sys.argv[1:]
plan = DeploymentPlan(f"{catalog}_adder", f"{catalog}.ml.adder", version, catalog, "ml", workload_size="Small")
Deployer(
    workspace=WorkspaceClient(),
    registry=MlflowClient(registry_uri="databricks-uc"),
    progress=report,
    waiting=Waiting(timeout=timedelta(minutes=5), poll=timedelta(milliseconds=200)),
    watch=Watch(seconds=1, checks=3),
).deploy(plan, input_example(plan.model, version))
"""


@pytest.fixture
def versions(connection: object, catalog: str, workspace: WorkspaceClient) -> list[str]:
    """Two versions of `{catalog}.ml.adder`."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    assert connection
    workspace.schemas.create("ml", catalog)
    workspace.workspace.mkdirs("/Shared")
    mlflow.set_experiment(f"/Shared/{catalog}")
    frame = pd.DataFrame({"a": [1.0, 2.0, 5.0], "b": [3.0, 5.0, 1.0]})
    model = LinearRegression().fit(frame, frame["a"] + frame["b"])
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(frame, model.predict(frame)),
            input_example=frame.head(2),
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )
    return [str(mlflow.register_model(logged.model_uri, f"{catalog}.ml.adder").version) for _ in range(2)]


@pytest.fixture
def deploy(workspace: WorkspaceClient, catalog: str) -> Callable[[str], None]:
    """Deploys a version in this process."""
    from mlflow import MlflowClient

    deployer = Deployer(
        workspace=workspace,
        registry=MlflowClient(registry_uri="databricks-uc"),
        progress=print,
        waiting=Waiting(timeout=timedelta(minutes=5), poll=timedelta(milliseconds=200)),
        watch=Watch(seconds=0),
    )

    def deployed(version: str) -> None:
        plan = DeploymentPlan(f"{catalog}_adder", f"{catalog}.ml.adder", version, catalog, "ml", workload_size="Small")
        deployer.deploy(plan, input_example(plan.model, version))

    return deployed


def killed_at(catalog: str, version: str, line: str) -> list[str]:
    """Deploy in a process of its own and kill it as soon as it says `line`; return what it had said."""
    said: list[str] = []
    with subprocess.Popen([sys.executable, "-c", PROCESS, catalog, version], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for told in process.stdout:
            said.append(told.strip())
            if line in told:
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL, said
    return said


def state(workspace: WorkspaceClient, catalog: str) -> tuple[list[str], dict[str, int], str | None]:
    """The endpoints of the catalog, the traffic by version, and the Champion."""
    from mlflow import MlflowClient

    names = sorted(
        endpoint.name or "" for endpoint in workspace.serving_endpoints.list() if (endpoint.name or "").startswith(f"{catalog}_")
    )
    config = workspace.serving_endpoints.get(f"{catalog}_adder").config if f"{catalog}_adder" in names else None
    routes = (config.traffic_config.routes if config and config.traffic_config else None) or []
    traffic = {
        (route.served_entity_name or "").removeprefix("adder-"): route.traffic_percentage for route in routes if route.traffic_percentage
    }
    champion = MlflowClient(registry_uri="databricks-uc").get_registered_model(f"{catalog}.ml.adder").aliases.get("Champion")
    return names, traffic, None if champion is None else str(champion)


def test_f04_killed_deployments_are_finished_by_the_next(
    workspace: WorkspaceClient, catalog: str, versions: list[str], deploy: Callable[[str], None]
) -> None:
    """Killed at the helper, the loading, the check, the move and the unloading: the old version is Champion until the next run ends."""
    old, new = versions
    endpoint = f"{catalog}_adder"
    killed_at(catalog, old, f"create with adder-{old}")
    names, _traffic, champion = state(workspace, catalog)
    assert endpoint not in names  # the helper alone may have come to be
    assert champion is None
    deploy(old)
    assert state(workspace, catalog) == ([endpoint], {old: 100}, old)

    for line in ("load the new version", "served entity", "move traffic", "unload what served before"):
        killed_at(catalog, new, line)
        assert state(workspace, catalog)[2] == old
        deploy(new)
        assert state(workspace, catalog) == ([endpoint], {new: 100}, new)
        old, new = new, old
