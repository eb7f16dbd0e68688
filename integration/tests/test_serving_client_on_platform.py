# ruff: noqa: S608 - the names in the statements are the tests' own
"""Deployment and batch scoring through the official clients, on real parts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied
from databricks.sdk.service.serving import EndpointCoreConfigInput

from harness.cli.connection import Connection
from serving_client import (
    Deployer,
    DeploymentPlan,
    Scored,
    ScoringSql,
    ServingError,
    VerificationFailed,
    Waiting,
    Watch,
    query,
    score,
    score_table,
    served_version,
)
from serving_client.example import input_example

pytestmark = pytest.mark.platform

COLUMNS = ("a", "b")


@pytest.fixture
def make_version(connection: object, catalog: str, workspace: WorkspaceClient) -> Callable[..., str]:
    """Registers a version of `{catalog}.ml.adder` that returns a + b, times a factor."""
    import mlflow
    import numpy as np
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    assert connection
    workspace.schemas.create("ml", catalog)
    workspace.workspace.mkdirs("/Shared")
    mlflow.set_experiment(f"/Shared/{catalog}")

    def register(*, factor: float = 1.0) -> str:
        frame = pd.DataFrame({"a": [1.0, 2.0, 5.0], "b": [3.0, 5.0, 1.0]})
        model = LinearRegression().fit(frame, factor * (frame["a"] + frame["b"]))
        signature = infer_signature(frame, np.asarray(model.predict(frame)))
        with mlflow.start_run():
            logged = mlflow.sklearn.log_model(
                model,
                name="model",
                signature=signature,
                input_example=frame.head(2),
                pip_requirements=["scikit-learn"],
                serialization_format="cloudpickle",
            )
        registered = mlflow.register_model(logged.model_uri, f"{catalog}.ml.adder")
        return str(registered.version)

    return register


@pytest.fixture
def deployer(workspace: WorkspaceClient) -> Deployer:
    """A deployer that waits shortly."""
    from mlflow import MlflowClient

    return Deployer(
        workspace=workspace,
        registry=MlflowClient(registry_uri="databricks-uc"),
        progress=print,
        waiting=Waiting(timeout=timedelta(minutes=5), poll=timedelta(milliseconds=200)),
        watch=Watch(seconds=1, checks=3),
    )


def plan(catalog: str, version: str) -> DeploymentPlan:
    """The adder behind an endpoint of the test's own."""
    return DeploymentPlan(
        endpoint=f"{catalog}_adder",
        model=f"{catalog}.ml.adder",
        version=version,
        catalog=catalog,
        schema="ml",
        workload_size="Small",
    )


def test_versions_follow_each_other_and_score_once(
    spark: Any, workspace: WorkspaceClient, catalog: str, make_version: Callable[..., str], deployer: Deployer
) -> None:
    """Two versions are deployed in turn; each scores every row exactly once; a run without new rows changes nothing."""
    endpoint, model = f"{catalog}_adder", f"{catalog}.ml.adder"
    spark.sql(
        f"CREATE TABLE {catalog}.ml.rows AS SELECT CAST(id AS STRING) AS k, CAST(id AS DOUBLE) AS a, 1D AS b FROM range(25)"
    ).collect()

    def run() -> tuple[int, int, int]:
        def serves() -> str:
            return served_version(workspace, endpoint, model=model)

        sql = ScoringSql(
            endpoint=endpoint,
            version=serves(),
            source=f"{catalog}.ml.rows",
            predictions=f"{catalog}.ml.predictions",
            key="k",
            request_columns=COLUMNS,
        )
        scored = score_table(spark, sql, serves=serves, progress=print)
        return scored.sent, scored.rows, scored.errors

    first = make_version()
    deployer.deploy(plan(catalog, first), input_example(model, first))
    assert score(workspace, endpoint, records=[{"a": 1.0, "b": 2.0}]) == pytest.approx([3.0])
    assert run() == (25, 25, 0)
    assert run() == (0, 25, 0)

    spark.sql(f"INSERT INTO {catalog}.ml.rows VALUES ('new', 100D, 1D)").collect()
    assert run() == (1, 26, 0)

    second = make_version(factor=2.0)
    deployer.deploy(plan(catalog, second), input_example(model, second))
    assert served_version(workspace, endpoint, model=model) == second
    assert run() == (26, 26, 0)
    rows = spark.sql(f"SELECT k, prediction, model_version FROM {catalog}.ml.predictions WHERE k = 'new'").collect()
    assert {row["model_version"]: round(row["prediction"], 6) for row in rows} == {first: 101.0, second: 202.0}
    assert not spark.catalog.tableExists(f"{catalog}.ml.predictions_staging")


