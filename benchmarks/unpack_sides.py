"""The two sides of `unpack.py`: our wheel, and an unpacker written as the platform's example notebook is; both write a Delta table."""

# ruff: noqa: S608 - the names in the statements are the benchmark's own
import json
import sys
from typing import Any

import pandas as pd

from monitoring_unpacker import Field, Schema, Tables, process
from monitoring_unpacker.arrow import output_ddl, send_by_value, unpacker
from monitoring_unpacker.sources import Source
from monitoring_unpacker.versions import plan_reading

FEATURES = {
    "trip_distance": "DOUBLE",
    "pickup_hour": "BIGINT",
    "pickup_dayofweek": "BIGINT",
    "pickup_month": "BIGINT",
    "is_weekend": "BIGINT",
    "is_rush_hour": "BIGINT",
}
SCHEMA = Schema(tuple(Field(*feature) for feature in FEATURES.items()), Field("trip_id", "STRING"), Field("prediction", "DOUBLE"))


def tables(payload: str) -> Tables:
    """Return the tables of a job over one payload table."""
    catalog, schema, name = payload.split(".")
    return Tables(
        payload=payload,
        processed=f"{catalog}.{schema}.{name}_processed",
        quarantine=f"{catalog}.{schema}.{name}_quarantine",
        labels=f"{catalog}.{schema}.labels",
        label_column="fare_amount",
        schema=SCHEMA,
    )


def ours(spark: Any, payload: str, target: str) -> None:
    """Unpack a payload table into `target` with our wheel."""
    reading = plan_reading(SCHEMA)
    send_by_value()
    logged = spark.sql(Source(_version(spark, payload)).logged(tables(payload)))
    logged.mapInArrow(unpacker(reading), output_ddl(reading)).write.format("delta").mode("overwrite").saveAsTable(target)


def peer(spark: Any, payload: str, target: str) -> None:
    """Unpack a payload table into `target` as the notebook does: pandas UDF to records, `from_json`, zip, explode, `uuid()`."""
    _peer_rows(spark, payload).write.format("delta").mode("overwrite").partitionBy("request_date").saveAsTable(target)


def our_job(spark: Any, payload: str, _target: str) -> None:
    """Run our whole job: unpack, check the counts, join the labels, MERGE, remember how far."""
    process(spark, tables(payload), progress=lambda _line: None)


def peer_job(spark: Any, payload: str, target: str) -> None:
    """Run the notebook's whole job: unpack into a table, join the labels, MERGE into the processed table by date and example id."""
    peer(spark, payload, target)
    processed = f"{target}_processed"
    joined = f"SELECT u.*, l.fare_amount AS label FROM {target} AS u LEFT JOIN {tables(payload).labels} AS l ON l.trip_id = u.trip_id"
    spark.sql(f"CREATE TABLE {processed} USING DELTA AS SELECT * FROM ({joined}) WHERE FALSE").collect()
    spark.sql(
        f"MERGE INTO {processed} AS p USING ({joined}) AS n ON p.request_date = n.request_date AND p.example_id = n.example_id "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    ).collect()


def _peer_rows(spark: Any, payload: str) -> Any:
    from pyspark import cloudpickle
    from pyspark.sql import functions as dbf

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    to_records = dbf.pandas_udf(_records, "string")
    request = ", ".join(f"{name} {sql_type}" for name, sql_type in (*FEATURES.items(), ("trip_id", "STRING")))
    logged = spark.table(payload).where("status_code = '200'")
    logged = logged.withColumn("request", dbf.from_json(to_records("request"), f"ARRAY<STRUCT<{request}>>"))
    logged = logged.withColumn("response", dbf.from_json(to_records("response"), "ARRAY<STRUCT<prediction DOUBLE>>"))
    zipped = logged.withColumn("row", dbf.explode(dbf.arrays_zip("request", "response"))).drop("request", "response", "logging_error_codes")
    rows = zipped.select("*", "row.request.*", "row.response.*").drop("row")
    return rows.withColumn("example_id", dbf.expr("uuid()"))


def _records(texts: pd.Series) -> pd.Series:
    return texts.apply(lambda text: json.dumps(_as_records(json.loads(text))))


def _as_records(body: dict[str, Any]) -> list[dict[str, Any]]:
    if "dataframe_split" in body:
        split = body["dataframe_split"]
        return [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
    if "predictions" in body:
        return [{"prediction": value} for value in body["predictions"]]
    return next((list(body[name]) for name in ("dataframe_records", "instances", "inputs") if name in body), [])


def _version(spark: Any, table: str) -> int:
    return int(spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").first()["version"])
