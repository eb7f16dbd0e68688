"""The job's tasks, one function each."""

import argparse
from pathlib import Path

import mlflow
from databricks.sdk.runtime import dbutils
from mlflow.models import infer_signature
from pyspark.sql import SparkSession
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from bakery_demand.days import SHOPS, made_up

INPUTS = ["shop", "weekday"]


def sales() -> None:
    """Write the table of sales."""
    given = _arguments("table", "days")
    spark = SparkSession.builder.getOrCreate()
    frame = spark.createDataFrame(made_up(int(given.days)))
    frame.write.mode("overwrite").option("overwriteSchema", "true").saveAsTable(given.table)
    print(f"{spark.table(given.table).count()} rows in {given.table}")


def fit() -> None:
    """Fit, log and register a model; the next task hears of its version."""
    given = _arguments("table", "experiment", "model")
    table = SparkSession.builder.getOrCreate().table(given.table).toPandas()
    mlflow.set_registry_uri("databricks-uc")
    mlflow.set_experiment(given.experiment)
    with mlflow.start_run(run_name="ridge"):
        model = make_pipeline(make_column_transformer((OneHotEncoder(), INPUTS)), Ridge(alpha=0.1))
        model.fit(table[INPUTS], table["loaves"])
        error = mean_absolute_error(table["loaves"], model.predict(table[INPUTS]))
        mlflow.log_metric("mae", error)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(table[INPUTS], model.predict(table[INPUTS])),
            registered_model_name=given.model,
        )
    dbutils.jobs.taskValues.set("version", int(logged.registered_model_version))
    dbutils.jobs.taskValues.set("mae", round(float(error), 2))
    print(f"version {logged.registered_model_version} is {error:.1f} loaves off")


def report() -> None:
    """Write what a Saturday needs, by the version that was told."""
    import pandas as pd

    given = _arguments("model", "version", "folder", "run")
    mlflow.set_registry_uri("databricks-uc")
    model = mlflow.pyfunc.load_model(f"models:/{given.model}/{given.version}")
    wanted = pd.DataFrame({"shop": list(SHOPS), "weekday": [5] * len(SHOPS)}).astype({"weekday": "int64"})
    lines = [f"{shop}: {loaves:.0f}" for shop, loaves in zip(wanted["shop"], model.predict(wanted), strict=True)]
    path = Path(given.folder) / f"saturday-{given.run}.txt"
    path.write_text("\n".join([f"version {given.version}", *lines]) + "\n")
    print(path.read_text())


def _arguments(*names: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()
