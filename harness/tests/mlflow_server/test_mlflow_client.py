"""A model's life with an unmodified mlflow client: tracked, registered, aliased, loaded, copied, removed."""

from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.store.artifact.databricks_artifact_repo import DatabricksArtifactRepository
from mlflow.tracking import MlflowClient
from sklearn.ensemble import GradientBoostingRegressor

from harness.config import Layout
from harness.unity.service import UnityService

pytestmark = [pytest.mark.platform, pytest.mark.usefixtures("databricks_environment")]
MODEL = "main.default.fares"
EXPERIMENT = "/Users/developer@harness.local/fares"
PACKAGES = ["scikit-learn==1.9.1"]  # given, so that mlflow does not spend seconds on finding them out


@dataclass(frozen=True)
class Trained:
    """A model, what it was trained on, and where it was logged."""

    model: GradientBoostingRegressor
    frame: pd.DataFrame
    run_id: str
    experiment_id: str
    model_uri: str
    model_id: str


@pytest.fixture(scope="module")
def trained(databricks_environment: None) -> Trained:  # noqa: ARG001 - only has to be there first; marks do not reach fixtures
    """Train, log and register version 1 of the model."""
    frame = pd.DataFrame({"trip_distance": np.linspace(0.5, 20, 60), "pickup_hour": np.arange(60) % 24})
    model = GradientBoostingRegressor(n_estimators=5).fit(frame, frame["trip_distance"] * 2.5 + 3)
    experiment = mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run() as run:
        mlflow.log_params({"n_estimators": 5, "note": "mlflow-artifacts:/0/kept/as/written"})
        mlflow.log_metric("mae", 0.1)
        mlflow.log_dict({"a": 1}, "settings/config.json")
        info = mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(frame, model.predict(frame)), pip_requirements=PACKAGES
        )
    version = mlflow.register_model(info.model_uri, MODEL)
    assert (version.version, version.status) in {("1", "READY"), (1, "READY")}
    return Trained(model, frame, run.info.run_id, experiment.experiment_id, info.model_uri, info.model_id)


@pytest.fixture
def client(trained: Trained) -> MlflowClient:
    """Return mlflow's client, with the model registered."""
    assert trained.run_id
    return MlflowClient()


def test_run_keeps_params_and_metrics(client: MlflowClient, trained: Trained) -> None:
    run = client.get_run(trained.run_id)

    assert (run.data.params["n_estimators"], run.data.metrics["mae"]) == ("5", 0.1)


def test_run_names_its_artifacts_as_a_workspace_does(client: MlflowClient, trained: Trained) -> None:
    uri = client.get_run(trained.run_id).info.artifact_uri

    assert uri == f"dbfs:/databricks/mlflow-tracking/{trained.experiment_id}/{trained.run_id}/artifacts"


def test_text_of_users_is_not_rewritten(client: MlflowClient, trained: Trained) -> None:
    assert client.get_run(trained.run_id).data.params["note"] == "mlflow-artifacts:/0/kept/as/written"


def test_artifacts_are_listed_and_read(client: MlflowClient, trained: Trained) -> None:
    assert [entry.path for entry in client.list_artifacts(trained.run_id)] == ["settings"]
    assert mlflow.artifacts.load_dict(f"runs:/{trained.run_id}/settings/config.json") == {"a": 1}


def test_artifacts_lie_where_the_server_looks(layout: Layout, trained: Trained) -> None:
    folder = layout.mlflow / "artifacts" / trained.experiment_id
    assert (folder / trained.run_id / "artifacts/settings/config.json").is_file()
    assert (folder / "models" / trained.model_id / "artifacts/MLmodel").is_file()


def test_runs_are_found_by_search(trained: Trained) -> None:
    found = mlflow.search_runs(experiment_names=[EXPERIMENT], filter_string="metrics.mae < 0.5")

    assert trained.run_id in list(found["run_id"])


@pytest.mark.parametrize("reference", ["alias", "version", "logged model", "run"])
def test_model_is_loaded_and_predicts_the_same(client: MlflowClient, trained: Trained, reference: str) -> None:
    client.set_registered_model_alias(MODEL, "Champion", "1")
    uris = {
        "alias": f"models:/{MODEL}@Champion",
        "version": f"models:/{MODEL}/1",
        "logged model": trained.model_uri,
        "run": f"runs:/{trained.run_id}/model",
    }

    loaded = mlflow.pyfunc.load_model(uris[reference])

    np.testing.assert_array_equal(loaded.predict(trained.frame), trained.model.predict(trained.frame))


def test_registered_files_are_ready_to_serve(unity: UnityService, trained: Trained) -> None:
    assert trained.model_id in (unity.model_files(MODEL, "1") / "MLmodel").read_text()


def test_version_remembers_where_it_came_from(client: MlflowClient, trained: Trained) -> None:
    version = client.get_model_version(MODEL, "1")

    assert (version.run_id, version.model_id) == (trained.run_id, trained.model_id)


