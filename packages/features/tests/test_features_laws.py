"""Laws of the feature rules."""

import struct
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_fare_features import TABLE_COLUMNS, TIME, feature_frame, feature_row, passes_filters, trip_id
from taxi_fare_features.keys import Value, xxhash64_of_double

pytestmark = pytest.mark.property

Trip = dict[str, Value]

# Edges of calendars and clocks: both ends of what Python holds, leap days, hours that daylight saving skips or repeats, microseconds.
EDGES = (
    datetime(1, 1, 1),  # noqa: DTZ001 - the source holds wall clocks
    datetime(9999, 12, 31, 23, 59, 59, 999_999),  # noqa: DTZ001
    datetime(2016, 2, 29, 23, 59, 59, 999_999),  # noqa: DTZ001
    datetime(1900, 2, 28, 12),  # noqa: DTZ001
    datetime(1969, 12, 31, 23, 59, 59, 999_999),  # noqa: DTZ001
    datetime(2016, 3, 13, 2, 30),  # noqa: DTZ001
    datetime(2016, 11, 6, 1, 30),  # noqa: DTZ001
)
moments = st.datetimes() | st.sampled_from(EDGES)
zips = st.none() | st.integers(0, 99_999)
numbers = st.none() | st.floats() | st.floats(0, 250).map(lambda fare: round(fare, 2))
trips = st.fixed_dictionaries(
    {
        "tpep_pickup_datetime": st.none() | moments,
        "tpep_dropoff_datetime": st.none() | moments,
        "trip_distance": numbers,
        "fare_amount": numbers,
        "pickup_zip": zips,
        "dropoff_zip": zips,
    }
)
TYPES = {
    "tpep_pickup_datetime": "datetime64[us]",
    "tpep_dropoff_datetime": "datetime64[us]",
    "trip_distance": "float64",
    "fare_amount": "float64",
    "pickup_zip": "Int32",
    "dropoff_zip": "Int32",
}


def frame(rows: list[Trip]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(TYPES)).astype(TYPES)


@settings(max_examples=40, deadline=None)
@given(st.lists(trips, max_size=6, unique_by=trip_id))
def test_the_frame_form_equals_the_plain_form(rows: list[Trip]) -> None:
    """Row by row, filters, keys, features and split are the same."""
    expected = [feature_row(row) for row in rows if passes_filters(row)]
    assert feature_frame(frame(rows)).to_dict("records") == expected


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28)),  # noqa: DTZ001 - hypothesis wants naive bounds
    st.sampled_from(["America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "Europe/London"]),
)
def test_an_instant_is_the_same_trip_whatever_zone_writes_it(wall_clock: datetime, zone: str) -> None:
    """Also in the hours that a clock change skips or repeats: what counts is the wall clock in UTC."""
    here = wall_clock.replace(tzinfo=UTC)
    there = here.astimezone(ZoneInfo(zone))
    rows = [{**usual(), "tpep_pickup_datetime": moment} for moment in (wall_clock, here, there)]
    known = [{name: value for name, value in feature_row(row).items() if name != TIME} for row in rows]
    assert known[0] == known[1] == known[2]


def usual() -> Trip:
    return {"tpep_dropoff_datetime": None, "trip_distance": 1.4, "fare_amount": 8.0, "pickup_zip": 1, "dropoff_zip": 2}


@settings(max_examples=40, deadline=None)
@given(st.lists(trips, max_size=6), st.integers(0, 2**32 - 1))
def test_row_order_does_not_matter(rows: list[Trip], seed: int) -> None:
    """A shuffled source gives the same rows, key for key, duplicates included."""
    doubled = frame(rows + rows)
    shuffled = doubled.sample(frac=1.0, random_state=seed)
    one, other = (feature_frame(each).sort_values("trip_id", ignore_index=True) for each in (doubled, shuffled))
    pd.testing.assert_frame_equal(one, other)
    assert one["trip_id"].is_unique
    assert list(one.columns) == list(TABLE_COLUMNS)


@given(st.floats(), st.floats())
def test_different_doubles_have_different_texts(one: float, other: float) -> None:
    """xxhash64 of one word loses nothing: equal hashes mean equal bits, up to the sign of zero and the kind of NaN."""
    same = struct.pack("<d", one + 0.0) == struct.pack("<d", other + 0.0) or (one != one and other != other)  # noqa: PLR0124 - NaN
    assert (xxhash64_of_double(one) == xxhash64_of_double(other)) is same
