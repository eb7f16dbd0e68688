"""Kinds of resources and ways of building that the strangers' bundles do not have: deployed, seen by the clients, changed and destroyed."""

import datetime as dt
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import MonitorRefreshInfoState, VolumeType
from databricks.sdk.service.serving import ServingEndpointDetailed
from mlflow.exceptions import MlflowException

from harness.bundle import Choice, Deployment, deploy, destroy, read_bundle, run_job

pytestmark = pytest.mark.platform
UNDER_WAY = {MonitorRefreshInfoState.PENDING, MonitorRefreshInfoState.RUNNING}
NOTHING_TO_DO = "0 to add, 0 to change, 0 to delete"
BUNDLE = """
bundle: {name: kinds_CATALOG}
workspace: {artifact_path: /Volumes/CATALOG/default/wheels}
sync: {paths: [../shared, .], exclude: ["*.secret"]}
artifacts:
  pack:
    type: whl
    path: ../shared/pack
    executable: bash
    build: |
      set -o pipefail
      names=(pack.py)
      "PYTHON" build_wheel.py "${names[@]}" | cat
    files: [{source: ../shared/pack/out/*.whl}]
resources:
  models: {old: {name: old_CATALOG, description: first, tags: [{key: team, value: rides}]}}
  quality_monitors:
    fares:
      table_name: CATALOG.default.predictions
      output_schema_name: CATALOG.default
      assets_dir: /Workspace/Users/${workspace.current_user.userName}/monitors
      skip_builtin_dashboard: true
      slicing_exprs: ["prediction > 1"]
      schedule: {quartz_cron_expression: "0 0 3 * * ?", timezone_id: PST, pause_status: PAUSED}
      inference_log:
        problem_type: PROBLEM_TYPE_REGRESSION
        timestamp_col: at
        granularities: [1 day]
        prediction_col: prediction
        model_id_col: model
        label_col: label
  model_serving_endpoints:
    adder:
      name: CATALOG-adder
      tags: [{key: team, value: rides}]
      config:
        served_entities:
          - {name: only, entity_name: CATALOG.default.adder, entity_version: "1", workload_size: Small, scale_to_zero_enabled: true}
        traffic_config: {routes: [{served_model_name: only, traffic_percentage: 100}]}
  jobs:
    hello:
      name: hello
      environments: [{environment_key: e, spec: {environment_version: "5", dependencies: [../shared/pack/out/*.whl]}}]
      tasks:
        - {task_key: wheel, environment_key: e, python_wheel_task: {package_name: pack, entry_point: main}}
        - {task_key: script, environment_key: e, spark_python_task: {python_file: ../shared/script.py}}
"""
BUILD = """
import pathlib, sys, zipfile
pathlib.Path("out").mkdir(exist_ok=True)
with zipfile.ZipFile("out/pack-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("pack.py", pathlib.Path(sys.argv[1]).read_text())
    wheel.writestr("pack-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: pack\\nVersion: 1.0\\n")
    wheel.writestr("pack-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("pack-1.0.dist-info/entry_points.txt", "[console_scripts]\\nmain = pack:main\\n")
    wheel.writestr("pack-1.0.dist-info/RECORD", "")
"""
# Once Python functions run with the task's own interpreter, `ai_query` is among them.
SCRIPT = """
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

spark = SparkSession.builder.getOrCreate()
print("hello from beside the bundle", spark.range(1).select(udf(lambda x: x + 1, "long")("id")).first()[0])
print("scored", spark.sql("SELECT ai_query('CATALOG-adder', named_struct('a', 1.0D, 'b', 2.0D), 'DOUBLE')").first()[0])
"""
ADDER = """
import mlflow


class Adder(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return (model_input["a"] + model_input["b"]).tolist()


mlflow.models.set_model(Adder())
"""


