# ruff: noqa: S608 - the names in the statements are the tests' own
"""Unpacking on the real engine: increments, duplicates, late labels, quarantine, the monitor."""

import datetime as dt
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient

from monitoring_unpacker import (
    PACKINGS,
    Counts,
    Field,
    MonitoringError,
    MonitorPlan,
    Payload,
    QualityMonitor,
    Schema,
    Tables,
    pack,
    process,
)

pytestmark = pytest.mark.platform

SCHEMA = Schema((Field("a", "DOUBLE"),), Field("k", "STRING"), Field("prediction", "DOUBLE"))
COLUMNS = (
    "databricks_request_id STRING, request_date DATE, client_request_id STRING, request_time TIMESTAMP, status_code INT, "
    "sampling_fraction DOUBLE, execution_duration_ms BIGINT, request STRING, response STRING, logging_error_codes ARRAY<STRING>, "
    "served_entity_id STRING, requester STRING"
)
START = dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)


@pytest.fixture
def tables(catalog: str, workspace: WorkspaceClient, spark: Any) -> Tables:
    """An empty inference table with its feed, and labels for keys 0 to 9, the even ones training rows."""
    workspace.schemas.create("ml", catalog)
    feed = "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    spark.sql(f"CREATE TABLE {catalog}.ml.ep_payload ({COLUMNS}) USING DELTA {feed}").collect()
    spark.sql(
        f"CREATE TABLE {catalog}.ml.labels AS SELECT CAST(id AS STRING) AS k, id + 0.5D AS fare, "
        "IF(id % 2 = 0, 'train', 'test') AS split FROM range(10)"
    ).collect()
    return Tables(
        payload=f"{catalog}.ml.ep_payload",
        processed=f"{catalog}.ml.processed",
        quarantine=f"{catalog}.ml.quarantine",
        labels=f"{catalog}.ml.labels",
        label_column="fare",
        marker_column="split",
        schema=SCHEMA,
    )


def log(spark: Any, tables: Tables, **requests: Payload) -> None:
    """Append logged requests, by id, as the platform does."""
    rows: list[tuple[Any, ...]] = [
        (request_id, START.date(), None, START, payload.status_code, 1.0, 3, payload.request, payload.response, [], "e" * 32, "user")
        for request_id, payload in requests.items()
    ]
    spark.createDataFrame(rows, COLUMNS).writeTo(tables.payload).append()


def sent(*keys: int, packing: str = "dataframe_split") -> Payload:
    """A request that scored these keys."""
    return pack([{"a": float(key), "k": str(key), "prediction": key + 1.0} for key in keys], packing=packing)


def test_f08_every_request_is_processed_or_quarantined_once(spark: Any, tables: Tables) -> None:
    """All formats are read, faults quarantined, duplicates collapsed; a second run changes nothing, a third reads only what is new."""
    by_format = {f"r{number}": sent(number, packing=packing) for number, packing in enumerate(PACKINGS)}
    log(spark, tables, **by_format, failed=Payload(400, "?", "{}"), oversize=Payload(200, None, None))
    log(spark, tables, r0=sent(0))
    first = process(spark, tables, progress=print)
    assert first == Counts(
        new_requests=8, new_rows=6, new_quarantined=2, payload_rows=9, processed_rows=6, labelled_rows=6, quarantined_rows=2
    )
    again = process(spark, tables, progress=print)
    assert (again.new_requests, again.processed_rows, again.quarantined_rows) == (0, 6, 2)

    log(spark, tables, r8=sent(8, 9), r1=sent(1))
    third = process(spark, tables, progress=print)
    assert (third.new_requests, third.processed_rows, third.labelled_rows) == (2, 8, 8)

    row = spark.table(tables.processed).where("example_id = 'r8:1'").first().asDict()
    assert row["request_time"] is not None
    expected = {"k": "9", "a": 9.0, "prediction": 10.0, "label": 9.5, "evaluation_label": 9.5, "split": "test", "model_version": "e" * 32}
    assert {name: row[name] for name in expected} == expected
    training = spark.table(tables.processed).where("split = 'train'").first()
    assert training["label"] is not None
    assert training["evaluation_label"] is None
    reasons = {row["databricks_request_id"]: row["reason"] for row in spark.table(tables.quarantine).collect()}
    assert reasons == {"failed": "status code is 400", "oversize": "request is NULL (not logged, or above 1 MiB)"}
    assert not spark.catalog.tableExists(tables.staging)


def test_f11_labels_may_come_later(spark: Any, tables: Tables) -> None:
    """A prediction without ground truth waits for it, without new traffic."""
    log(spark, tables, r=sent(3, 77))
    assert process(spark, tables, progress=print).labelled_rows == 1
    spark.sql(f"INSERT INTO {tables.labels} VALUES ('77', 70D, 'test')").collect()
    assert process(spark, tables, progress=print).labelled_rows == 2
    late = spark.table(tables.processed).where("k = '77'").first()
    assert (late["label"], late["evaluation_label"], late["split"]) == (70.0, 70.0, "test")


def test_repeated_label_keys_are_refused(spark: Any, tables: Tables) -> None:
    """A label that stands twice would multiply predictions: nothing is written."""
    log(spark, tables, r=sent(3))
    spark.sql(f"INSERT INTO {tables.labels} VALUES ('3', 1D, 'test')").collect()
    with pytest.raises(MonitoringError, match="1 values of k stand in more than one row"):
        process(spark, tables, progress=print)


def test_f16_missing_payload_table_is_no_error(spark: Any, tables: Tables) -> None:
    """Before the first request there is simply no data."""
    spark.sql(f"DROP TABLE {tables.payload}").collect()
    assert process(spark, tables, progress=print) == Counts()


def test_monitor_is_created_then_refreshed(spark: Any, workspace: WorkspaceClient, tables: Tables) -> None:
    """Quality figures come from unseen rows; a second refresh sees new rows."""
    log(spark, tables, r=sent(*range(10)))
    process(spark, tables, progress=print)
    schema = tables.processed.rsplit(".", maxsplit=1)[0]
    plan = MonitorPlan(table=tables.processed, output_schema=schema, label_column="evaluation_label")
    monitor = QualityMonitor(workspace=workspace, progress=print, poll=0.2)
    profile = monitor.refresh(plan).profile_metrics_table_name
    quality = "column_name = ':table' AND model_version = '*' AND slice_key IS NULL"
    (row,) = spark.table(profile).where(quality).collect()
    assert row["count"] == 10
    assert row["mean_absolute_error"] == pytest.approx(0.5)

    log(spark, tables, late=sent(1))
    process(spark, tables, progress=print)
    monitor.refresh(plan)
    (row,) = spark.table(profile).where(quality).collect()
    assert row["count"] == 11
