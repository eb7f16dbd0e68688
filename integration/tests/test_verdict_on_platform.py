"""A fare change, from the monitored table to the decision to train again."""

import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from uv import find_uv_bin

from harness.bundle import Choice, deploy, destroy, read_bundle, run_job
from monitoring_unpacker import Metrics, MonitorPlan, QualityMonitor, Requests, RequestTables, Thresholds, VerdictTable, metric_tables
from monitoring_unpacker.verdict_tasks import judged

pytestmark = pytest.mark.platform

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
ROWS = 150
TABLE = "fares_inference_processed"
BUNDLE = """
bundle: {name: acting}
variables:
  thresholds: {default: '{}'}
resources:
  jobs:
    ml_training_pipeline:
      name: a training that only says yes
      tasks:
        - {task_key: train, condition_task: {op: EQUAL_TO, left: "1", right: "1"}}
    ml_monitoring:
      name: ml_monitoring
      parameters: [{name: catalog, default: ""}, {name: schema, default: taxi}, {name: model_name, default: fares},
        {name: endpoint_name, default: none}]
      environments: [{environment_key: monitoring, spec: {environment_version: "5", dependencies: [./*.whl]}}]
      tasks:
"""


def trips(weeks: range, *, rise: float = 0.0) -> pd.DataFrame:
    """Return the monitored rows of these weeks, whose fares are dearer by `rise` than those that the model learned."""
    draws = np.random.default_rng(weeks.start + 10)
    count = ROWS * len(weeks)
    distance = draws.gamma(2.0, 1.5, count)
    prediction = 2.5 + 4.5 * distance
    fares = prediction * (1 + rise) + draws.normal(0, 1.3, count)
    moments = [FIRST + timedelta(weeks=week, hours=hour) for week in weeks for hour in range(ROWS)]
    frame = pd.DataFrame({"request_time": moments, "trip_distance": distance, "prediction": prediction, "evaluation_label": fares})
    return frame.assign(model_version="3")


@pytest.fixture
def monitored(spark: Any, workspace: WorkspaceClient, catalog: str) -> Callable[[pd.DataFrame], None]:
    """Return what appends rows to the monitored table, which has a baseline, and refreshes its monitor."""
    schema = f"{catalog}.taxi"
    base = f"{schema}.model_baseline"
    spark.sql(f"CREATE SCHEMA {schema}")
    spark.createDataFrame(trips(range(-10, 0))).write.saveAsTable(base)
    plan = MonitorPlan(
        table=f"{schema}.{TABLE}",
        output_schema=schema,
        label_column="evaluation_label",
        granularities=("1 week",),
        slices=(),
        baseline_table=base,
    )

    def append(rows: pd.DataFrame) -> None:
        spark.createDataFrame(rows).write.mode("append").saveAsTable(plan.table)
        QualityMonitor(workspace=workspace, progress=print).refresh(plan)

    return append


@pytest.fixture
def judge(spark: Any, catalog: str) -> Callable[[str], Any]:
    """Return what judges version 3 in a run of the job."""
    schema = f"{catalog}.taxi"
    profile, drift = metric_tables(f"{schema}.{TABLE}", schema)
    metrics = Metrics(
        profile=profile,
        drift=drift,
        model_id_column="model_version",
        version="3",
        granularity="1 week",
        label="evaluation_label",
        columns=("trip_distance", "prediction"),
    )

    def judge_in(run_id: str) -> Any:
        remembered = VerdictTable(name=f"{schema}.{TABLE}_verdicts", version="3", granularity="1 week", run_id=run_id)
        return judged(spark, metrics, remembered, Thresholds())

    return judge_in


def test_f21_a_fare_rise_asks_once_for_a_training(
    spark: Any, catalog: str, monitored: Callable[[pd.DataFrame], None], judge: Callable[[str], Any]
) -> None:
    """Four quiet weeks are ok; the second week of fares up by a tenth asks for a training; a later run over the same windows does not."""
    monitored(trips(range(4)))
    found, retrain = judge("run 1")
    assert (found.outcome, retrain) == ("ok", False), found.reason

    monitored(trips(range(4, 6), rise=0.1))
    found, retrain = judge("run 2")
    assert (found.outcome, retrain) == ("alert", True), found.reason
    assert found.reason.startswith("2026-02-09 00:00: mean absolute error ")

    table = f"{catalog}.taxi.{TABLE}_verdicts"
    asked = spark.sql(f"SELECT * FROM {table} WHERE check = 'retrain'").collect()  # noqa: S608 - ours
    assert [(row["model_version"], row["granularity"], row["alert"], row["run_id"]) for row in asked] == [("3", "1 week", True, "run 2")]
    assert asked[0]["reason"] == found.reason
    verdicts = spark.sql(f"SELECT * FROM {table} WHERE check = 'verdict' ORDER BY window_start").collect()  # noqa: S608 - ours
    assert [row["alert"] for row in verdicts] == [False, True]
    checks = spark.sql(f"SELECT check, COUNT(*) AS n FROM {table} GROUP BY check").collect()  # noqa: S608 - ours
    assert {row["check"]: row["n"] for row in checks} == {"error": 6, "drift": 12, "nulls": 12, "verdict": 2, "retrain": 1}
    before = spark.table(table).toPandas()

    again, retrain = judge("run 2")
    assert (again, retrain) == (found, True), "the same run, tried again, gives the same answer"
    assert judge("run 3") == (found, False)
    pd.testing.assert_frame_equal(spark.table(table).toPandas(), before)


