"""Every rule about taxi features, written once, as data. The plain, pandas and Spark forms interpret these and nothing else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Part = Literal["hour", "dayofweek", "month"]
SparkType = Literal["timestamp", "double", "int"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column the source table must have, and its type there."""

    name: str
    type: SparkType


@dataclass(frozen=True, slots=True)
class Copied:
    """A feature that is a source column, unchanged."""

    source: str


@dataclass(frozen=True, slots=True)
class TimePart:
    """A part of a timestamp's wall clock; days of the week count from Sunday = 1, as in Spark."""

    source: str
    part: Part


@dataclass(frozen=True, slots=True)
class OneIf:
    """1 when that part of the wall clock is one of `members`, else 0."""

    when: TimePart
    members: tuple[int, ...]


Definition = Copied | TimePart | OneIf


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its name, its type in the feature table, and how it comes about."""

    name: str
    type: SparkType
    definition: Definition


@dataclass(frozen=True, slots=True)
class Between:
    """Keeps rows whose value lies strictly between two bounds; a NULL or a NaN never does."""

    source: str
    above: float
    below: float


@dataclass(frozen=True, slots=True)
class Present:
    """Keeps rows that have a value."""

    source: str


PICKUP = "tpep_pickup_datetime"
DROPOFF = "tpep_dropoff_datetime"

SOURCE_COLUMNS: tuple[Column, ...] = (
    Column(PICKUP, "timestamp"),
    Column(DROPOFF, "timestamp"),
    Column("trip_distance", "double"),
    Column("fare_amount", "double"),
    Column("pickup_zip", "int"),
    Column("dropoff_zip", "int"),
)

_HOUR = TimePart(PICKUP, "hour")
_DAY_OF_WEEK = TimePart(PICKUP, "dayofweek")

FEATURES: tuple[Feature, ...] = (
    Feature("trip_distance", "double", Copied("trip_distance")),
    Feature("pickup_hour", "int", _HOUR),
    Feature("pickup_dayofweek", "int", _DAY_OF_WEEK),
    Feature("pickup_month", "int", TimePart(PICKUP, "month")),
    Feature("is_weekend", "int", OneIf(_DAY_OF_WEEK, (1, 7))),
    Feature("is_rush_hour", "int", OneIf(_HOUR, (7, 8, 9, 16, 17, 18, 19))),
)

FILTERS: tuple[Between | Present, ...] = (
    Present(PICKUP),
    Between("fare_amount", 0.0, 200.0),
    # The upper bound is there for Spark, where NaN is greater than every number.
    Between("trip_distance", 0.0, math.inf),
)

KEY = "trip_id"
TIME = "pickup_datetime"
TARGET = "fare_amount"
SPLIT = "split"
FEATURE_COLUMNS: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
# What the model's signature says of each feature, in MLflow's words: never `float`, which would round what the table has as DOUBLE.
MODEL_TYPES: Mapping[str, str] = {feature.name: {"double": "double", "int": "long"}[feature.type] for feature in FEATURES}
REQUEST_COLUMNS: tuple[str, ...] = (KEY, *FEATURE_COLUMNS)
TABLE_COLUMNS: tuple[str, ...] = (KEY, TIME, *FEATURE_COLUMNS, TARGET, SPLIT)

SPLIT_SEED = 42
TEST_SHARE = 0.2


class MissingColumnError(ValueError):
    """The source lacks a column that the rules need, or has it with another type."""


def check_columns(table: str, found: Sequence[tuple[str, str]]) -> None:
    """Raise when `found`, the names and types of `table`, does not satisfy the rules."""
    types = dict(found)
    for column in SOURCE_COLUMNS:
        if types.get(column.name) == column.type:
            continue
        have = ", ".join(f"{name} {kind}" for name, kind in found) or "none"
        wrong = f"is {types[column.name]}" if column.name in types else "is missing"
        message = (
            f"{table}: column '{column.name}' {wrong}; expected type {column.type}; found columns: {have}; cast or rename it in the source"
        )
        raise MissingColumnError(message)
