"""From the text of a prediction to a value of the return type, as strictly as `from_json`."""

import base64
import datetime as dt
import decimal
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
from pyspark.sql import types as t

from harness.ai_query.model import AiQueryError, result_error

_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "+Infinity": float("inf"), "-Infinity": float("-inf")}
_WHOLE = (t.ByteType, t.ShortType, t.IntegerType, t.LongType)


class _Answer(msgspec.Struct):
    predictions: list[msgspec.Raw]


_decode_answer = msgspec.json.Decoder(_Answer).decode


def predictions(body: bytes, rows: int) -> list[bytes]:
    """Return the JSON text of each row's prediction, or raise REMOTE_FUNCTION_HTTP_RESULT_PARSE_ERROR when there is not one for each."""
    try:
        answer = _decode_answer(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = f'expected {{"predictions": [one for each row]}} ({error}), found {body[:200].decode(errors="replace")}'
        raise result_error(message) from error
    if len(answer.predictions) != rows:
        message = f"expected one prediction for each of {rows} rows, found {len(answer.predictions)}"
        raise result_error(message)
    return [bytes(prediction) for prediction in answer.predictions]


def value_of(text: bytes, type_: t.DataType) -> object:
    """Return one prediction as a value of `type_`; a STRING that is no JSON string gets the prediction's JSON text."""
    if isinstance(type_, t.StringType) and text[:1] != b'"':
        return None if text == b"null" else text.decode()
    try:
        return convert(json.loads(text, parse_float=decimal.Decimal if isinstance(type_, t.DecimalType) else None), type_)
    except (ValueError, ArithmeticError) as error:
        message = f"{text[:200].decode(errors='replace')} is not of type {type_.simpleString().upper()}"
        raise result_error(message) from error


def convert(value: object, type_: t.DataType) -> object:
    """Return a decoded JSON value as Arrow wants a `type_`, or raise ValueError."""
    if value is None:
        return None
    if isinstance(type_, t.ArrayType) and isinstance(value, list):
        return [convert(element, type_.elementType) for element in value]
    if isinstance(type_, t.StructType) and isinstance(value, dict):
        return {field.name: convert(value.get(field.name), field.dataType) for field in type_.fields}
    if isinstance(type_, t.MapType) and isinstance(value, dict):
        return [(key, convert(element, type_.valueType)) for key, element in value.items()]
    if isinstance(type_, t.StringType):
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return _scalar(value, type_)


def _scalar(value: object, type_: t.DataType) -> object:
    number = isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool)
    if isinstance(type_, t.BooleanType) and isinstance(value, bool):
        return value
    if isinstance(type_, _WHOLE) and isinstance(value, int) and number:
        return _in_range(value, type_)
    if isinstance(type_, t.DoubleType | t.FloatType) and number:
        return float(value)  # type: ignore[arg-type] # `number` says so
    if isinstance(type_, t.DecimalType) and number:
        return decimal.Decimal(str(value)).quantize(decimal.Decimal(1).scaleb(-type_.scale))
    if isinstance(value, str):
        return _from_text(value, type_)
    raise ValueError(value)


_BITS = {t.ByteType: 8, t.ShortType: 16, t.IntegerType: 32, t.LongType: 64}


def _in_range(value: int, type_: t.DataType) -> int:
    limit = 1 << (_BITS[type(type_)] - 1)
    if not -limit <= value < limit:
        raise ValueError(value)
    return value


def _from_text(text: str, type_: t.DataType) -> object:
    if isinstance(type_, t.DoubleType | t.FloatType) and text in _NOT_FINITE:
        return _NOT_FINITE[text]
    parsers: dict[type[t.DataType], Callable[[str], object]] = {
        t.DateType: dt.date.fromisoformat,
        t.TimestampType: _moment,
        t.TimestampNTZType: dt.datetime.fromisoformat,
        t.BinaryType: base64.b64decode,
    }
    if type(type_) not in parsers:
        raise ValueError(text)
    return parsers[type(type_)](text)


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Scored:
    """A value for each row, and why there is none: one of the two is NULL."""

    values: pa.Array
    errors: pa.Array


def scored(body: bytes, rows: int, type_: t.DataType, arrow_type: pa.DataType, *, keep: bool) -> Scored:
    """Return what an answer says of each row; with `keep` a value that does not fit is its row's error, else it is raised."""
    plain = _plain(body, rows, type_)
    if plain is not None:
        return Scored(pa.array(plain, arrow_type), pa.nulls(rows, pa.string()))
    values: list[object] = []
    errors: list[str | None] = []
    for text in predictions(body, rows):
        try:
            value, error = value_of(text, type_), None
        except AiQueryError as fault:
            if not keep:
                raise
            value, error = None, str(fault)
        values.append(value)
        errors.append(error)
    return Scored(pa.array(values, arrow_type), pa.array(errors, pa.string()))


def failed(error: AiQueryError, rows: int, arrow_type: pa.DataType) -> Scored:
    """Return rows that all have this error."""
    return Scored(pa.nulls(rows, arrow_type), pa.array([str(error)] * rows, pa.string()))


def joined(parts: list[Scored], arrow_type: pa.DataType) -> Scored:
    """Return the rows of all parts, in order."""
    if not parts:
        return Scored(pa.array([], arrow_type), pa.array([], pa.string()))
    return Scored(pa.concat_arrays([part.values for part in parts]), pa.concat_arrays([part.errors for part in parts]))


# Answers whose every prediction is of the very type that is asked for are read in one go; a test compares with the way of single values.
_PLAIN: dict[type[t.DataType], Callable[[bytes], Any]] = {
    t.DoubleType: msgspec.json.Decoder(msgspec.defstruct("Doubles", [("predictions", list[float])])).decode,
    t.LongType: msgspec.json.Decoder(msgspec.defstruct("Longs", [("predictions", list[int])])).decode,
}


def _plain(body: bytes, rows: int, type_: t.DataType) -> list[float] | list[int] | None:
    if type(type_) not in _PLAIN:
        return None
    try:
        found: list[float] | list[int] = _PLAIN[type(type_)](body).predictions
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    fits = len(found) == rows and (isinstance(type_, t.DoubleType) or all(_LEAST <= value < -_LEAST for value in found))
    return found if fits else None


_LEAST = -(2**63)
