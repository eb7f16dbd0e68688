"""Monitors of a running harness where only Spark can say what an expression means."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.dataquality import (
    AggregationGranularity,
    DataProfilingConfig,
    InferenceLogConfig,
    InferenceProblemType,
    Monitor,
    Refresh,
    RefreshState,
)

from harness.config import Layout
from harness.dashboard.gather import Told, gather
from harness.dashboard.render import render

pytestmark = pytest.mark.platform


def test_classification_is_sliced_by_an_expression_and_compared_with_its_baseline(
    spark: Any, workspace: WorkspaceClient, catalog: str, layout: Layout
) -> None:
    """Slices by `hour(at) >= 12`, evaluated by Spark; the scores of each; a baseline; a page without pictures of errors."""
    table, base = f"{catalog}.s.scored", f"{catalog}.s.base"
    spark.sql(f"CREATE SCHEMA {catalog}.s")
    rows = "(TIMESTAMP'2026-01-05 09:00:00Z', '1', 'a', 'a'), (TIMESTAMP'2026-01-05 13:00:00Z', '1', 'a', 'b')"
    for name in (table, base):
        spark.sql(f"CREATE TABLE {name} AS SELECT * FROM VALUES {rows} AS t(at, model, prediction, label)")  # noqa: S608 - ours

    refresh = refreshed(workspace, table, base, slicing="hour(at) >= 12")

    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS, refresh.message
    condition = "column_name = ':table' AND model = '*'"
    query = f"SELECT log_type, slice_value, accuracy_score, precision.macro FROM {table}_profile_metrics WHERE {condition}"  # noqa: S608
    found = {(row["log_type"], row["slice_value"]): (row["accuracy_score"], row["macro"]) for row in spark.sql(query).collect()}
    assert found[("INPUT", None)] == found[("BASELINE", None)] == (0.5, 0.25)
    assert found[("INPUT", "true")] == (0.0, 0.0)
    assert found[("INPUT", "false")] == (1.0, 1.0)
    page = gather(workspace, layout.warehouse, Told("Classes", "two rows", datetime.now(UTC), 1.0), run_ids=[])
    assert (page.density, page.days) == (None, ())
    assert f"{table}_profile_metrics" in render(page)


def refreshed(workspace: WorkspaceClient, table: str, base: str, *, slicing: str) -> Refresh:
    """Return the first refresh of a new monitor of `table`, ended."""
    log = InferenceLogConfig(
        problem_type=InferenceProblemType.INFERENCE_PROBLEM_TYPE_CLASSIFICATION,
        timestamp_column="at",
        granularities=[AggregationGranularity.AGGREGATION_GRANULARITY_1_DAY],
        prediction_column="prediction",
        model_id_column="model",
        label_column="label",
    )
    table_id, schema_id = workspace.tables.get(table).table_id, workspace.schemas.get(table.rpartition(".")[0]).schema_id
    assert table_id is not None
    assert schema_id is not None
    config = DataProfilingConfig(output_schema_id=schema_id, inference_log=log, slicing_exprs=[slicing], baseline_table_name=base)
    workspace.data_quality.create_monitor(Monitor(object_type="table", object_id=table_id, data_profiling_config=config))
    end = time.monotonic() + 60
    while True:
        refresh = next(iter(workspace.data_quality.list_refresh("table", table_id)))
        if refresh.end_time_ms or time.monotonic() > end:
            return refresh
        time.sleep(0.2)
