"""The whole workflow as a user runs it, with a grid of one combination, twice in the same state folder."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from harness import sample_data

pytestmark = pytest.mark.platform
GRID = '{"n_estimators":[60],"max_depth":[3],"learning_rate":[0.1]}'
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "nyctaxi_trips_10k.parquet"
Ran = tuple["subprocess.CompletedProcess[str]", Mapping[str, Any]]


def dry_run(state: Path, *arguments: str) -> Ran:
    """Run the command and return it with its report."""
    report = state.parent / "report.json"
    command = [sys.executable, "-m", "dry_run", "--state", str(state), "--report", str(report), "--var", f"parameter_grid={GRID}"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "MLFLOW_", "SPARK_"))}
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env=clean)
    return done, json.loads(report.read_text()) if report.exists() else {}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of both runs."""
    return tmp_path_factory.mktemp("dry-run") / "state"


@pytest.fixture(scope="module")
def first(state: Path) -> Ran:
    """A run from nothing on synthetic trips."""
    return dry_run(state)


@pytest.fixture(scope="module")
def second(first: Ran, state: Path) -> Ran:
    """The same again in the same state folder."""
    assert first[0].returncode == 0, first[0].stdout + first[0].stderr
    return dry_run(state)


def test_f22_every_task_of_every_job_succeeds_without_a_workspace(first: Ran) -> None:
    """Exit status 0, three jobs, every task SUCCESS, but the training that no verdict asked for."""
    done, report = first
    assert done.returncode == 0, done.stdout + done.stderr

    tasks = [(job["name"].split()[-1], task["task_key"], task["result_state"]) for job in report["jobs"] for task in job["tasks"]]
    assert tasks == [
        ("ml_training_pipeline", "train", "SUCCESS"),
        ("ml_training_pipeline", "validate", "SUCCESS"),
        ("ml_training_pipeline", "deploy", "SUCCESS"),
        ("ml_batch_inference", "batch_inference", "SUCCESS"),
        ("ml_monitoring", "monitoring", "SUCCESS"),
        ("ml_monitoring", "verdict", "SUCCESS"),
        ("ml_monitoring", "retrain_needed", "SUCCESS"),
        ("ml_monitoring", "retrain", "EXCLUDED"),
    ]


def test_f02_every_usable_trip_is_predicted_logged_and_labelled_once(first: Ran) -> None:
    """As many predictions as trips that pass the filters, each once, each with its label; nothing in quarantine."""
    _, report = first
    trips = sample_data.generate().to_pandas()
    usable = int(((trips.fare_amount > 0) & (trips.fare_amount < 200) & (trips.trip_distance > 0)).sum())

    assert report["predictions"]["rows"] == usable
    assert report["predictions"]["errors"] == 0
    assert report["payload"]["rows"] > 0
    assert (report["processed"]["labelled"], report["processed"]["quarantined"]) == (report["processed"]["rows"], 0)
    assert report["processed"]["rows"] >= usable


def test_champion_serves(first: Ran) -> None:
    """The first version is Champion and has the endpoint's traffic; nobody challenges any more."""
    _, report = first

    assert report["model"]["aliases"] == {"Champion": "1"}
    assert (report["endpoint"]["ready"], report["endpoint"]["served_version"]) == ("READY", "1")
    assert set(report["model"]["metrics"]) == {"test_mae", "test_rmse", "test_r2"}


def test_monitor_agrees_with_the_tables(first: Ran) -> None:
    """The monitor's error is that of the processed rows; profile and drift tables have rows."""
    _, report = first

    assert report["monitor"]["profile_rows"] > 0
    assert report["monitor"]["drift_rows"] > 0
    assert 0 < report["monitor"]["mean_absolute_error"] < 2 * report["model"]["metrics"]["test_mae"]
    assert report["monitor"]["r2_score"] > 0.8


