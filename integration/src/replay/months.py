"""The trips that are played, month by month: of a file of real ones, or synthetic ones in a world that changes."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import UserError
from harness.sample_data import SCHEMA, World, generate_month, load_parquet

SEED = 42
# What the city's own files call the columns.
_NAMES = {
    "pickup_datetime": "tpep_pickup_datetime",
    "dropoff_datetime": "tpep_dropoff_datetime",
    "pickup_location_id": "pickup_zip",
    "dropoff_location_id": "dropoff_zip",
}
_PICKUP, _FARE = "tpep_pickup_datetime", "fare_amount"


@dataclass(frozen=True, slots=True)
class Month:
    """One month's trips, in the columns of `samples.nyctaxi.trips`; `note` says what was done to the world in it."""

    first: dt.date
    trips: pa.Table
    note: str = ""

    @property
    def label(self) -> str:
        """The month as people write it, as `2018-01`."""
        return f"{self.first:%Y-%m}"

    @property
    def begin(self) -> dt.datetime:
        """When the month, and its window of the monitor, begins."""
        return dt.datetime.combine(self.first, dt.time(), dt.UTC)

    @property
    def end(self) -> dt.datetime:
        """When the month is over."""
        return dt.datetime.combine(following(self.first), dt.time(), dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to the synthetic world: from month `rise_at` on fares are dearer by `rise`; in month `shock_at` demand falls.

    Months are counted from 1, the first; None: it does not happen.
    """

    rise_at: int | None = None
    rise: float = 0.1
    shock_at: int | None = None
    demand: float = 0.25


def following(month: dt.date) -> dt.date:
    """Return the first day of the month after."""
    return (month.replace(day=1) + dt.timedelta(days=31)).replace(day=1)


def calendar(first: dt.date, count: int) -> list[dt.date]:
    """Return the first days of `count` months."""
    months = [first.replace(day=1)]
    while len(months) < count:
        months.append(following(months[-1]))
    return months


def synthetic(first: dt.date, count: int, *, rows: int, change: Change, seed: int = SEED) -> list[Month]:
    """Return months of generated trips in a world that changes as said; equal arguments give equal months."""
    return list(_synthetic(first, count, rows, change, seed))


def _synthetic(first: dt.date, count: int, rows: int, change: Change, seed: int) -> Iterator[Month]:
    for number, month in enumerate(calendar(first, count), 1):
        dearer = change.rise_at is not None and number >= change.rise_at
        shocked = number == change.shock_at
        world = World(fares=1 + change.rise if dearer else 1.0, demand=change.demand if shocked else 1.0)
        notes = []
        if number == change.rise_at:
            notes.append(f"fares {change.rise:+.0%} from now on")
        if shocked:
            notes.append(f"demand falls to {change.demand:.0%}, short trips most")
        yield Month(month, generate_month(month, rows, seed=seed + number, world=world), "; ".join(notes))


def real(path: Path, first: dt.date | None, count: int, *, rows: int, fare: str = _FARE, seed: int = SEED) -> list[Month]:
    """Return at most `rows` trips, drawn at random, of each of `count` months of the file, or of those that it has.

    The file has the columns of `samples.nyctaxi.trips`, or those of the city's own files. `fare` names the column that is predicted.
    """
    trips = _read(path, fare)
    starts = trips[_PICKUP].to_numpy().astype("datetime64[M]")
    begins = np.datetime64(first, "M") if first is not None else _first_full_month(starts)
    draws = np.random.default_rng(seed)
    found = []
    for month in calendar(begins.astype(dt.date), count):
        places = np.flatnonzero(starts == np.datetime64(month, "M"))
        if len(places):
            drawn = np.sort(draws.permutation(places)[:rows])
            found.append(Month(month, trips.take(pa.array(drawn)).sort_by(_PICKUP)))
    return _gapless(path, found, begins.astype(dt.date))


def _read(path: Path, fare: str) -> pa.Table:
    try:
        columns = pq.read_schema(path).names
    except (OSError, pa.ArrowException):
        return load_parquet(path)  # it says what is wrong
    wanted = [name for name in _NAMES if name in columns and _NAMES[name] not in columns]
    if not wanted and fare == _FARE:
        return load_parquet(path)
    if fare not in columns:
        raise UserError(f"{path}: column '{fare}' is missing; found columns: {', '.join(columns)}; name one of them with --fare-column")
    found = pq.read_table(path)
    renamed = {_NAMES.get(name, name): found[name] for name in columns if name != _FARE or name == fare} | {_FARE: found[fare]}
    missing = [field.name for field in SCHEMA if field.name not in renamed]
    if missing:
        raise UserError(f"{path}: column '{missing[0]}' is missing; found columns: {', '.join(columns)}; rename or add it in the file")
    try:
        return pa.table([renamed[field.name].cast(field.type) for field in SCHEMA], schema=SCHEMA)
    except pa.ArrowException as error:
        raise UserError(f"{path}: {str(error).splitlines()[0]}; expected {', '.join(str(field) for field in SCHEMA)}") from error


def _first_full_month(starts: "np.typing.NDArray[np.datetime64]") -> np.datetime64:
    """Return the first month with a usual number of trips: meters with wrong clocks put some trips years ago."""
    months, counts = np.unique(starts, return_counts=True)
    if not len(months):
        return np.datetime64("1970-01", "M")
    first: np.datetime64 = months[counts >= np.median(counts[counts > counts.max() / 100]) / 2][0]
    return first


def _gapless(path: Path, months: Sequence[Month], begins: dt.date) -> list[Month]:
    for month, wanted in zip(months, calendar(begins, len(months)), strict=False):
        if month.first != wanted:
            raise UserError(f"{path}: has no trips of {wanted:%Y-%m}, but of {month.label}; give --from and --months that it has")
    if not months:
        raise UserError(f"{path}: has no trips from {begins:%Y-%m} on; give --from a month that it has")
    return list(months)


def trips_of(months: Sequence[Month]) -> pa.Table:
    """Return the trips of several months as one table."""
    return pa.concat_tables([month.trips for month in months])


@dataclass(frozen=True, slots=True)
class Play:
    """What is played: the months that the model learns from, and those it is judged by."""

    source: str
    learned: Sequence[Month]
    played: Sequence[Month]


def cast(months: Sequence[Month], train: int, source: str) -> Play:
    """Return the months split in two; a play needs one month at least after those that the model learns from."""
    if len(months) <= train:
        raise UserError(
            f"{source}: {len(months)} months; expected more than the {train} that the model learns from; "
            "give more --months, or fewer --train"
        )
    return Play(source, months[:train], months[train:])
