"""`harness deploy`, `run`, `summary` and `destroy` as a user types them, against a workspace over HTTP."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import typer
from typer.testing import CliRunner

from harness.cli import bundle
from harness.errors import UserError

TASK = "{task_key: only, environment_key: default, python_wheel_task: {package_name: pack, entry_point: main}}"
BUNDLE = f"""
bundle: {{name: demo}}
variables: {{title: {{default: nightly}}}}
resources:
  jobs:
    nightly:
      name: ${{var.title}}
      environments: [{{environment_key: default, spec: {{environment_version: "5"}}}}]
      tasks: [{TASK}]
targets: {{dev: {{default: true}}, prod: {{}}}}
"""


class Served(Protocol):
    """The workspace of the tests."""

    host: str
    jobs: Any  # the fake of conftest, which tests of one folder cannot import by name


@dataclass(frozen=True)
class Typed:
    """What a command answered."""

    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Types commands; nobody is there to answer questions."""

    def __init__(self, served: Served) -> None:
        self.environment = {"DATABRICKS_HOST": served.host, "DATABRICKS_TOKEN": "secret-token"}
        self._app = typer.Typer()
        bundle.mount(self._app)

    def type(self, *words: str) -> Typed:
        """Return what a command answers; as in `harness.cli.main`, bad input is status 2."""
        done = CliRunner().invoke(self._app, words, env=self.environment)
        if isinstance(done.exception, UserError):
            return Typed(2, done.stdout, f"{done.stderr}{done.exception}")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Typed(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def shell(tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a shell in the folder of a bundle."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "databricks.yml").write_text(BUNDLE)
    monkeypatch.chdir(folder)
    for name in list(os.environ):
        if name.startswith(("DATABRICKS_", "BUNDLE_VAR_")):
            monkeypatch.delenv(name)
    return Shell(served)


def _ended(result: str) -> dict[str, Any]:
    state = {"life_cycle_state": "TERMINATED", "result_state": result}
    task = {"task_key": "only", "run_id": 1, "attempt_number": 0, "start_time": 1000, "end_time": 2500, "state": state}
    return {"run_id": 7, "run_name": "nightly", "state": state, "start_time": 1000, "end_time": 3000, "tasks": [task]}


def test_bundle_is_deployed_shown_and_destroyed(shell: Shell, served: Served) -> None:
    deployed = shell.type("deploy", "--var", "title=evening")
    shown = shell.type("summary")
    asked = shell.type("destroy")
    destroyed = shell.type("destroy", "--auto-approve")
    again = shell.type("destroy", "--auto-approve")

    assert deployed.returncode == 0
    assert "resources.jobs.nightly: package_name 'pack' is in no wheel of the task's environment" in deployed.stderr
    assert "1 to add, 0 to change, 0 to delete" in deployed.stdout
    assert f"jobs.nightly  nightly  100  {served.host}/jobs/100" in shown.stdout
    assert (asked.returncode, "say yes with --auto-approve" in asked.stderr) == (2, True)
    assert (destroyed.returncode, served.jobs.jobs) == (0, {})
    assert "No active deployment found to destroy!" in again.stdout


def test_successful_run_exits_0_and_shows_states_and_output(shell: Shell, served: Served) -> None:
    shell.type("deploy")
    served.jobs.runs = [_ended("SUCCESS")]
    served.jobs.printed = {"only": "grid search 1/2\n"}

    ran = shell.type("run", "nightly")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "only │ grid search 1/2\nonly SUCCESS in 1.5 s\nSUCCESS nightly in 2.0 s\n" in ran.stdout


def test_failed_run_exits_1_and_says_what_failed_and_where_to_look(shell: Shell, served: Served) -> None:
    shell.type("deploy")
    served.jobs.runs = [_ended("FAILED")]
    served.jobs.outputs = {1: {"error": "ValueError: no [x]", "error_trace": "Traceback:\n  line"}}

    ran = shell.type("run", "nightly")

    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [
        "error: task only FAILED: ValueError: no [x]",
        "  Traceback:",
        "    line",
        "look further: GET /api/2.2/jobs/runs/get-output?run_id=1",
    ]


def test_failure_in_a_job_that_a_task_runs_is_told_down_to_its_cause(shell: Shell, served: Served) -> None:
    shell.type("deploy")
    run = _ended("FAILED")
    run["tasks"][0]["run_job_task"] = {"job_id": 5}
    served.jobs.runs = [run]
    inner = _ended("FAILED")
    inner["tasks"][0] |= {"task_key": "train", "run_id": 2}
    served.jobs.inner[70] = [{**inner, "run_id": 70}]
    served.jobs.outputs = {1: {"error": "Run 70 ended", "run_job_output": {"run_id": 70}}, 2: {"error": "ValueError: no"}}

    ran = shell.type("run", "nightly")

    assert "only │ run 70\nonly/train FAILED in 1.5 s\nonly FAILED in 1.5 s\n" in ran.stdout
    assert ran.stderr.splitlines() == [
        "error: task only FAILED: Run 70 ended",
        "error: task train FAILED: ValueError: no",
        "look further: GET /api/2.2/jobs/runs/get-output?run_id=2",
    ]


def test_log_of_a_failed_task_is_named_when_the_state_folder_is_known(shell: Shell, served: Served, tmp_path: Path) -> None:
    state = tmp_path / "known"
    state.mkdir()
    connection = {"host": served.host, "token": "secret-token", "spark_remote": "", "state": str(state), "pid": os.getpid()}
    (state / "harness.json").write_text(json.dumps(connection))
    served.jobs.runs, served.jobs.outputs = [_ended("FAILED")], {1: {"error": "no"}}
    shell.environment["DATABRICKS_HOST"] = "http://127.0.0.1:1"
    shell.type("deploy", "--state", str(state))

    ran = shell.type("run", "nightly", "--state", str(state))

    assert f"log: {state}/logs/runs/7/only.0\n" in ran.stderr


def test_run_without_waiting_leaves_at_once(shell: Shell, served: Served) -> None:
    shell.type("deploy")

    ran = shell.type("run", "nightly", "--no-wait")

    assert (ran.returncode, ran.stdout, len(served.jobs.started)) == (0, "nightly: run 7 started\n", 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("deploy", "-t", "qa"), "unknown target 'qa'; expected one of dev, prod", id="unknown target"),
        pytest.param(("deploy", "--var", "title"), "--var title: expected name=value", id="no value"),
        pytest.param(("deploy", "--var", "x=1"), "unknown variable 'x'", id="unknown variable"),
        pytest.param(("deploy", "--bundle", "nowhere"), "nowhere: no databricks.yml in this folder", id="no bundle"),
        pytest.param(("run", "daily"), "unknown job 'daily'; the bundle has nightly", id="unknown job"),
        pytest.param(("summary", "--state", "nowhere"), "no harness is running in this state folder; start one", id="no harness"),
    ],
)
def test_bad_input_exits_2_with_one_sentence(shell: Shell, words: tuple[str, ...], message: str) -> None:
    ran = shell.type(*words)

    assert ran.returncode == 2
    assert message in ran.stderr


def test_host_that_does_not_answer_is_said(shell: Shell) -> None:
    shell.environment["DATABRICKS_HOST"] = "http://127.0.0.1:1"

    ran = shell.type("summary")

    assert (ran.returncode, "http://127.0.0.1:1: no harness answers there" in ran.stderr) == (2, True)
