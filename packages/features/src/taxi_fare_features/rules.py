"""Every rule about taxi features, written once, as data. Every form interprets `RULES` and nothing else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Part = Literal["hour", "dayofweek", "month"]
SparkType = Literal["timestamp", "double", "int"]
FeatureType = Literal["double", "int"]

# What the model's signature says of a feature, in MLflow's words: never `float`, which would round what the table has as DOUBLE.
_MODEL_TYPES: Mapping[FeatureType, str] = {"double": "double", "int": "long"}
_PANDAS_TYPES: Mapping[FeatureType, str] = {"double": "float64", "int": "int32"}


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
    type: FeatureType
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


@dataclass(frozen=True, slots=True)
class Rules:
    """The definition as one value. Every form takes it as `rules`; whoever says nothing gets `RULES`."""

    features: tuple[Feature, ...]
    filters: tuple[Between | Present, ...]

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """The features' names, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def request_columns(self) -> tuple[str, ...]:
        """What a request to the model holds: the key and the features."""
        return (KEY, *self.feature_columns)

    @property
    def table_columns(self) -> tuple[str, ...]:
        """The columns of the feature table, in order."""
        return (KEY, TIME, *self.feature_columns, TARGET, SPLIT)

    @property
    def model_types(self) -> dict[str, str]:
        """What the model's signature says of each feature, in MLflow's words."""
        return {feature.name: _MODEL_TYPES[feature.type] for feature in self.features}

    @property
    def pandas_types(self) -> dict[str, str]:
        """The dtype of each feature in a frame."""
        return {feature.name: _PANDAS_TYPES[feature.type] for feature in self.features}


RULES = Rules(FEATURES, FILTERS)
FEATURE_COLUMNS: tuple[str, ...] = RULES.feature_columns
MODEL_TYPES: Mapping[str, str] = RULES.model_types
PANDAS_TYPES: Mapping[str, str] = RULES.pandas_types
REQUEST_COLUMNS: tuple[str, ...] = RULES.request_columns
TABLE_COLUMNS: tuple[str, ...] = RULES.table_columns

SPLIT_SEED = 42
TEST_SHARE = 0.2


class MissingColumnError(ValueError):
    """The source lacks a column that the rules need, or has it twice or with another type."""


def check_columns(table: str, found: Sequence[tuple[str, str]]) -> None:
    """Raise when `found`, the names and types of `table`, does not satisfy the rules."""
    for column in SOURCE_COLUMNS:
        types = [kind for name, kind in found if name == column.name]
        if types == [column.type]:
            continue
        have = ", ".join(f"{name} {kind}" for name, kind in found) or "none"
        wrong = f"is {' and '.join(types)}" if types else "is missing"
        message = (
            f"{table}: column '{column.name}' {wrong}; expected type {column.type}; found columns: {have}; cast or rename it in the source"
        )
        raise MissingColumnError(message)
