"""Synthetic trips that look to a model as the real ones do."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harness.sample_data import calibration as real
from harness.sample_data.model import SCHEMA

ROWS = 10_000
SEED = 42

Floats = npt.NDArray[np.float64]
Moments = npt.NDArray[np.datetime64]


def generate(rows: int = ROWS, seed: int = SEED) -> pa.Table:
    """Return `rows` trips in the columns and types of `samples.nyctaxi.trips`; equal arguments give equal tables.

    A model tuned on them errs as much as one tuned on the real trips; one row in 250 fails the feature filters, as there.
    """
    draws = np.random.default_rng(seed)
    pickups = _pickups(draws, rows)
    distances = np.exp(np.interp(draws.random(rows), real.DISTANCE_SHARES, np.log(real.DISTANCES))).round(2)
    minutes = _minutes(draws, pickups, distances)
    fares, flat = _fares(draws, distances, minutes)
    pickup_zips, dropoff_zips = (draws.choice(real.ZIPS, rows, p=real.ZIP_WEIGHTS / real.ZIP_WEIGHTS.sum()) for _ in range(2))
    pickup_zips[flat] = real.JFK_ZIP
    _spoil(draws, distances, fares)
    seconds = (minutes * 60).round().astype("timedelta64[s]")
    dropoffs = pickups + seconds
    columns = [pickups.astype("datetime64[us]"), dropoffs.astype("datetime64[us]"), distances, fares, pickup_zips, dropoff_zips]
    return pa.table([pa.array(values).cast(field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def _pickups(draws: np.random.Generator, rows: int) -> Moments:
    days = real.FIRST_DAY + np.arange(real.DAYS)
    weights = real.WEEKDAYS[_weekday(days)]
    february = days >= np.datetime64("2016-02-01")
    for month, share in ((february, real.FEBRUARY_SHARE), (~february, 1 - real.FEBRUARY_SHARE)):
        weights[month] *= share / weights[month].sum()
    day = draws.choice(days, rows, p=weights)
    hour = draws.choice(24, rows, p=real.HOURS / real.HOURS.sum())
    moments: Moments = day.astype("datetime64[s]") + (hour * 3600 + draws.integers(0, 3600, rows)).astype("timedelta64[s]")
    return moments


def _weekday(days: Moments) -> npt.NDArray[np.int64]:
    """Return Monday = 0 … Sunday = 6; the epoch began on a Thursday."""
    weekdays: npt.NDArray[np.int64] = (days.astype("datetime64[D]").astype(np.int64) + 3) % 7
    return weekdays


def _minutes(draws: np.random.Generator, pickups: Moments, distances: Floats) -> Floats:
    hours = pickups.astype("datetime64[h]").astype(np.int64) % 24
    usual = np.interp(np.log(distances), np.log(real.SPEED_DISTANCES), np.log(real.SPEEDS)) + real.HOUR_SHIFTS[hours]
    shift = np.where(_weekday(pickups) >= 5, real.WEEKEND_SHIFT, real.WEEKDAY_SHIFT)
    speeds = np.exp(usual + shift + draws.normal(0, real.SPEED_SPREAD, distances.size))
    minutes: Floats = distances / speeds * 60
    return minutes


def _fares(draws: np.random.Generator, distances: Floats, minutes: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return what the meter shows, and which trips have the one price of JFK airport."""
    steps = real.STEPS_A_MILE * distances + real.STEPS_A_MINUTE * minutes + draws.normal(0, real.STEP_SPREAD, distances.size)
    metered = real.START + real.STEP * np.floor(np.maximum(steps, 0))
    flat = draws.random(distances.size) < np.interp(distances, real.JFK_DISTANCES, real.JFK_SHARES)
    return np.where(flat, real.JFK_FARE, np.minimum(metered, 150.0)), flat


def _spoil(draws: np.random.Generator, distances: Floats, fares: Floats) -> None:
    """Give the two columns, which nobody else holds yet, their share of rows that fail the filters."""
    counts = [round(share * distances.size / 10_000) for share in (real.NO_DISTANCE, real.NO_FARE, real.HUGE_FARE)]
    spoilt = draws.permutation(distances.size)[: sum(counts)]
    no_distance, no_fare, huge = np.split(spoilt, np.cumsum(counts)[:-1])
    distances[no_distance] = 0.0
    fares[no_distance] = draws.choice([real.START, real.JFK_FARE], no_distance.size, p=[0.75, 0.25])
    fares[no_fare] = draws.choice([0.0, -4.0, -8.0], no_fare.size)
    fares[huge] = draws.choice([260.0, 275.0], huge.size)
