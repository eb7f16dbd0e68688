"""The Spark form of the feature rules against the plain one, on a real Spark (fixture `spark`: a Connect session)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taxi_fare_features import (
    KEY,
    SOURCE_COLUMNS,
    TABLE_COLUMNS,
    TIME,
    MissingColumnError,
    feature_columns,
    feature_row,
    passes_filters,
    trip_id,
)
from taxi_fare_features.keys import Value

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = [pytest.mark.engine, pytest.mark.property]

Trip = dict[str, Value]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCHEMA = ", ".join(f"{column.name} {'bigint' if column.type == 'timestamp' else column.type}" for column in SOURCE_COLUMNS)
# Doubles whose printed form differs between engines or ages of Java, besides the edges.
AWKWARD = (0.0, -0.0, 2e-3, 2.2e-322, 2.0**-44, 1e23, 9007199254740993.0, 0.1 + 0.2, 199.99999999999997, float("inf"), float("nan"))

# Both ends of the calendar, a leap day, the last microsecond before 1970, and hours that New York's clocks skip and repeat.
EDGES = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2016, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2016, 3, 13, 2, 30, tzinfo=UTC),
    datetime(2016, 11, 6, 1, 30, tzinfo=UTC),
)

moments = st.datetimes(timezones=st.just(UTC)) | st.sampled_from(EDGES)
numbers = st.none() | st.sampled_from(AWKWARD) | st.floats() | st.floats(0, 250) | st.integers(1, 25_000).map(lambda cents: cents / 100)
trips = st.fixed_dictionaries(
    {
        "tpep_pickup_datetime": st.none() | moments,
        "tpep_dropoff_datetime": st.none() | moments,
        "trip_distance": numbers,
        "fare_amount": numbers,
        "pickup_zip": st.none() | st.integers(-(2**31), 2**31 - 1),
        "dropoff_zip": st.none() | st.integers(0, 99_999),
    }
)


def micros(value: Value) -> Value:
    return (value - EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else value


def on_spark(spark: "SparkSession", rows: list[Trip]) -> "DataFrame":
    """Return the trips as a frame; moments travel as numbers, so that no client's time zone touches them."""
    from pyspark.sql import functions as f

    values = [tuple(micros(row[column.name]) for column in SOURCE_COLUMNS) for row in rows]
    frame = spark.createDataFrame(values, SCHEMA)
    return frame.select([f.timestamp_micros(c.name).alias(c.name) if c.type == "timestamp" else f.col(c.name) for c in SOURCE_COLUMNS])


def table(frame: "DataFrame") -> dict[str, dict[str, Value]]:
    from pyspark.sql import functions as f

    rows = [row.asDict() for row in feature_columns(frame).withColumn(TIME, f.unix_micros(TIME)).collect()]
    keyed = {row[KEY]: row for row in rows}
    assert len(keyed) == len(rows), "keys are unique"
    return keyed


@contextmanager
def time_zone(spark: "SparkSession", zone: str) -> Iterator[None]:
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        yield
    finally:
        spark.conf.set("spark.sql.session.timeZone", before)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(trips, min_size=20, max_size=60, unique_by=trip_id))
def test_spark_and_plain_python_give_the_same_rows(spark: "SparkSession", rows: list[Trip]) -> None:
    """Filters, keys, features and split agree for every trip, whatever its numbers."""
    expected = [feature_row(row) for row in rows if passes_filters(row)]
    assert table(on_spark(spark, rows)) == {str(row[KEY]): row | {TIME: micros(row[TIME])} for row in expected}


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(trips, min_size=20, max_size=60))
def test_the_sessions_time_zone_changes_nothing(spark: "SparkSession", rows: list[Trip]) -> None:
    """A TIMESTAMP counts as its wall clock in UTC in every session."""
    frame = on_spark(spark, rows)
    tables = []
    for zone in ("UTC", "America/New_York", "Asia/Kolkata"):
        with time_zone(spark, zone):
            tables.append(table(frame))
    assert tables[0] == tables[1] == tables[2]


def test_exact_duplicates_are_numbered_and_stay_together(spark: "SparkSession") -> None:
    """Three copies give three keys, those of occurrence 0, 1 and 2, on one side of the split."""
    trip: Trip = {
        "tpep_pickup_datetime": datetime(2016, 2, 13, 21, 47, 53, tzinfo=UTC),
        "tpep_dropoff_datetime": datetime(2016, 2, 13, 21, 57, 15, tzinfo=UTC),
        "trip_distance": 1.4,
        "fare_amount": 8.0,
        "pickup_zip": 10103,
        "dropoff_zip": 10110,
    }
    rows = table(on_spark(spark, [trip] * 3))
    assert set(rows) == {trip_id(trip, number) for number in range(3)}
    assert len({row["split"] for row in rows.values()}) == 1


def test_the_table_has_the_agreed_columns_and_types(spark: "SparkSession") -> None:
    """Names, order and types of the feature table."""
    fields = [(field.name, field.dataType.simpleString()) for field in feature_columns(on_spark(spark, [])).schema.fields]
    integers = [(name, "int") for name in ("pickup_hour", "pickup_dayofweek", "pickup_month", "is_weekend", "is_rush_hour")]
    doubles = [("trip_distance", "double"), *integers, ("fare_amount", "double")]
    assert fields == [("trip_id", "string"), ("pickup_datetime", "timestamp"), *doubles, ("split", "string")]
    assert tuple(name for name, _ in fields) == TABLE_COLUMNS


def test_a_missing_column_is_named(spark: "SparkSession") -> None:
    """The error names the table, the column, its type and what was found."""
    with pytest.raises(
        MissingColumnError, match=r"samples\.nyctaxi\.trips: column 'pickup_zip' is missing; expected type int; found columns: tpep_"
    ):
        feature_columns(on_spark(spark, []).drop("pickup_zip"), "samples.nyctaxi.trips")