def test_version_that_answers_badly_gets_no_traffic(
    workspace: WorkspaceClient, catalog: str, make_version: Callable[..., str], deployer: Deployer
) -> None:
    """When the new version refuses its request, the old one serves on and stays Champion."""
    from mlflow import MlflowClient

    endpoint, model = f"{catalog}_adder", f"{catalog}.ml.adder"
    first, second = make_version(), make_version()
    deployer.deploy(plan(catalog, first), input_example(model, first))
    with pytest.raises(VerificationFailed, match="Model is missing inputs"):
        deployer.deploy(plan(catalog, second), {"dataframe_records": [{"a": 1.0}]})
    assert served_version(workspace, endpoint, model=model) == first
    config = workspace.serving_endpoints.get(endpoint).config
    assert config is not None
    assert [entity.entity_version for entity in config.served_entities or []] == [first]
    assert MlflowClient(registry_uri="databricks-uc").get_model_version_by_alias(model, "Champion").version == first


Batch = Callable[..., Scored]


@pytest.fixture
def scored(spark: Any, workspace: WorkspaceClient, catalog: str, make_version: Callable[..., str], deployer: Deployer) -> Batch:
    """Runs the batch over `{catalog}.ml.rows` on an endpoint that serves version 1 of the adder."""
    version = make_version()
    deployer.deploy(plan(catalog, version), input_example(f"{catalog}.ml.adder", version))

    def serves() -> str:
        return served_version(workspace, f"{catalog}_adder", model=f"{catalog}.ml.adder")

    def run(**changes: Any) -> Scored:
        return score_table(
            spark, statements(catalog, **{"version": version, **changes}), serves=changes.pop("serves", serves), progress=print
        )

    return run


def statements(catalog: str, version: str, **changes: Any) -> ScoringSql:
    """The batch over `{catalog}.ml.rows`."""
    changes.pop("serves", None)
    arguments: dict[str, Any] = {
        "endpoint": f"{catalog}_adder",
        "version": version,
        "source": f"{catalog}.ml.rows",
        "predictions": f"{catalog}.ml.predictions",
        "key": "k",
        "request_columns": COLUMNS,
    }
    return ScoringSql(**{**arguments, **changes})


def multiplied_or_lost(spark: Any, source: str, predictions: str) -> tuple[int, int]:
    """The rule of F2, as two figures that must be 0: rows without a prediction, and rows of predictions too many."""
    row = spark.sql(
        f"SELECT COUNT_IF(n IS NULL) AS lost, COALESCE(SUM(n - 1), 0) AS multiplied FROM (SELECT DISTINCT k FROM {source}) "
        f"LEFT JOIN (SELECT k, COUNT(*) AS n FROM {predictions} GROUP BY k) USING (k)"
    ).first()
    return row["lost"], row["multiplied"]


