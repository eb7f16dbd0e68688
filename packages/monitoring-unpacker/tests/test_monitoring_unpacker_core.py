"""Unpacking: every format, every fault, and the laws that hold for any text."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitoring_unpacker
from monitoring_unpacker import PACKINGS, Field, MonitoringError, Payload, Quarantined, Schema, pack, unpack
from monitoring_unpacker.arrow import output_ddl, unpacker
from monitoring_unpacker.schema import Mismatch, convert
from monitoring_unpacker.versions import plan_reading

SCHEMA = Schema((Field("a", "DOUBLE"), Field("b", "BIGINT")), Field("id", "STRING"), Field("prediction", "DOUBLE"))
POSITIONAL = Schema((Field("a", "DOUBLE"), Field("id", "STRING")), Field("id", "STRING"), Field("prediction", "DOUBLE"))
TWO_ROWS = [{"a": 1.5, "b": 2, "id": "x", "prediction": 3.5}, {"a": 3.0, "b": 4, "id": "y", "prediction": 7.0}]


def unpacked(request: str, response: str = '{"predictions": [3.5, 7]}', *, status: int | None = 200, schema: Schema = SCHEMA) -> Any:
    """What becomes of a logged request."""
    return unpack(Payload(status, request, response), schema)


@pytest.mark.parametrize(
    "request_text",
    [
        pytest.param('{"dataframe_split": {"columns": ["a", "b", "id"], "data": [[1.5, 2, "x"], [3, 4, "y"]]}}', id="split"),
        pytest.param(
            '{"dataframe_split": {"index": [7, 8], "columns": ["b", "id", "a"], "data": [[2, "x", 1.5], [4, "y", 3]]}}',
            id="split with index, other order",
        ),
        pytest.param('{"dataframe_records": [{"a": 1.5, "b": 2, "id": "x"}, {"id": "y", "b": 4, "a": 3}]}', id="records"),
        pytest.param('{"inputs": {"a": [1.5, 3], "b": [2, 4], "id": ["x", "y"]}}', id="inputs by column"),
        pytest.param('{"inputs": [{"a": 1.5, "b": 2, "id": "x"}, {"a": 3, "b": 4, "id": "y"}]}', id="inputs by row"),
        pytest.param('{"instances": [{"a": 1.5, "b": 2, "id": "x"}, {"a": 3, "b": 4, "id": "y"}]}', id="instances"),
        pytest.param(
            '{"client_request_id": "r", "params": {"t": 1}, "databricks_options": {}, '
            '"dataframe_records": [{"a": 1.5, "b": 2, "id": "x", "extra": 9}, {"a": 3, "b": 4, "id": "y"}]}',
            id="params and other keys",
        ),
        pytest.param('{"dataframe_records": [{"a": "1.5", "b": "2", "id": "x"}, {"a": 3, "b": 4.7, "id": "y"}]}', id="server's coercions"),
    ],
)
def test_every_request_format_gives_the_same_rows(request_text: str) -> None:
    """However a client sends two rows, they are the same two rows."""
    assert unpacked(request_text) == TWO_ROWS


@pytest.mark.parametrize(
    "request_text",
    [
        pytest.param('{"dataframe_split": {"data": [[1.5, "x"], [3, "y"]]}}', id="split without columns"),
        pytest.param('{"inputs": [[1.5, "x"], [3, "y"]]}', id="inputs as lists"),
        pytest.param('{"instances": [[1.5, "x"], [3, "y"]]}', id="instances as lists"),
    ],
)
def test_values_by_position_take_the_names_of_the_signature(request_text: str) -> None:
    """Formats without names follow the order of the model's inputs."""
    expected = [{"a": 1.5, "id": "x", "prediction": 3.5}, {"a": 3.0, "id": "y", "prediction": 7.0}]
    assert unpacked(request_text, schema=POSITIONAL) == expected


