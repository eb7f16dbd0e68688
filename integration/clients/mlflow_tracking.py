"""mlflow tracking against a workspace: experiments, runs, artifacts, data sets, autologging, evaluation, logged models, searches.

`python mlflow_tracking.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import logging
import tempfile
import uuid
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

logging.getLogger("mlflow").setLevel(logging.ERROR)
PACKAGES = ["scikit-learn==1.9.1"]  # given, so that mlflow does not spend seconds on finding them out
FRAME = pd.DataFrame({"distance": np.linspace(0.5, 20, 40), "hour": np.arange(40.0) % 24})
FARE = FRAME["distance"] * 2.5 + 3


def runs(client: MlflowClient, experiment_id: str) -> str:
    """Log what a run can hold, read it back, find it; return its id."""
    with mlflow.start_run(run_name="parent", tags={"team": "fares"}) as parent:
        mlflow.log_params({"depth": 3, "rate": 0.1})
        for step, value in enumerate([3.0, 2.0, 1.5]):
            mlflow.log_metric("mae", value, step=step)
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": [1, 2]}, "notes/settings.json")
        mlflow.log_table({"question": ["q1", "q2"], "answer": ["a1", "a2"]}, "tables/qa.json")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "deep").mkdir()
            (Path(folder) / "deep" / "ünïcode name.bin").write_bytes(bytes(range(256)))
            mlflow.log_artifacts(folder, "files")
        data = mlflow.data.from_pandas(FRAME.assign(fare=FARE), source="s3://nowhere/trips.csv", name="trips", targets="fare")
        mlflow.log_input(data, context="training")
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("mae", 0.5)
    found = client.get_run(parent.info.run_id)
    assert (found.data.params, found.data.metrics) == ({"depth": "3", "rate": "0.1"}, {"mae": 1.5})
    assert (found.data.tags["team"], found.info.status, found.info.run_name) == ("fares", "FINISHED", "parent")
    assert [point.value for point in client.get_metric_history(found.info.run_id, "mae")] == [3.0, 2.0, 1.5]
    assert [(each.dataset.name, each.tags[0].value) for each in found.inputs.dataset_inputs] == [("trips", "training")]
    uri = f"runs:/{found.info.run_id}"
    assert sorted(entry.path for entry in client.list_artifacts(found.info.run_id)) == ["files", "notes", "tables"]
    assert mlflow.artifacts.load_text(f"{uri}/notes/hello.txt") == "hello"
    assert mlflow.artifacts.load_dict(f"{uri}/notes/settings.json") == {"a": [1, 2]}
    assert list(mlflow.load_table("tables/qa.json", run_ids=[found.info.run_id])["answer"]) == ["a1", "a2"]
    local = Path(mlflow.artifacts.download_artifacts(f"{uri}/files"))
    assert (local / "deep" / "ünïcode name.bin").read_bytes() == bytes(range(256))
    searched = mlflow.search_runs([experiment_id], filter_string="metrics.mae < 1 and attributes.run_name = 'child'")
    assert list(searched["tags.mlflow.parentRunId"]) == [found.info.run_id]
    pages = client.search_runs([experiment_id], order_by=["metrics.mae ASC"], max_results=1)
    assert pages[0].info.run_name == "child"
    assert (
        client.search_runs([experiment_id], max_results=1, order_by=["metrics.mae ASC"], page_token=pages.token)[0].info.run_name
        == "parent"
    )
    return found.info.run_id


def life(client: MlflowClient, run_id: str, experiment_id: str) -> None:
    """Delete and restore; ask for what is not there."""
    client.set_tag(run_id, "note", "kept")
    client.delete_tag(run_id, "note")
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    client.restore_run(run_id)
    client.set_experiment_tag(experiment_id, "owner", "me")
    assert client.get_experiment(experiment_id).tags["owner"] == "me"
    name = client.get_experiment(experiment_id).name
    assert [each.experiment_id for each in mlflow.search_experiments(filter_string=f"name = '{name}'")] == [experiment_id]
    wrong = {
        "RESOURCE_DOES_NOT_EXIST": lambda: client.get_run("0" * 32),
        "INVALID_PARAMETER_VALUE": lambda: client.create_experiment("bare"),
        "RESOURCE_ALREADY_EXISTS": lambda: client.create_experiment(name),
    }
    for code, refused in wrong.items():
        try:
            refused()
        except MlflowException as error:
            assert error.error_code == code, error
        else:
            raise AssertionError(code)


def models(client: MlflowClient, experiment_id: str) -> None:
    """Log a model, find and load it by every name it has, and evaluate it."""
    model = RandomForestRegressor(n_estimators=3).fit(FRAME, FARE)
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(
            model, name="fares", signature=infer_signature(FRAME, model.predict(FRAME)), pip_requirements=PACKAGES, params={"trees": 3}
        )
        mlflow.log_metric("rmse", 0.25, model_id=info.model_id)
        result = mlflow.models.evaluate(
            info.model_uri, FRAME.assign(fare=FARE), targets="fare", model_type="regressor", evaluator_config={"log_explainer": False}
        )
    assert result.metrics["r2_score"] > 0.5
    logged = mlflow.get_logged_model(info.model_id)
    assert (logged.name, logged.params["trees"], logged.source_run_id) == ("fares", "3", run.info.run_id)
    client.set_logged_model_tags(info.model_id, {"stage": "candidate"})
    found = mlflow.search_logged_models([experiment_id], filter_string="metrics.rmse < 1", output_format="list")
    assert [(each.model_id, each.tags["stage"]) for each in found] == [(info.model_id, "candidate")]
    for uri in (info.model_uri, f"runs:/{run.info.run_id}/fares", f"models:/{info.model_id}"):
        np.testing.assert_array_equal(mlflow.pyfunc.load_model(uri).predict(FRAME), model.predict(FRAME))
    assert mlflow.models.get_model_info(info.model_uri).signature == info.signature


def autologging(client: MlflowClient) -> None:
    """Let mlflow log a fit by itself: parameters, metrics, data set, model."""
    mlflow.sklearn.autolog(log_models=False, silent=True)
    with mlflow.start_run() as run:
        LinearRegression().fit(FRAME, FARE)
    mlflow.sklearn.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    assert found.data.params["fit_intercept"] == "True"
    assert found.data.metrics["training_r2_score"] > 0.99
    assert found.inputs.dataset_inputs


def main() -> None:
    """Do it all in an experiment of its own."""
    mlflow.set_tracking_uri("databricks")
    experiment = mlflow.set_experiment(f"/Shared/clients/tracking-{uuid.uuid4().hex[:8]}")
    client = MlflowClient()
    run_id = runs(client, experiment.experiment_id)
    life(client, run_id, experiment.experiment_id)
    models(client, experiment.experiment_id)
    autologging(client)
    client.delete_experiment(experiment.experiment_id)
    assert client.get_experiment(experiment.experiment_id).lifecycle_stage == "deleted"


if __name__ == "__main__":
    main()
