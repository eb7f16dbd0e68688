"""Monitors of a running harness where only Spark can say what an expression means."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest
from databricks.sdk.service.dataquality import (
    AggregationGranularity,
    DataProfilingConfig,
    DataProfilingCustomMetric,
    DataProfilingCustomMetricType,
    InferenceLogConfig,
    InferenceProblemType,
    Monitor,
    Refresh,
    RefreshState,
    SnapshotConfig,
)

from harness.config import Layout
from harness.dashboard.gather import Told, gather
from harness.dashboard.render import render

pytestmark = pytest.mark.platform
MAP = '{"type": "map", "keyType": "string", "valueType": "string", "valueContainsNull": true}'


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


def metric(kind: str, name: str, definition: str, *columns: str, output: str = '"double"') -> DataProfilingCustomMetric:
    """Return a custom metric of the whole table, or of these columns."""
    return DataProfilingCustomMetric(
        name=name,
        definition=definition,
        input_columns=list(columns or (":table",)),
        output_data_type=f'{{"name": "output", "type": {output}, "nullable": true, "metadata": {{}}}}',
        type=DataProfilingCustomMetricType(f"DATA_PROFILING_CUSTOM_METRIC_TYPE_{kind}"),
    )


def test_custom_metrics_are_spark_s(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """Windows of every kind, models, slices and the baseline; derived and drift metrics of what Spark aggregated; types as declared."""
    table, base = f"{catalog}.s.scored", f"{catalog}.s.base"
    spark.sql(f"CREATE SCHEMA {catalog}.s")
    first = "(TIMESTAMP'2026-01-05 09:00:00Z', '1', 'a', 'a', 1.0D), (TIMESTAMP'2026-01-05 13:00:00Z', '2', 'a', 'b', 3.0D)"
    rows = f"{first}, (TIMESTAMP'2026-01-12 13:00:00Z', '1', 'b', 'b', 7.0D)"
    spark.sql(f"CREATE TABLE {table} AS SELECT * FROM VALUES {rows} AS t(at, model, prediction, label, x)")  # noqa: S608 - ours
    spark.sql(f"CREATE TABLE {base} AS SELECT * FROM VALUES {first} AS t(at, model, prediction, label, x)")  # noqa: S608 - ours
    metrics = [
        metric("AGGREGATE", "total", "sum(`{{input_column}}`)", "x"),
        metric("AGGREGATE", "kinds", "map_from_arrays(collect_set({{label_col}}), collect_set({{label_col}}))", output=MAP),
        metric("AGGREGATE", "misses", "count_if({{prediction_col}} <> {{label_col}})", output='"long"'),
        metric("DERIVED", "mean_again", "total / count", "x"),
        metric("DERIVED", "undefined", "misses / (count - count)"),
        metric("DRIFT", "total_change", "`{{current_df}}`.total - {{base_df}}.total", "x"),
        metric("DRIFT", "recall_change", "{{current_df}}.recall.macro - {{base_df}}.recall.macro"),
    ]
    granularities = [AggregationGranularity.AGGREGATION_GRANULARITY_1_WEEK, AggregationGranularity.AGGREGATION_GRANULARITY_1_MONTH]

    refresh = refreshed(workspace, table, base, slicing="x > 2", custom_metrics=metrics, granularities=granularities)

    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS, refresh.message
    found = {
        (row["granularity"], row["window"] and row["window"]["start"].day, row["model"], row["slice_value"]): (
            row["total"],
            row["mean_again"],
        )
        for row in spark.sql(f"SELECT * FROM {table}_profile_metrics WHERE column_name = 'x'").collect()  # noqa: S608 - ours
    }
    assert found[("1 week", 5, "*", None)] == (4.0, 2.0)
    assert found[("1 week", 12, "1", None)] == (7.0, 7.0)
    assert found[("1 month", 1, "*", None)] == (11.0, 11.0 / 3)
    assert found[("1 month", 1, "*", "true")] == (10.0, 5.0)
    assert found[(None, None, "*", "false")] == (1.0, 1.0)
    whole = spark.sql(f"SELECT * FROM {table}_profile_metrics WHERE column_name = ':table' AND granularity = '1 month'")  # noqa: S608 - ours
    (every,) = whole.where("model = '*' AND slice_key IS NULL").collect()
    assert (every["misses"], every["kinds"], every["undefined"], every["total"]) == (1, {"a": "a", "b": "b"}, None, None)
    assert dict(whole.dtypes)["misses"] == "bigint"
    condition = "drift_type = 'CONSECUTIVE' AND model = '*' AND slice_key IS NULL"
    changes = spark.sql(f"SELECT * FROM {table}_drift_metrics WHERE {condition} AND column_name IN ('x', ':table')")  # noqa: S608 - ours
    assert {row["column_name"]: (row["total_change"], row["recall_change"]) for row in changes.collect()} == {
        "x": (3.0, None),
        ":table": (None, 0.5),
    }
    with pytest.raises(BadRequest, match="UNRESOLVED_COLUMN"):
        refreshed(workspace, base, table, slicing="x > 2", custom_metrics=[metric("AGGREGATE", "bad", "sum(y)")])


def test_late_labels_and_deletes_by_spark_change_only_their_days(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """What Spark's MERGE and DELETE leave in the change feed says which days are computed again, and so do the metric tables' own."""
    spark.sql(f"CREATE SCHEMA {catalog}.s")
    table = f"{catalog}.s.scored"
    days = ", ".join(f"({n}, TIMESTAMP'2026-01-{5 + n // 4:02} 09:00:00Z', '1', 'a', CAST(NULL AS STRING), {n}.0D)" for n in range(24))
    rows = f"SELECT * FROM VALUES {days} AS t(id, at, model, prediction, label, x)"  # noqa: S608 - ours
    spark.sql(f"CREATE TABLE {table} TBLPROPERTIES (delta.enableChangeDataFeed = true) AS {rows}")
    total = metric("AGGREGATE", "total", "sum(x)")
    change = metric("DRIFT", "total_change", "{{current_df}}.total - {{base_df}}.total")
    first = refreshed(workspace, table, None, slicing="id % 2 = 0", custom_metrics=[total, change])
    assert first.state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS, first.message
    late = "SELECT * FROM VALUES (9, 'a'), (10, 'b') AS l(id, label)"
    spark.sql(f"MERGE INTO {table} AS t USING ({late}) AS l ON t.id = l.id WHEN MATCHED THEN UPDATE SET label = l.label")
    spark.sql(f"DELETE FROM {table} WHERE id = 17")  # noqa: S608 - ours

    again = asked_again(workspace, table)

    assert again.state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS, again.message
    changes = {}
    for name in ("profile", "drift"):
        feed = spark.sql(f"SELECT DISTINCT day(window.start) AS day FROM table_changes('{table}_{name}_metrics', 1)")  # noqa: S608 - ours
        changes[name] = {row["day"] for row in feed.collect()}
    assert changes == {"profile": {7, 9}, "drift": {7, 8, 9, 10}}
    query = f"SELECT day(window.start) AS day, count, total, accuracy_score FROM {table}_profile_metrics"  # noqa: S608 - ours
    whole = spark.sql(f"{query} WHERE column_name = ':table' AND model = '*' AND slice_key IS NULL").collect()
    found = {row["day"]: (row["count"], row["total"], row["accuracy_score"]) for row in whole}
    assert (found[7], found[8], found[9]) == ((4, 38.0, 0.5), (4, 54.0, None), (3, 53.0, None))
    odd = spark.sql(f"{query} WHERE column_name = ':table' AND model = '*' AND slice_value = 'false'").collect()
    assert {row["day"]: row["count"] for row in odd}[9] == 1
    drift = spark.sql(f"SELECT day(window.start) AS day, total_change FROM {table}_drift_metrics WHERE column_name = ':table'")  # noqa: S608
    assert {row["day"]: row["total_change"] for row in drift.where("model = '*' AND slice_key IS NULL").collect()}[10] == 33.0


def test_snapshots_of_every_type(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """Types that Spark writes are named and profiled as Spark knows them; a custom metric of a snapshot; drift of the next refresh."""
    spark.sql(f"CREATE SCHEMA {catalog}.s")
    table = f"{catalog}.s.kinds"
    columns = {
        "a_decimal": "CAST(1.5 AS DECIMAL(12,3))", "a_flag": "true", "a_binary": "X'00FF'", "a_date": "DATE'2026-01-05'",
        "a_moment": "TIMESTAMP_NTZ'2026-01-05 00:00:01'", "an_array": "array(1, 2)", "a_map": "map('a', 1L)",
        "a_struct": "named_struct('a', 1, 'b', array('x'))", "a_tiny": "CAST(1 AS TINYINT)", "a_float": "CAST(1 AS FLOAT)",
    }  # fmt: skip
    selected = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    spark.sql(f"CREATE TABLE {table} AS SELECT {selected}")
    rows = metric("AGGREGATE", "doubled", "count(*) * 2")

    refresh = refreshed(workspace, table, None, slicing="a_flag", custom_metrics=[rows], snapshot=SnapshotConfig())
    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS, refresh.message
    spark.sql(f"INSERT INTO {table} SELECT * FROM {table}")  # noqa: S608 - ours
    again = asked_again(workspace, table)

    assert again.state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS, again.message
    found = spark.sql(f"SELECT * FROM {table}_profile_metrics WHERE slice_key IS NULL ORDER BY window.start").collect()  # noqa: S608 - ours
    types = dict(spark.table(table).dtypes)
    assert {row["column_name"]: row["data_type"] for row in found if row["column_name"] != ":table"} == types
    assert [row["doubled"] for row in found if row["column_name"] == ":table"] == [2.0, 4.0]
    drift = spark.sql(f"SELECT DISTINCT drift_type, count_delta FROM {table}_drift_metrics").collect()  # noqa: S608 - ours
    assert [tuple(row) for row in drift] == [("CONSECUTIVE", 1)]


def refreshed(
    workspace: WorkspaceClient, table: str, base: str | None, *, slicing: str,
    granularities: Sequence[AggregationGranularity] = (AggregationGranularity.AGGREGATION_GRANULARITY_1_DAY,), **settings: Any,
) -> Refresh:  # fmt: skip
    """Return the first refresh of a new monitor of `table`, ended."""
    log = InferenceLogConfig(
        problem_type=InferenceProblemType.INFERENCE_PROBLEM_TYPE_CLASSIFICATION,
        timestamp_column="at",
        granularities=list(granularities),
        prediction_column="prediction",
        model_id_column="model",
        label_column="label",
    )
    table_id, schema_id = workspace.tables.get(table).table_id, workspace.schemas.get(table.rpartition(".")[0]).schema_id
    assert table_id is not None
    assert schema_id is not None
    kind = {} if "snapshot" in settings else {"inference_log": log}
    config = DataProfilingConfig(output_schema_id=schema_id, slicing_exprs=[slicing], baseline_table_name=base, **kind, **settings)
    workspace.data_quality.create_monitor(Monitor(object_type="table", object_id=table_id, data_profiling_config=config))
    return ended(workspace, table_id)


def asked_again(workspace: WorkspaceClient, table: str) -> Refresh:
    """Return another refresh of a table's monitor, ended."""
    table_id = workspace.tables.get(table).table_id
    assert table_id is not None
    workspace.data_quality.create_refresh("table", table_id, Refresh(object_type="table", object_id=table_id))
    return ended(workspace, table_id)


def ended(workspace: WorkspaceClient, table_id: str) -> Refresh:
    """Return the newest refresh of a table's monitor once it has ended."""
    end = time.monotonic() + 60
    while True:
        refresh = next(iter(workspace.data_quality.list_refresh("table", table_id)))
        if refresh.end_time_ms or time.monotonic() > end:
            return refresh
        time.sleep(0.2)
