"""The running harness, met by unmodified clients."""

import subprocess
import sys
from typing import Any

import httpx
import mlflow
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import VolumeType

from harness import sample_data
from harness.cli.connection import Connection
from harness.config import USER_NAME, Layout

pytestmark = pytest.mark.platform


def test_me_is_the_developer(workspace: WorkspaceClient) -> None:
    """The official client learns who it is."""
    assert workspace.current_user.me().user_name == USER_NAME


def test_unknown_route_is_501_and_names_itself(connection: Connection) -> None:
    """What the harness does not emulate it says, with the route."""
    answer = httpx.get(f"{connection.host}/api/2.0/instance-profiles/list", headers={"Authorization": f"Bearer {connection.token}"})

    assert (answer.status_code, answer.json()["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert "GET /api/2.0/instance-profiles/list" in answer.json()["message"]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({}, id="no token"),
        pytest.param({"Authorization": "Bearer wrong"}, id="wrong token"),
        pytest.param({"Authorization": "Basic %%%"}, id="garbled"),
    ],
)
def test_calls_without_the_token_are_refused(connection: Connection, header: dict[str, str]) -> None:
    """Closed by default: every route but health and discovery wants the token."""
    answer = httpx.get(f"{connection.host}/api/2.1/unity-catalog/catalogs", headers=header)

    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")


def test_health_names_every_engine(connection: Connection) -> None:
    """Health says of each engine whether it answers, without a token."""
    assert httpx.get(f"{connection.host}/__harness__/health").json() == {"spark": True, "mlflow": True, "tasks": True}


def test_spark_and_rest_see_one_truth(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """A table that Spark makes is in Unity Catalog, and gone from Spark when Unity Catalog drops it."""
    spark.sql(f"CREATE SCHEMA {catalog}.sales")
    spark.sql(f"CREATE TABLE {catalog}.sales.t AS SELECT 1 AS id, 2.5D AS amount")

    table = workspace.tables.get(f"{catalog}.sales.t")
    assert [(column.name, column.type_text) for column in table.columns or []] == [("id", "int"), ("amount", "double")]

    workspace.tables.delete(f"{catalog}.sales.t")
    assert not spark.catalog.tableExists(f"{catalog}.sales.t")


def test_schema_made_by_rest_is_a_schema_of_spark(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """A schema created over REST can be written to with SQL."""
    workspace.schemas.create("made", catalog)
    spark.sql(f"CREATE TABLE {catalog}.made.t AS SELECT 7 AS x")

    assert spark.table(f"{catalog}.made.t").collect()[0].x == 7


def test_file_in_a_volume_comes_back(workspace: WorkspaceClient, catalog: str) -> None:
    """What is uploaded to a volume is downloaded unchanged."""
    import io

    workspace.schemas.create("files", catalog)
    workspace.volumes.create(catalog, "files", "raw", VolumeType.MANAGED)
    path = f"/Volumes/{catalog}/files/raw/note.txt"
    workspace.files.upload(path, io.BytesIO(b"fare \xf0\x9f\x9a\x95"), overwrite=True)

    contents = workspace.files.download(path).contents
    assert contents is not None
    assert contents.read() == b"fare \xf0\x9f\x9a\x95"


def test_missing_table_is_the_clients_not_found(workspace: WorkspaceClient, catalog: str) -> None:
    """A table that is not there is the SDK's NotFound, with the user's name in it."""
    with pytest.raises(NotFound, match=f"{catalog}.default.nope"):
        workspace.tables.get(f"{catalog}.default.nope")


def test_run_and_its_metric_are_kept_by_the_real_server(connection: Connection) -> None:
    """MLflow, unmodified, tracks through the workspace."""
    mlflow.set_tracking_uri("databricks")
    mlflow.set_experiment(f"/Users/{USER_NAME}/outside-{connection.token[-6:]}")
    with mlflow.start_run() as run:
        mlflow.log_metric("test_mae", 1.25)

    assert mlflow.get_run(run.info.run_id).data.metrics == {"test_mae": 1.25}


def test_sample_trips_are_readable(spark: Any, layout: Layout) -> None:
    """The samples catalog has the trips, with the platform's column types."""
    sample_data.write_table(sample_data.generate(), layout.warehouse)
    trips = spark.table("samples.nyctaxi.trips")

    assert trips.dtypes == [
        ("tpep_pickup_datetime", "timestamp"),
        ("tpep_dropoff_datetime", "timestamp"),
        ("trip_distance", "double"),
        ("fare_amount", "double"),
        ("pickup_zip", "int"),
        ("dropoff_zip", "int"),
    ]
    assert trips.count() == 10_000


def test_second_harness_in_the_same_state_is_refused(connection: Connection) -> None:
    """The error names the folder and the process, and what to do; status 2."""
    up = [sys.executable, "-m", "harness", "up", "--state", connection.state]
    second = subprocess.run(up, capture_output=True, text=True, check=False)

    assert second.returncode == 2
    assert f"{connection.state}: a harness runs in this state folder already (process {connection.pid})" in second.stderr
    assert "harness down" in second.stderr
