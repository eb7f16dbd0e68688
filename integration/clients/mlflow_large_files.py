"""A model with a large file: sent in parts and read in ranges at once, as clients do from some size up; the sizes are lowered here.

`python mlflow_large_files.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import os

MIB = 1024**2
os.environ["MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE"] = str(4 * MIB)
os.environ["MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE"] = str(6 * MIB)  # a process for each chunk

import hashlib
import logging
import tempfile
import uuid
from pathlib import Path

import mlflow
import pandas as pd
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from mlflow.models import infer_signature

logging.getLogger("mlflow").setLevel(logging.ERROR)
Config.files_ext_multipart_upload_min_stream_size = 4 * MIB
Config.files_ext_multipart_upload_default_part_size = 2 * MIB
Config.files_ext_parallel_download_min_file_size = 4 * MIB
Config.files_ext_parallel_download_default_part_size = 2 * MIB


class Sized(mlflow.pyfunc.PythonModel):
    """Predicts the size of its file."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        """Look at the file."""
        self.size = Path(context.artifacts["weights"]).stat().st_size

    def predict(self, model_input: pd.DataFrame) -> list[int]:
        """Return the size, for each row."""
        return [self.size] * len(model_input)


def digest(path: Path | str) -> str:
    """Return what a file is known by."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def main() -> None:
    """Log, register by both ways and read back by all of them."""
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    workspace, schema = WorkspaceClient(), f"clients_{uuid.uuid4().hex[:8]}"
    workspace.schemas.create(schema, "main")
    mlflow.set_experiment(f"/Shared/clients/large-{schema}")
    frame = pd.DataFrame({"a": [1.0]})
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.bin"
        weights.write_bytes(os.urandom(11 * MIB + 7))
        with mlflow.start_run():
            info = mlflow.pyfunc.log_model(
                name="large",
                python_model=Sized(),
                artifacts={"weights": str(weights)},
                signature=infer_signature(frame, [1.5]),
                pip_requirements=["pandas"],
            )
        for used in ("true", "false"):  # the Files API, presigned addresses
            os.environ["MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC"] = used
            name = f"main.{schema}.large_{used}"
            version = mlflow.register_model(info.model_uri, name).version
            read = mlflow.artifacts.download_artifacts(f"models:/{name}/{version}")
            assert digest(f"{read}/artifacts/weights.bin") == digest(weights)
            back = f"{folder}/{used}.bin"
            path = f"/Models/main/{schema}/large_{used}/{version}/artifacts/weights.bin"
            workspace.files.download_to(path, back, use_parallel=True)
            assert digest(back) == digest(weights)
            mlflow.MlflowClient().delete_registered_model(name)
    workspace.schemas.delete(f"main.{schema}")


if __name__ == "__main__":
    main()
