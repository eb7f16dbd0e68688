"""pytest's fixtures, as a stranger's repository meets them: in a pytest of its own, on the session's harness."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from harness.cli.connection import Connection

ROOT = Path(__file__).resolve().parents[2]

UNCHANGED = """
import os

import mlflow
from pyspark.sql import SparkSession


def leave_everything_open():
    SparkSession.builder.getOrCreate().range(1).createTempView("left_behind")
    mlflow.set_experiment(f"/Shared/{os.environ['NAME']}")
    mlflow.start_run()
    mlflow.MlflowClient().create_registered_model("model")  # one level: completed by the active session's catalog and schema


def test_first(workspace):
    leave_everything_open()
    assert workspace.spark is SparkSession.builder.getOrCreate()


def test_second_is_as_the_first_was(workspace):
    assert mlflow.active_run() is None
    assert workspace.spark.catalog.listTables() == []
    leave_everything_open()
    assert workspace.client.registered_models.get(f"{workspace.catalog}.default.model").name == "model"


def test_fails(workspace):
    print("made", workspace.workspace_id)
    workspace.spark.sql("CREATE TABLE t AS SELECT 1 AS x")
    raise RuntimeError("as tests do")


def test_environment_is_as_before():
    assert os.environ["DATABRICKS_TOKEN"] == os.environ["EXPECTED"]
    assert os.environ["DATABRICKS_CLUSTER_ID"] == "mine"
    assert "MLFLOW_EXPERIMENT_ID" not in os.environ
"""

NOT_ASKED_FOR = """
import sys


def test_nothing_is_there():
    heavy = {"harness.testing", "harness.app", "httpx", "pyspark", "mlflow", "databricks.sdk"}
    assert heavy & sys.modules.keys() == set()
"""

OWN = """
import pytest


@pytest.fixture
def workspace():
    return "my own"
"""


def pytest_in(folder: Path, *options: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest on the files of `folder`, without this repository's settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "SPARK_"))} | variables
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *options, str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.platform
def test_unchanged_code_runs_in_a_workspace_per_test(tmp_path: Path, connection: Connection) -> None:
    """What one test leaves behind, the next does not find; what a failed one has made is removed; the environment is as before.

    The examples of docs/testing.md are among the tests.
    """
    (tmp_path / "test_stranger.py").write_text(UNCHANGED)
    examples = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "testing.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    for number, example in enumerate(examples):
        (tmp_path / f"test_page_{number}.py").write_text(example)

    variables = {"EXPECTED": connection.token, "DATABRICKS_CLUSTER_ID": "mine", "NAME": "left-open"}
    done = pytest_in(tmp_path, "-rA", **variables)

    assert len(examples) == 3
    assert "1 failed, 6 passed" in done.stdout, done.stdout + done.stderr
    assert "RuntimeError: as tests do" in done.stdout
    made = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("made "))
    bearer = {"authorization": f"Bearer {connection.token}"}
    assert httpx.get(f"{connection.host}/__harness__/workspaces/{made}", headers=bearer).status_code == 404
    assert httpx.get(f"{connection.host}/api/2.1/unity-catalog/catalogs/{made}", headers=bearer).status_code == 404


def test_nothing_is_imported_unless_asked_for(tmp_path: Path) -> None:
    """A project that uses no fixture of ours pays nothing for them."""
    (tmp_path / "test_plain.py").write_text(NOT_ASKED_FOR)
    assert "1 passed" in pytest_in(tmp_path).stdout


def test_fixtures_can_be_left_out(tmp_path: Path) -> None:
    """As pytest's own option does with any plugin."""
    (tmp_path / "test_plain.py").write_text("def test_it(workspace): ...")
    assert "fixture 'workspace' not found" in pytest_in(tmp_path, "-p", "no:harness").stdout


def test_fixtures_of_a_conftest_come_first(tmp_path: Path) -> None:
    """A project that has a `workspace` of its own keeps it."""
    (tmp_path / "conftest.py").write_text(OWN)
    (tmp_path / "test_plain.py").write_text("def test_it(workspace): assert workspace == 'my own'")
    assert "1 passed" in pytest_in(tmp_path).stdout


def test_state_without_a_harness_says_how_to_start_one(tmp_path: Path) -> None:
    """`HARNESS_STATE` names a folder in which none runs: that is an error with what to do, and no other is started instead."""
    (tmp_path / "test_plain.py").write_text("def test_it(workspace): ...")
    told = pytest_in(tmp_path, HARNESS_STATE=str(tmp_path / "none")).stdout
    assert "no harness is running in this state folder; start one with `harness up --state" in told