def test_f21_windows_are_judged_against_the_baseline(first: Ran, state: Path) -> None:
    """The baseline holds the evaluation set, windows and slices are compared with it, and data without a change asks for no training."""
    _, report = first
    baseline = f"{report['model']['name']}_baseline"
    folders = [state / "warehouse" / Path(*name.split(".")) for name in (baseline, report["monitor"]["drift_table"])]
    base, drift = (DeltaTable(folder).to_pyarrow_table() for folder in folders)

    assert set(base["model_version"].to_pylist()) == {"1"}
    assert base.num_rows > 1500
    assert {row["drift_type"] for row in drift.select(["drift_type"]).to_pylist()} == {"CONSECUTIVE", "BASELINE"}
    assert set(drift["slice_key"].to_pylist()) == {None, "is_rush_hour"}
    assert report["verdict"]["checks"] > 0
    assert (report["verdict"]["verdict"], report["verdict"]["retrain"]) == ("ok", False)
    assert report["verdict"]["reason"].endswith("none that lasts")
    assert "verdict    ok · " in first[0].stdout


def test_page_is_one_file(first: Ran) -> None:
    """The page exists and asks the network for nothing; it leads to its monitor's dashboard, a file beside it, and nowhere else."""
    path = Path(first[1]["dashboard"])
    text = path.read_text()
    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(f"{tag} {value}" for name, value in attrs if name in {"src", "href"} and value and not value.startswith("#"))

    Links().feed(text)
    assert "ml_training_pipeline" in text
    assert found == [f"a {path.stem}-monitor.html"]
    assert "Quality over time" in path.with_name(f"{path.stem}-monitor.html").read_text()


def test_second_run_keeps_the_champion_and_processes_only_new_payloads(first: Ran, second: Ran) -> None:
    """The same data makes a challenger that is no better: no new alias, no new predictions, no row twice."""
    done, report = second
    assert done.returncode == 0, done.stdout + done.stderr

    assert report["model"]["version"] == "2"
    assert report["model"]["aliases"] == {"Champion": "1"}
    assert report["predictions"]["rows"] == first[1]["predictions"]["rows"]
    assert report["processed"]["rows"] == first[1]["processed"]["rows"]


def test_gate_keeps_its_numbers_and_its_picture(second: Ran, state: Path) -> None:
    """Both runs have the decision as JSON; the second, which had a Champion to beat, a picture too."""
    assert second[0].returncode == 0
    artifacts = state / "mlflow" / "artifacts"
    decisions = [json.loads(path.read_text()) for path in sorted(artifacts.rglob("gate.json"), key=lambda path: path.stat().st_mtime)]
    (picture,) = artifacts.rglob("gate.png")

    assert [decision["is_better"] for decision in decisions] == [True, False]
    assert decisions[1]["lower"] <= 0 <= decisions[1]["upper"]
    assert decisions[1]["rows"] > 1500
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_missing_column_is_one_clear_sentence(tmp_path: Path) -> None:
    """A file without a needed column ends with status 2, naming file and column, before anything is started."""
    path = tmp_path / "trips.parquet"
    pq.write_table(sample_data.generate(rows=10).drop_columns(["fare_amount"]), path)

    done, report = dry_run(tmp_path / "state", "--data", str(path))

    assert (done.returncode, report) == (2, {})
    assert "fare_amount" in done.stderr
    assert str(path) in done.stderr.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(("--target", "nowhere"), "nowhere", id="unknown target"),
        pytest.param(("--var", "nonsense=1"), "nonsense", id="unknown variable"),
        pytest.param(("--data", "/nowhere.parquet"), "/nowhere.parquet", id="no such file"),
    ],
)
def test_bad_input_is_status_2(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    """Bad input is told before anything is started, and leaves nothing the next run trips over."""
    done, report = dry_run(tmp_path / "state", *arguments)

    assert (done.returncode, report) == (2, {})
    assert named in done.stderr
    assert not (tmp_path / "state" / "harness.json").exists()


@pytest.mark.skipif(not REAL.exists(), reason="the real trips are not beside the project")
def test_f01_real_trips_are_all_predicted_and_labelled(tmp_path: Path) -> None:
    """On the real 10,000 trips, the 9,960 that pass the filters are predicted and labelled, every one."""
    done, report = dry_run(tmp_path / "state", "--data", str(REAL))
    assert done.returncode == 0, done.stdout + done.stderr

    assert report["predictions"]["rows"] == 9960
    assert report["processed"]["rows"] - report["processed"]["labelled"] == 0
    assert report["processed"]["rows"] >= 9960