@pytest.mark.parametrize(
    "request_text", [pytest.param('{"inputs": [1, 2]}', id="list of scalars"), pytest.param('{"instances": [[1], [2]]}', id="vectors")]
)
def test_scalars_are_rows_of_a_model_with_one_input(request_text: str) -> None:
    """A list of numbers is one column."""
    schema = Schema((Field("a", "DOUBLE"),), Field("id", "STRING"), Field("prediction", "DOUBLE"))
    assert [row["a"] for row in unpacked(request_text, schema=schema)] == [1.0, 2.0]


RECORDS = '{"dataframe_records": [{"a": 1.5, "b": 2, "id": "x"}, {"a": 3, "b": 4, "id": "y"}]}'


@pytest.mark.parametrize(
    "response",
    [
        pytest.param('{"predictions": [3.5, 7.0], "databricks_output": {"trace": null}}', id="list"),
        pytest.param('{"predictions": [[3.5], [7.0]]}', id="column vector"),
        pytest.param('{"predictions": [{"0": 3.5}, {"0": 7.0}]}', id="records of a series"),
        pytest.param('{"predictions": {"out": [3.5, 7.0]}}', id="object of columns"),
        pytest.param('{"outputs": [{"out": 3.5}, {"out": 7.0}]}', id="feature serving"),
        pytest.param('{"predictions": ["3.5", 7]}', id="texts"),
    ],
)
def test_every_response_shape_gives_the_same_predictions(response: str) -> None:
    """However a model shapes two predictions, they are the same two predictions."""
    assert unpacked(RECORDS, response) == TWO_ROWS


def test_named_output_is_found_among_several() -> None:
    """With records of several columns, the signature's output column is the prediction."""
    schema = Schema(SCHEMA.features, SCHEMA.key, SCHEMA.prediction, output="fare")
    response = '{"predictions": [{"fare": 3.5, "tip": 1}, {"fare": 7.0, "tip": 2}]}'
    assert unpacked(RECORDS, response, schema=schema) == TWO_ROWS


def test_several_outputs_are_kept_as_json() -> None:
    """A prediction without a type of its own is its JSON text."""
    schema = Schema((), SCHEMA.key, Field("prediction", "STRING"))
    rows = unpacked('{"dataframe_records": [{"id": "x"}]}', '{"predictions": [{"a": 1, "b": [2]}]}', schema=schema)
    assert rows == [{"id": "x", "prediction": '{"a": 1, "b": [2]}'}]


def test_absent_and_not_a_number_are_null() -> None:
    """A column that was not sent, null and NaN are all NULL."""
    rows = unpacked('{"dataframe_records": [{"a": NaN, "id": null}]}', '{"predictions": [NaN]}')
    assert rows == [{"a": None, "b": None, "id": None, "prediction": None}]


