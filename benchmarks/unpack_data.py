"""Payload tables for `unpack.py`: what an endpoint logs for made-up trips, written straight into the warehouse."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pyarrow as pa
from deltalake import write_deltalake

START = datetime(2026, 1, 2, tzinfo=UTC)
COLUMNS = '["trip_id", "trip_distance", "pickup_hour", "pickup_dayofweek", "pickup_month", "is_weekend", "is_rush_hour"]'
SCHEMA = pa.schema(
    [
        ("databricks_request_id", pa.string()),
        ("request_date", pa.date32()),
        ("client_request_id", pa.string()),
        ("request_time", pa.timestamp("us", tz="UTC")),
        ("status_code", pa.int32()),
        ("sampling_fraction", pa.float64()),
        ("execution_duration_ms", pa.int64()),
        ("request", pa.string()),
        ("response", pa.string()),
        ("logging_error_codes", pa.list_(pa.string())),
        ("served_entity_id", pa.string()),
        ("requester", pa.string()),
    ]
)


def write_payloads(folder: Path, *, requests: int, rows: int, files: int = 8) -> None:
    """Write a payload table of so many requests with so many rows each, all in one day, in the format that `ai_query` sends."""
    dice = random.Random(42)  # noqa: S311 - the same rows every time
    done = 0
    for part in range(files):
        count = requests // files + (part < requests % files)
        while count:
            chunk = min(count, max(1, 100_000 // rows))
            logged = [_logged(dice, done + number, rows) for number in range(chunk)]
            columns = [pa.array(values, one.type) for values, one in zip(zip(*logged, strict=True), SCHEMA, strict=True)]
            batch = pa.Table.from_arrays(columns, schema=SCHEMA)
            write_deltalake(str(folder), batch, mode="append", configuration={"delta.enableChangeDataFeed": "true"})
            done += chunk
            count -= chunk


def write_labels(folder: Path, *, trips: int) -> None:
    """Write a label table with these trips."""
    for begin in range(0, trips, 1_000_000):
        numbers = range(begin, min(begin + 1_000_000, trips))
        columns = {"trip_id": [_trip(number) for number in numbers], "fare_amount": [number % 50 + 0.5 for number in numbers]}
        write_deltalake(str(folder), pa.table(columns), mode="append")


def _trip(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}"


def _logged(dice: random.Random, number: int, rows: int) -> tuple[object, ...]:
    chance, numbers = dice.random, range(number * rows, (number + 1) * rows)
    whole = [f"{trip % 24}, {trip % 7 + 1}, {trip % 12 + 1}, {trip % 2}, {trip % 3 % 2}" for trip in numbers]
    cells = [f'["{_trip(trip)}", {chance() * 20!r}, {others}]' for trip, others in zip(numbers, whole, strict=True)]
    request = f'{{"dataframe_split": {{"columns": {COLUMNS}, "data": [{", ".join(cells)}]}}}}'
    request_id = str(UUID(int=dice.getrandbits(128)))
    trace = f'{{"trace": null, "databricks_request_id": "{request_id}"}}'
    response = f'{{"predictions": [{", ".join(repr(chance() * 50) for _ in numbers)}], "databricks_output": {trace}}}'
    moment = START + timedelta(milliseconds=number % 86_000_000)
    return request_id, START.date(), None, moment, 200, 1.0, 3, request, response, [], "e" * 32, "user"
