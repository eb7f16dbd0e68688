"""From predictions to values, as strictly as from_json."""

import datetime as dt
import json
import math
import re
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import types as t

from harness.ai_query import results
from harness.ai_query.model import AiQueryError

STRUCT = t.StructType([t.StructField("label", t.StringType()), t.StructField("score", t.DoubleType())])


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        pytest.param(b"3.50", t.StringType(), "3.50", id="a number's JSON text"),
        pytest.param(b'"a\\n"', t.StringType(), "a\n", id="string"),
        pytest.param(b'{"a": 1}', t.StringType(), '{"a": 1}', id="an object's JSON text"),
        pytest.param(b"null", t.StringType(), None, id="null string"),
        pytest.param(b"3", t.DoubleType(), 3.0, id="whole double"),
        pytest.param(b'"Infinity"', t.DoubleType(), math.inf, id="infinity"),
        pytest.param(b"7", t.IntegerType(), 7, id="int"),
        pytest.param(b"true", t.BooleanType(), True, id="boolean"),
        pytest.param(b"1.25", t.DecimalType(5, 2), Decimal("1.25"), id="decimal"),
        pytest.param(b'"2026-01-02"', t.DateType(), dt.date(2026, 1, 2), id="date"),
        pytest.param(b'"2026-01-02T00:00:00"', t.TimestampType(), dt.datetime(2026, 1, 2, tzinfo=dt.UTC), id="timestamp"),
        pytest.param(b"[1, null]", t.ArrayType(t.DoubleType()), [1.0, None], id="array"),
        pytest.param(b'{"score": 1, "more": 2}', STRUCT, {"label": None, "score": 1.0}, id="struct by name"),
    ],
)
def test_prediction_becomes_a_value_of_the_return_type(text: bytes, type_: t.DataType, value: object) -> None:
    """Each type takes what from_json would."""
    assert results.value_of(text, type_) == value


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        pytest.param(b'{"0": 3.5}', t.DoubleType(), id="double wrapped"),
        pytest.param(b'"3.5"', t.DoubleType(), id="text for a number"),
        pytest.param(b"true", t.DoubleType(), id="boolean for a number"),
        pytest.param(b"3.0", t.IntegerType(), id="fraction for a whole number"),
        pytest.param(b"3000000000", t.IntegerType(), id="too large"),
        pytest.param(b"1", t.BooleanType(), id="number for a boolean"),
        pytest.param(b"[1]", STRUCT, id="array for a struct"),
        pytest.param(b'"soon"', t.TimestampType(), id="no time"),
    ],
)
def test_prediction_of_another_type_is_refused(text: bytes, type_: t.DataType) -> None:
    """What does not fit is REMOTE_FUNCTION_HTTP_RESULT_PARSE_ERROR, never a guess."""
    with pytest.raises(AiQueryError, match="REMOTE_FUNCTION_HTTP_RESULT_PARSE_ERROR"):
        results.value_of(text, type_)


@pytest.mark.property
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none()))
def test_doubles_come_back_as_they_were_sent(values: list[float | None]) -> None:
    """Every finite double survives the way through JSON, bit for bit."""
    body = json.dumps({"predictions": values}).encode()
    assert results.scored(body, len(values), t.DoubleType(), pa.float64(), keep=False).values.to_pylist() == values


WHOLE = st.integers(-(2**70), 2**70)
TEXTS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    WHOLE.map(str),
    st.sampled_from(
        ["1e5", "1E400", "-0.0", "-0", "0.1e-400", "01", "+1", ".5", "NaN", '"NaN"', '"1"', "null", "true", "[1]", "{}", "1 ", ""]
    ),
)


@pytest.mark.property
@settings(max_examples=300)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.sampled_from([(t.DoubleType(), pa.float64()), (t.LongType(), pa.int64())]))
def test_answers_read_in_one_go_are_those_read_one_by_one(texts: list[str], types: tuple[t.DataType, pa.DataType]) -> None:
    """Whatever an answer holds, values and errors are those of each prediction read alone."""
    type_, arrow = types
    body = f'{{"predictions": [{", ".join(texts)}]}}'.encode()
    try:
        alone = results.predictions(body, len(texts))
    except AiQueryError as refused:
        with pytest.raises(AiQueryError, match=re.escape(str(refused))):
            results.scored(body, len(texts), type_, arrow, keep=True)
        return
    found = results.scored(body, len(texts), type_, arrow, keep=True)
    expected = [one_by_one(text, type_) for text in alone]
    assert list(map(repr, found.values.to_pylist())) == [repr(value) for value, _ in expected]
    assert found.errors.to_pylist() == [error for _, error in expected]


def one_by_one(text: bytes, type_: t.DataType) -> tuple[object, str | None]:
    try:
        return results.value_of(text, type_), None
    except AiQueryError as error:
        return None, str(error)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"predictions": 3}', b'{"predictions": [1]}', b'{"predictions": {"a": [1, 2]}}', b"\xff"])
def test_answer_without_a_prediction_for_each_row_is_refused(body: bytes) -> None:
    """Two rows want two predictions."""
    with pytest.raises(AiQueryError, match="REMOTE_FUNCTION_HTTP_RESULT_PARSE_ERROR"):
        results.scored(body, 2, t.DoubleType(), pa.float64(), keep=True)
