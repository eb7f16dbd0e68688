import json
import tempfile
from pathlib import Path
from typing import Any

from serving_client.errors import ServingError

# Written by MLflow beside a model that was logged with an input example; it is the body of a request.
SERVING_EXAMPLE = "serving_input_example.json"


def input_example(model: str, version: str) -> dict[str, Any]:
    """Return the registered version's own input example, as the body of a scoring request."""
    from mlflow.artifacts import download_artifacts
    from mlflow.models import get_model_info

    uri = f"models:/{model}/{version}"
    if not get_model_info(uri).saved_input_example_info:
        raise ServingError(f"{uri} has no input example to verify it with; log the model with input_example=…, or give --example FILE")
    with tempfile.TemporaryDirectory() as folder:
        path = download_artifacts(artifact_uri=f"{uri}/{SERVING_EXAMPLE}", dst_path=folder)
        return read_example(path)


def read_example(path: str) -> dict[str, Any]:
    """Return the JSON object in a file."""
    body = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(body, dict):
        raise ServingError(f"{path}: expected a JSON object such as {{'dataframe_records': […]}}, got {type(body).__name__}")
    return body
