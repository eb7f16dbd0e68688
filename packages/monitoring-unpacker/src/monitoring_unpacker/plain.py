"""Plain payloads of one schema, read many at a time; `PlainReader.read` declines the rest."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from monitoring_unpacker.layouts import Layout, layout_key, make_layout, value_type
from monitoring_unpacker.schema import Schema

# A client that sends ever new columns would have a decoder made for each: beyond these its bodies are read one by one.
MOST_LAYOUTS = 32


class PlainReader:
    """Reads the plain payloads of one schema, with a decoder for each layout seen."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._layouts: dict[tuple[str, tuple[str, ...]], Layout] = {}
        self._last: Layout | None = None
        self._answers = _answers(schema)
        self._refused = _refused()

    def read(self, request: str, response: str) -> tuple[Layout, Any, Sequence[Any]] | None:
        """Return the layout, the decoded body and one answer per row; None when `unpack` has to look at it."""
        layout, body, rows = self._body(request)
        if layout is None or not rows:
            return None
        answers = self._read_answers(response)
        return (layout, body, answers) if answers is not None and len(answers) == rows else None

    def _body(self, request: str) -> tuple[Layout | None, Any, int | None]:
        if self._last is not None:
            body, rows = self._decoded(self._last, request)
            if rows is not None:
                return self._last, body, rows
        key = layout_key(request)
        if key is None or (key not in self._layouts and len(self._layouts) >= MOST_LAYOUTS):
            return None, None, None
        if key not in self._layouts:
            self._layouts[key] = make_layout(*key, self._schema)
        layout = self._layouts[key]
        body, rows = self._decoded(layout, request)
        if rows is None:
            return None, None, None
        self._last = layout
        return layout, body, rows

    def _decoded(self, layout: Layout, request: str) -> tuple[Any, int | None]:
        try:
            body = layout.decode(request)
        except self._refused:
            return None, None
        return body, layout.rows(body)

    def _read_answers(self, response: str) -> Sequence[Any] | None:
        for place, read in enumerate(self._answers):
            try:
                answers = read(response)
            except self._refused:
                continue
            if place:
                self._answers.insert(0, self._answers.pop(place))
            return answers
        return None


def _refused() -> tuple[type[Exception], ...]:
    import msgspec

    return (msgspec.DecodeError, RecursionError, UnicodeError)  # a ValidationError is a DecodeError


def _answers(schema: Schema) -> list[Callable[[str], Sequence[Any]]]:
    """Return the readers of the answers' shapes: values, records of one value, vectors of one value."""
    value = value_type(schema.prediction.type)
    values, records, vectors = (_decoder(shape) for shape in (value, dict[str, value], tuple[value]))  # type: ignore[valid-type]
    return [values, lambda text: [_only(record, schema.output) for record in records(text)], lambda text: [row[0] for row in vectors(text)]]


def _decoder(shape: Any) -> Callable[[str], Any]:
    import msgspec

    text: Any = str | None
    traced: list[tuple[str, Any, Any]] = [("trace", None, None), ("databricks_request_id", text, None)]
    output: Any = msgspec.defstruct("Output", traced, forbid_unknown_fields=True, gc=False)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [("predictions", list[shape]), ("databricks_output", output | None, None)]
    decode = msgspec.json.Decoder(msgspec.defstruct("Answer", fields, forbid_unknown_fields=True, gc=False)).decode
    predictions = attrgetter("predictions")
    return lambda text: predictions(decode(text))


def _only(record: dict[str, Any], output: str | None) -> Any:
    import msgspec

    if output is not None and output in record:
        return record[output]
    if len(record) != 1:
        raise msgspec.ValidationError("several values")
    return next(iter(record.values()))
