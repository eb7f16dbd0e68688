"""Bodies with columns beside the model's own, as batch scoring sends a key with every row."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingRegressor

from harness_guest.fast_bodies import cells
from harness_guest.fast_wide import LAYOUTS, WideReader
from harness_guest.model_scoring import JSON, Scorer


def reader() -> WideReader:
    """A reader for a model of a double and a long."""
    return WideReader(dict(zip(["x", "n"], cells(["double", "long"]), strict=True)))


def split(columns: list[str], *rows: list[object], **more: object) -> bytes:
    """Return a body."""
    return json.dumps({"dataframe_split": {"columns": columns, "data": rows}, **more}).encode()


@pytest.mark.parametrize("other", ["key", "", 7, -(2**70), 0.5, True, None])
def test_the_models_columns_are_read_from_among_others(other: object) -> None:
    """Whatever stands in another column, and wherever the model's are, they are read in the model's order."""
    assert reader().rows(split(["id", "n", "x"], [other, 3, 0.5], [other, 4, 1.5])) == [(0.5, 3.0), (1.5, 4.0)]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(split(["id", "x"], ["k", 1]), id="a column is missing"),
        pytest.param(split(["id", "x", "n", "x"], ["k", 1, 2, 3]), id="a column twice"),
        pytest.param(split(["id", "x", "n"], ["k", "1", 2]), id="a text for a number"),
        pytest.param(split(["id", "x", "n"], ["k", None, 2]), id="a null for a number"),
        pytest.param(split(["id", "x", "n"], ["k", 1, 2.5]), id="a fraction for a long"),
        pytest.param(split(["id", "x", "n"], ["k", 1]), id="a row too short"),
        pytest.param(split(["id", "x", "n"], [["k"], 1, 2]), id="a list in another column"),
        pytest.param(split(["id", "x", "n"]), id="no rows"),
        pytest.param(split(["id", "x", "n"], ["k", 1, 2], params={}), id="more keys"),
        pytest.param(split(["id", "x", "n"], ["k", 1, 2])[:-1], id="broken off"),
        pytest.param('{"dataframe_split": {"columns": ["é", "x", "n"], "data": [["k", 1, 2]]}}'.encode(), id="not ASCII"),
        pytest.param(
            b'{"dataframe_split": {"columns": ["id", "x", "n"], "data": [[1, 2, 3]], "columns": ["n", "x", "id"]}}', id="columns twice"
        ),
        pytest.param(b'{"dataframe_split": {"columns": ["id", "x", "n"], "data": [["k", 1, 2]], "index": []}}', id="index too short"),
        pytest.param(b'{"dataframe_split": {"data": [["k", 1, 2]], "columns": ["id", "x", "n"]}}', id="data first"),
        pytest.param(b"[" * 1000 + b'"data":' + b"[" * 100_000, id="deep"),
    ],
)
def test_what_is_not_plain_is_left_to_mlflow(body: bytes) -> None:
    """Whatever MLflow would coerce or refuse is its own; nothing of it is remembered for the next body."""
    wide = reader()
    assert wide.rows(body) is None
    assert wide.rows(split(["id", "x", "n"], ["k", 1, 2])) == [(1.0, 2.0)]


def test_heads_are_forgotten_before_they_fill_the_memory() -> None:
    """A client that sends other columns each time is answered, and costs no more than some readers."""
    wide = reader()
    for number in range(LAYOUTS + 2):
        assert wide.rows(split([f"id{number}", "x", "n"], ["k", 1, 2])) == [(1.0, 2.0)]
    assert len(wide._layouts) <= LAYOUTS


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A model of a double, a float and a long."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 3)), columns=["a", "b", "n"])
    model = GradientBoostingRegressor(n_estimators=10, random_state=0).fit(rows, rows.a * 2 + rows.n)
    folder: Path = tmp_path_factory.mktemp("wide") / "model"
    signature = ModelSignature(Schema([ColSpec("double", "a"), ColSpec("float", "b"), ColSpec("long", "n")]))
    options: dict[str, Any] = {"serialization_format": "cloudpickle", "pip_requirements": ["scikit-learn"]}
    mlflow.sklearn.save_model(model, str(folder), signature=signature, **options)
    return Scorer(str(folder))


_OTHERS = st.text("ab€\n", max_size=3) | st.integers(-(2**70), 2**70) | st.floats(-1e300, 1e300) | st.booleans() | st.none()


@given(
    columns=st.permutations(["a", "b", "n", "id", "dup"]),
    rows=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.integers(-9, 9), _OTHERS, _OTHERS), min_size=1, max_size=5),
)
@settings(deadline=None, max_examples=100)
def test_answers_are_mlflows(scorer: Scorer, columns: list[str], rows: list[tuple[object, ...]]) -> None:
    """Every such body is answered fast, with the very bytes of MLflow."""
    names = ["a", "b", "n", "id", "dup"]
    body = split(columns, *([row[names.index(name)] for name in columns] for row in rows))
    [answer] = scorer.fast_answers([body])
    assert answer is not None
    assert answer.body == scorer.answer(JSON, body).body
