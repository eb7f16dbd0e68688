"""Custom metrics through the unmodified SDK: their rules at create, their columns after a refresh."""

import json
import time
from collections.abc import Callable

import pyarrow as pa
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
from deltalake import DeltaTable, write_deltalake

from harness.monitoring.ports import Tables
from harness.monitoring.service import MonitoringService
from harness.names import FullName

SCHEMA_ID = "5c4e3a00-0000-4000-8000-000000000001"
TABLE_ID = "7ab1e000-0000-4000-8000-000000000001"
DOUBLE = json.dumps({"name": "output", "type": "double", "nullable": True, "metadata": {}})


def metric(kind: str, name: str, definition: str, *columns: str, output: str = DOUBLE) -> DataProfilingCustomMetric:
    return DataProfilingCustomMetric(
        name=name,
        definition=definition,
        input_columns=list(columns or (":table",)),
        output_data_type=output,
        type=DataProfilingCustomMetricType(f"DATA_PROFILING_CUSTOM_METRIC_TYPE_{kind}"),
    )


def monitor_of(*metrics: DataProfilingCustomMetric, **changes: object) -> Monitor:
    log = InferenceLogConfig(
        problem_type=InferenceProblemType.INFERENCE_PROBLEM_TYPE_REGRESSION,
        timestamp_column="at",
        granularities=[AggregationGranularity.AGGREGATION_GRANULARITY_1_DAY],
        prediction_column="prediction",
        model_id_column="model_version",
        label_column="fare",
    )
    config = DataProfilingConfig(output_schema_id=SCHEMA_ID, inference_log=log, custom_metrics=list(metrics))
    for name, value in changes.items():
        setattr(config, name, value)
    return Monitor(object_type="table", object_id=TABLE_ID, data_profiling_config=config)


def refreshed(workspace: WorkspaceClient) -> Refresh:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        refresh = next(iter(workspace.data_quality.list_refresh("table", TABLE_ID)))
        if refresh.end_time_ms:
            return refresh
        time.sleep(0.01)
    raise AssertionError("the refresh did not end in time")


