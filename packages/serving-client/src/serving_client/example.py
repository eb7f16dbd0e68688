import json
import tempfile
from pathlib import Path
from typing import Any

from serving_client.errors import ServingError

# Written by MLflow beside a model that was logged with an input example; it is the body of a request.
SERVING_EXAMPLE = "serving_input_example.json"


def input_example(model: str, version: str) -> dict[str, Any]:
    """Return the registered version's own input example, as the body of a scoring request."""
    return example_of(f"models:/{model}/{version}")


def example_of(uri: str) -> dict[str, Any]:
    """Return the input example of the model at `uri`.

    Raises:
        ServingError: it was logged without a signature, so nothing says what it takes, or without an input example.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.models import get_model_info

    info = get_model_info(uri)
    if info.signature is None:
        raise ServingError(
            f"{uri} has no signature, so nothing says which columns of which types it takes; log it again with "
            "signature=infer_signature(inputs, predictions) and input_example=…"
        )
    if not info.saved_input_example_info:
        raise ServingError(f"{uri} has no input example to verify it with; log the model with input_example=…, or give --example FILE")
    with tempfile.TemporaryDirectory() as folder:
        return read_example(download_artifacts(artifact_uri=f"{uri}/{SERVING_EXAMPLE}", dst_path=folder))


def read_example(path: str) -> dict[str, Any]:
    """Return the JSON object in a file; NaN, which MLflow writes for a missing number and JSON has not, is null."""
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_constant)
    except FileNotFoundError as error:
        raise ServingError(f"{path}: no such file; expected a JSON file with the body of a request") from error
    except ValueError as error:
        raise ServingError(f"{path}: expected a JSON object such as {{'dataframe_records': […]}}, got no JSON ({error})") from error
    if not isinstance(body, dict):
        raise ServingError(f"{path}: expected a JSON object such as {{'dataframe_records': […]}}, got {type(body).__name__}")
    return body


def _constant(name: str) -> float | None:
    return None if name == "NaN" else float(name)
