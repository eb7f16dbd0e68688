"""What the model server answers is what MLflow's own scoring server answers, byte for byte."""

import asyncio
import json
import re
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from _pytest.mark import ParameterSet
from starlette.types import ASGIApp

from harness_guest.model_scoring import Scorer


class Models(Protocol):
    """The models that conftest.py saved."""

    folders: dict[tuple[str, str], Path]


Both = dict[str, tuple[Scorer, ASGIApp]]
JSON = "application/json"
SPLIT = {"columns": ["a", "b"], "data": [[1.5, 2], [3, 4]]}
GOOD = {"dataframe_records": [{"a": 1, "b": 2}]}


def case(label: str, body: object, content_type: str | None = JSON, model: str = "adds") -> ParameterSet:
    return pytest.param(model, content_type, body if isinstance(body, bytes) else json.dumps(body).encode(), id=label)


BODIES = [
    case("split", {"dataframe_split": SPLIT}),
    case("split with index, other order", {"dataframe_split": {"index": [7], "columns": ["b", "a"], "data": [[1, 2.5]]}}),
    case("records", {"dataframe_records": [{"a": 1.5, "b": 2}]}),
    case("extra column dropped", {"dataframe_records": [{"a": 1.5, "b": 2, "key": "k"}]}),
    case("inputs of columns", {"inputs": {"a": [1.5, 3], "b": [2, 4]}}),
    case("inputs of records", {"inputs": [{"a": 1.5, "b": 2}]}),
    case("inputs of rows", {"inputs": [[1.5, 2]]}),
    case("instances", {"instances": [{"a": 1.5, "b": 2}]}),
    case("extra top-level keys", {**GOOD, "client_request_id": "x", "databricks_options": {"return_trace": True}}),
    case("params", {**GOOD, "params": {"temperature": 1}}),
    case("unknown param", {**GOOD, "params": {"nope": 1}}),
    case("bad param", {**GOOD, "params": {"temperature": "hot"}}),
    case("params not an object", {**GOOD, "params": [1]}),
    case("number as text", {"dataframe_records": [{"a": "1.5", "b": "2"}]}),
    case("fraction in a long column", {"dataframe_records": [{"a": 1.5, "b": 2.7}]}),
    case("null in a double column", {"dataframe_records": [{"a": None, "b": 1}]}),
    case("null in a long column", {"dataframe_records": [{"a": 1.5, "b": None}]}),
    case("text that is no number", {"dataframe_records": [{"a": "x", "b": 2}]}),
    case("missing column", {"dataframe_records": [{"a": 1}]}),
    case("no records", {"dataframe_records": []}),
    case("records as object", {"dataframe_records": {"a": [1]}}),
    case("split as list", {"dataframe_split": [1]}),
    case("split without columns", {"dataframe_split": {"data": [[1, 2]]}}),
    case("ragged split", {"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}),
    case("two formats", {**GOOD, "inputs": [1]}),
    case("no format", {"client_request_id": "x"}),
    case("a list", [{"a": 1}]),
    case("a number", 3),
    case("truncated JSON", b'{"dataframe_records": ['),
    case("empty body", b""),
    case("not UTF-8", b"\xff\xfe"),
    case("CSV", b"a,b\n1.5,2\n3,4\n", "text/csv"),
    case("CSV with charset", b"a,b\n1.5,2\n", "text/csv; charset=utf-8"),
    case("bad CSV", b"a,b\nx,y\n", "text/csv"),
    case("other charset", GOOD, "application/json; charset=latin-1"),
    case("content-type parameter", GOOD, "application/json; format=pandas-split"),
    case("XML", b"<a/>", "application/xml"),
    case("model raises", {"dataframe_records": [{"do": "raise"}]}, model="obeys"),
    case("model returns a series", {"dataframe_records": [{"do": "series"}]}, model="obeys"),
    case("model returns a frame", {"dataframe_records": [{"do": "frame"}]}, model="obeys"),
    case("model returns NaN", {"dataframe_records": [{"do": "nan"}]}, model="obeys"),
    case("model returns what JSON cannot say", {"dataframe_records": [{"do": "unencodable"}]}, model="obeys"),
    case("type-free chat format", {"messages": [{"role": "user", "content": "hi"}]}, model="obeys"),
]


@pytest.fixture(scope="module")
def both(models: Models) -> Both:
    """For each model, our scorer and the application of MLflow's server."""
    from mlflow.pyfunc import load_model
    from mlflow.pyfunc.scoring_server import init

    def pair(name: str) -> tuple[Scorer, ASGIApp]:
        folder = str(models.folders[f"main.ml.{name}", "1"])
        return Scorer(folder), init(load_model(folder))

    return {name: pair(name) for name in ("adds", "obeys")}


def asked(app: ASGIApp, body: bytes, content_type: str | None) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://mlflow") as client:
            return await client.post("/invocations", content=body, headers={"content-type": content_type} if content_type else {})

    return asyncio.run(ask())


@pytest.mark.parametrize(("model", "content_type", "body"), BODIES)
def test_same_answer_as_mlflow(both: Both, model: str, content_type: str | None, body: bytes) -> None:
    """Status, content type and body are MLflow's."""
    scorer, theirs = both[model]
    expected = asked(theirs, body, content_type)
    answer = scorer.answer(content_type, body)
    assert (answer.status, answer.content_type) == (expected.status_code, expected.headers["content-type"])
    assert _comparable(answer.body.decode()) == _comparable(expected.text)


def test_mlflow_exception_is_the_callers_fault(both: Both) -> None:
    """An MlflowException without a code is 400 here, where MLflow's own server says 500."""
    scorer, _ = both["obeys"]
    answer = scorer.answer(JSON, b'{"dataframe_records": [{"do": "raise mlflow"}]}')
    body = json.loads(answer.body)
    assert (answer.status, body["error_code"]) == (400, "INTERNAL_ERROR")
    assert body["message"].endswith("Error: boom")


@pytest.mark.parametrize(
    ("content_type", "body", "status", "message"),
    [
        pytest.param(None, b"{}", 415, "This predictor only supports the following content types", id="no content type"),
        pytest.param(JSON, b"[" * 100_000, 400, "Ensure that input is a valid JSON formatted string. Error: 'RecursionError", id="deep"),
        pytest.param(JSON, b'{"inputs": ' + b"1" * 5000 + b"}", 400, "'ValueError('Exceeds the limit (4300 digits)", id="many digits"),
    ],
)
def test_what_breaks_mlflows_parser_is_the_callers_fault(
    both: Both, content_type: str | None, body: bytes, status: int, message: str
) -> None:
    """MLflow's own server answers 500 to these, with no word about why."""
    scorer, theirs = both["adds"]
    answer = scorer.answer(content_type, body)
    assert (answer.status, asked(theirs, body, content_type).status_code) == (status, 500)
    assert message in answer.body.decode()


def _comparable(text: str) -> str:
    """Two stack traces of one error differ in line numbers of the callers."""
    return re.sub(r'"stack_trace": ".*?"(?=[,}])', '"stack_trace": "…"', text)
