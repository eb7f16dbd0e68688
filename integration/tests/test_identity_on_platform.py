"""The service principal and route-optimized endpoints on the whole platform."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied
from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

from harness.cli.connection import Connection

pytestmark = pytest.mark.platform
ADDS = """
import mlflow
class Adds(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["a"] + model_input["b"]).to_numpy()
mlflow.models.set_model(Adds())
"""


@pytest.fixture
def as_principal(connection: Connection) -> Iterator[None]:
    """The environment of a process that is the service principal and has no personal access token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABRICKS_TOKEN")
        for name, value in connection.principal_environment().items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def fast(workspace: WorkspaceClient, catalog: str, tmp_path: Path) -> Iterator[str]:
    """A route-optimized endpoint whose model adds."""
    source = tmp_path / "adds.py"
    source.write_text(ADDS)
    name = f"{catalog}.default.adds"
    with mlflow.start_run(experiment_id=mlflow.set_experiment(f"/Shared/{catalog}").experiment_id):
        example = pd.DataFrame({"a": [1.0], "b": [2.0]})
        logged = mlflow.pyfunc.log_model(name="adds", python_model=str(source), input_example=example, pip_requirements=["mlflow-skinny"])
    version = mlflow.register_model(logged.model_uri, name).version
    entities = [ServedEntityInput(entity_name=name, entity_version=str(version))]
    config = EndpointCoreConfigInput(name=f"{catalog}-fast", served_entities=entities)
    workspace.serving_endpoints.create_and_wait(f"{catalog}-fast", config=config, route_optimized=True, timeout=timedelta(minutes=3))
    yield f"{catalog}-fast"
    workspace.serving_endpoints.delete(f"{catalog}-fast")


@pytest.mark.usefixtures("as_principal")
def test_service_principal_reaches_everything(connection: Connection) -> None:
    """Clients that find an id and a secret in their environment work, MLflow's among them."""
    client = WorkspaceClient()

    assert client.current_user.me().user_name == connection.client_id
    assert "main" in [one.name for one in client.catalogs.list()]
    assert mlflow.MlflowClient().search_experiments() is not None
    assert "DATABRICKS_TOKEN" not in os.environ


def test_ai_query_calls_route_optimized_endpoints(spark: Any, workspace: WorkspaceClient, fast: str) -> None:
    """Where users are refused the workspace's URL, `ai_query` is not."""
    with pytest.raises(PermissionDenied):
        workspace.serving_endpoints.query(fast, dataframe_records=[{"a": 1.0, "b": 2.0}])

    scored = spark.sql(f"SELECT ai_query('{fast}', named_struct('a', 1D, 'b', 2D), returnType => 'DOUBLE') AS sum").collect()

    assert [row["sum"] for row in scored] == [3.0]


def test_client_reaches_the_data_plane(connection: Connection, fast: str) -> None:
    """The official client exchanges its token and calls the endpoint at its own URL."""
    client = WorkspaceClient(
        host=connection.host, client_id=connection.client_id, client_secret=connection.client_secret, auth_type="oauth-m2m"
    )
    answer = client.serving_endpoints_data_plane.query(fast, dataframe_records=[{"a": 1.0, "b": 2.0}])

    assert answer.predictions == [3.0]
