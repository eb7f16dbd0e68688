"""Synthetic trips for the package's tests."""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest


def synthetic_trips(count: int, seed: int) -> pd.DataFrame:
    """Return trips whose fare is mostly a matter of distance."""
    draws = np.random.default_rng(seed)
    starts = [datetime(2016, 1, 1) + timedelta(minutes=int(minute)) for minute in draws.integers(0, 60 * 24 * 59, count)]  # noqa: DTZ001 - wall clocks
    distances = draws.gamma(2.0, 1.5, count).round(2) + 0.1
    return pd.DataFrame(
        {
            "tpep_pickup_datetime": pd.Series(starts).astype("datetime64[us]"),
            "tpep_dropoff_datetime": (pd.Series(starts) + timedelta(minutes=9)).astype("datetime64[us]"),
            "trip_distance": distances,
            "fare_amount": (2.5 + 2.8 * distances + draws.normal(0, 1, count).clip(-2, 2)).round(2),
            "pickup_zip": draws.integers(10001, 10040, count).astype("int32"),
            "dropoff_zip": draws.integers(10001, 10040, count).astype("int32"),
        }
    )


@pytest.fixture
def make_trips() -> Callable[[int, int], pd.DataFrame]:
    """Return a maker of synthetic trips: count, seed."""
    return synthetic_trips
