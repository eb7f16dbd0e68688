"""What the rules say about single trips, with literal expectations."""

from datetime import UTC, datetime, timedelta, timezone
from types import ModuleType

import pandas as pd
import pytest

import taxi_fare_features
from taxi_fare_features import (
    FEATURE_COLUMNS,
    REQUEST_COLUMNS,
    TABLE_COLUMNS,
    MissingColumnError,
    feature_frame,
    feature_row,
    passes_filters,
    trip_id,
)
from taxi_fare_features.keys import Value, xxhash64_of_double
from taxi_fare_features.rules import check_columns


def trip(**changes: Value) -> dict[str, Value]:
    usual: dict[str, Value] = {
        "tpep_pickup_datetime": datetime(2016, 2, 13, 21, 47, 53),  # noqa: DTZ001 - the source holds wall clocks
        "tpep_dropoff_datetime": datetime(2016, 2, 13, 21, 57, 15),  # noqa: DTZ001 - the source holds wall clocks
        "trip_distance": 1.4,
        "fare_amount": 8.0,
        "pickup_zip": 10103,
        "dropoff_zip": 10110,
    }
    return usual | changes


def picked_up(day: int, hour: int) -> dict[str, Value]:
    return trip(tpep_pickup_datetime=datetime(2016, 2, day, hour))  # noqa: DTZ001 - the source holds wall clocks


def test_all_lists_every_public_name_in_order() -> None:
    """`__all__` is what the package's `__init__` imports."""
    public = {name for name, value in vars(taxi_fare_features).items() if not name.startswith("_") and not isinstance(value, ModuleType)}
    assert set(taxi_fare_features.__all__) == public


def test_a_row_has_the_feature_tables_columns() -> None:
    """The first row of the real table becomes this row, key and split included."""
    assert feature_row(trip()) == {
        "trip_id": "a473542532a9d0720a6b8cc6f45af54a621f5b9617cfa9050646996c78eb9628",
        "pickup_datetime": datetime(2016, 2, 13, 21, 47, 53),  # noqa: DTZ001 - the source holds wall clocks
        "trip_distance": 1.4,
        "pickup_hour": 21,
        "pickup_dayofweek": 7,
        "pickup_month": 2,
        "is_weekend": 1,
        "is_rush_hour": 0,
        "fare_amount": 8.0,
        "split": "train",
    }
    assert tuple(feature_row(trip())) == TABLE_COLUMNS


def test_the_request_is_the_key_and_the_features() -> None:
    """The key travels with the features and with nothing else."""
    assert REQUEST_COLUMNS == ("trip_id", "trip_distance", "pickup_hour", "pickup_dayofweek", "pickup_month", "is_weekend", "is_rush_hour")
    assert REQUEST_COLUMNS[1:] == FEATURE_COLUMNS


@pytest.mark.parametrize(
    ("day", "expected"),
    [pytest.param(13, (7, 1), id="saturday"), pytest.param(14, (1, 1), id="sunday"), pytest.param(15, (2, 0), id="monday")],
)
def test_weekend_is_saturday_and_sunday_and_weeks_start_on_sunday(day: int, expected: tuple[int, int]) -> None:
    """Days count from Sunday = 1."""
    row = feature_row(picked_up(day, 12))
    assert (row["pickup_dayofweek"], row["is_weekend"]) == expected


def test_rush_hours_are_seven_to_nine_and_sixteen_to_nineteen() -> None:
    """Both ends belong to the rush hour."""
    assert [hour for hour in range(24) if feature_row(picked_up(15, hour))["is_rush_hour"]] == [7, 8, 9, 16, 17, 18, 19]


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        pytest.param({}, True, id="ordinary"),
        pytest.param({"fare_amount": 0.0}, False, id="fare at lower bound"),
        pytest.param({"fare_amount": 0.01}, True, id="fare just above"),
        pytest.param({"fare_amount": 199.99}, True, id="fare just below"),
        pytest.param({"fare_amount": 200.0}, False, id="fare at upper bound"),
        pytest.param({"fare_amount": None}, False, id="no fare"),
        pytest.param({"trip_distance": 0.0}, False, id="no way"),
        pytest.param({"trip_distance": 0.01}, True, id="short way"),
        pytest.param({"trip_distance": float("nan")}, False, id="way is NaN"),
        pytest.param({"tpep_pickup_datetime": None}, False, id="no pick-up"),
        pytest.param({"dropoff_zip": None, "tpep_dropoff_datetime": None}, True, id="what no feature needs"),
    ],
)
def test_filters_keep_usable_trips_only(changes: dict[str, Value], kept: bool) -> None:  # noqa: FBT001 - a case's expectation
    """Fare strictly between 0 and 200, a distance above 0, a pick-up time."""
    assert passes_filters(trip(**changes)) is kept


