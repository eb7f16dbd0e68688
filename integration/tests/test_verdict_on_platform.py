"""A fare change, from the monitored table to the decision to train again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient

from monitoring_unpacker import Metrics, MonitorPlan, QualityMonitor, Thresholds, VerdictTable, metric_tables
from monitoring_unpacker.verdict_tasks import judged

pytestmark = pytest.mark.platform

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
ROWS = 150


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
def judge(spark: Any, workspace: WorkspaceClient, catalog: str) -> Callable[[pd.DataFrame], Any]:
    """Return what appends rows to the monitored table, refreshes its monitor and judges version 3 against the baseline."""
    schema = f"{catalog}.taxi"
    table, base = f"{schema}.processed", f"{schema}.model_baseline"
    spark.sql(f"CREATE SCHEMA {schema}")
    spark.createDataFrame(trips(range(-10, 0))).write.saveAsTable(base)
    profile, drift = metric_tables(table, schema)
    columns = ("trip_distance", "prediction")
    metrics = Metrics(
        profile=profile,
        drift=drift,
        model_id_column="model_version",
        version="3",
        granularity="1 week",
        label="evaluation_label",
        columns=columns,
    )
    remembered = VerdictTable(name=f"{table}_verdicts", version="3", granularity="1 week")
    plan = MonitorPlan(
        table=table, output_schema=schema, label_column="evaluation_label", granularities=("1 week",), slices=(), baseline_table=base
    )

    def append_and_judge(rows: pd.DataFrame) -> Any:
        if len(rows):
            spark.createDataFrame(rows).write.mode("append").saveAsTable(table)
        QualityMonitor(workspace=workspace, progress=print).refresh(plan)
        return judged(spark, metrics, remembered, Thresholds())

    return append_and_judge


def test_f21_a_fare_rise_asks_once_for_a_training(spark: Any, catalog: str, judge: Callable[[pd.DataFrame], Any]) -> None:
    """Four quiet weeks are ok; the second week of fares up by a tenth asks for a training; the same windows do not ask again."""
    found, retrain = judge(trips(range(4)))
    assert (found.outcome, retrain) == ("ok", False), found.reason

    found, retrain = judge(trips(range(4, 6), rise=0.1))
    assert (found.outcome, retrain) == ("alert", True), found.reason
    assert found.reason.startswith("2026-02-09 00:00: mean absolute error ")

    table = f"{catalog}.taxi.processed_verdicts"
    asked = spark.sql(f"SELECT model_version, granularity, alert, reason FROM {table} WHERE check = 'retrain'").collect()  # noqa: S608 - ours
    assert [(row["model_version"], row["granularity"], row["alert"]) for row in asked] == [("3", "1 week", True)]
    assert asked[0]["reason"] == found.reason
    checks = spark.sql(f"SELECT check, COUNT(*) AS n FROM {table} GROUP BY check").collect()  # noqa: S608 - ours
    assert {row["check"]: row["n"] for row in checks} == {"error": 6, "drift": 12, "nulls": 12, "retrain": 1}

    found, retrain = judge(trips(range(0)))
    assert (found.outcome, retrain) == ("alert", False)
    assert spark.table(table).count() == 31