def test_f02_predictions_equal_rows_where_features_repeat(spark: Any, catalog: str, scored: Batch) -> None:
    """Twelve rows of three different features have twelve predictions; joined on features, as the reference does, they have 48."""
    table = f"{catalog}.ml.rows"
    spark.sql(f"CREATE TABLE {table} AS SELECT CAST(id AS STRING) AS k, CAST(id % 3 AS DOUBLE) AS a, 1D AS b FROM range(12)").collect()
    found = scored()
    assert (found.sent, found.rows, found.errors) == (12, 12, 0)
    assert multiplied_or_lost(spark, table, f"{catalog}.ml.predictions") == (0, 0)
    values = spark.sql(
        f"SELECT COUNT(*) AS n FROM {table} JOIN {catalog}.ml.predictions USING (k) WHERE ABS(prediction - a - b) < 1e-9"
    ).first()
    assert values["n"] == 12

    faulty = (
        f"(SELECT r.k FROM {table} r JOIN (SELECT a, b, prediction FROM {table} JOIN {catalog}.ml.predictions USING (k)) p USING (a, b))"
    )
    assert multiplied_or_lost(spark, table, faulty) == (0, 36)


def test_f14_bad_rows_are_kept_changed_rows_are_scored_again_and_nothing_else(spark: Any, catalog: str, scored: Batch) -> None:
    """A row with a NULL is kept with its error, the others are scored; a second run changes nothing; a changed row is replaced."""
    table, predictions = f"{catalog}.ml.rows", f"{catalog}.ml.predictions"
    spark.sql(
        f"CREATE TABLE {table} AS SELECT CAST(id AS STRING) AS k, IF(id = 3, NULL, CAST(id AS DOUBLE)) AS a, 1D AS b FROM range(10)"
    ).collect()

    def versions() -> int:
        return int(spark.sql(f"DESCRIBE HISTORY {predictions}").first()["version"])

    assert summary(scored()) == (10, 10, 1)
    bad = spark.sql(f"SELECT prediction, error FROM {predictions} WHERE k = '3'").first()
    assert bad["prediction"] is None
    assert "NaN" in bad["error"]

    before = versions()
    assert summary(scored()) == (0, 10, 1)
    assert versions() == before

    spark.sql(f"UPDATE {table} SET a = 70D WHERE k = '7'").collect()
    spark.sql(f"UPDATE {table} SET a = 30D WHERE k = '3'").collect()
    assert summary(scored()) == (2, 10, 0)
    rows = spark.sql(f"SELECT k, prediction FROM {predictions} WHERE k IN ('3', '7', '8') ORDER BY k").collect()
    assert [(row["k"], round(row["prediction"], 6)) for row in rows] == [("3", 31.0), ("7", 71.0), ("8", 9.0)]
    assert summary(scored()) == (0, 10, 0)


def summary(found: Scored) -> tuple[int, int, int]:
    """What a run sent, and what the version has."""
    return found.sent, found.rows, found.errors


def test_interrupted_and_simultaneous_runs_leave_one_prediction_a_key(spark: Any, catalog: str, scored: Batch) -> None:
    """Answers of a run that died are merged if their version still serves; runs at once give each row one prediction."""
    table, predictions = f"{catalog}.ml.rows", f"{catalog}.ml.predictions"
    spark.sql(f"CREATE TABLE {table} AS SELECT CAST(id AS STRING) AS k, CAST(id AS DOUBLE) AS a, 1D AS b FROM range(8)").collect()

    class Died(BaseException):
        """The process ends here."""

    def dies() -> str:
        raise Died

    with pytest.raises(Died):
        scored(serves=dies)
    assert spark.sql(f"SELECT COUNT(*) AS n FROM {predictions}").first()["n"] == 0
    assert summary(scored(version="9", serves=lambda: "9")) == (8, 8, 0)
    assert spark.sql(f"SELECT COUNT(*) AS n FROM {predictions} WHERE model_version = '1'").first()["n"] == 0

    with pytest.raises(Died):
        scored(serves=dies)
    assert summary(scored()) == (0, 8, 0)

    spark.sql(f"INSERT INTO {table} SELECT CAST(id AS STRING), CAST(id AS DOUBLE), 1D FROM range(100, 140)").collect()
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(scored) for _ in range(2)]
        failures = [run.exception() for run in runs]
    assert None in failures
    assert summary(scored()) == (0, 48, 0)
    ours = f"(SELECT k FROM {predictions} WHERE model_version = '1')"
    assert multiplied_or_lost(spark, table, ours) == (0, 0)
    assert not spark.catalog.tableExists(f"{predictions}_staging")