class Heard:
    """Keeps what tasks print."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def task(self, task_key: str, state: str, seconds: float) -> None:
        """Keep how a task stands."""
        self.said.append(f"{task_key} {state} after {seconds} s\n")

    def output(self, task_key: str, text: str) -> None:
        """Keep what a task printed."""
        self.said.append(f"{task_key}: {text}")


class Project:
    """The bundle on disk, in a folder beside what it shares with others."""

    def __init__(self, folder: Path, catalog: str, workspace: WorkspaceClient) -> None:
        self.folder = folder / "bundle"
        self.text = BUNDLE.replace("CATALOG", catalog).replace("PYTHON", sys.executable)
        self.workspace = workspace
        pack = folder / "shared" / "pack"
        pack.mkdir(parents=True)
        self.folder.mkdir()
        (pack / "pyproject.toml").write_text("[project]\nname = 'pack'\n")
        (pack / "build_wheel.py").write_text(BUILD)
        (pack / "pack.py").write_text("def main():\n    print('hello from a volume')\n")
        (folder / "shared" / "script.py").write_text(SCRIPT.replace("CATALOG", catalog))
        (folder / "shared" / "key.secret").write_text("never sent")

    def deploy(self, **changes: str) -> Deployment:
        """Deploy it, with each key of `changes` in its text replaced."""
        text = self.text
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (self.folder / "databricks.yml").write_text(text)
        return deploy(read_bundle(self.folder, self.workspace, Choice()), self.workspace, folder=self.folder, progress=print)

    def run(self) -> str:
        """Run its job, which must succeed, and return what was printed."""
        heard = Heard()
        done = run_job(read_bundle(self.folder, self.workspace, Choice()), self.workspace, "hello", display=heard)
        assert done.succeeded, done
        return "".join(heard.said)

    def destroy(self) -> None:
        """Take everything away, the registered model among it."""
        destroy(read_bundle(self.folder, self.workspace, Choice()), self.workspace, progress=print)


@pytest.fixture
def predictions(spark: Any, catalog: str) -> str:
    """A table that can be monitored."""
    rows = pd.DataFrame(
        {
            "at": [dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (5, 6)],
            "model": ["1", "1"],
            "prediction": [1.0, 2.0],
            "label": [1.5, 2.5],
        }
    )
    name = f"{catalog}.default.predictions"
    spark.createDataFrame(rows).writeTo(name).using("delta").create()
    return name


@pytest.fixture
def adder(catalog: str, tmp_path: Path) -> str:
    """A registered model that adds; version 1."""
    source = tmp_path / "adder.py"
    source.write_text(ADDER)
    with mlflow.start_run(experiment_id=mlflow.set_experiment(f"/Shared/{catalog}").experiment_id):
        example = pd.DataFrame({"a": [1.0], "b": [2.0]})
        logged = mlflow.pyfunc.log_model(name="adder", python_model=str(source), input_example=example, pip_requirements=["mlflow-skinny"])
    return mlflow.register_model(logged.model_uri, f"{catalog}.default.adder").name


@pytest.fixture
def project(workspace: WorkspaceClient, catalog: str, tmp_path: Path, predictions: str, adder: str) -> Iterator[Project]:
    """The bundle, and what it expects to find."""
    assert predictions.startswith(catalog)
    assert adder.startswith(catalog)
    workspace.volumes.create(catalog, "default", "wheels", VolumeType.MANAGED)
    made = Project(tmp_path / "project", catalog, workspace)
    yield made
    shutil.rmtree(made.folder.parent)


def test_all_kinds_are_made_changed_and_taken_away(project: Project, workspace: WorkspaceClient, catalog: str, predictions: str) -> None:
    """Monitor, endpoint and legacy model; wheels in a volume; files from beside the bundle."""
    assert str(project.deploy().plan) == "4 to add, 0 to change, 0 to delete"

    endpoint = served(workspace, catalog)
    assert workspace.serving_endpoints.query(endpoint.name or "", dataframe_records=[{"a": 1.0, "b": 2.0}]).predictions == [3.0]
    monitor = workspace.quality_monitors.get(predictions)
    assert (monitor.slicing_exprs, monitor.schedule and monitor.schedule.timezone_id) == (["prediction > 1"], "PST")
    assert refreshed(workspace, predictions) == MonitorRefreshInfoState.SUCCESS
    registry = mlflow.MlflowClient(registry_uri="databricks")
    assert registry.get_registered_model(f"old_{catalog}").tags == {"team": "rides"}
    (wheel,) = workspace.files.list_directory_contents(f"/Volumes/{catalog}/default/wheels/.internal")
    assert (wheel.path or "").endswith("/pack-1.0-py3-none-any.whl")
    sent = [found.path or "" for found in workspace.workspace.list(f"{root(workspace, catalog)}/files", recursive=True)]
    assert f"{root(workspace, catalog)}/files/shared/script.py" in sent
    assert not [path for path in sent if path.endswith(".secret")]

    said = project.run()
    assert "hello from a volume" in said
    assert "hello from beside the bundle 1" in said
    assert "scored 3.0" in said
    assert str(project.deploy().plan) == NOTHING_TO_DO

    changes = {"prediction > 1": "label > 2", "workload_size: Small": "workload_size: Medium", "value: rides": "value: taxis"}
    again = project.deploy(**changes)
    assert str(again.plan) == "0 to add, 3 to change, 0 to delete"
    assert workspace.quality_monitors.get(predictions).slicing_exprs == ["label > 2"]
    endpoint = served(workspace, catalog)
    assert endpoint.config is not None
    assert endpoint.config.served_entities is not None
    assert endpoint.config.served_entities[0].workload_size == "Medium"
    assert [(tag.key, tag.value) for tag in endpoint.tags or []] == [("team", "taxis")]

    project.destroy()
    with pytest.raises(NotFound):
        workspace.quality_monitors.get(predictions)
    with pytest.raises(NotFound):
        served(workspace, catalog)
    with pytest.raises(MlflowException, match=f"old_{catalog} not found"):
        registry.get_registered_model(f"old_{catalog}")


def refreshed(workspace: WorkspaceClient, table: str) -> MonitorRefreshInfoState | None:
    """How the newest refresh of a monitor ended."""
    deadline = time.monotonic() + 60
    while (state := (workspace.quality_monitors.list_refreshes(table).refreshes or [])[0].state) in UNDER_WAY:
        assert time.monotonic() < deadline, "the refresh did not end in time"
        time.sleep(0.1)
    return state


def served(workspace: WorkspaceClient, catalog: str) -> ServingEndpointDetailed:
    return workspace.serving_endpoints.get(f"{catalog}-adder")


def root(workspace: WorkspaceClient, catalog: str) -> str:
    return f"/Workspace/Users/{workspace.current_user.me().user_name}/.bundle/kinds_{catalog}/default"
