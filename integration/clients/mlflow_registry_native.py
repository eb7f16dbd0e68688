"""The calls of `mlflow_registry_legacy.py` in the registry's newer dialect, `/api/2.1/unity-catalog/models*`.

`python mlflow_registry_native.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import os

os.environ["MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY"] = "true"

import mlflow
import mlflow_registry_legacy
from mlflow.store._unity_catalog.registry.uc_native_rest_store import UcNativeModelRegistryStore
from mlflow.tracking import MlflowClient

if __name__ == "__main__":
    mlflow.set_tracking_uri("databricks")
    assert isinstance(MlflowClient(registry_uri="databricks-uc")._get_registry_client().store, UcNativeModelRegistryStore)
    mlflow_registry_legacy.main()
