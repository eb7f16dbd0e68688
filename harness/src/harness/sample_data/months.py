"""Synthetic trips of a month, and what may change about the world from one month to the next."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from harness.errors import UserError
from harness.sample_data.model import SCHEMA
from harness.sample_data.trips import generate

# In a demand shock a trip of so many miles or more is left out so many times less often: who stays home saves the short hops.
_LONG_MILES, _LONG_WEIGHT = 3.0, 4.0


@dataclass(frozen=True, slots=True)
class World:
    """How a month differs from what the trips are calibrated on.

    Attributes:
        fares: what a trip costs, as a multiple.
        demand: the share of trips that still happen, from 0 (none) to 1; long trips stay more often than short ones.
    """

    fares: float = 1.0
    demand: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.fares < 10:
            raise UserError(f"fares are {self.fares} times the usual; expected a factor above 0 and below 10")
        if not 0 < self.demand <= 1:
            raise UserError(f"demand is {self.demand} of the usual; expected a share above 0, up to 1")


def month_of(trips: pa.Table, month: dt.date, world: World | None = None, seed: int = 0) -> pa.Table:
    """Return the trips, spread over the days of `month` in the order of their own days, as they would be in that `world`.

    Hour, duration, distance and zips stay; the trips themselves are left as they are.
    """
    changed = world or World()
    days = _days_of(month)
    pickups = trips["tpep_pickup_datetime"].to_numpy().astype("datetime64[us]")
    dropoffs = trips["tpep_dropoff_datetime"].to_numpy().astype("datetime64[us]")
    numbers = pickups.astype("datetime64[D]").astype(np.int64)
    first, last = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, 0)
    target = np.datetime64(month.replace(day=1)) + (numbers - first) * days // (last - first + 1)
    moved = (target - pickups.astype("datetime64[D]")).astype("timedelta64[us]")
    columns = {
        "tpep_pickup_datetime": pickups + moved,
        "tpep_dropoff_datetime": dropoffs + moved,
        "fare_amount": (trips["fare_amount"].to_numpy() * changed.fares).round(2),
    }
    shifted = pa.table(
        [pa.array(columns[field.name]).cast(field.type) if field.name in columns else trips[field.name] for field in SCHEMA], schema=SCHEMA
    )
    return shifted if changed.demand == 1 else _still_happening(shifted, changed.demand, seed)


def generate_month(month: dt.date, rows: int, *, seed: int, world: World | None = None) -> pa.Table:
    """Return `rows` usual trips of the month as they would be in that `world`: equal arguments, equal tables."""
    return month_of(generate(rows, seed), month, world, seed)


def _days_of(month: dt.date) -> int:
    first = month.replace(day=1)
    return ((first + dt.timedelta(days=31)).replace(day=1) - first).days


def _still_happening(trips: pa.Table, demand: float, seed: int) -> pa.Table:
    weights = np.where(trips["trip_distance"].to_numpy() >= _LONG_MILES, _LONG_WEIGHT, 1.0)
    kept = np.random.default_rng(seed).choice(len(weights), round(demand * len(weights)), replace=False, p=weights / weights.sum())
    return trips.take(pa.array(np.sort(kept)))
