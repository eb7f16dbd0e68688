"""Laws of the feature rules: every form of one definition gives the same rows, for any trips and for any rules."""

import math
import struct
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from taxi_fare_features import (
    FEATURES,
    FILTERS,
    RULES,
    TABLE_COLUMNS,
    TIME,
    Rules,
    feature_frame,
    feature_row,
    passes_filters,
    trip_id,
)
from taxi_fare_features.frame_keys import trip_texts
from taxi_fare_features.keys import Value, trip_text, xxhash64_of_double
from taxi_fare_features.rules import PICKUP, Between, Copied, Feature, OneIf, Present, TimePart

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
ZONES = ["America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "Europe/London"]
AWKWARD = (0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308, 200.0, 199.99999999999997, -8.0, 2.3)
moments = st.datetimes() | st.sampled_from(EDGES)
# A day from the ends, so that every zone can write them; and years of which the zones' rules are known.
instants = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28)) | st.sampled_from(EDGES[2:])  # noqa: DTZ001
recent = st.datetimes(datetime(2015, 1, 1), datetime(2017, 12, 31)) | st.sampled_from(EDGES[5:])  # noqa: DTZ001
zips = st.none() | st.integers(-(2**31), 2**31 - 1)
numbers = st.none() | st.sampled_from(AWKWARD) | st.floats() | st.floats(0, 250).map(lambda fare: round(fare, 2))
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
# Trips of which most are kept, near the bounds of the filters.
usable: st.SearchStrategy[Trip] = st.fixed_dictionaries(
    {
        "tpep_pickup_datetime": moments,
        "tpep_dropoff_datetime": moments,
        "trip_distance": st.sampled_from([0.0, 5e-324, 1.4]) | st.floats(0, 30),
        "fare_amount": st.sampled_from([0.0, 200.0, 199.99999999999997]) | st.floats(0, 250),
        "pickup_zip": zips,
        "dropoff_zip": zips,
    }
)
parts = st.builds(TimePart, st.sampled_from([PICKUP]), st.sampled_from(["hour", "dayofweek", "month"]))
amounts = st.sampled_from(["trip_distance", "fare_amount"])
bounds = st.sampled_from(AWKWARD).filter(lambda bound: bound == bound)  # noqa: PLR0124 - NaN is no bound
definitions = st.builds(OneIf, parts, st.lists(st.integers(0, 23), min_size=1, max_size=9).map(tuple)) | parts
some_rules = st.builds(
    lambda whole, copied, filters: Rules(
        (
            *(Feature(f"whole_{number}", "int", definition) for number, definition in enumerate(whole)),
            *(Feature(f"copied_{number}", "double", Copied(source)) for number, source in enumerate(copied)),
        ),
        (Present(PICKUP), *filters),
    ),
    st.lists(definitions, max_size=4),
    st.lists(amounts, max_size=2),
    st.lists(st.builds(Between, amounts, bounds, bounds) | st.builds(Present, amounts | st.sampled_from(["pickup_zip"])), max_size=2),
)


def frame(rows: list[Trip]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(TYPES)).astype(TYPES)


def without_nan(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with None for NaN: a frame does not tell them apart."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def plain(rows: list[Trip], rules: Rules) -> list[dict[str, Any]]:
    """Return the feature table's rows by the plain form."""
    return [without_nan(feature_row(row, rules=rules)) for row in map(without_nan, rows) if passes_filters(row, rules=rules)]


def in_a_frame(rows: list[Trip], rules: Rules) -> list[dict[str, Any]]:
    """Return the feature table's rows by the pandas form."""
    made = feature_frame(frame(rows), rules=rules)
    return [without_nan({str(name): value for name, value in row.items()}) for row in made.to_dict("records")]


@settings(max_examples=40, deadline=None)
@given(st.lists(trips, max_size=6, unique_by=trip_id))
def test_the_frame_form_equals_the_plain_form(rows: list[Trip]) -> None:
    """Row by row, filters, keys, features and split are the same."""
    expected = [feature_row(row) for row in rows if passes_filters(row)]
    assert feature_frame(frame(rows)).to_dict("records") == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(trips, max_size=6, unique_by=lambda row: trip_id(without_nan(row))), some_rules)
def test_f12_a_rule_changed_in_the_definition_changes_plain_python_and_frames_alike(rows: list[Trip], rules: Rules) -> None:
    """Whatever the definition says, both forms interpret it and nothing else."""
    assert in_a_frame(rows, rules) == plain(rows, rules)


def with_members(name: str, members: tuple[int, ...]) -> Rules:
    """Return the rules with other members in one feature."""
    found = {feature.name: feature for feature in FEATURES}
    definition = found[name].definition
    assert isinstance(definition, OneIf)
    found[name] = replace(found[name], definition=replace(definition, members=members))
    return Rules(tuple(found.values()), FILTERS)


