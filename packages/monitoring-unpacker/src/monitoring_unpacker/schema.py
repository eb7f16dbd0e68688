import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from json import dumps
from typing import Any

from monitoring_unpacker.errors import MonitoringError

# The columns of the processed table that are ours; no feature or key may be called so.
RESERVED = frozenset(
    (
        "example_id",
        "databricks_request_id",
        "client_request_id",
        "request_time",
        "request_date",
        "status_code",
        "served_entity_id",
        "model_version",
        "prediction",
        "label",
        "evaluation_label",
        "event_time",
        "row_index",
        "reason",
        "request",
        "response",
    )
)


class Mismatch(ValueError):  # noqa: N818 - a finding about a value, not a fault of ours
    """A value that does not fit its column."""


@dataclass(frozen=True)
class Field:
    """A column: its name and its SQL type, one of `TYPES`."""

    name: str
    type: str


@dataclass(frozen=True)
class Schema:
    """What a request and its answer hold: features, the key that travels with them, one prediction a row.

    `output` is the name of the model's output column where it has one: answers made of records are read by it.
    """

    features: tuple[Field, ...]
    key: Field
    prediction: Field
    output: str | None = None

    def __post_init__(self) -> None:
        names = [field.name for field in self.columns]
        lowered = [name.lower() for name in names]
        taken = sorted({name for name in lowered if name in RESERVED or lowered.count(name) > 1})
        if taken:
            raise MonitoringError(
                f"schema of the processed table: column names {', '.join(taken)} are reserved or used twice; rename them in the model"
            )
        wrong = sorted({field.type for field in (*self.columns, self.prediction)} - set(TYPES))
        if wrong:
            raise MonitoringError(f"schema of the processed table: type {wrong[0]} is none of {', '.join(TYPES)}")

    @property
    def columns(self) -> tuple[Field, ...]:
        """The features and the key, the key once also when the model takes it as a feature."""
        return (*(field for field in self.features if field.name != self.key.name), self.key)


def convert(value: Any, sql_type: str) -> Any:
    """Return `value` as the model server reads it for a column of this type; None for null and NaN.

    The server coerces silently ("2" and 2.7 are 2 in a long column), so the same is done here: the processed table
    holds what the model saw. Integers keep every digit.

    Raises:
        Mismatch: the server would have refused the value.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    try:
        return TYPES[sql_type](value)
    except (ValueError, TypeError, OverflowError) as error:
        raise Mismatch(f"{_short(value)} is no {sql_type}") from error


def _boolean(value: Any) -> bool:
    named = {"true": True, "false": False, "1": True, "0": False}
    if str(value).lower() not in named:
        raise ValueError(value)
    return named[str(value).lower()]


def _integer(value: Any, bits: int) -> int:
    if isinstance(value, str):
        try:
            number = int(value)
        except ValueError:
            number = int(float(value))
    elif isinstance(value, int | float):
        number = int(value)
    else:
        raise TypeError(value)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise OverflowError(value)
    return number


def _double(value: Any) -> float | None:
    if not isinstance(value, str | int | float):
        raise TypeError(value)
    number = float(value)
    return None if math.isnan(number) else number


def _string(value: Any) -> str:
    text = value if isinstance(value, str) else dumps(value)
    text.encode("utf-8")  # a lone surrogate is legal JSON but no text that a table can hold
    return text


def _timestamp(value: Any) -> datetime:
    if not isinstance(value, str):
        raise TypeError(value)
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)  # noqa: UP017 - pickled to workers of any Python


def _short(value: Any) -> str:
    return repr(value)[:60]


TYPES: Mapping[str, Callable[[Any], Any]] = {
    "BOOLEAN": _boolean,
    "INT": lambda value: _integer(value, 32),
    "BIGINT": lambda value: _integer(value, 64),
    "DOUBLE": _double,
    "STRING": _string,
    "TIMESTAMP": _timestamp,
}
