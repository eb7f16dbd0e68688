from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitoring_unpacker.formats import Unreadable, parse, predictions, request_records
from monitoring_unpacker.schema import Mismatch, Schema, convert


@dataclass(frozen=True)
class Payload:
    """The part of an inference table's row that holds rows of data."""

    status_code: int | None
    request: str | None
    response: str | None


@dataclass(frozen=True)
class Quarantined:
    """A logged row that cannot be unpacked, and why."""

    reason: str


def unpack(payload: Payload, schema: Schema) -> list[dict[str, Any]] | Quarantined:
    """Return one typed record (features, key, `prediction`) per row that a logged request scored, or why there is none.

    Total: any text whatever gives one or the other. All rows of a request share one fate, so that logged requests are
    unpacked requests plus quarantined requests.

    Example:
        >>> schema = Schema((Field("x", "DOUBLE"),), Field("id", "STRING"), Field("prediction", "DOUBLE"))
        >>> unpack(Payload(200, '{"dataframe_records": [{"x": 1, "id": "a"}]}', '{"predictions": [2]}'), schema)
        [{'x': 1.0, 'id': 'a', 'prediction': 2.0}]
    """
    try:
        return _rows(payload, schema)
    except (Unreadable, Mismatch) as error:
        return Quarantined(str(error).encode("utf-8", "backslashreplace").decode("utf-8"))


def _rows(payload: Payload, schema: Schema) -> list[dict[str, Any]]:
    if payload.status_code != 200:
        raise Unreadable(f"status code is {payload.status_code}")
    records = request_records(parse(payload.request, "request"), [field.name for field in schema.features])
    answers = predictions(parse(payload.response, "response"), rows=len(records), output=schema.output)
    if not records:
        raise Unreadable("request has no rows")
    return [_typed(index, record, answer, schema) for index, (record, answer) in enumerate(zip(records, answers, strict=True))]


def _typed(index: int, record: Mapping[str, Any], answer: Any, schema: Schema) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field, value in (*((field, record.get(field.name)) for field in schema.columns), (schema.prediction, answer)):
        try:
            row[field.name] = convert(value, field.type)
        except Mismatch as error:
            raise Mismatch(f"row {index}, column {field.name}: {error}") from error
    return row
