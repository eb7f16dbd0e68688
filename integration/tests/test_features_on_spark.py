"""The Spark and SQL forms of the feature rules against plain Python and pandas, on a real Spark (fixture `spark`: a Connect session)."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving_client import ScoringSql
from taxi_fare_features import (
    FEATURE_COLUMNS,
    FEATURES,
    FILTERS,
    KEY,
    REQUEST_COLUMNS,
    RULES,
    SOURCE_COLUMNS,
    TABLE_COLUMNS,
    TIME,
    MissingColumnError,
    Rules,
    feature_columns,
    feature_frame,
    feature_row,
    feature_sql,
    filter_sql,
    named_struct_sql,
    passes_filters,
    trip_id,
)
from taxi_fare_features.keys import Value
from taxi_fare_features.rules import PICKUP, Between, Copied, Feature, OneIf, Present, TimePart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = [pytest.mark.engine, pytest.mark.property]

Trip = dict[str, Value]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCHEMA = ", ".join(f"{column.name} {'bigint' if column.type == 'timestamp' else column.type}" for column in SOURCE_COLUMNS)
# Doubles whose printed form differs between engines or ages of Java, besides the edges.
AWKWARD = (0.0, -0.0, 2e-3, 2.2e-322, 2.0**-44, 1e23, 9007199254740993.0, 0.1 + 0.2, 199.99999999999997, math.inf, -math.inf, math.nan)
ZONES = ("UTC", "America/New_York", "Asia/Kolkata")
# Other rules than ours, under which also NULL, NaN, infinities and -0.0 come into the table.
OTHERS = Rules(
    (
        Feature("fare", "double", Copied("fare_amount")),
        Feature("month", "int", TimePart("tpep_pickup_datetime", "month")),
        Feature("is_night", "int", OneIf(TimePart("tpep_pickup_datetime", "hour"), (0, 1, 2, 3, 22, 23))),
        Feature("is_sunday", "int", OneIf(TimePart("tpep_pickup_datetime", "dayofweek"), (1,))),
    ),
    (Present("tpep_pickup_datetime"),),
)
# Both ends of the calendar, a leap day, the last microsecond before 1970, hours that New York's clocks skip and repeat.
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
USUAL: Trip = {
    "tpep_pickup_datetime": datetime(2016, 2, 13, 9, 47, 53, tzinfo=UTC),
    "tpep_dropoff_datetime": datetime(2016, 2, 13, 9, 57, 15, tzinfo=UTC),
    "trip_distance": 2.3,
    "fare_amount": 8.0,
    "pickup_zip": 10103,
    "dropoff_zip": 10110,
}
# Trips of which nearly all are kept.
usable = st.fixed_dictionaries(
    {
        "tpep_pickup_datetime": moments,
        "tpep_dropoff_datetime": st.none() | moments,
        "trip_distance": st.floats(0, 30) | st.sampled_from([5e-324, 1.7976931348623157e308]),
        "fare_amount": st.floats(0, 200),
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


def table(frame: "DataFrame", rules: Rules = RULES) -> dict[str, dict[str, Value]]:
    from pyspark.sql import functions as f

    rows = [comparable(row.asDict()) for row in feature_columns(frame, rules=rules).withColumn(TIME, f.unix_micros(TIME)).collect()]
    return by_key(rows)


def by_key(rows: list[dict[str, Value]]) -> dict[str, dict[str, Value]]:
    keyed = {str(row[KEY]): row for row in rows}
    assert len(keyed) == len(rows), "keys are unique"
    return keyed


def comparable(row: dict[str, Value]) -> dict[str, Value]:
    """Return the row with moments as numbers and every NaN as one text, which equals itself."""
    return {name: "NaN" if isinstance(value, float) and math.isnan(value) else micros(value) for name, value in row.items()}


def plain(rows: list[Trip], rules: Rules = RULES) -> dict[str, dict[str, Value]]:
    return by_key([comparable(feature_row(row, rules=rules)) for row in rows if passes_filters(row, rules=rules)])


def in_pandas(rows: list[Trip]) -> dict[str, dict[str, Value]]:
    types = {"timestamp": "datetime64[us]", "double": "float64", "int": "Int32"}
    naive = [{name: value.replace(tzinfo=None) if isinstance(value, datetime) else value for name, value in row.items()} for row in rows]
    made = feature_frame(pd.DataFrame(naive).astype({column.name: types[column.type] for column in SOURCE_COLUMNS}))
    return by_key([{**row, TIME: micros(row[TIME].to_pydatetime().replace(tzinfo=UTC))} for row in records(made)])


def records(made: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in made.to_dict("records")]


def drawn(count: int) -> list[Trip]:
    """Return many trips at once: a call of Spark costs the same for one and for hundreds."""
    kept: dict[str, Trip] = {}

    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(trips | usable)
    def keep(trip: Trip) -> None:
        kept.setdefault(trip_id(trip), trip)

    keep()
    return list(kept.values())


@contextmanager
def time_zone(spark: "SparkSession", zone: str) -> Iterator[None]:
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        yield
    finally:
        spark.conf.set("spark.sql.session.timeZone", before)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(trips | usable, min_size=20, max_size=60, unique_by=trip_id))
def test_spark_and_plain_python_give_the_same_rows(spark: "SparkSession", rows: list[Trip]) -> None:
    """Filters, keys, features and split agree for every trip, whatever its numbers."""
    assert table(on_spark(spark, rows)) == plain(rows)


@pytest.mark.parametrize("zone", ZONES)
def test_f12_plain_python_pandas_spark_and_sql_give_the_same_rows_in_every_session(spark: "SparkSession", zone: str) -> None:
    """One definition, four forms, hundreds of drawn trips: a TIMESTAMP counts as its wall clock in UTC whatever the session's zone."""
    rows = drawn(500)
    expected = plain(rows)
    with time_zone(spark, zone):
        assert table(on_spark(spark, rows)) == expected
        assert in_sql(spark, rows, RULES) == sorted(features_of(row, RULES) for row in expected.values())
    assert in_pandas(rows) == expected
    assert len(expected) > 100