@pytest.mark.parametrize("native", ["true", "false"])
def test_version_shows_what_was_logged_of_its_model(trained: Trained, native: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters, and metrics also when they are logged after it was registered, in both dialects and by alias."""
    monkeypatch.setenv("MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY", native)
    client = MlflowClient()
    client.set_registered_model_alias(MODEL, "Shown", "1")
    client.log_metric(trained.run_id, f"late_{native}", 2.5, step=3, model_id=trained.model_id, dataset_name="trips", dataset_digest="d1")

    for version in (client.get_model_version(MODEL, "1"), client.get_model_version_by_alias(MODEL, "Shown")):
        assert {param.key: param.value for param in version.params}["n_estimators"] == "5"
        late = [metric for metric in version.metrics if metric.key == f"late_{native}"]
        assert [(each.value, each.step, each.dataset_name, each.model_id, each.run_id) for each in late] == [
            (2.5, 3, "trips", trained.model_id, trained.run_id)
        ]


def test_logged_models_are_found_by_the_name_of_a_data_set(client: MlflowClient, trained: Trained) -> None:
    """Its digest need not be given."""
    client.log_metric(trained.run_id, "far", 2.0, model_id=trained.model_id, dataset_name="far_trips", dataset_digest="d2")

    def found(**dataset: str) -> list[str]:
        return [each.model_id for each in client.search_logged_models([trained.experiment_id], datasets=[dataset])]

    assert found(dataset_name="far_trips") == found(dataset_name="far_trips", dataset_digest="d2") == [trained.model_id]
    assert found(dataset_name="far_trips", dataset_digest="d3") == found(dataset_name="near_trips") == []


def test_registering_again_makes_the_next_version(client: MlflowClient, trained: Trained) -> None:
    version = mlflow.register_model(trained.model_uri, MODEL)

    assert {found.version for found in client.search_model_versions(f"name='{MODEL}'")} >= {"1", str(version.version)}


def test_tags_of_model_and_version_are_kept(client: MlflowClient) -> None:
    client.set_registered_model_tag(MODEL, "team", "ml")
    client.set_model_version_tag(MODEL, "1", "validated", "yes")

    assert client.get_registered_model(MODEL).tags == {"team": "ml"}
    assert client.get_model_version(MODEL, "1").tags == {"validated": "yes"}


def test_model_without_signature_is_refused(trained: Trained) -> None:
    with mlflow.start_run(), pytest.raises(MlflowException, match="signature"):
        mlflow.sklearn.log_model(trained.model, name="bare", registered_model_name="main.default.bare", pip_requirements=PACKAGES)


def test_two_level_name_is_refused(client: MlflowClient) -> None:
    with pytest.raises(MlflowException, match="three levels"):
        client.create_registered_model("default.fares")


def test_version_of_a_missing_schema_is_refused(trained: Trained) -> None:
    with pytest.raises(MlflowException, match=r"Schema 'main\.nowhere' does not exist"):
        mlflow.register_model(trained.model_uri, "main.nowhere.fares")


def test_experiment_needs_an_absolute_name(client: MlflowClient) -> None:
    with pytest.raises(MlflowException, match="absolute path"):
        client.create_experiment("fares")


def test_copy_is_a_version_of_its_own(client: MlflowClient, trained: Trained) -> None:
    copy = client.copy_model_version(f"models:/{MODEL}/1", "main.default.copied")

    loaded = mlflow.pyfunc.load_model(f"models:/main.default.copied/{copy.version}")

    np.testing.assert_array_equal(loaded.predict(trained.frame), trained.model.predict(trained.frame))


def test_presigned_urls_serve_clients_that_do_not_use_the_files_api(
    client: MlflowClient, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC", "false")
    copy = client.copy_model_version(f"models:/{MODEL}/1", "main.default.presigned")

    loaded = mlflow.pyfunc.load_model(f"models:/main.default.presigned/{copy.version}")

    np.testing.assert_array_equal(loaded.predict(trained.frame), trained.model.predict(trained.frame))


def test_removed_model_is_gone(client: MlflowClient, layout: Layout) -> None:
    client.copy_model_version(f"models:/{MODEL}/1", "main.default.short_lived")

    client.delete_registered_model("main.default.short_lived")

    with pytest.raises(MlflowException, match="does not exist"):
        client.get_registered_model("main.default.short_lived")
    assert not (layout.files / "Models/main/default/short_lived").exists()


def test_renamed_model_is_loaded_by_its_new_name(client: MlflowClient, trained: Trained) -> None:
    client.copy_model_version(f"models:/{MODEL}/1", "main.default.old_name")

    client.rename_registered_model("main.default.old_name", "main.default.new_name")

    loaded = mlflow.pyfunc.load_model("models:/main.default.new_name/1")
    np.testing.assert_array_equal(loaded.predict(trained.frame), trained.model.predict(trained.frame))
    with pytest.raises(MlflowException, match="does not exist"):
        client.get_registered_model("main.default.old_name")


def test_removed_alias_is_gone(client: MlflowClient) -> None:
    client.set_registered_model_alias(MODEL, "Old", "1")
    client.delete_registered_model_alias(MODEL, "Old")

    with pytest.raises(MlflowException, match="Alias 'Old' does not exist"):
        client.get_model_version_by_alias(MODEL, "Old")


def test_signed_addresses_transfer_the_artifacts_of_runs_and_models(client: MlflowClient, trained: Trained, tmp_path: Path) -> None:
    """The way of mlflow 2, which mlflow 3 still has: what goes in by it comes out by it, and by the other way."""
    (tmp_path / "note.txt").write_text("hello")
    of_run = DatabricksArtifactRepository(client.get_run(trained.run_id).info.artifact_uri)
    of_model = DatabricksArtifactRepository(client.get_logged_model(trained.model_id).artifact_location)

    of_run.log_artifact(str(tmp_path / "note.txt"), "deep/er")
    of_model.log_artifact(str(tmp_path / "note.txt"))

    assert Path(of_run.download_artifacts("deep/er/note.txt", str(tmp_path))).read_text() == "hello"
    assert Path(of_model.download_artifacts("note.txt", str(tmp_path / "deep"))).read_text() == "hello"
    assert mlflow.artifacts.load_text(f"runs:/{trained.run_id}/deep/er/note.txt") == "hello"
    with pytest.raises(MlflowException, match="RESOURCE_DOES_NOT_EXIST"):
        DatabricksArtifactRepository(f"dbfs:/databricks/mlflow-tracking/1/{'0' * 32}/artifacts").log_artifact(str(tmp_path / "note.txt"))