def test_long_integers_keep_every_digit() -> None:
    """An integer above 2**53 is not rounded, as number or as text."""
    request = '{"dataframe_records": [{"b": 9007199254740993}, {"b": "9007199254740993"}]}'
    assert [row["b"] for row in unpacked(request)] == [9007199254740993, 9007199254740993]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(Payload(400, RECORDS, '{"error_code": "BAD_REQUEST"}'), "status code is 400", id="model refused"),
        pytest.param(Payload(None, None, None), "status code is None", id="no status"),
        pytest.param(Payload(200, None, "{}"), r"request is NULL \(not logged, or above 1 MiB\)", id="request too large"),
        pytest.param(Payload(200, RECORDS, None), "response is NULL", id="response too large"),
        pytest.param(Payload(200, "a,b\n1,2\n", "{}"), "request is not JSON: JSONDecodeError", id="CSV"),
        pytest.param(Payload(200, RECORDS, ""), "response is not JSON: JSONDecodeError", id="empty response"),
        pytest.param(Payload(200, "[" * 100_000, "{}"), "request is not JSON: RecursionError", id="nested too deeply"),
        pytest.param(Payload(200, "[1]", "{}"), "request is a JSON list, expected an object", id="list body"),
        pytest.param(Payload(200, '{"messages": []}', "{}"), "request has none of dataframe_split", id="chat"),
        pytest.param(Payload(200, '{"inputs": [], "instances": []}', "{}"), "request has instances and inputs", id="two formats"),
        pytest.param(
            Payload(200, '{"dataframe_split": [1]}', "{}"), "dataframe_split is no object with an array 'data'", id="split is a list"
        ),
        pytest.param(
            Payload(200, '{"dataframe_split": {"columns": ["a", "a"], "data": []}}', "{}"), "names a column twice", id="columns twice"
        ),
        pytest.param(
            Payload(200, '{"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}', "{}"), "row of 1 values for 2 columns", id="ragged"
        ),
        pytest.param(Payload(200, '{"dataframe_split": {"columns": [["a"]], "data": [[1]]}}', "{}"), "no array of names", id="multi-index"),
        pytest.param(Payload(200, '{"dataframe_records": {"a": 1}}', "{}"), "dataframe_records is a JSON dict", id="records no list"),
        pytest.param(Payload(200, '{"dataframe_records": [1]}', "{}"), "a row that is a JSON int", id="record no object"),
        pytest.param(Payload(200, '{"inputs": {"a": [1, 2], "b": [1]}}', "{}"), "columns of unequal lengths", id="unequal columns"),
        pytest.param(Payload(200, RECORDS, '{"predictions": [1]}'), "response has 1 predictions for 2 rows", id="too few predictions"),
        pytest.param(Payload(200, RECORDS, '{"choices": []}'), "response has no predictions, only choices", id="no predictions"),
        pytest.param(Payload(200, '{"dataframe_records": []}', '{"predictions": []}'), "request has no rows", id="no rows"),
        pytest.param(
            Payload(200, RECORDS, '{"predictions": [1, {"a": 1, "b": 2}]}'), "row 1, column prediction: .* is no DOUBLE", id="no number"
        ),
        pytest.param(
            Payload(200, '{"dataframe_records": [{"b": 1e30}]}', '{"predictions": [1]}'),
            r"row 0, column b: 1e\+30 is no BIGINT",
            id="too big",
        ),
        pytest.param(
            Payload(200, '{"dataframe_records": [{"id": "\\ud800"}]}', '{"predictions": [1]}'), "row 0, column id", id="lone surrogate"
        ),
    ],
)
def test_f08_every_fault_has_a_reason(payload: Payload, reason: str) -> None:
    """What cannot be unpacked says why, in words that a table can hold."""
    result = unpack(payload, SCHEMA)
    assert isinstance(result, Quarantined)
    assert re.search(reason, result.reason), result.reason
    result.reason.encode()


@pytest.mark.parametrize(
    ("value", "sql_type", "expected"),
    [
        (True, "BOOLEAN", True),
        ("False", "BOOLEAN", False),
        (2.7, "INT", 2),
        ("2.0", "INT", 2),
        (True, "BIGINT", 1),
        ("1e3", "DOUBLE", 1000.0),
        (5, "STRING", "5"),
        ([1], "STRING", "[1]"),
        ("2026-01-02T03:04:05", "TIMESTAMP", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (None, "STRING", None),
    ],
)
def test_values_are_read_as_the_model_server_reads_them(value: object, sql_type: str, expected: object) -> None:
    """Coercions are the server's own."""
    assert convert(value, sql_type) == expected


@pytest.mark.parametrize(
    ("value", "sql_type"), [("x", "DOUBLE"), ([1], "DOUBLE"), (2**31, "INT"), (10**400, "DOUBLE"), ("maybe", "BOOLEAN"), (5, "TIMESTAMP")]
)
def test_impossible_values_are_mismatches(value: object, sql_type: str) -> None:
    """What the server would refuse is refused."""
    with pytest.raises(Mismatch, match=f"is no {sql_type}"):
        convert(value, sql_type)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "id", "data", "columns", "0"]), inner, max_size=3)
    ),
    max_leaves=12,
)
formats = st.sampled_from(["dataframe_split", "dataframe_records", "inputs", "instances", "predictions", "outputs", "params"])
texts = st.none() | st.text(max_size=20) | st.dictionaries(formats, json_values, max_size=2).map(json.dumps)


