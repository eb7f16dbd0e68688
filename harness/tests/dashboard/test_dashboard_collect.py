"""Pieces of the page from what a run leaves behind."""

import datetime as dt

import pyarrow as pa
import pytest

from harness.dashboard import collect
from harness.dashboard.model import Bin, DayError, DriftCell, Job, Payload, Task
from harness.monitoring.compute import Metrics, Source, compute
from harness.monitoring.model import InferenceLogConfig
from harness.monitoring.sample import Sample


@pytest.fixture
def metrics() -> Metrics:
    """Metric tables as the monitor writes them: two days of four rows, the second a dollar further off."""
    moments = [dt.datetime(2026, 1, 5 + n // 4, 12, tzinfo=dt.UTC) for n in range(8)]
    rows = {
        "at": pa.array(moments, pa.timestamp("us", tz="UTC")),
        "model_version": pa.array(["1"] * 8),
        "zone": pa.array(["a", "b"] * 4),
        "prediction": pa.array([11.0, 21.0, 31.0, 41.0, 12.0, 22.0, 32.0, 42.0]),
        "fare": pa.array([10.0, 20.0, 30.0, 40.0] * 2),
    }
    config = InferenceLogConfig(
        problem_type="INFERENCE_PROBLEM_TYPE_REGRESSION",
        timestamp_column="at",
        granularities=("AGGREGATION_GRANULARITY_1_DAY", "AGGREGATION_GRANULARITY_1_HOUR"),
        prediction_column="prediction",
        model_id_column="model_version",
        label_column="fare",
    )
    return compute(Source(sample=Sample("main.s.t", pa.table(rows)), version=0, config=config, monitor_version=0))


def test_days_come_from_the_whole_table_rows_of_all_models(metrics: Metrics) -> None:
    """One entry a day, in order, whatever other granularities and models the table has."""
    assert collect.days(metrics.profile, model_id_column="model_version") == (
        DayError(dt.date(2026, 1, 5), 4, 1.0, 1.0),
        DayError(dt.date(2026, 1, 6), 4, 2.0, 2.0),
    )


def test_drift_has_the_numeric_columns_once(metrics: Metrics) -> None:
    """Numbers have cells; text and timestamps, which have no KS test, have none."""
    cells = collect.drift(metrics.drift, model_id_column="model_version")

    assert {cell.column for cell in cells} == {"prediction", "fare"}
    assert DriftCell("fare", dt.date(2026, 1, 6), 0.0, 0.0, 1.0) in cells


def test_density_puts_each_pair_into_its_square() -> None:
    """The axes are one scale for both, and pairs without a label are left out."""
    rows = pa.table({"p": [0.0, 48.0, 48.0, 1.0], "y": [0.0, 48.0, 48.0, None]})

    density = collect.density(rows, prediction="p", label="y")

    assert density is not None
    assert (density.low, density.high, density.pairs) == (0.0, 48.0, 3)
    assert density.filled == (Bin(0, 0, 1), Bin(47, 47, 2))


def test_density_of_nothing_is_none() -> None:
    """Without a single label there is no chart."""
    rows = pa.table({"p": [1.0], "y": pa.array([None], pa.float64())})

    assert collect.density(rows, prediction="p", label="y") is None


def test_density_counts_what_lies_outside_its_axes() -> None:
    """One wild value does not squeeze all others into a corner; it is counted instead."""
    values = [float(n % 50) for n in range(1000)]
    rows = pa.table({"p": [*values, 9000.0], "y": [*values, 9000.0]})

    density = collect.density(rows, prediction="p", label="y")

    assert density is not None
    assert density.high < 60
    assert density.outside == 1
    assert sum(part.count for part in density.filled) == 1000


def test_payload_counts_requests_by_status() -> None:
    """Every logged request counts under its status code."""
    table = pa.table({"status_code": pa.array([200, 400, 200], pa.int32())})

    assert collect.payload("main.s.p", table) == Payload("main.s.p", 3, {200: 2, 400: 1})


def test_runs_become_jobs_on_one_time_axis() -> None:
    """Offsets count from the first job's start; a task that never began has none and its message is kept."""
    first = {
        "run_id": 7,
        "run_name": "ml_training_pipeline",
        "start_time": 1_000_000,
        "end_time": 1_012_000,
        "state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED"},
        "tasks": [
            {
                "task_key": "train",
                "start_time": 1_000_500,
                "end_time": 1_009_500,
                "state": {"result_state": "FAILED", "state_message": "column 'fare' is missing"},
            },
            {"task_key": "validate", "state": {"life_cycle_state": "UPSTREAM_FAILED"}},
        ],
    }
    second = {"run_id": 8, "run_name": "ml_monitoring", "start_time": 1_020_000, "state": {"life_cycle_state": "RUNNING"}}

    assert collect.jobs([first, second]) == (
        Job(
            "ml_training_pipeline",
            7,
            "FAILED",
            12.0,
            (Task("train", "FAILED", 9.0, 0.5, "column 'fare' is missing"), Task("validate", "UPSTREAM_FAILED", 0.0)),
        ),
        Job("ml_monitoring", 8, "RUNNING", 0.0),
    )