def test_what_cannot_be_scored_is_said_clearly(spark: Any, catalog: str, scored: Batch) -> None:
    """Each thing that is missing or wrong has its own message, and leaves nothing behind; an empty table is no error."""
    table, predictions = f"{catalog}.ml.rows", f"{catalog}.ml.predictions"
    refused(scored, f"table {table} does not exist")
    spark.sql(f"CREATE TABLE {table} (k STRING, a DOUBLE, b DOUBLE)").collect()
    assert summary(scored()) == (0, 0, 0)
    refused(scored, f"table {table}: no column nothing; it has k, a, b", key="nothing")
    refused(scored, f"table {table}: no column c; it has k, a, b", request_columns=("a", "c"))
    refused(scored, f"table {predictions}: expected prediction string (found: double)", return_type="STRING")
    refused(scored, f"table {table}: expected ", predictions=table)

    spark.sql(f"INSERT INTO {table} VALUES ('1', 1D, 1D)").collect()
    refused(scored, "version 9 replaced version 1 while rows were scored; none were kept", serves=lambda: "9")
    assert not spark.catalog.tableExists(f"{predictions}_staging")
    spark.sql(f"INSERT INTO {table} VALUES ('1', 1D, 1D), (NULL, 1D, 1D)").collect()
    refused(scored, "column k must identify each row, but 1 rows have no value and 1 repeat one")
    assert spark.sql(f"SELECT COUNT(*) AS n FROM {predictions}").first()["n"] == 0


def refused(scored: Batch, message: str, **changes: Any) -> None:
    """Check that a run ends with this message."""
    with pytest.raises(ServingError) as raised:
        scored(**changes)
    assert message in str(raised.value)


def test_f03_route_optimized_endpoint_is_deployed_to_and_queried(
    connection: Connection, workspace: WorkspaceClient, catalog: str, make_version: Callable[..., str], deployer: Deployer
) -> None:
    """Somebody's route-optimized endpoint gets a new version by way of a helper, and answers on its data plane alone."""
    endpoint, model = f"{catalog}_adder", f"{catalog}.ml.adder"
    first, second = make_version(), make_version(factor=2.0)
    served = [plan(catalog, first).entity]
    config = EndpointCoreConfigInput(name=endpoint, served_entities=served)
    workspace.serving_endpoints.create_and_wait(endpoint, config=config, route_optimized=True, timeout=timedelta(minutes=3))
    principal = WorkspaceClient(
        host=connection.host, client_id=connection.client_id, client_secret=connection.client_secret, auth_type="oauth-m2m"
    )
    told: list[str] = []
    replace(deployer, workspace=principal, progress=told.append).deploy(plan(catalog, second), input_example(model, second))

    assert query(principal, endpoint, body={"dataframe_records": [{"a": 1.0, "b": 2.0}]})["predictions"] == pytest.approx([6.0])
    assert served_version(principal, endpoint, model=model) == second
    assert workspace.serving_endpoints.get(endpoint).route_optimized
    assert any("is verified on" in line for line in told)
    assert f"{endpoint}-next" not in [one.name for one in workspace.serving_endpoints.list()]
    with pytest.raises(ServingError, match="takes OAuth tokens only"):
        query(workspace, endpoint, body={"dataframe_records": [{"a": 1.0, "b": 2.0}]})
    with pytest.raises(PermissionDenied):  # the fault: the workspace's URL, as the reference asks it
        workspace.serving_endpoints.query(endpoint, dataframe_records=[{"a": 1.0, "b": 2.0}])
