"""mlflow's `spark_udf`: a registered model scores a frame of Spark Connect, in Spark's own workers, which load it themselves.

`python mlflow_spark_udf.py` with DATABRICKS_HOST, DATABRICKS_TOKEN and SPARK_REMOTE set; nothing else is needed.
"""

import logging
import uuid

import mlflow
import numpy as np
import pandas as pd
from databricks.sdk import WorkspaceClient
from mlflow.models import infer_signature
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import IntegerType, StructType

logging.getLogger("mlflow").setLevel(logging.ERROR)
FRAME = pd.DataFrame({"distance": np.linspace(1, 20, 20), "hour": np.arange(20.0)})


class Adviser(mlflow.pyfunc.PythonModel):
    """Predicts two things at once."""

    def __init__(self, factor: float) -> None:
        """`factor` tells one adviser from another."""
        self.factor = factor

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Return a fare and a word, for each row."""
        words = np.where(model_input["hour"] < 6, "night", "day")
        return pd.DataFrame({"fare": model_input["distance"] * self.factor, "part": words})


class Counter(mlflow.pyfunc.PythonModel):
    """Predicts whole numbers."""

    def predict(self, model_input: pd.DataFrame) -> pd.Series:
        """Return the distance without what is behind the point, for each row."""
        return model_input["distance"].astype("int32")


def registered(name: str, model: mlflow.pyfunc.PythonModel) -> str:
    """Log a model with its signature, register it and return its version."""
    signature = infer_signature(FRAME, model.predict(FRAME))
    mlflow.pyfunc.log_model(name="model", python_model=model, signature=signature, pip_requirements=["pandas"], registered_model_name=name)
    return str(max(int(each.version) for each in mlflow.MlflowClient().search_model_versions(f"name='{name}'")))


def numbers(spark: SparkSession, trips: DataFrame, schema: str) -> None:
    """Score with a model of one output, of the type its signature has or of another, with columns or a struct, and in SQL."""
    name = f"{schema}.counter"
    mlflow.MlflowClient().set_registered_model_alias(name, "Champion", registered(name, Counter()))
    count = mlflow.pyfunc.spark_udf(spark, f"models:/{name}@Champion", result_type="int")
    counted = trips.select(count("distance", "hour").alias("n"))
    assert counted.schema["n"].dataType == IntegerType()
    assert sorted(row.n for row in counted.collect()) == list(range(1, 21))
    spark.udf.register("whole", mlflow.pyfunc.spark_udf(spark, f"models:/{name}/1"))
    far = spark.sql(f"SELECT count(*) AS n FROM {schema}.trips WHERE whole(struct(distance, hour)) > 10")
    assert far.collect() == [Row(n=10)]


def structs(spark: SparkSession, trips: DataFrame, schema: str) -> None:
    """Score with a model of two outputs, whose alias then moves on: the next frame is scored by what it points at."""
    name = f"{schema}.adviser"
    for factor in (2.0, 10.0):
        mlflow.MlflowClient().set_registered_model_alias(name, "Champion", registered(name, Adviser(factor)))
        advise = mlflow.pyfunc.spark_udf(spark, f"models:/{name}@Champion")
        advised = trips.withColumn("advice", advise())  # columns and type are the signature's
        assert isinstance(advised.schema["advice"].dataType, StructType)
        rows = advised.select("distance", "advice.*").orderBy("distance").collect()
        assert [row.fare for row in rows] == [distance * factor for distance in FRAME["distance"]]
        assert [row.part for row in rows] == ["night"] * 6 + ["day"] * 14


def whose(spark: SparkSession) -> None:
    """See who a function is that Spark runs: the one who sent it."""

    @f.pandas_udf("string")
    def caller(column: pd.Series) -> pd.Series:
        return column.map(lambda _: WorkspaceClient().current_user.me().user_name)

    seen = spark.range(2).select(caller("id").alias("user")).distinct().collect()
    assert [row.user for row in seen] == [WorkspaceClient().current_user.me().user_name]


def main() -> None:
    """Play it through."""
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    workspace, name = WorkspaceClient(), f"udf_{uuid.uuid4().hex[:8]}"
    spark = SparkSession.builder.getOrCreate()
    catalog = spark.catalog.currentCatalog()
    schema = f"{catalog}.{name}"
    spark.sql(f"CREATE SCHEMA {schema}")
    mlflow.set_experiment(f"/Shared/clients/{name}")
    try:
        spark.createDataFrame(FRAME).write.saveAsTable(f"{schema}.trips")
        trips = spark.table(f"{schema}.trips")
        whose(spark)
        numbers(spark, trips, schema)
        structs(spark, trips, schema)
    finally:
        for model in workspace.registered_models.list(catalog_name=catalog, schema_name=name):
            workspace.registered_models.delete(model.full_name)
        spark.sql(f"DROP SCHEMA {schema} CASCADE")
        spark.stop()


if __name__ == "__main__":
    main()
