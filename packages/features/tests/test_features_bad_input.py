"""What unfit trips come to: a message that says where and what, or no rows."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from taxi_fare_features import SOURCE_COLUMNS, TABLE_COLUMNS, MissingColumnError, feature_frame, feature_row, passes_filters, trip_id
from taxi_fare_features.keys import Value

DTYPES = {"timestamp": "datetime64[us]", "double": "float64", "int": "Int32"}
TYPES = {column.name: DTYPES[column.type] for column in SOURCE_COLUMNS}


def trip(**changes: Value) -> dict[str, Value]:
    moment = datetime(2016, 2, 13, 21, 47, 53, tzinfo=UTC)
    usual: dict[str, Value] = {"tpep_pickup_datetime": moment, "tpep_dropoff_datetime": moment, "trip_distance": 1.4, "fare_amount": 8.0}
    return {**usual, "pickup_zip": 10103, "dropoff_zip": 10110} | changes


def frame(*rows: dict[str, Value]) -> pd.DataFrame:
    naive = [{name: value.replace(tzinfo=None) if isinstance(value, datetime) else value for name, value in row.items()} for row in rows]
    return pd.DataFrame(naive, columns=list(TYPES)).astype(TYPES)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="no rows"),
        pytest.param([dict.fromkeys(TYPES, None)], id="only nulls"),
        pytest.param([trip(fare_amount=-8.0), trip(trip_distance=None)], id="none usable"),
    ],
)
def test_a_frame_without_usable_trips_is_an_empty_feature_table(rows: list[dict[str, Value]]) -> None:
    """Columns and types are there, rows are not; nothing fails."""
    made = feature_frame(frame(*rows))
    assert (len(made), tuple(made.columns)) == (0, TABLE_COLUMNS)
    assert made["is_weekend"].dtype == "int32"
    assert made["pickup_datetime"].dtype == "datetime64[us]"


@pytest.mark.parametrize("column", SOURCE_COLUMNS, ids=lambda column: column.name)
def test_each_column_that_a_frame_lacks_is_named(column: Any) -> None:
    """Also those that only the key needs."""
    with pytest.raises(MissingColumnError, match=f"trips of May: column '{column.name}' is missing; expected type {column.type}; found"):
        feature_frame(frame(trip()).drop(columns=column.name), "trips of May")


@pytest.mark.parametrize(
    ("column", "dtype", "found"),
    [
        pytest.param("tpep_pickup_datetime", "object", "object", id="moments as objects"),
        pytest.param("tpep_pickup_datetime", "int64", "int64", id="moments as numbers"),
        pytest.param("trip_distance", "float32", "float32", id="float"),
        pytest.param("fare_amount", "str", "object", id="text"),
        pytest.param("pickup_zip", "int64", "int64", id="bigint"),
        pytest.param("dropoff_zip", "float64", "double", id="whole numbers with NaN"),
    ],
)
def test_a_frames_column_of_another_type_is_refused(column: str, dtype: str, found: str) -> None:
    """Nothing is cast silently."""
    with pytest.raises(MissingColumnError, match=f"column '{column}' is {found}; expected type "):
        feature_frame(frame(trip()).astype({column: dtype}))


def test_a_column_that_is_there_twice_is_refused() -> None:
    """Which of the two is meant is not guessed."""
    trips = frame(trip())
    twice = pd.concat([trips, trips[["fare_amount"]]], axis="columns")
    with pytest.raises(MissingColumnError, match="column 'fare_amount' is double and double; expected type double"):
        feature_frame(twice)


def test_an_index_with_repeated_labels_is_kept() -> None:
    """Rows are matched by place, not by label."""
    trips = frame(trip(), trip(fare_amount=-1.0), trip(fare_amount=9.0)).set_axis([5, 5, 5])
    made = feature_frame(trips)
    assert list(made.index) == [5, 5]
    assert list(made["fare_amount"]) == [8.0, 9.0]


@pytest.mark.parametrize("name", ["tpep_pickup_datetime", "trip_distance", "fare_amount"])
def test_a_trip_that_lacks_a_value_is_not_used(name: str) -> None:
    """NULL is an answer; an absent name is an error that names it."""
    assert not passes_filters(trip(**{name: None}))
    absent = {known: value for known, value in trip().items() if known != name}
    with pytest.raises(KeyError, match=name):
        passes_filters(absent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"fare_amount": "8.0"}, "expected a number, found '8.0'", id="text for a number"),
        pytest.param({"trip_distance": datetime(2016, 2, 13, tzinfo=UTC)}, "expected a number, found datetime", id="moment for a number"),
    ],
)
def test_a_trip_with_an_unfit_number_is_refused(changes: dict[str, Value], message: str) -> None:
    """The value is shown."""
    with pytest.raises(TypeError, match=message):
        passes_filters(trip(**changes))


@pytest.mark.parametrize("name", ["tpep_pickup_datetime", "tpep_dropoff_datetime"])
@pytest.mark.parametrize("moment", ["2016-02-13T21:47:53", 1.5e9, pd.NaT], ids=["text", "number", "NaT"])
def test_a_trip_with_an_unfit_moment_is_refused(name: str, moment: Any) -> None:
    """Only a datetime is a moment; pandas' NaT is none."""
    with pytest.raises(TypeError, match="expected a datetime, found "):
        feature_row(trip(**{name: moment}))


@pytest.mark.parametrize("value", ["10103", 10103.5, float("nan"), float("inf")], ids=str)
def test_a_trip_with_an_unfit_zip_is_refused(value: Any) -> None:
    """It would have the key of another trip, or of none."""
    with pytest.raises(TypeError, match="expected a whole number, found "):
        feature_row(trip(pickup_zip=value))


def test_a_zip_that_a_frame_made_another_number_is_the_same() -> None:
    """A column with NULLs has floats in pandas, one without has numpy's integers."""
    zips: list[Any] = [10103, 10103.0, frame(trip())["pickup_zip"].astype("int32")[0]]
    assert len({trip_id(trip(pickup_zip=value)) for value in zips}) == 1


@pytest.mark.parametrize(
    ("moment", "zone"),
    [
        pytest.param((1, 1, 1), "Asia/Kolkata", id="before year 1"),
        pytest.param((9999, 12, 31, 23), "America/New_York", id="after year 9999"),
    ],
)
def test_a_moment_beyond_pythons_calendar_is_refused(moment: tuple[int, int, int], zone: str) -> None:
    """Its wall clock in UTC has no datetime: the message says so."""
    with pytest.raises(ValueError, match="expected a wall clock in UTC within years 1 to 9999"):
        feature_row(trip(tpep_pickup_datetime=datetime(*moment, tzinfo=ZoneInfo(zone))))
