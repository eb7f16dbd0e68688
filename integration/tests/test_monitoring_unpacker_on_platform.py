# ruff: noqa: S608 - the names in the statements are the tests' own
"""Unpacking on the real engine: increments, duplicates, late labels, versions, quarantine, the monitor."""

import datetime as dt
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
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
from taxi_fare_features import FEATURE_COLUMNS, KEY, MODEL_TYPES, TARGET, feature_frame

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
    append(spark, tables, "e" * 32, requests)


def append(spark: Any, tables: Tables, entity: str | None, requests: Mapping[str, Payload]) -> None:
    """Append requests that this served entity answered."""
    rows: list[tuple[Any, ...]] = [
        (request_id, START.date(), None, START, payload.status_code, 1.0, 3, payload.request, payload.response, [], entity, "user")
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
    reasons = {row["databricks_request_id"]: row["reason"] for row in spark.table(tables.quarantine).collect()}
    assert reasons == {"failed": "status code is 400", "oversize": "request is NULL (not logged, or above 1 MiB)"}
    assert not spark.catalog.tableExists(tables.staging)


def changes(spark: Any, tables: Tables, *, since: int) -> list[tuple[str, str]]:
    """What the processed table's change feed tells from a version on: kind of change and example, sorted."""
    newest = version_of(spark, tables.processed)
    if since > newest:
        return []
    feed = spark.sql(f"SELECT _change_type, example_id FROM table_changes('{tables.processed}', {since}, {newest})")
    return sorted((row[0], row[1]) for row in feed.collect())


def version_of(spark: Any, table: str) -> int:
    """The table's newest version."""
    return int(spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").first()["version"])


def test_f11_labels_may_come_later(spark: Any, tables: Tables) -> None:
    """The change feed tells what is new: inserts once, nothing of a re-run or of duplicates, of a late label its rows alone."""
    log(spark, tables, r=sent(3, 77), s=sent(78))
    assert process(spark, tables, progress=print).labelled_rows == 1
    assert changes(spark, tables, since=1) == [("insert", "r:0"), ("insert", "r:1"), ("insert", "s:0")]

    after = version_of(spark, tables.processed) + 1
    log(spark, tables, r=sent(3, 77))
    assert process(spark, tables, progress=print).processed_rows == 3
    assert process(spark, tables, progress=print).processed_rows == 3
    assert changes(spark, tables, since=after) == []

    after = version_of(spark, tables.processed) + 1
    spark.sql(f"INSERT INTO {tables.labels} VALUES ('77', 70D, 'test')").collect()
    assert process(spark, tables, progress=print).labelled_rows == 2
    news = [("update_postimage", "r:1"), ("update_preimage", "r:1")]
    assert changes(spark, tables, since=after) == news
    late = spark.table(tables.processed).where("k = '77'").first()
    assert (late["label"], late["evaluation_label"], late["split"]) == (70.0, 70.0, "test")

    after = version_of(spark, tables.processed) + 1  # the faulty double: the daily overwrite tells every row as new
    spark.sql(f"INSERT OVERWRITE {tables.processed} SELECT * FROM {tables.processed}").collect()
    assert len(changes(spark, tables, since=after)) == 6


def test_f11_without_a_change_feed_only_what_is_unknown_is_read(spark: Any, tables: Tables) -> None:
    """Late and double deliveries and requests without an id are each read once; a feed that is switched on later is used from then on."""
    said: list[str] = []
    spark.sql(f"ALTER TABLE {tables.payload} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'false')").collect()
    log(spark, tables, r1=sent(1), r2=sent(2, 3), bad=Payload(400, "?", "{}"))
    assert process(spark, tables, progress=said.append).new_requests == 3
    log(spark, tables, r2=sent(2, 3), bad=Payload(400, "?", "{}"), r4=sent(4))
    rows: list[tuple[Any, ...]] = [(None, None, None, START, 200, 1.0, 3, sent(5).request, sent(5).response, [], "e" * 32, "user")] * 2
    spark.createDataFrame(rows, COLUMNS).writeTo(tables.payload).append()
    second = process(spark, tables, progress=said.append)
    assert (second.new_requests, second.processed_rows, second.quarantined_rows) == (2, 5, 1)
    assert any("unpack what is in neither processed table nor quarantine" in line for line in said)

    log(spark, tables, r6=sent(6))
    spark.sql(f"ALTER TABLE {tables.payload} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')").collect()
    log(spark, tables, r7=sent(7))
    third = process(spark, tables, progress=said.append)
    assert (third.new_requests, third.processed_rows) == (2, 7)


class KilledError(Exception):
    """The run ends here."""


class Dying:
    """A session that ends the run after so many statements that change something."""

    def __init__(self, spark: Any, statements: int) -> None:
        self._spark, self._left = spark, statements

    def sql(self, text: str) -> Any:
        """Run a statement, and end the run when it was the last."""
        result = self._spark.sql(text)
        if text.startswith(("CREATE", "ALTER", "MERGE", "DROP")):
            result.collect()
            self._left -= 1
            if self._left < 0:
                raise KilledError(text)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spark, name)


def test_f10_killed_at_any_step_the_next_run_converges(spark: Any, tables: Tables) -> None:
    """Ids are the same in every run, so a run that died anywhere is repeated without harm: each example is there once."""
    log(spark, tables, r=sent(1, 2), bad=Payload(400, "?", "{}"))
    died_after = []
    counts = Counts()
    for statements in range(10):
        try:
            counts = process(Dying(spark, statements), tables, progress=print)
        except KilledError as death:
            died_after.append(str(death).split()[0])
        else:
            break
    assert died_after == ["CREATE", "CREATE", "MERGE", "MERGE", "ALTER"]
    assert (counts.processed_rows, counts.quarantined_rows, counts.labelled_rows) == (2, 1, 2)
    assert changes(spark, tables, since=1) == [("insert", "r:0"), ("insert", "r:1")]
    assert process(spark, tables, progress=print).new_requests == 0
    known = {row[0] for row in spark.table(tables.processed).select("example_id").collect()}
    made_anew = {row[0] for row in spark.sql(f"SELECT uuid() FROM {tables.processed}").collect()}  # the faulty double
    assert known == {"r:0", "r:1"}
    assert not made_anew & known


def test_f13_training_rows_keep_their_label_but_not_in_the_evaluation(spark: Any, tables: Tables) -> None:
    """Rows that the model was trained on are marked, and stay out of what the monitor takes as its label."""
    log(spark, tables, r=sent(*range(10)))
    process(spark, tables, progress=print)
    rows = spark.table(tables.processed).select("split", "label", "evaluation_label").collect()
    found = sorted((row["split"], row["label"], row["evaluation_label"]) for row in rows)
    training, unseen = (
        [("train", even + 0.5, None) for even in range(0, 10, 2)],
        [("test", odd + 0.5, odd + 0.5) for odd in range(1, 10, 2)],
    )
    assert found == [*unseen, *training]


def test_each_version_is_unpacked_by_its_own_signature(spark: Any, tables: Tables, catalog: str) -> None:
    """Columns added and types changed by a version, an entity that nobody knows, a version without signature: each has its outcome."""
    entities = f"{catalog}.ml.served_entities"
    values = ", ".join(
        f"('{entity}', 'm', '{version}', TIMESTAMP'2026-01-01')" for entity, version in (("one", 1), ("two", 2), ("bare", 3))
    )
    columns = "served_entity_id, entity_name, entity_version, change_time"
    spark.sql(f"CREATE TABLE {entities} AS SELECT * FROM VALUES {values} AS t({columns})").collect()
    schemas = {
        ("m", "1"): Schema((Field("a", "STRING"),), SCHEMA.key, SCHEMA.prediction),
        ("m", "2"): Schema((Field("a", "DOUBLE"), Field("n", "BIGINT")), SCHEMA.key, SCHEMA.prediction),
    }

    def schema_of_version(name: str, version: str) -> Schema:
        if (name, version) not in schemas:
            raise MonitoringError(f"model {name} version {version}: has no signature")
        return schemas[name, version]

    append(spark, tables, "one", {"r1": pack([{"a": "007", "k": "1", "prediction": 1.0}])})
    append(spark, tables, "two", {"r2": pack([{"a": 2.5, "n": 2**53 + 1, "k": "2", "prediction": 2.0}])})
    append(spark, tables, "new", {"r3": sent(3)})
    append(spark, tables, "bare", {"r4": sent(4)})
    append(spark, tables, None, {"r5": sent(5)})
    said: list[str] = []
    counts = process(spark, replace(tables, served_entities=entities), progress=said.append, schema_of_version=schema_of_version)
    assert (counts.processed_rows, counts.quarantined_rows, counts.labelled_rows) == (4, 1, 4)
    rows = spark.table(tables.processed).orderBy("example_id").select("a", "a__string", "n", "model_version").collect()
    assert [tuple(row) for row in rows] == [
        (None, "007", None, "1"),
        (2.5, None, 2**53 + 1, "2"),
        (3.0, None, None, "new"),
        (5.0, None, None, None),
    ]
    assert [row["reason"] for row in spark.table(tables.quarantine).collect()] == ["model m version 3: has no signature"]
    assert f"served entities new: not in {entities}, their requests are typed by the given schema" in said


REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "nyctaxi_trips_10k.parquet"


def generated_trips() -> pd.DataFrame:
    """Trips of whole hundredths of a mile in a few hours, so that many are alike."""
    dice = random.Random(1)  # noqa: S311 - made-up trips
    hours = [pd.Timestamp("2016-02-01") + pd.Timedelta(hours=dice.randrange(48), minutes=number % 60) for number in range(2000)]
    miles = [dice.randrange(60, 200) / 100 for _ in hours]
    return pd.DataFrame(
        {
            "tpep_pickup_datetime": hours,
            "tpep_dropoff_datetime": [hour + pd.Timedelta(minutes=10) for hour in hours],
            "trip_distance": miles,
            "fare_amount": [round(3 + 2.5 * distance + dice.random(), 2) for distance in miles],
            "pickup_zip": list(range(10_001, 12_001)),
            "dropoff_zip": [10_001] * len(hours),
        }
    ).astype({"pickup_zip": "int32", "dropoff_zip": "int32"})


@pytest.mark.parametrize(
    "trips",
    [
        pytest.param(generated_trips, id="generated"),
        pytest.param(
            lambda: pd.read_parquet(REAL), id="real", marks=pytest.mark.skipif(not REAL.exists(), reason="the trips are not here")
        ),
    ],
)
def test_f01_every_prediction_has_its_own_label_once(spark: Any, tables: Tables, trips: Callable[[], pd.DataFrame]) -> None:
    """Joined by the key, each prediction has its label, once (F2); by features, FLOAT loses most and DOUBLE multiplies."""
    frame = feature_frame(trips())
    labels = tables.labels.replace(".labels", ".trips")
    spark.createDataFrame(frame[[KEY, *FEATURE_COLUMNS, TARGET]]).writeTo(labels).using("delta").create()
    features = tuple(Field(name, {"double": "DOUBLE", "long": "BIGINT"}[MODEL_TYPES[name]]) for name in FEATURE_COLUMNS)
    schema = Schema(features, Field(KEY, "STRING"), Field("prediction", "DOUBLE"))
    taxi = replace(tables, labels=labels, label_column=TARGET, marker_column=None, schema=schema)
    rows = frame.assign(prediction=1.0)[[*FEATURE_COLUMNS, KEY, "prediction"]]
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict(orient="records")]
    log(spark, taxi, **{f"r{begin}": pack(records[begin : begin + 500]) for begin in range(0, len(rows), 500)})

    counts = process(spark, taxi, progress=print)

    assert (counts.processed_rows, counts.labelled_rows, counts.quarantined_rows) == (len(rows), len(rows), 0)
    wrong = f"SELECT COUNT(*) FROM {taxi.processed} AS p JOIN {labels} AS l USING ({KEY}) WHERE NOT p.label <=> l.{TARGET}"
    assert spark.sql(wrong).first()[0] == 0

    def joined(distance: str) -> tuple[int, int]:
        """The faulty doubles: predictions that find a label by features, and rows of that join."""
        same = " AND ".join(f"p.{name} = l.{name}" for name in FEATURE_COLUMNS if name != "trip_distance")
        join = f"{taxi.processed} AS p JOIN {labels} AS l ON {distance} AND {same}"
        found, all_rows = spark.sql(f"SELECT COUNT(DISTINCT p.example_id), COUNT(*) FROM {join}").first()
        return found, all_rows

    assert joined("CAST(p.trip_distance AS FLOAT) = l.trip_distance")[0] < len(rows) / 2
    assert joined("p.trip_distance = l.trip_distance")[1] > len(rows)


def test_repeated_label_keys_are_refused(spark: Any, tables: Tables) -> None:
    """A label that stands twice would multiply predictions: nothing is written."""
    log(spark, tables, r=sent(3))
    spark.sql(f"INSERT INTO {tables.labels} VALUES ('3', 1D, 'test')").collect()
    with pytest.raises(MonitoringError, match="1 values of k stand in more than one row"):
        process(spark, tables, progress=print)


def test_label_tables_without_the_key_are_refused(spark: Any, tables: Tables) -> None:
    """A missing column and a missing table are errors that name what there is; nothing is written."""
    log(spark, tables, r=sent(3))
    with pytest.raises(MonitoringError, match="labels: no column tip; it has k, fare, split"):
        process(spark, replace(tables, label_column="tip"), progress=print)
    with pytest.raises(MonitoringError, match="there is none; it has to hold the ground truth, by k"):
        process(spark, replace(tables, labels=f"{tables.labels}_elsewhere"), progress=print)
    assert not spark.catalog.tableExists(tables.processed)


def test_f16_missing_payload_table_is_no_error(spark: Any, tables: Tables) -> None:
    """A payload table without rows, and none at all before the first request, simply mean that there is no data."""
    assert process(spark, tables, progress=print) == Counts()
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
