"""Where the request comes from that verifies a version."""

import math
from pathlib import Path
from typing import Any

import pytest

from serving_client import ServingError
from serving_client.example import example_of, read_example


@pytest.fixture
def make_model(tmp_path: Path) -> Any:
    """Saves a model that doubles a column."""
    import mlflow
    import pandas as pd

    def saved(*, signature: bool, example: bool, second: float = 2.0) -> str:
        frame = pd.DataFrame({"x": [1.0, second]})
        inferred = mlflow.models.infer_signature(frame, frame["x"] * 2) if signature else False
        path = tmp_path / "model"
        mlflow.pyfunc.save_model(
            path,
            python_model=lambda frame: frame["x"] * 2,
            signature=inferred,
            input_example=frame if example else None,
            pip_requirements=[],
        )
        return str(path)

    return saved


def test_models_own_example_is_the_body_of_a_request(make_model: Any) -> None:
    """What MLflow kept beside the model is sent as it is."""
    assert example_of(make_model(signature=True, example=True)) == {"dataframe_split": {"columns": ["x"], "data": [[1.0], [2.0]]}}


def test_missing_values_of_an_example_are_sent_as_null(tmp_path: Path) -> None:
    """MLflow writes a missing number as NaN, which JSON has not; an infinity is not a missing value and stays."""
    path = tmp_path / "serving_input_example.json"
    path.write_text('{"dataframe_split": {"columns": ["x", "y"], "data": [[NaN, Infinity], [1.0, null]]}}', encoding="utf-8")
    assert read_example(str(path)) == {"dataframe_split": {"columns": ["x", "y"], "data": [[None, math.inf], [1.0, None]]}}


def test_models_own_example_may_have_missing_values(make_model: Any) -> None:
    """The rows of a frame's head, as most people give them, can be sent."""
    body = example_of(make_model(signature=True, example=True, second=math.nan))
    assert body == {"dataframe_split": {"columns": ["x"], "data": [[1.0], [None]]}}


def test_model_without_example_says_what_to_do(make_model: Any) -> None:
    """Log it with one, or give a file."""
    with pytest.raises(
        ServingError, match=r"has no input example to verify it with; log the model with input_example=…, or give --example FILE"
    ):
        example_of(make_model(signature=True, example=False))


def test_model_without_signature_says_what_to_do(make_model: Any) -> None:
    """Nothing says what it takes."""
    with pytest.raises(ServingError, match=r"has no signature, .*; log it again with signature=infer_signature\(inputs, predictions\)"):
        example_of(make_model(signature=False, example=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "no such file; expected a JSON file", id="missing"),
        pytest.param("{", "expected a JSON object .* got no JSON", id="broken"),
        pytest.param("[1]", "expected a JSON object .* got list", id="a list"),
    ],
)
def test_unusable_file_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    """The message names the file and what it must hold."""
    path = tmp_path / "body.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ServingError, match=message):
        read_example(str(path))
