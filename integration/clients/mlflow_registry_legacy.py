"""mlflow's registry `databricks-uc` in the dialect it speaks by default; files go through the Files API.

`python mlflow_registry_legacy.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed. The same calls in the newer
dialect and by presigned addresses: `mlflow_registry_native.py`, `mlflow_presigned.py`.
"""

import contextlib
import logging
import uuid
from collections.abc import Callable, Iterator

import mlflow
import numpy as np
import pandas as pd
from databricks.sdk import WorkspaceClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient
from sklearn.ensemble import GradientBoostingRegressor

logging.getLogger("mlflow").setLevel(logging.ERROR)
PACKAGES = ["scikit-learn==1.9.1"]  # given, so that mlflow does not spend seconds on finding them out
FRAME = pd.DataFrame({"distance": np.linspace(0.5, 20, 40), "hour": np.arange(40.0) % 24})
MODEL = GradientBoostingRegressor(n_estimators=3).fit(FRAME, FRAME["distance"] * 2.5)


def refused(code: str | None, call: Callable[[], object], *, says: str = "") -> None:
    """Check that a call is refused with an error code (None where the client makes its own) and a text."""
    try:
        call()
    except MlflowException as error:
        assert code in {None, error.error_code}, (error.error_code, error)
        assert says in str(error).lower(), error
    else:
        raise AssertionError(f"not refused: {code} {says}")


def registered(client: MlflowClient, name: str) -> None:
    """Register two versions, the second while logging; load them by every name they have."""
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(
            MODEL, name="fares", signature=infer_signature(FRAME, MODEL.predict(FRAME)), pip_requirements=PACKAGES
        )
    first = mlflow.register_model(info.model_uri, name, tags={"kind": "first"})
    assert (str(first.version), first.status, first.name) == ("1", "READY", name)
    found = client.get_model_version(name, "1")
    assert (found.run_id, found.model_id, found.tags) == (run.info.run_id, info.model_id, {"kind": "first"})
    assert client.get_model_version_download_uri(name, "1")
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            MODEL,
            name="fares",
            signature=infer_signature(FRAME, MODEL.predict(FRAME)),
            pip_requirements=PACKAGES,
            registered_model_name=name,
        )
    client.set_registered_model_alias(name, "Champion", 1)
    client.set_registered_model_alias(name, "Challenger", "2")
    client.set_registered_model_alias(name, "Champion", "2")
    for uri in (f"models:/{name}@Champion", f"models:/{name}/1", f"models:/{name}@Challenger"):
        np.testing.assert_array_equal(mlflow.pyfunc.load_model(uri).predict(FRAME), MODEL.predict(FRAME))
    assert str(client.get_model_version_by_alias(name, "Champion").version) == "2"
    assert sorted(client.get_model_version(name, "2").aliases) == ["Challenger", "Champion"]
    assert {alias: str(version) for alias, version in client.get_registered_model(name).aliases.items()} == {
        "Champion": "2",
        "Challenger": "2",
    }
    client.delete_registered_model_alias(name, "Challenger")
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_model_version_by_alias(name, "Challenger"))


def described(client: MlflowClient, name: str) -> None:
    """Change tags and descriptions; searches show neither tags nor aliases."""
    client.set_registered_model_tag(name, "team", "ml")
    client.set_registered_model_tag(name, "gone", "soon")
    client.delete_registered_model_tag(name, "gone")
    client.set_model_version_tag(name, "1", "validated", "yes")
    client.delete_model_version_tag(name, "1", "kind")
    client.update_registered_model(name, "predicts fares")
    client.update_model_version(name, "1", "the first")
    model, version = client.get_registered_model(name), client.get_model_version(name, "1")
    assert (model.tags, model.description) == ({"team": "ml"}, "predicts fares")
    assert (version.tags, version.description) == ({"validated": "yes"}, "the first")
    searched = client.search_model_versions(f"name='{name}'")
    assert sorted(str(each.version) for each in searched) == ["1", "2"]
    pages = client.search_model_versions(f"name='{name}'", max_results=1)
    assert len(pages) == 1
    assert len(client.search_model_versions(f"name='{name}'", max_results=1, page_token=pages.token)) == 1
    found, token = [], None
    while token != "":
        page = client.search_registered_models(max_results=2, page_token=token)
        found += [each.name for each in page]
        token = page.token or ""
    assert name in found
    assert len(found) == len(set(found))


def stricter(client: MlflowClient, name: str) -> None:
    """Unity Catalog refuses what the open-source registry takes."""
    with mlflow.start_run():
        bare = mlflow.sklearn.log_model(MODEL, name="bare", pip_requirements=PACKAGES)
    refused(None, lambda: mlflow.register_model(bare.model_uri, f"{name}_bare"), says="signature")
    client.delete_registered_model(f"{name}_bare")  # made before its version was refused
    refused(None, lambda: client.create_registered_model("two.levels"), says="three levels")
    refused("RESOURCE_ALREADY_EXISTS", lambda: client.create_registered_model(name))
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_registered_model(f"{name}_missing"))
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_model_version(name, "99"))
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.set_registered_model_alias(name, "Ghost", "99"))
    refused("INVALID_PARAMETER_VALUE", lambda: client.set_registered_model_alias(name, "v1", "1"))
    refused("INVALID_PARAMETER_VALUE", lambda: client.set_registered_model_alias(name, "latest", "1"))
    refused(None, lambda: client.transition_model_version_stage(name, "1", "Production"), says="unsupported")
    refused(None, lambda: client.get_latest_versions(name), says="unsupported")
    refused(None, lambda: client.search_registered_models("name LIKE 'x'"), says="filter_string")
    refused(None, lambda: client.search_model_versions("name LIKE 'x'"), says="unsupported filter")


def copied(client: MlflowClient, name: str) -> None:
    """Files belong to the registry: a copy outlives its source."""
    copy = client.copy_model_version(f"models:/{name}@Champion", f"{name}_copy")
    client.delete_model_version(name, "2")
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_model_version_by_alias(name, "Champion"))
    client.delete_registered_model(name)
    refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_registered_model(name))
    loaded = mlflow.pyfunc.load_model(f"models:/{name}_copy/{copy.version}")
    np.testing.assert_array_equal(loaded.predict(FRAME), MODEL.predict(FRAME))


@contextlib.contextmanager
def schema_of_its_own() -> Iterator[str]:
    """Give the name of a model that is not there yet, in a schema that is removed afterwards."""
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    workspace, schema = WorkspaceClient(), f"clients_{uuid.uuid4().hex[:8]}"
    workspace.schemas.create(schema, "main")
    mlflow.set_experiment(f"/Shared/clients/registry-{schema}")
    yield f"main.{schema}.fares"
    workspace.schemas.delete(f"main.{schema}")


def main() -> None:
    """Do it all."""
    with schema_of_its_own() as name:
        client = MlflowClient()
        registered(client, name)
        described(client, name)
        stricter(client, name)
        copied(client, name)
        client.delete_registered_model(f"{name}_copy")


if __name__ == "__main__":
    main()
