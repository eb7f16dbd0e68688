"""Keys and splits of many trips at once: the texts of `keys.py`, made column by column."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from taxi_fare_features.keys import SEPARATOR, key_of, split_of_key, xxhash64
from taxi_fare_features.rules import SOURCE_COLUMNS, Column

# Rows whose texts are made at once: enough for numpy, too few for memory to matter.
_BLOCK = 50_000


def keys_and_splits(trips: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the key and the split of each trip, copies numbered in their order; moments are wall clocks in UTC, without a zone."""
    seen: dict[str, int] = {}
    keys, splits = [], []
    for text in trip_texts(trips):
        first = key_of(text, 0)
        occurrence = seen.get(first, 0)
        seen[first] = occurrence + 1
        keys.append(key_of(text, occurrence) if occurrence else first)
        splits.append(split_of_key(first))
    return keys, splits


def trip_texts(trips: pd.DataFrame) -> Iterator[str]:
    """Yield the canonical text of each trip, in order; a NaN of a frame is a missing value."""
    for start in range(0, len(trips), _BLOCK):
        block = trips.iloc[start : start + _BLOCK]
        yield from map(SEPARATOR.join, zip(*(_texts(block[column.name], column) for column in SOURCE_COLUMNS), strict=True))


def _texts(values: pd.Series, column: Column) -> list[str]:
    texts = list(map(str, _numbers(values, column).tolist()))
    for row in np.flatnonzero(values.isna()):
        texts[row] = ""
    return texts


def _numbers(values: pd.Series, column: Column) -> NDArray[np.int64]:
    """Return what stands for each value in its text; of missing values, any number."""
    match column.type:
        case "timestamp":
            return values.to_numpy("datetime64[us]").view(np.int64)
        case "double":
            bits = (values.to_numpy(np.float64) + 0.0).view(np.uint64)
            return xxhash64(bits).view(np.int64)
        case "int":
            return values.to_numpy(np.int64, na_value=0)
