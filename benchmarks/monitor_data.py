"""The table of `monitor.py`: rows of a served model by day, as Delta with its change feed on."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

DAY = 86_400_000_000
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NUMBERS = ("trip_distance", "pickup_hour", "prediction", "fare")


def write_table(path: Path, *, rows: int, days: int = 30, columns: int = 7, zones: int = 200) -> None:
    """Write so many rows over so many days, one day's files after the other's, as a table has them that is appended to."""
    feed = {"delta.enableChangeDataFeed": "true"}
    path.parent.mkdir(parents=True, exist_ok=True)
    batches = (one_day(rows // days, day, columns, zones) for day in range(days))
    first = next(batches)
    reader = pa.RecordBatchReader.from_batches(first.schema, (batch for table in (first, *batches) for batch in table.to_batches()))
    write_deltalake(path, reader, configuration=feed, target_file_size=8_000_000)


def append_day(path: Path, *, rows: int, day: int, columns: int = 7) -> None:
    """Append one day more."""
    write_deltalake(path, one_day(rows, day, columns), mode="append")


def one_day(rows: int, day: int, columns: int, zones: int = 200) -> pa.Table:
    """Return one day's rows: seven columns of several types, and as many more of doubles as are asked for."""
    random = np.random.default_rng(day)
    moments = np.sort(random.integers(0, DAY, rows)) + int(START.timestamp() * 1e6) + day * DAY
    names = np.array([f"zone {number:03}" for number in range(zones)])
    made = {
        "at": pa.array(moments, pa.timestamp("us", tz="UTC")),
        "model_version": pa.array(np.array(["1", "2"])[random.integers(0, 2, rows)]),
        "trip_distance": pa.array(random.lognormal(1.0, 0.6, rows)),
        "pickup_hour": pa.array(random.integers(0, 24, rows)),
        "zone": pa.array(names[random.integers(0, zones, rows)]),
        "prediction": pa.array(random.lognormal(2.5, 0.5, rows)),
        "fare": pa.array(random.lognormal(2.5, 0.5, rows)),
    }
    return pa.table(made | {f"more_{number}": pa.array(random.normal(size=rows)) for number in range(columns - len(made))})
