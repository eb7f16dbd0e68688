"""`w.data_quality` and `w.quality_monitors`: one monitor by both names, refreshed, changed, read, deleted.

`python databricks_sdk_monitors.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import time
import uuid

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, NotFound
from databricks.sdk.service.catalog import MonitorInferenceLog, MonitorInferenceLogProblemType
from databricks.sdk.service.dataquality import (
    AggregationGranularity,
    DataProfilingConfig,
    DataProfilingStatus,
    InferenceLogConfig,
    InferenceProblemType,
    Monitor,
    Refresh,
    RefreshState,
)

CLIENT = WorkspaceClient()
WAREHOUSE = next(iter(CLIENT.warehouses.list())).id or ""
SCHEMA = f"main.s_{uuid.uuid4().hex[:8]}"
TABLE = f"{SCHEMA}.scored"
ENDED = {RefreshState.MONITOR_REFRESH_STATE_SUCCESS, RefreshState.MONITOR_REFRESH_STATE_FAILED, RefreshState.MONITOR_REFRESH_STATE_CANCELED}


def sql(statement: str) -> list[list[str]]:
    """Execute a statement and return its rows."""
    answer = CLIENT.statement_execution.execute_statement(statement, WAREHOUSE, wait_timeout="50s")
    assert answer.status is not None
    assert answer.status.error is None, answer.status
    return (answer.result.data_array if answer.result else None) or []


def main() -> None:
    """Play it through."""
    CLIENT.schemas.create(SCHEMA.partition(".")[2], "main")
    try:
        sql(
            f"CREATE TABLE {TABLE} TBLPROPERTIES (delta.enableChangeDataFeed = true) AS SELECT timestamp'2026-11-01' + "
            "make_dt_interval(CAST(id / 50 AS INT)) AS at, CAST(id % 7 AS DOUBLE) AS distance, CAST(id % 7 AS DOUBLE) * 2 AS predicted, "
            "CAST(id % 7 AS DOUBLE) * 2 + (id % 3 - 1) AS fare, '1' AS model FROM range(200)"
        )
        new_api()
        old_api()
    finally:
        CLIENT.schemas.delete(SCHEMA, force=True)


def new_api() -> None:
    """Create a monitor by the table's id, wait for the refresh that creating starts, read its tables, change it, delete it."""
    table_id, schema_id = CLIENT.tables.get(TABLE).table_id or "", CLIENT.schemas.get(SCHEMA).schema_id or ""
    log = InferenceLogConfig(
        problem_type=InferenceProblemType.INFERENCE_PROBLEM_TYPE_REGRESSION,
        timestamp_column="at",
        granularities=[AggregationGranularity.AGGREGATION_GRANULARITY_1_DAY],
        prediction_column="predicted",
        label_column="fare",
        model_id_column="model",
    )
    config = DataProfilingConfig(output_schema_id=schema_id, inference_log=log, slicing_exprs=["distance > 3"])
    made = CLIENT.data_quality.create_monitor(Monitor(object_type="table", object_id=table_id, data_profiling_config=config))
    assert made.data_profiling_config is not None
    try:
        CLIENT.data_quality.create_monitor(Monitor(object_type="table", object_id=table_id, data_profiling_config=config))
    except DatabricksError as error:
        assert "already exist" in str(error).lower()
    else:
        raise AssertionError("two monitors of one table")
    first = wait(table_id, next(iter(CLIENT.data_quality.list_refresh("table", table_id))).refresh_id or 0)
    assert first.state is RefreshState.MONITOR_REFRESH_STATE_SUCCESS, first
    found = CLIENT.data_quality.get_monitor("table", table_id).data_profiling_config
    assert found is not None
    assert found.status is DataProfilingStatus.DATA_PROFILING_STATUS_ACTIVE
    errors = sql(
        f"SELECT window.start, mean_average_error FROM {found.profile_metrics_table_name} "
        "WHERE column_name = ':table' AND slice_key IS NULL AND model = '*' ORDER BY 1"
    )
    assert [round(float(row[1]), 2) for row in errors] == [0.66, 0.68, 0.66, 0.66], errors
    assert int(sql(f"SELECT count(*) FROM {found.drift_metrics_table_name} WHERE ks_test IS NOT NULL")[0][0]) > 0

    changed = Monitor(object_type="table", object_id=table_id, data_profiling_config=DataProfilingConfig(output_schema_id=schema_id))
    CLIENT.data_quality.update_monitor("table", table_id, changed, "data_profiling_config.slicing_exprs")
    again = CLIENT.data_quality.create_refresh("table", table_id, Refresh(object_type="table", object_id=table_id))
    assert wait(table_id, again.refresh_id or 0).state is RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    assert sql(f"SELECT count(*) FROM {found.profile_metrics_table_name} WHERE slice_key IS NOT NULL") == [["0"]]
    CLIENT.data_quality.delete_monitor("table", table_id)
    try:
        CLIENT.data_quality.get_monitor("table", table_id)
    except NotFound as error:
        assert "Cannot find Monitor" in str(error)
    else:
        raise AssertionError("a monitor that is gone")


def wait(table_id: str, refresh_id: int) -> Refresh:
    """Return a refresh that has ended."""
    deadline = time.monotonic() + 120
    while (found := CLIENT.data_quality.get_refresh("table", table_id, refresh_id)).state not in ENDED:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def old_api() -> None:
    """The same by the table's name."""
    log = MonitorInferenceLog(
        problem_type=MonitorInferenceLogProblemType.PROBLEM_TYPE_REGRESSION,
        timestamp_col="at",
        granularities=["1 day"],
        prediction_col="predicted",
        label_col="fare",
        model_id_col="model",
    )
    CLIENT.quality_monitors.create(TABLE, output_schema_name=SCHEMA, assets_dir="/Workspace/Users/me/monitors", inference_log=log)
    deadline = time.monotonic() + 120
    while not (done := CLIENT.quality_monitors.list_refreshes(TABLE).refreshes) or done[0].end_time_ms is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    found = CLIENT.quality_monitors.get(TABLE)
    assert (found.monitor_version, found.output_schema_name) == (0, SCHEMA), found
    assert found.inference_log is not None
    assert found.inference_log.granularities == ["1 day"]
    CLIENT.quality_monitors.delete(TABLE)


if __name__ == "__main__":
    main()