def in_sql(spark: "SparkSession", rows: list[Trip], rules: Rules) -> list[list[str]]:
    """Return the features that plain SQL makes, in an order of their own: SQL over the source has no key."""
    columns = ", ".join(f"{expression} AS {name}" for name, expression in feature_sql(rules=rules).items())
    query = f"SELECT {columns} FROM {{trips}} WHERE {filter_sql(rules=rules)}"  # noqa: S608 - text of the rules
    return sorted(features_of(comparable(row.asDict()), rules) for row in spark.sql(query, trips=on_spark(spark, rows)).collect())


def features_of(row: dict[str, Value], rules: Rules) -> list[str]:
    """Return the features as text that is different for different numbers, and that sorts."""
    return [repr(row[name]) for name in rules.feature_columns]


def test_f12_a_changed_definition_changes_spark_and_sql_too(spark: "SparkSession") -> None:
    """Under other rules all forms agree again, now also on trips with NULL, NaN, infinities and -0.0, and differ from ours."""
    edges = [{**USUAL, "fare_amount": fare, "pickup_zip": number} for number, fare in enumerate((None, *AWKWARD))]
    rows = drawn(300) + edges
    expected = plain(rows, OTHERS)
    assert table(on_spark(spark, rows), OTHERS) == expected
    assert in_sql(spark, rows, OTHERS) == sorted(features_of(row, OTHERS) for row in expected.values())
    assert {"NaN", None, math.inf, -math.inf} <= {row["fare"] for row in expected.values()}
    assert set(expected) > set(plain(rows))


def test_f12_a_copy_of_a_rule_with_another_bound_is_caught_on_spark(spark: "SparkSession") -> None:
    """Were a member or a bound typed again for Spark, and wrong, the comparison of forms would see it."""
    *others, rush_hour = FEATURES
    assert isinstance(rush_hour.definition, OneIf)
    typed_again = replace(rush_hour, definition=replace(rush_hour.definition, members=(7, 8, 16, 17, 18, 19)))
    wider = tuple(Between("fare_amount", 0.0, 200.5) if rule.source == "fare_amount" else rule for rule in FILTERS)
    dear = {**USUAL, "fare_amount": 200.0}
    frame = on_spark(spark, [USUAL, dear])
    assert table(frame) == plain([USUAL, dear])
    assert table(frame, Rules((*others, typed_again), FILTERS)) != plain([USUAL, dear])
    assert table(frame, Rules(FEATURES, wider)) != plain([USUAL, dear])