def acting(root: Path, folder: Path) -> None:
    """Write a bundle of our own verdict, condition and retraining, as the monitoring job has them, beside a training that only says yes."""
    ours = (root / "resources" / "monitoring.job.yml").read_text(encoding="utf-8")
    tasks = ours[ours.index("        - task_key: verdict\n") :]
    tasks = tasks.replace("          depends_on:\n            - task_key: monitoring\n", "")
    tasks = tasks.replace("            parameters:\n", '            parameters:\n              - --model-version\n              - "3"\n')
    (folder / "databricks.yml").write_text(BUNDLE + tasks, encoding="utf-8")
    command = [find_uv_bin(), "build", "--quiet", "--wheel", "--out-dir", str(folder), str(root / "packages" / "monitoring-unpacker")]
    subprocess.run(command, check=True)


class Silent:
    """Nobody looks on."""

    def task(self, task_key: str, state: str, seconds: float) -> None:
        """Hear of a task."""

    def output(self, task_key: str, text: str) -> None:
        """Hear what a task writes."""


def test_f21_a_fare_rise_starts_the_training_job_once(
    workspace: WorkspaceClient, catalog: str, monitored: Callable[[pd.DataFrame], None], root: Path, tmp_path: Path
) -> None:
    """The wheel's own script and the bundle's own condition: fares up by a tenth start the training job; the next run does not again."""
    monitored(trips(range(4)))
    monitored(trips(range(4, 6), rise=0.1))
    acting(root, tmp_path)
    bundle = read_bundle(tmp_path, workspace, Choice())
    deployed = deploy(bundle, workspace, folder=tmp_path, progress=print)

    runs = [run_job(bundle, workspace, "ml_monitoring", display=Silent(), params={"catalog": catalog}) for _ in range(2)]
    trainings = list(workspace.jobs.list_runs(job_id=int(deployed.ids["resources.jobs.ml_training_pipeline"])))
    destroy(bundle, workspace, progress=print)

    assert [{task.task_key: task.result_state for task in run.tasks} for run in runs] == [
        {"verdict": "SUCCESS", "retrain_needed": "SUCCESS", "retrain": "SUCCESS"},
        {"verdict": "SUCCESS", "retrain_needed": "SUCCESS", "retrain": "EXCLUDED"},
    ]
    assert all(run.succeeded for run in runs)
    assert len(trainings) == 1


@pytest.fixture
def clock_of_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A client whose wall clock has two o'clock twice on 25 October 2026."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("clock_of_berlin")
def test_hours_that_a_clock_has_twice_stay_apart(spark: Any, catalog: str) -> None:
    """Windows are moments, whatever the client's clock shows; without a drift table there is no drift."""
    spark.sql(f"CREATE SCHEMA {catalog}.taxi")
    hours = [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1)]
    rows = ", ".join(
        f"(named_struct('start', TIMESTAMP'{hour:%Y-%m-%dT%H:%M:%SZ}'), '{column}', {100 + hour.hour}, {nulls}, {error})"
        for hour in hours
        for column, nulls, error in ((":table", "NULL", 1.5), ("label", 0, "NULL"), ("evaluation_label", 20, "NULL"))
    )
    columns = "window, column_name, count, num_nulls, mean_average_error"
    constants = "'INPUT' AS log_type, '1 hour' AS granularity, CAST(NULL AS STRING) AS slice_key, '3' AS model_version"
    others = "0D AS percent_null, 1 AS distinct_count"
    profile = f"{catalog}.taxi.p_profile_metrics"
    spark.sql(f"CREATE TABLE {profile} AS SELECT *, {constants}, {others} FROM VALUES {rows} AS t({columns})").collect()  # noqa: S608 - ours
    metrics = Metrics(
        profile=profile,
        drift=f"{catalog}.taxi.p_drift_metrics",
        model_id_column="model_version",
        version="3",
        granularity="1 hour",
        label="evaluation_label",
        columns=(),
    )

    quality, drift = metrics.read(spark)

    assert drift == []
    assert sorted((one.start, one.rows, one.total, one.labelled) for one in quality) == [(hours[0], 80, 100, 100), (hours[1], 81, 101, 101)]


def test_requests_are_counted_by_day(spark: Any, catalog: str) -> None:
    """A request of many rows is one; days of two months ago are over; without the tables, or a request in quarantine, there is nothing."""
    tables = RequestTables(processed=f"{catalog}.taxi.processed", quarantine=f"{catalog}.taxi.quarantine")
    spark.sql(f"CREATE SCHEMA {catalog}.taxi")
    assert tables.read(spark) == []
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    noon, old = today - timedelta(hours=12), today - timedelta(days=60)
    for table, rows in (
        (tables.processed, [("a", noon), ("a", noon), ("b", noon), ("c", old)]),
        (tables.quarantine, [("d", noon), ("e", old)]),
    ):
        frame = pd.DataFrame(rows, columns=["databricks_request_id", "request_time"])
        spark.createDataFrame(frame).write.saveAsTable(table)

    assert tables.read(spark) == [Requests(today - timedelta(days=1), 3, 1)]
    spark.sql(f"DELETE FROM {tables.quarantine} WHERE databricks_request_id = 'd'").collect()  # noqa: S608 - ours
    assert tables.read(spark) == []
