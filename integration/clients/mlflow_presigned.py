"""The calls of `mlflow_registry_legacy.py` with files sent to and read from presigned addresses; the transfers in the newer dialect too.

`python mlflow_presigned.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import os

os.environ["MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC"] = "false"

import mlflow_registry_legacy
from mlflow.tracking import MlflowClient

if __name__ == "__main__":
    mlflow_registry_legacy.main()
    os.environ["MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY"] = "true"
    with mlflow_registry_legacy.schema_of_its_own() as name:
        mlflow_registry_legacy.registered(MlflowClient(), name)
        MlflowClient().delete_registered_model(name)
