"""mlflow's data sets: of frames, of Spark and of Delta tables, logged, read back, evaluated on, and searched by.

`python mlflow_datasets.py` with DATABRICKS_HOST, DATABRICKS_TOKEN and SPARK_REMOTE set; nothing else is needed.
"""

import json
import logging
import uuid

import mlflow
import numpy as np
import pandas as pd
from databricks.sdk import WorkspaceClient
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient
from pyspark.sql import SparkSession
from sklearn.linear_model import LinearRegression

logging.getLogger("mlflow").setLevel(logging.ERROR)
FRAME = pd.DataFrame({"distance": np.linspace(0.5, 20, 40), "hour": np.arange(40.0) % 24}).assign(fare=lambda frame: frame["distance"] * 2)


def tables(spark: SparkSession, schema: str) -> None:
    """Log tables by their names: which table, which version, and its rows again."""
    name = f"{schema}.trips"
    spark.createDataFrame(FRAME).write.saveAsTable(name)
    table_id = WorkspaceClient().tables.get(name).table_id
    of_spark = mlflow.data.from_spark(spark.table(name), table_name=name, targets="fare")
    of_delta = mlflow.data.load_delta(table_name=name, version="0")
    with mlflow.start_run() as run:
        mlflow.log_input(of_spark, context="training")
        mlflow.log_input(of_delta, context="evaluation", tags={"kept": "yes"})
    inputs = {each.tags[-1].value: each for each in mlflow.get_run(run.info.run_id).inputs.dataset_inputs}
    for context, version in (("training", None), ("evaluation", "0")):
        told = json.loads(inputs[context].dataset.source)
        assert (told["delta_table_name"], told.get("delta_table_version"), told["delta_table_id"]) == (name, version, table_id), told
        assert mlflow.data.get_source(inputs[context]).load().count() == 40


def evaluation(client: MlflowClient, experiment_id: str, schema: str) -> None:
    """Evaluate a registered model on a data set; its metrics say on which, and the version shows them."""
    model = LinearRegression().fit(FRAME[["distance", "hour"]], FRAME["fare"])
    trips, others = mlflow.data.from_pandas(FRAME, name="trips", targets="fare"), mlflow.data.from_pandas(FRAME.head(9), name="others")
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(
            model,
            name="fares",
            params={"degree": 1},
            signature=infer_signature(FRAME[["distance", "hour"]], FRAME["fare"]),
            pip_requirements=["scikit-learn"],
            registered_model_name=f"{schema}.fares",
        )
        found = mlflow.models.evaluate(info.model_uri, trips, model_type="regressor", evaluator_config={"log_explainer": False})
        mlflow.log_metric("rank", 3.0, dataset=others, model_id=info.model_id)
    assert found.metrics["r2_score"] > 0.99
    logged = mlflow.get_run(run.info.run_id)
    assert {each.dataset.name for each in logged.inputs.dataset_inputs} == {"trips", "others"}
    version = client.get_model_version(f"{schema}.fares", "1")
    assert {param.key: param.value for param in version.params} == {"degree": "1"}
    assert {(each.key, each.dataset_name) for each in version.metrics} >= {("r2_score", "trips"), ("rank", "others")}
    copy = client.copy_model_version(f"models:/{schema}.fares/1", f"{schema}.copied")
    assert client.get_model_version(copy.name, copy.version).metrics == version.metrics
    for dataset, models in (("trips", [info.model_id]), ("others", [info.model_id]), ("none", [])):
        searched = mlflow.search_logged_models([experiment_id], datasets=[{"dataset_name": dataset}], output_format="list")
        assert [each.model_id for each in searched] == models, dataset


def main() -> None:
    """Do it all in an experiment and a schema of its own."""
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    client, name, spark = MlflowClient(), f"datasets_{uuid.uuid4().hex[:8]}", SparkSession.builder.getOrCreate()
    schema = f"main.{name}"
    spark.sql(f"CREATE SCHEMA {schema}")
    experiment = mlflow.set_experiment(f"/Shared/clients/{name}")
    tables(spark, schema)
    evaluation(client, experiment.experiment_id, schema)
    for model in ("fares", "copied"):
        client.delete_registered_model(f"{schema}.{model}")
    spark.sql(f"DROP SCHEMA {schema} CASCADE")
    client.delete_experiment(experiment.experiment_id)
    spark.stop()


if __name__ == "__main__":
    main()
