"""The rules of ai_query that need neither Spark nor HTTP."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.ai_query import model
from harness.ai_query.model import AiQueryError


def bound(*arguments: tuple[str | None, str]) -> dict[str, str]:
    """Bind arguments that are their own text."""
    return model.bind(arguments, lambda value: value)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([(None, "ep"), (None, "req"), (None, "DOUBLE")], id="positional"),
        pytest.param([("endpoint", "ep"), ("request", "req"), ("returnType", "DOUBLE")], id="named"),
        pytest.param([(None, "ep"), (None, "req"), ("RETURNTYPE", "DOUBLE")], id="mixed, any case"),
        pytest.param([(None, "ep"), (None, "req"), (None, "returnType"), (None, "DOUBLE")], id="old form"),
    ],
)
def test_every_form_of_the_call_binds_alike(arguments: list[tuple[str | None, str]]) -> None:
    """Positional, named and old-form calls mean the same."""
    assert bound(*arguments) == {"endpoint": "ep", "request": "req", "returnType": "DOUBLE"}


@pytest.mark.parametrize(
    ("arguments", "condition"),
    [
        pytest.param([(None, "ep")], "WRONG_NUM_ARGS", id="no request"),
        pytest.param([(None, str(n)) for n in range(8)], "WRONG_NUM_ARGS", id="too many"),
        pytest.param([(None, "ep"), (None, "r"), ("retrunType", "INT")], "UNRECOGNIZED_PARAMETER_NAME", id="misspelt"),
        pytest.param([(None, "ep"), (None, "r"), ("endpoint", "x")], "DUPLICATE_ROUTINE_PARAMETER_ASSIGNMENT", id="twice"),
    ],
)
def test_calls_that_cannot_be_bound_are_refused(arguments: list[tuple[str | None, str]], condition: str) -> None:
    """A call that is not ai_query's is an error with a condition."""
    with pytest.raises(AiQueryError) as raised:
        bound(*arguments)
    assert raised.value.condition == condition


@pytest.mark.property
@given(count=st.integers(0, 5000), size=st.integers(1, 1500))
def test_pieces_cover_every_row_once(count: int, size: int) -> None:
    """No row is lost or sent twice, no piece is too large."""
    pieces = list(model.pieces(count, size))
    assert [row for piece in pieces for row in range(count)[piece]] == list(range(count))
    assert all(0 < piece.stop - piece.start <= size for piece in pieces)


@pytest.mark.property
@given(rows=st.lists(st.integers(), min_size=2))
def test_halves_are_smaller_and_keep_the_order(rows: list[int]) -> None:
    """Halving ends, and puts the rows back in order."""
    left, right = model.halves(rows)
    assert [*left, *right] == rows
    assert len(left) < len(rows) > len(right)


def test_request_body_is_json_for_every_value() -> None:
    """NULL and NaN are null, times are ISO texts, decimals are numbers."""
    import datetime as dt
    from decimal import Decimal

    row = (
        1,
        None,
        float("nan"),
        dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        dt.date(2026, 1, 2),
        Decimal("1.50"),
        [1, 2],
        {"k": True},
    )
    body = json.loads(model.request_body(["a", "b", "c", "d", "e", "f", "g", "h"], [row]))
    assert body["dataframe_split"]["columns"] == ["a", "b", "c", "d", "e", "f", "g", "h"]
    assert body["dataframe_split"]["data"] == [[1, None, None, "2026-01-02T03:04:05Z", "2026-01-02", 1.5, [1, 2], {"k": True}]]


def document(items: object) -> str:
    """Return an OpenAPI document whose predictions are `items`."""
    answer = {"properties": {"predictions": {"type": "array", "items": items}}}
    records: dict[str, object] = {"items": {"properties": {"first": {}, "second": {}}}}
    operation = {
        "requestBody": {"content": {"application/json": {"schema": {"oneOf": [{"properties": {"dataframe_records": records}}]}}}},
        "responses": {"200": {"content": {"application/json": {"schema": answer}}}},
    }
    return json.dumps({"paths": {"/served-models/m-1/invocations": {"post": operation}}})


@pytest.mark.parametrize(
    ("items", "ddl"),
    [
        pytest.param({"type": "number", "format": "double"}, "DOUBLE", id="double"),
        pytest.param({"type": "integer", "format": "int32"}, "INT", id="int"),
        pytest.param({"type": "string"}, "STRING", id="string"),
        pytest.param({"type": "array", "items": {"type": "boolean"}}, "ARRAY<BOOLEAN>", id="array"),
        pytest.param({"type": "object", "properties": {"p": {"type": "number"}}}, "DOUBLE", id="one column"),
        pytest.param(
            {"type": "object", "properties": {"label": {"type": "string"}, "p": {"type": "number", "format": "float"}}},
            "STRUCT<`label`: STRING, `p`: FLOAT>",
            id="several columns",
        ),
    ],
)
def test_return_type_is_read_from_the_endpoints_document(items: object, ddl: str) -> None:
    """The type of one prediction follows from the response schema."""
    assert model.return_type("ep", document(items)) == ddl


@pytest.mark.parametrize("text", ["", "[]", "{}", document({"type": "object", "format": "unknown"}), document({})])
def test_document_without_a_type_is_a_schema_error(text: str) -> None:
    """What cannot be inferred is the platform's error with the endpoint and the document in it."""
    with pytest.raises(AiQueryError, match=r"AI_FUNCTION_MODEL_SCHEMA_PARSE_ERROR.*\"ep\".*response JSON was"):
        model.return_type("ep", text)


def test_first_input_is_named_or_unnamed() -> None:
    """A plain value travels under the first input's name, or as column 0 when there is none."""
    assert model.first_input(document({})) == "first"
    assert model.first_input("") == 0


def test_errors_survive_the_way_between_processes() -> None:
    """An error raised in a worker is the same error in the driver."""
    error = model.http_failed(404, '{"error_code": "RESOURCE_DOES_NOT_EXIST"}')
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes
    assert str(error).startswith(
        "[REMOTE_FUNCTION_HTTP_FAILED_ERROR] The remote HTTP request failed with code 404, and error message 'HTTP "
    )
