"""Synthetic months, and the worlds that they are of."""

import datetime as dt

import numpy as np
import pyarrow.compute as pc
import pytest

from harness.errors import UserError
from harness.sample_data import SCHEMA, World, generate, generate_month

FEBRUARY = dt.date(2020, 2, 1)


def test_trips_fall_on_every_day_of_their_month() -> None:
    """Columns and types are those of the table; the hours and how long a trip takes stay."""
    trips, usual = generate_month(FEBRUARY, 2_000, seed=7), generate(2_000, 7)
    pickups = trips["tpep_pickup_datetime"]

    assert trips.schema == SCHEMA
    assert sorted(set(pickups.to_numpy().astype("datetime64[D]").astype(str))) == [f"2020-02-{day:02}" for day in range(1, 30)]
    assert pc.hour(pickups).to_pylist() == pc.hour(usual["tpep_pickup_datetime"]).to_pylist()
    durations = [pc.subtract(each["tpep_dropoff_datetime"], each["tpep_pickup_datetime"]).to_pylist() for each in (trips, usual)]
    assert durations[0] == durations[1]


def test_a_fare_rise_changes_the_fares_alone() -> None:
    """Every fare is a tenth dearer, to the cent; everything else is as it was."""
    usual, dear = generate_month(FEBRUARY, 500, seed=3), generate_month(FEBRUARY, 500, seed=3, world=World(fares=1.1))

    assert dear["fare_amount"].to_pylist() == [round(fare * 1.1, 2) for fare in usual["fare_amount"].to_pylist()]
    assert dear.drop_columns(["fare_amount"]) == usual.drop_columns(["fare_amount"])


def test_a_shock_leaves_fewer_trips_and_longer_ones() -> None:
    """A quarter of the trips remain, all of them such as would have been; they are longer on average."""
    usual, shocked = generate_month(FEBRUARY, 2_000, seed=3), generate_month(FEBRUARY, 2_000, seed=3, world=World(demand=0.25))

    assert shocked.num_rows == 500
    assert {tuple(row.values()) for row in shocked.to_pylist()} <= {tuple(row.values()) for row in usual.to_pylist()}
    assert np.mean(shocked["trip_distance"].to_numpy()) > 1.3 * np.mean(usual["trip_distance"].to_numpy())


def test_equal_arguments_give_equal_months() -> None:
    """And another seed another month."""
    world = World(fares=1.2, demand=0.5)

    assert generate_month(FEBRUARY, 300, seed=1, world=world) == generate_month(FEBRUARY, 300, seed=1, world=world)
    assert generate_month(FEBRUARY, 300, seed=2, world=world) != generate_month(FEBRUARY, 300, seed=1, world=world)
    assert generate_month(FEBRUARY, 0, seed=1).num_rows == 0


@pytest.mark.parametrize(
    ("fares", "demand", "message"),
    [
        pytest.param(0.0, 1.0, "fares are 0.0 times the usual; expected a factor above 0 and below 10", id="free rides"),
        pytest.param(1.0, 0.0, "demand is 0.0 of the usual; expected a share above 0, up to 1", id="nobody"),
        pytest.param(1.0, 1.5, "demand is 1.5 of the usual; expected a share above 0, up to 1", id="more than all"),
    ],
)
def test_a_world_that_cannot_be_is_refused(fares: float, demand: float, message: str) -> None:
    """With what was given and what was expected."""
    with pytest.raises(UserError, match=message):
        World(fares=fares, demand=demand)