def test_duplicates_differ_by_their_occurrence_only() -> None:
    """An exact duplicate has a key of its own and stays on the same side of the split."""
    first, second = feature_row(trip()), feature_row(trip(), 1)
    assert first["trip_id"] != second["trip_id"]
    assert first["split"] == second["split"]


@pytest.mark.parametrize("name", ["tpep_dropoff_datetime", "trip_distance", "pickup_zip", "dropoff_zip"])
def test_every_source_column_counts_in_the_key(name: str) -> None:
    """A trip without one of its values is another trip."""
    assert trip_id(trip(**{name: None})) != trip_id(trip())


def test_a_moment_counts_as_its_wall_clock_in_utc() -> None:
    """The same instant written in another zone is the same trip with the same features."""
    moment = datetime(2016, 2, 13, 23, 30, tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(hours=-5)))
    here, there = (feature_row(trip(tpep_pickup_datetime=written)) for written in (moment, elsewhere))
    assert here["trip_id"] == there["trip_id"]
    assert (there["pickup_hour"], there["pickup_dayofweek"]) == (23, 7)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(0.0, -5252525462095825812, id="zero"),
        pytest.param(1.4, 2968200795188687890, id="1.4"),
        pytest.param(float("inf"), 5810986238603807492, id="infinity"),
        pytest.param(float("nan"), -3127944061524951246, id="NaN"),
    ],
)
def test_xxhash64_is_sparks(value: float, expected: int) -> None:
    """The numbers are what Spark 4.2 answers to `SELECT xxhash64(…)`."""
    assert xxhash64_of_double(value) == expected


def test_negative_zero_hashes_as_zero() -> None:
    """-0.0 = 0.0, so they are one value."""
    assert xxhash64_of_double(-0.0) == xxhash64_of_double(0.0)


def test_a_missing_column_is_named_with_its_table_and_what_was_found() -> None:
    """The message says where, what, expected, found and what to do."""
    with pytest.raises(MissingColumnError) as error:
        check_columns("samples.nyctaxi.trips", [("tpep_pickup_datetime", "timestamp"), ("fare", "double")])
    assert str(error.value) == (
        "samples.nyctaxi.trips: column 'tpep_dropoff_datetime' is missing; expected type timestamp; "
        "found columns: tpep_pickup_datetime timestamp, fare double; cast or rename it in the source"
    )


def test_a_column_of_another_type_is_refused() -> None:
    """A TIMESTAMP_NTZ would follow other rules: it is named, not guessed at."""
    with pytest.raises(MissingColumnError, match="'tpep_pickup_datetime' is timestamp_ntz; expected type timestamp"):
        check_columns("t", [("tpep_pickup_datetime", "timestamp_ntz")])


def test_a_frame_is_not_changed() -> None:
    """The caller's frame is as it was."""
    trips = pd.DataFrame([trip(), trip(fare_amount=-1.0)]).astype({"pickup_zip": "int32", "dropoff_zip": "int32"})
    before = trips.copy(deep=True)
    assert len(feature_frame(trips)) == 1
    pd.testing.assert_frame_equal(trips, before)


def test_a_fifth_of_the_trips_is_for_testing() -> None:
    """80/20 over ten thousand trips that differ in their distance only."""
    splits = [feature_row(trip(trip_distance=number / 100))["split"] for number in range(1, 10_001)]
    assert 1900 < splits.count("test") < 2100