def read(tables: Tables, name: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = (
        DeltaTable(tables.table_path(FullName("main", "monitoring", f"trips_{name}_metrics"))).to_pyarrow_table().to_pylist()
    )
    return rows


ALL = (
    metric("AGGREGATE", "spread", "max(`{{input_column}}`) - min(`{{input_column}}`)", "distance", "fare"),
    metric("AGGREGATE", "bias", "avg({{prediction_col}} - {{label_col}})"),
    metric("DERIVED", "twice", "spread * 2 + `count`", "distance"),
    metric("DRIFT", "spread_change", "{{current_df}}.spread - {{base_df}}.spread", "distance"),
    metric("DRIFT", "error_change", "`{{current_df}}`.mean_average_error - `{{base_df}}`.mean_average_error"),
)


def test_metrics_are_columns_of_both_tables(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """Aggregates and what is derived stand in the profile table, in the rows of their columns; drift metrics in the drift table."""
    write_trips()
    base = tables.table_path(FullName("main", "s", "train"))
    write_deltalake(base, pa.table({"model_version": ["1"] * 2, "distance": [3.0, 4.0], "prediction": [1.0, 2.0], "fare": [3.0, 3.0]}))
    service.start()

    workspace.data_quality.create_monitor(monitor_of(*ALL, baseline_table_name="main.s.train", slicing_exprs=["model_version"]))

    refresh = refreshed(workspace)
    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS, refresh.message
    profile = read(tables, "profile")
    figures = {
        (row["log_type"], row["model_version"], row["slice_value"], row["column_name"]): (row["spread"], row["bias"], row["twice"])
        for row in profile
        if row["window"] is None or row["window"]["start"].day == 6  # type: ignore[index]  # a struct
    }
    for model in ("*", "1"):
        for slice_value in (None, "1"):
            assert figures[("INPUT", model, slice_value, "distance")] == (5.0, None, 16.0)
            assert figures[("INPUT", model, slice_value, "fare")] == (5.0, None, None)
            assert figures[("INPUT", model, slice_value, ":table")] == (None, -1.0, None)
            assert figures[("INPUT", model, slice_value, "at")] == (None, None, None)
            assert figures[("BASELINE", model, slice_value, "distance")] == (1.0, None, 4.0)
            assert figures[("BASELINE", model, slice_value, ":table")] == (None, -1.5, None)
    drift = {(row["drift_type"], row["column_name"]): (row["spread_change"], row["error_change"]) for row in read(tables, "drift")}
    assert drift[("BASELINE", "distance")] == (4.0, None)
    assert drift[("CONSECUTIVE", "distance")] == (0.0, None)
    assert drift[("BASELINE", ":table")] == (None, -0.5)
    assert drift[("CONSECUTIVE", ":table")] == (None, 0.0)
    assert drift[("CONSECUTIVE", "fare")] == (None, None)


def test_snapshots_compare_metrics_with_those_of_the_refresh_before(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """The earlier instant's figures are those that were written then."""
    write_trips()
    service.start()
    metrics = (
        metric("AGGREGATE", "spread", "max({{input_column}}) - min({{input_column}})", "distance"),
        metric("DRIFT", "change", "{{current_df}}.spread - {{base_df}}.spread", "distance"),
    )
    workspace.data_quality.create_monitor(monitor_of(*metrics, inference_log=None, snapshot=SnapshotConfig()))
    assert refreshed(workspace).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    write_trips(days=3)

    workspace.data_quality.create_refresh("table", TABLE_ID, Refresh(object_type="table", object_id=TABLE_ID))

    assert refreshed(workspace).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    assert sorted(row["spread"] for row in read(tables, "profile") if row["column_name"] == "distance") == [11.0, 17.0]  # type: ignore[type-var]  # numbers
    assert [row["change"] for row in read(tables, "drift") if row["column_name"] == "distance"] == [6.0]


GOOD = ALL[0]


@pytest.mark.parametrize(
    ("metrics", "code", "message"),
    [
        pytest.param(
            [metric("AGGREGATE", "m", "1", output="double")], "INVALID_PARAMETER_VALUE", "JSON of a StructField.*found", id="type"
        ),
        pytest.param([metric("AGGREGATE", "m", "1", output='{"name": "x"}')], "INVALID_PARAMETER_VALUE", "StructField", id="no type"),
        pytest.param([metric("AGGREGATE", "m", "sum({{column}})", "fare")], "UNDEFINED_TEMPLATE_VARIABLE", "column. Please sp", id="name"),
        pytest.param([metric("AGGREGATE", "m", "sum({{input_column}})")], "UNDEFINED_TEMPLATE_VARIABLE", "input_column", id="of no column"),
        pytest.param([metric("AGGREGATE", "m", "sum({{")], "INVALID_PARAMETER_VALUE", "not a template", id="syntax"),
        pytest.param([metric("AGGREGATE", "m", " ")], "INVALID_PARAMETER_VALUE", "the definition is empty", id="empty"),
        pytest.param([metric("AGGREGATE", "m", "1"), metric("AGGREGATE", "M", "2")], "INVALID_PARAMETER_VALUE", "used once", id="twice"),
        pytest.param([metric("AGGREGATE", "avg", "1")], "INVALID_PARAMETER_VALUE", "no other column's", id="built in"),
        pytest.param([metric("AGGREGATE", "Model_Version", "1")], "INVALID_PARAMETER_VALUE", "no other column's", id="model id"),
        pytest.param([metric("AGGREGATE", "a b", "1")], "INVALID_PARAMETER_VALUE", "a column can have", id="blank"),
        pytest.param([GOOD, metric("DERIVED", "m", "{{spread}} + 1", "fare")], "INVALID_DERIVED_METRIC", "without a template", id="d"),
        pytest.param([GOOD, metric("DERIVED", "m", "width + 1", "fare")], "INVALID_DERIVED_METRIC", "metrics are: spread", id="derived"),
        pytest.param([GOOD, metric("DERIVED", "m", "spread + 1")], "INVALID_DERIVED_METRIC", "a metric of distance, fare", id="columns"),
        pytest.param(
            [GOOD, metric("DRIFT", "m", "{{spread}}")],
            "UNDEFINED_TEMPLATE_VARIABLE",
            r"UNDEFINED_TEMPLATE_VARIABLE: spread\. Please specify: \[base_df, current_df\]",
            id="drift of a name",
        ),
        pytest.param([GOOD, metric("DRIFT", "m", "spread")], "INVALID_DRIFT_METRIC", "expected metrics such as", id="drift"),
        pytest.param([metric("DRIFT", "m", "{{current_df}}.width")], "INVALID_DRIFT_METRIC", "width: no such metric", id="unknown"),
    ],
)
def test_a_bad_metric_is_refused_with_the_platform_s_words(
    workspace: WorkspaceClient, metrics: list[DataProfilingCustomMetric], code: str, message: str
) -> None:
    """At create, not in a refresh that nobody looks at."""
    with pytest.raises(BadRequest, match=message) as caught:
        workspace.data_quality.create_monitor(monitor_of(*metrics))

    assert caught.value.error_code == code
    assert list(workspace.data_quality.list_monitor()) == []


@pytest.mark.parametrize(
    ("metrics", "code"),
    [
        pytest.param([metric("AGGREGATE", "m", "sum(nothing)")], "INVALID_PARAMETER_VALUE", id="aggregate"),
        pytest.param([GOOD, metric("DERIVED", "m", "spread + nothing", "fare")], "INVALID_DERIVED_METRIC", id="derived"),
        pytest.param([GOOD, metric("DRIFT", "m", "{{current_df}}.spread + nothing", "fare")], "INVALID_DRIFT_METRIC", id="drift"),
    ],
)
def test_a_metric_is_tried_on_the_table_before_it_is_accepted(
    workspace: WorkspaceClient, write_trips: Callable[..., None], metrics: list[DataProfilingCustomMetric], code: str
) -> None:
    """A column that is not there is found at create, where the table is."""
    write_trips()

    with pytest.raises(BadRequest, match=r"'m': .*nothing") as caught:
        workspace.data_quality.create_monitor(monitor_of(*metrics))

    assert caught.value.error_code == code


def test_a_column_that_goes_away_fails_the_refresh(
    workspace: WorkspaceClient, service: MonitoringService, write_trips: Callable[..., None], tables: Tables
) -> None:
    """The input of a metric is missing at the refresh: it says which."""
    write_trips()
    workspace.data_quality.create_monitor(monitor_of(metric("AGGREGATE", "m", "sum(`{{input_column}}`)", "distance")))
    path = tables.table_path(FullName("main", "s", "trips"))
    write_deltalake(path, DeltaTable(path).to_pyarrow_table().drop_columns(["distance"]), mode="overwrite", schema_mode="overwrite")

    service.start()

    refresh = refreshed(workspace)
    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_FAILED
    assert "main.s.trips: column 'distance' is missing, which custom_metrics name" in (refresh.message or "")


def test_metrics_of_an_empty_table_are_columns_without_rows(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """Nothing to compute is no failure."""
    write_trips(days=0)
    service.start()

    workspace.data_quality.create_monitor(monitor_of(*ALL))

    refresh = refreshed(workspace)
    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS, refresh.message
    assert (read(tables, "profile"), read(tables, "drift")) == ([], [])