def test_f01_the_request_carries_every_double_bit_for_bit(spark: "SparkSession") -> None:
    """What `ai_query` writes as JSON reads back as the feature table's DOUBLE and INT; through FLOAT it would not."""
    made = feature_columns(on_spark(spark, [USUAL, *drawn(300)]))
    types = ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in made.select(*REQUEST_COLUMNS).schema.fields)
    back = f"from_json(to_json({named_struct_sql('made')}), '{types}') AS back"
    answers = made.alias("made").selectExpr(back, "CAST(trip_distance AS FLOAT) AS narrow", "*").collect()
    assert [list(row.back) for row in answers] == [[row[name] for name in REQUEST_COLUMNS] for row in answers]
    assert any(row.narrow != row.trip_distance for row in answers)
    assert types.startswith("trip_id string, trip_distance double, pickup_hour int, ")


def test_f12_the_request_is_the_one_that_serving_client_sends() -> None:
    """Nobody types the request's columns: from the rules' names follows the statement's `named_struct`, letter for letter."""
    sql = ScoringSql(endpoint="e", version="1", source="c.s.t", predictions="c.s.p", key=KEY, request_columns=FEATURE_COLUMNS)
    assert named_struct_sql("source") in sql.score()


def test_moments_beyond_pythons_calendar_are_as_in_pandas(spark: "SparkSession") -> None:
    """Where no datetime goes, Spark and pandas still agree: same keys, same hours, days and months, back to the ends of 64 bits."""
    years = [-200_000, -290_000, -45, 12_000, 20_000, 290_000]
    counts = [(year - 1970) * 31_556_952_000_000 + 86_399_999_999 * number for number, year in enumerate(years)]
    rows: list[Trip] = [{**USUAL, "tpep_dropoff_datetime": None, PICKUP: count} for count in counts]
    types = {"tpep_dropoff_datetime": "datetime64[us]", "pickup_zip": "int32", "dropoff_zip": "int32"}
    made = feature_frame(pd.DataFrame(rows).astype(types).assign(**{PICKUP: np.array(counts).view("datetime64[us]")}))
    assert table(on_spark(spark, rows)) == by_key([{**row, TIME: count} for row, count in zip(records(made), counts, strict=True)])


def test_exact_duplicates_are_numbered_and_stay_together(spark: "SparkSession") -> None:
    """Three copies give three keys, those of occurrence 0, 1 and 2, on one side of the split."""
    rows = table(on_spark(spark, [USUAL] * 3))
    assert set(rows) == {trip_id(USUAL, number) for number in range(3)}
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
    with pytest.raises(MissingColumnError, match="nyctaxi: column 'pickup_zip' is missing; expected type int; found columns: tpep_"):
        feature_columns(on_spark(spark, []).drop("pickup_zip"), "nyctaxi")


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        pytest.param("CAST(tpep_pickup_datetime AS TIMESTAMP_NTZ) AS tpep_pickup_datetime", "timestamp_ntz", id="TIMESTAMP_NTZ"),
        pytest.param("CAST(trip_distance AS FLOAT) AS trip_distance", "float", id="FLOAT"),
        pytest.param("CAST(fare_amount AS DECIMAL(8,2)) AS fare_amount", "decimal\\(8,2\\)", id="DECIMAL"),
        pytest.param("CAST(pickup_zip AS BIGINT) AS pickup_zip", "bigint", id="BIGINT"),
    ],
)
def test_a_column_of_another_type_is_refused(spark: "SparkSession", changed: str, found: str) -> None:
    """What a cast makes of TIMESTAMP_NTZ depends on the session, of FLOAT it is another number: refused by name, before any job runs."""
    name = changed.rpartition(" AS ")[2]
    others = [column.name for column in SOURCE_COLUMNS if column.name != name]
    with pytest.raises(MissingColumnError, match=f"trips: column '{name}' is {found}; expected type .*; cast or rename it in the source"):
        feature_columns(on_spark(spark, []).selectExpr(changed, *others), "trips")


def test_no_rows_and_rows_of_nulls_come_to_an_empty_table(spark: "SparkSession") -> None:
    """No usable trip is no error."""
    assert table(on_spark(spark, [])) == {}
    assert table(on_spark(spark, [dict.fromkeys(column.name for column in SOURCE_COLUMNS)] * 3)) == {}