def with_filter(rule: Between) -> Rules:
    """Return the rules with another filter for the same column."""
    return Rules(FEATURES, tuple(rule if known.source == rule.source else known for known in FILTERS))


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(with_members("is_rush_hour", (7, 8, 16, 17, 18, 19)), id="rush hour ends too early"),
        pytest.param(with_members("is_weekend", (6, 7)), id="week counted from Monday"),
        pytest.param(with_filter(Between("fare_amount", 0.0, 200.00000000000003)), id="upper bound inclusive"),
        pytest.param(with_filter(Between("trip_distance", -5e-324, math.inf)), id="lower bound inclusive"),
    ],
)
def test_f12_a_copy_of_a_rule_with_another_bound_is_caught(copy: Rules) -> None:
    """The law of equality, tried on the rules and a faulty copy of them, finds a trip that the two see differently."""
    found = find(
        st.lists(usable, min_size=8, max_size=8, unique_by=trip_id),
        lambda rows: in_a_frame(rows, RULES) != plain(rows, copy),
        settings=settings(max_examples=500, deadline=None, derandomize=True, phases=[Phase.generate]),
    )
    assert in_a_frame(found, RULES) == plain(found, RULES)


@settings(max_examples=100, deadline=None)
@given(st.lists(trips, max_size=6))
def test_texts_made_by_column_are_those_made_by_trip(rows: list[Trip]) -> None:
    """Also of trips that no filter would keep: NULL, infinities, -0.0, negative zips, the ends of the calendar."""
    assert list(trip_texts(frame(rows))) == [trip_text(without_nan(row)) for row in rows]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=5))
def test_of_nanoseconds_the_microsecond_counts(nanoseconds: list[int]) -> None:
    """A frame in nanoseconds has the keys of the same moments in whole microseconds, rounded down, also before 1970."""
    fine = frame([usual()] * len(nanoseconds)).assign(**{PICKUP: np.array(nanoseconds).view("datetime64[ns]")})
    whole = fine.assign(**{PICKUP: np.array([number // 1000 for number in nanoseconds]).view("datetime64[us]")})
    assert list(feature_frame(fine)["trip_id"]) == list(feature_frame(whole)["trip_id"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=5))
def test_frames_hold_every_microsecond_of_64_bits(microseconds: list[int]) -> None:
    """Years far from those of Python's datetime: hour and day of the week follow from the count, as on Spark."""
    made = feature_frame(frame([usual()] * len(microseconds)).assign(**{PICKUP: np.array(microseconds).view("datetime64[us]")}))
    assert list(made["pickup_hour"]) == [number // 3_600_000_000 % 24 for number in microseconds]
    # 1970-01-01 was a Thursday, the fifth day.
    assert list(made["pickup_dayofweek"]) == [(number // 86_400_000_000 + 4) % 7 + 1 for number in microseconds]


@settings(max_examples=60, deadline=None)
@given(st.lists(instants, max_size=5, unique=True), st.sampled_from(ZONES))
def test_a_frame_with_a_time_zone_counts_in_utc(wall_clocks: list[datetime], zone: str) -> None:
    """A frame whose moments have a zone gives the plain form's rows of the same moments, skipped and repeated hours included."""
    there = [moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)) for moment in wall_clocks]
    rows = [{**usual(), PICKUP: moment} for moment in there]
    counted = pd.Series(np.array(wall_clocks, dtype="datetime64[us]")).dt.tz_localize("UTC").dt.tz_convert(zone)
    made = feature_frame(frame([usual()] * len(rows)).assign(**{PICKUP: counted})).drop(columns=TIME)
    expected = [{name: value for name, value in feature_row(row).items() if name != TIME} for row in rows]
    assert made.to_dict("records") == expected


@settings(max_examples=200, deadline=None)
@given(recent, st.sampled_from(ZONES), st.sampled_from([0, 1]))
def test_a_wall_clock_elsewhere_is_the_instant_that_its_zone_and_fold_say(wall_clock: datetime, zone: str, fold: int) -> None:
    """Of an hour that comes twice the first and the second are two trips; of one that is skipped there is one meaning, Python's."""
    there = wall_clock.replace(tzinfo=ZoneInfo(zone), fold=fold)
    offset = there.utcoffset()
    assert offset is not None
    known = {name: value for name, value in feature_row({**usual(), PICKUP: there}).items() if name != TIME}
    expected = feature_row({**usual(), PICKUP: wall_clock - offset})
    assert known == {name: value for name, value in expected.items() if name != TIME}


@settings(max_examples=60, deadline=None)
@given(instants, st.sampled_from(ZONES))
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
