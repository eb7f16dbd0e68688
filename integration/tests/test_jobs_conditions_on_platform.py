"""A bundle whose job decides, by what a task said, whether to run another job: deployed and run on the whole platform."""

import zipfile
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient

from harness.bundle import Choice, deploy, destroy, read_bundle, run_job

pytestmark = pytest.mark.platform
MODULE = """
import sys
from databricks.sdk.runtime import dbutils

def verdict():
    dbutils.jobs.taskValues.set("retrain", sys.argv[1] == "drift")
    print("verdict on", sys.argv[1])

def train():
    print("training because of", sys.argv[1])
"""
FILES = {
    "deciding.py": MODULE,
    "deciding-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: deciding\nVersion: 1.0\n",
    "deciding-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "deciding-1.0.dist-info/entry_points.txt": "[console_scripts]\nverdict = deciding:verdict\ntrain = deciding:train\n",
    "deciding-1.0.dist-info/RECORD": "",
}
BUNDLE = """
bundle: {name: deciding}
variables:
  environments:
    type: complex
    default: [{environment_key: default, spec: {environment_version: "5", dependencies: [./deciding-1.0-py3-none-any.whl]}}]
resources:
  jobs:
    monitoring:
      name: monitoring
      parameters: [{name: seen, default: nothing}]
      environments: ${var.environments}
      tasks:
        - task_key: verdict
          environment_key: default
          python_wheel_task: {package_name: deciding, entry_point: verdict, parameters: ["{{job.parameters.seen}}"]}
        - task_key: retrain_needed
          depends_on: [{task_key: verdict}]
          condition_task: {op: EQUAL_TO, left: "{{tasks.verdict.values.retrain}}", right: "true"}
        - task_key: retrain
          depends_on: [{task_key: retrain_needed, outcome: "true"}]
          run_job_task: {job_id: "${resources.jobs.training.id}", job_parameters: {why: "{{job.parameters.seen}}"}}
    training:
      name: training
      parameters: [{name: why, default: nobody knows}]
      environments: ${var.environments}
      tasks:
        - task_key: train
          environment_key: default
          python_wheel_task: {package_name: deciding, entry_point: train, parameters: ["{{job.parameters.why}}"]}
"""


class Lines:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def task(self, task_key: str, state: str, seconds: float) -> None:
        assert seconds >= 0
        self.told.append(f"{task_key} {state}")

    def output(self, task_key: str, text: str) -> None:
        self.told.extend(f"{task_key} | {line}" for line in text.splitlines())


def test_job_trains_again_only_when_the_verdict_says_so(workspace: WorkspaceClient, tmp_path: Path) -> None:
    """Deployed twice without a change; one run with each outcome; the other job's run is a real one, seen while it goes on."""
    (tmp_path / "databricks.yml").write_text(BUNDLE)
    with zipfile.ZipFile(tmp_path / "deciding-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in FILES.items():
            wheel.writestr(name, text)
    bundle = read_bundle(tmp_path, workspace, Choice())
    said: list[str] = []
    first = deploy(bundle, workspace, folder=tmp_path, progress=said.append)
    again = deploy(bundle, workspace, folder=tmp_path, progress=said.append)
    calm, drifted = Lines(), Lines()

    quiet = run_job(bundle, workspace, "monitoring", display=calm)
    retrained = run_job(bundle, workspace, "monitoring", display=drifted, params={"seen": "drift"})

    assert (str(first.plan), str(again.plan)) == ("2 to add, 0 to change, 0 to delete", "0 to add, 0 to change, 0 to delete")
    assert {task.task_key: task.result_state for task in quiet.tasks} == {
        "verdict": "SUCCESS",
        "retrain_needed": "SUCCESS",
        "retrain": "EXCLUDED",
    }
    assert quiet.succeeded
    assert "retrain_needed | 'false' EQUAL_TO 'true': false" in calm.told
    assert [task.result_state for task in retrained.tasks] == ["SUCCESS"] * 3
    assert {"retrain_needed | 'true' EQUAL_TO 'true': true", "retrain/train | training because of drift"} <= set(drifted.told)
    assert drifted.told.index("retrain/train SUCCESS") < drifted.told.index("retrain SUCCESS")
    (inner,) = workspace.jobs.list_runs(job_id=int(first.ids["resources.jobs.training"]))
    assert inner.trigger is not None
    assert inner.trigger_info is not None
    assert (inner.trigger.value, inner.trigger_info.run_id) == ("RUN_JOB_TASK", retrained.tasks[2].run_id)
    destroy(bundle, workspace, progress=said.append)
