# ruff: noqa: S608 - the names in the statements are the tests' own
"""Deployment and batch scoring through the official clients, on real parts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient

from serving_client import Deployer, DeploymentPlan, ScoringSql, VerificationFailed, Waiting, score, score_table, served_version
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
