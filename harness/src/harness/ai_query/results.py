"""From the text of a prediction to a value of the return type, as strictly as `from_json`."""

import base64
import datetime as dt
import decimal
import json
from typing import TYPE_CHECKING

import msgspec
from pyspark.sql import types as t

from harness.ai_query.model import AiQueryError, result_error

if TYPE_CHECKING:
    from collections.abc import Callable

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


def rows_of(body: bytes, rows: int, type_: t.DataType) -> list[object | AiQueryError]:
    """Return each row's value, or the error that stands for it."""
    return [_value_or_error(text, type_) for text in predictions(body, rows)]


def _value_or_error(text: bytes, type_: t.DataType) -> object | AiQueryError:
    try:
        return value_of(text, type_)
    except AiQueryError as error:
        return error