@pytest.mark.property
@settings(max_examples=300, deadline=None)
@given(st.none() | st.sampled_from([200, 400]), texts, texts)
def test_unpacking_is_total(status: int | None, request: str | None, response: str | None) -> None:
    """Any logged row gives rows or a reason, never an exception; rows are typed as the schema says."""
    result = unpack(Payload(status, request, response), SCHEMA)
    if isinstance(result, Quarantined):
        assert result.reason
    else:
        assert result
        assert all(list(row) == ["a", "b", "id", "prediction"] for row in result)


finite = st.none() | st.floats(allow_nan=False)
frames = st.lists(
    st.fixed_dictionaries(
        {
            "a": finite,
            "b": st.none() | st.integers(-(2**63), 2**63 - 1),
            "id": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
            "prediction": finite,
        },
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.property
@settings(deadline=None)
@given(frames, st.sampled_from(PACKINGS))
def test_unpacking_restores_the_rows_sent(rows: list[dict[str, Any]], packing: str) -> None:
    """Whatever a client packs, in any format, the unpacker returns."""
    assert unpack(pack(rows, packing=packing), SCHEMA) == rows


def logged(request_id: str, payload: Payload) -> dict[str, Any]:
    """A row of an inference table."""
    envelope = {"databricks_request_id": request_id, "client_request_id": None, "served_entity_id": "e"}
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    texts = {"status_code": payload.status_code, "request": payload.request, "response": payload.response}
    return {**envelope, **texts, "request_time": moment, "request_date": moment.date()}


def test_arrow_function_gives_the_declared_columns() -> None:
    """Batches come out with the columns and types that Spark is told."""
    import pyarrow as pa

    batch = pa.RecordBatch.from_pylist([logged("r", pack(TWO_ROWS)), logged("q", Payload(400, "?", "!"))])
    result = pa.Table.from_batches(unpacker(plan_reading(SCHEMA))(iter([batch])))
    assert result.column_names == re.findall(r"`(\w+)`", output_ddl(plan_reading(SCHEMA)))
    assert result["prediction"].to_pylist() == [3.5, 7.0, None]
    assert result["reason"].to_pylist() == [None, None, "status code is 400"]


def test_workers_need_not_have_the_wheel() -> None:
    """The function runs in a process that cannot import this package."""
    code = """
import pickle, sys
sys.modules["monitoring_unpacker"] = None
import pyarrow as pa
function = pickle.loads(sys.stdin.buffer.read())
row = {"databricks_request_id": "r", "client_request_id": None, "request_time": None, "request_date": None, "status_code": 200,
       "served_entity_id": None, "request": '{"inputs": [{"id": "k"}]}', "response": '{"predictions": [1]}'}
print(pa.Table.from_batches(function(iter([pa.RecordBatch.from_pylist([row])])))["prediction"].to_pylist())
"""
    from pyspark import cloudpickle

    from monitoring_unpacker.arrow import send_by_value

    send_by_value()
    try:
        pickled = cloudpickle.dumps(unpacker(plan_reading(SCHEMA)))
    finally:
        cloudpickle.unregister_pickle_by_value(monitoring_unpacker)
    done = subprocess.run([sys.executable, "-c", code], input=pickled, capture_output=True, check=True)
    assert done.stdout.strip() == b"[1.0]"


@pytest.mark.parametrize("name", ["prediction", "LABEL", "a"])
def test_ambiguous_columns_are_refused(name: str) -> None:
    """A feature may not be called as a column of ours, or as another."""
    with pytest.raises(MonitoringError, match="reserved or used twice"):
        Schema((Field("a", "DOUBLE"), Field(name, "DOUBLE")), Field("id", "STRING"), Field("prediction", "DOUBLE"))


def test_all_lists_the_public_names() -> None:
    """`__all__` is sorted as the linter sorts it and names what exists."""
    assert len(set(monitoring_unpacker.__all__)) == len(monitoring_unpacker.__all__)
    assert all(hasattr(monitoring_unpacker, name) for name in monitoring_unpacker.__all__)


def test_importing_starts_nothing_heavy() -> None:
    """Neither Spark nor MLflow comes with the import."""
    code = "import monitoring_unpacker, sys; print(sorted({'pyspark', 'mlflow', 'pandas', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_examples_of_the_readme_run() -> None:
    """What the README shows is true."""
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(examples) == 2
    for code in examples:
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own README
