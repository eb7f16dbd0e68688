"""Monitors through the unmodified SDK, over HTTP, on real Delta tables."""

import re
import shutil
import time
from collections.abc import Callable

import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, ResourceConflict
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.dataquality import (
    AggregationGranularity,
    CronSchedule,
    CronSchedulePauseStatus,
    DataProfilingConfig,
    DataProfilingStatus,
    InferenceLogConfig,
    InferenceProblemType,
    Monitor,
    NotificationDestination,
    NotificationSettings,
    Refresh,
    RefreshState,
    SnapshotConfig,
    TimeSeriesConfig,
)
from deltalake import DeltaTable, write_deltalake

from harness.monitoring.ports import Tables
from harness.monitoring.service import MonitoringService
from harness.names import FullName

SCHEMA_ID = "5c4e3a00-0000-4000-8000-000000000001"
TABLE_ID = "7ab1e000-0000-4000-8000-000000000001"
TWIN_ID = "7ab1e000-0000-4000-8000-000000000002"


def schedule(cron: str = "0 0 8 * * ?", zone: str = "UTC") -> CronSchedule:
    status = CronSchedulePauseStatus.CRON_SCHEDULE_PAUSE_STATUS_UNPAUSED
    return CronSchedule(quartz_cron_expression=cron, timezone_id=zone, pause_status=status)


def mails(*to: str) -> NotificationSettings:
    return NotificationSettings(on_failure=NotificationDestination(email_addresses=list(to)))


def wait_until(condition: Callable[[], bool], timeout: float = 10.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.01)


def inference_log(**changes: object) -> InferenceLogConfig:
    log = InferenceLogConfig(
        problem_type=InferenceProblemType.INFERENCE_PROBLEM_TYPE_REGRESSION,
        timestamp_column="at",
        granularities=[AggregationGranularity.AGGREGATION_GRANULARITY_1_DAY],
        prediction_column="prediction",
        model_id_column="model_version",
        label_column="fare",
    )
    for name, value in changes.items():
        setattr(log, name, value)
    return log


def monitor_of(object_id: str = TABLE_ID, /, **config: object) -> Monitor:
    settings = DataProfilingConfig(output_schema_id=SCHEMA_ID, inference_log=inference_log())
    for name, value in config.items():
        setattr(settings, name, value)
    return Monitor(object_type="table", object_id=object_id, data_profiling_config=settings)


def newest(workspace: WorkspaceClient) -> Refresh:
    return next(iter(workspace.data_quality.list_refresh("table", TABLE_ID)))


def wait_for_end(workspace: WorkspaceClient, refresh_id: int | None = None) -> Refresh:
    number = refresh_id or newest(workspace).refresh_id
    assert number is not None
    running = {RefreshState.MONITOR_REFRESH_STATE_PENDING, RefreshState.MONITOR_REFRESH_STATE_RUNNING}
    wait_until(lambda: workspace.data_quality.get_refresh("table", TABLE_ID, number).state not in running)
    return workspace.data_quality.get_refresh("table", TABLE_ID, number)


def read(tables: Tables, name: str) -> pa.Table:
    return DeltaTable(tables.table_path(FullName("main", "monitoring", name))).to_pyarrow_table()


def test_creating_a_monitor_fills_both_metric_tables(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """The first refresh starts by itself and writes the tables under the names the monitor shows."""
    write_trips()
    service.start()

    created = workspace.data_quality.create_monitor(monitor_of()).data_profiling_config
    refresh = wait_for_end(workspace)

    assert created is not None
    assert (created.status, created.monitor_version) == (DataProfilingStatus.DATA_PROFILING_STATUS_PENDING, 0)
    assert created.monitored_table_name == "main.s.trips"
    assert created.profile_metrics_table_name == "main.monitoring.trips_profile_metrics"
    assert created.drift_metrics_table_name == "main.monitoring.trips_drift_metrics"
    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    assert refresh.end_time_ms is not None
    now = workspace.data_quality.get_monitor("table", TABLE_ID).data_profiling_config
    assert now is not None
    assert now.status == DataProfilingStatus.DATA_PROFILING_STATUS_ACTIVE
    assert read(tables, "trips_profile_metrics").num_rows == 2 * 2 * 5
    assert read(tables, "trips_drift_metrics").num_rows == 2 * 5
    path = tables.table_path(FullName("main", "monitoring", "trips_profile_metrics"))
    assert DeltaTable(path).metadata().configuration["delta.enableChangeDataFeed"] == "true"


def test_a_refresh_goes_through_its_states(
    workspace: WorkspaceClient, service: MonitoringService, write_trips: Callable[..., None]
) -> None:
    """Asked for it is PENDING without an end; carried out it has one."""
    write_trips()
    workspace.data_quality.create_monitor(monitor_of())

    asked = workspace.data_quality.create_refresh("table", TABLE_ID, Refresh(object_type="table", object_id=TABLE_ID))
    assert (asked.state, asked.end_time_ms) == (RefreshState.MONITOR_REFRESH_STATE_PENDING, None)
    service.start()

    assert wait_for_end(workspace, asked.refresh_id).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    assert len(list(workspace.data_quality.list_refresh("table", TABLE_ID))) == 2


def test_refreshing_twice_replaces_what_was_there(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """A second refresh adds no second set of rows, and sees the new day; rows that are as they were say which version made them."""
    write_trips()
    service.start()
    workspace.data_quality.create_monitor(monitor_of())
    wait_for_end(workspace)
    write_trips(days=3)

    again = workspace.data_quality.create_refresh("table", TABLE_ID, Refresh(object_type="table", object_id=TABLE_ID))
    wait_for_end(workspace, again.refresh_id)

    profile = read(tables, "trips_profile_metrics")
    assert profile.num_rows == 3 * 2 * 5
    versions = {(row["window"]["start"].day, row["logging_table_commit_version"]) for row in profile.to_pylist()}
    assert versions == {(5, 0), (6, 0), (7, 1)}


def test_a_second_monitor_of_a_table_is_refused(workspace: WorkspaceClient) -> None:
    """One monitor a table: the second create is a 409 that says so."""
    workspace.data_quality.create_monitor(monitor_of())

    with pytest.raises(ResourceConflict, match="already exist"):
        workspace.data_quality.create_monitor(monitor_of())


def test_a_missing_monitor_is_a_404_in_the_platform_s_words(workspace: WorkspaceClient) -> None:
    """The message has the form seen on a live workspace."""
    with pytest.raises(NotFound, match=rf"Cannot find Monitor with ID: /metastores:[-0-9a-f]+/tables:{TABLE_ID}/"):
        workspace.data_quality.get_monitor("table", TABLE_ID)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param({"inference_log": None}, "exactly one of snapshot, time_series, inference_log; found none", id="no kind"),
        pytest.param({"snapshot": SnapshotConfig()}, "found snapshot and inference_log", id="two kinds"),
        pytest.param({"inference_log": inference_log(granularities=[])}, "granularities", id="no granularity"),
        pytest.param({"inference_log": inference_log(label_column="prediction")}, "a column of its own", id="one column twice"),
        pytest.param({"inference_log": inference_log(model_id_column="window")}, "rename it", id="reserved name"),
        pytest.param(
            {"inference_log": None, "time_series": TimeSeriesConfig(timestamp_column="at", granularities=[])},
            "granularities",
            id="time series without granularity",
        ),
        pytest.param({"slicing_exprs": ["zone", "zone"]}, "expressions that differ", id="slice twice"),
        pytest.param({"schedule": schedule("0 0 8 * *")}, r"schedule\.quartz_cron_expression '0 0 8 \* \*': 5 fields", id="cron"),
        pytest.param({"schedule": schedule(zone="Mars")}, "schedule.timezone_id: Mars; expected a name such as UTC", id="zone"),
        pytest.param({"notification_settings": mails(*"abcdef")}, "at most 5 email_addresses; found 6", id="six mails"),
    ],
)
def test_a_bad_configuration_is_a_400(workspace: WorkspaceClient, config: dict[str, object], message: str) -> None:
    """What no workspace accepts is refused at create, and leaves no monitor behind."""
    with pytest.raises(DatabricksError, match=message) as caught:
        workspace.data_quality.create_monitor(monitor_of(**config))

    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert list(workspace.data_quality.list_monitor()) == []


def test_snapshots_gather_one_instant_a_refresh(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """Each refresh adds its instant and is compared with the one before, by what that one saw; the baseline stays once."""
    write_trips()
    base = tables.table_path(FullName("main", "s", "train"))
    write_deltalake(base, pa.table({"distance": [3.0], "fare": [3.0]}))
    service.start()
    workspace.data_quality.create_monitor(
        monitor_of(snapshot=SnapshotConfig(), inference_log=None, baseline_table_name="main.s.train", slicing_exprs=["model_version"])
    )
    assert wait_for_end(workspace).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    write_trips(days=3)

    again = workspace.data_quality.create_refresh("table", TABLE_ID, Refresh(object_type="table", object_id=TABLE_ID))
    assert wait_for_end(workspace, again.refresh_id).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS

    profile, drift = (read(tables, f"trips_{name}_metrics").to_pylist() for name in ("profile", "drift"))
    whole = [row for row in profile if row["column_name"] == ":table" and row["slice_key"] is None]
    assert sorted((row["log_type"], row["count"], row["logging_table_commit_version"]) for row in whole) == [
        ("BASELINE", 1, 0),
        ("INPUT", 12, 0),
        ("INPUT", 18, 1),
    ]
    instants = sorted(row["window"]["start"] for row in whole if row["window"])
    (change,) = [row for row in drift if row["drift_type"] == "CONSECUTIVE" and row["column_name"] == "distance" and not row["slice_key"]]
    assert (change["window"]["start"], change["window_cmp"]["start"]) == (instants[1], instants[0])
    assert (change["count_delta"], change["avg_delta"], change["wasserstein_distance"]) == (6, 3.0, pytest.approx(3.0))
    assert sum(row["drift_type"] == "BASELINE" and row["column_name"] == "distance" and not row["slice_key"] for row in drift) == 2


def test_snapshot_is_not_compared_with_another_table_of_the_same_name(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """The table was dropped and made again: the version that the last refresh saw is not that one any more."""
    write_trips()
    service.start()
    workspace.data_quality.create_monitor(monitor_of(snapshot=SnapshotConfig(), inference_log=None))
    wait_for_end(workspace)
    shutil.rmtree(tables.table_path(FullName("main", "s", "trips")))
    write_trips(days=3)

    again = workspace.data_quality.create_refresh("table", TABLE_ID, Refresh(object_type="table", object_id=TABLE_ID))

    assert wait_for_end(workspace, again.refresh_id).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    assert read(tables, "trips_drift_metrics").num_rows == 0
    assert len({str(row["window"]) for row in read(tables, "trips_profile_metrics").to_pylist()}) == 2


def test_a_service_may_compare_by_quantiles_as_the_platform_seems_to(
    workspace: WorkspaceClient, make_service: Callable[..., MonitoringService], tables: Tables
) -> None:
    """With the grid D lies on steps of a thousandth: 17 ones among 17 and 13 zeros are 566 of a thousand, and not 17/30."""
    path = tables.table_path(FullName("main", "s", "trips"))
    write_deltalake(path, pa.table({"x": [0.0] * 13}))
    workspace.data_quality.create_monitor(monitor_of(snapshot=SnapshotConfig(), inference_log=None))
    make_service(quantile_grid=True).start()
    wait_for_end(workspace)
    write_deltalake(path, pa.table({"x": [1.0] * 17}), mode="append")

    again = workspace.data_quality.create_refresh("table", TABLE_ID, Refresh(object_type="table", object_id=TABLE_ID))
    make_service(quantile_grid=True).start()

    assert wait_for_end(workspace, again.refresh_id).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    (row,) = [row for row in read(tables, "trips_drift_metrics").to_pylist() if row["column_name"] == "x"]
    assert row["ks_test"]["statistic"] == pytest.approx(0.567, abs=1e-12)


def test_time_series_need_no_model(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """Rows by window and granularity, none by model; every column is profiled."""
    write_trips()
    service.start()
    hourly = [AggregationGranularity.AGGREGATION_GRANULARITY_1_HOUR, AggregationGranularity.AGGREGATION_GRANULARITY_1_DAY]

    workspace.data_quality.create_monitor(
        monitor_of(time_series=TimeSeriesConfig(timestamp_column="at", granularities=hourly), inference_log=None)
    )

    assert wait_for_end(workspace).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    profile = read(tables, "trips_profile_metrics")
    assert profile.num_rows == (2 + 12) * 6
    assert "model_version" not in profile.column_names
    assert {row["granularity"] for row in read(tables, "trips_drift_metrics").to_pylist()} == {"1 hour", "1 day"}


def test_slices_and_baseline_are_in_the_metric_tables(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """A column and a predicate slice; the baseline table has its rows and every window is compared with it."""
    write_trips()
    base = tables.table_path(FullName("main", "s", "train"))
    write_deltalake(base, pa.table({"model_version": ["1"], "distance": [3.0], "prediction": [1.0], "fare": [3.0]}))
    service.start()

    workspace.data_quality.create_monitor(monitor_of(slicing_exprs=["model_version"], baseline_table_name="main.s.train"))
    assert wait_for_end(workspace).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS

    profile, drift = (read(tables, f"trips_{name}_metrics").to_pylist() for name in ("profile", "drift"))
    assert {(row["slice_key"], row["slice_value"]) for row in profile} == {(None, None), ("model_version", "1")}
    assert {row["log_type"] for row in profile} == {"INPUT", "BASELINE"}
    assert {row["drift_type"] for row in drift} == {"CONSECUTIVE", "BASELINE"}


def test_predicates_are_evaluated_by_spark(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """What is more than a column is asked of Spark, and slices by its text."""
    write_trips()
    service.start()

    workspace.data_quality.create_monitor(monitor_of(slicing_exprs=["distance > 6"]))
    assert wait_for_end(workspace).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS

    found = read(tables, "trips_profile_metrics").to_pylist()
    counts = {row["slice_value"]: row["count"] for row in found if row["column_name"] == ":table" and row["window"]["start"].day == 6}
    assert counts == {None: 6, "true": 5, "false": 1}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param({"slicing_exprs": ["distance >"]}, "slicing_exprs .'distance >'. cannot be evaluated: .PARSE", id="slice"),
        pytest.param({"baseline_table_name": "main.s.gone"}, r"main\.s\.gone: the table does not exist", id="baseline"),
    ],
)
def test_refresh_that_cannot_be_as_configured_fails_and_says_why(
    workspace: WorkspaceClient,
    service: MonitoringService,
    write_trips: Callable[..., None],
    config: dict[str, object],
    message: str,
) -> None:
    """The refresh is FAILED with the reason, which the monitor shows too."""
    write_trips()
    service.start()

    workspace.data_quality.create_monitor(monitor_of(**config))
    refresh = wait_for_end(workspace)

    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_FAILED
    assert re.search(message, refresh.message or "")
    shown = workspace.data_quality.get_monitor("table", TABLE_ID).data_profiling_config
    assert shown is not None
    assert shown.latest_monitor_failure_message == refresh.message


def test_two_tables_of_one_name_cannot_share_an_output_schema(workspace: WorkspaceClient) -> None:
    """Their metric tables would be the same ones."""
    workspace.data_quality.create_monitor(monitor_of())

    with pytest.raises(DatabricksError, match=r"main\.monitoring\.trips_profile_metrics is written by the monitor of main\.s\.trips"):
        workspace.data_quality.create_monitor(monitor_of(TWIN_ID))


def test_an_update_changes_what_the_mask_names(workspace: WorkspaceClient) -> None:
    """Named fields are set, or cleared when the body lacks them; the others stay, and the version goes up."""
    workspace.data_quality.create_monitor(monitor_of(assets_dir="/Workspace/here"))
    weekly = inference_log(granularities=[AggregationGranularity.AGGREGATION_GRANULARITY_1_WEEK])
    change = Monitor(
        object_type="table", object_id=TABLE_ID, data_profiling_config=DataProfilingConfig(output_schema_id="", inference_log=weekly)
    )
    mask = "data_profiling_config.inference_log.granularities,data_profiling_config.assets_dir"

    changed = workspace.data_quality.update_monitor("table", TABLE_ID, change, mask).data_profiling_config

    assert changed is not None
    assert changed.inference_log is not None
    assert changed.inference_log.granularities == [AggregationGranularity.AGGREGATION_GRANULARITY_1_WEEK]
    assert (changed.assets_dir, changed.output_schema_id, changed.monitor_version) == (None, SCHEMA_ID, 1)


def test_an_update_of_an_unknown_field_is_refused(workspace: WorkspaceClient) -> None:
    """A mask with a spelling mistake changes nothing and says so."""
    workspace.data_quality.create_monitor(monitor_of())

    with pytest.raises(DatabricksError, match=r"update_mask: 'data_profiling_config\.granularity'"):
        workspace.data_quality.update_monitor("table", TABLE_ID, monitor_of(), "data_profiling_config.granularity")


def test_a_deleted_monitor_leaves_its_tables(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """Deleting forgets the monitor; the metric tables stay, and a new monitor may be made."""
    write_trips()
    service.start()
    workspace.data_quality.create_monitor(monitor_of())
    wait_for_end(workspace)

    workspace.data_quality.delete_monitor("table", TABLE_ID)

    assert list(workspace.data_quality.list_monitor()) == []
    assert read(tables, "trips_profile_metrics").num_rows > 0
    workspace.data_quality.create_monitor(monitor_of())


def test_a_pending_refresh_can_be_cancelled_once(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """Cancelled it ends there and writes nothing; an ended refresh cannot be cancelled."""
    write_trips()
    workspace.data_quality.create_monitor(monitor_of())
    number = newest(workspace).refresh_id
    assert number is not None

    answer = workspace.data_quality.cancel_refresh("table", TABLE_ID, number)
    service.start()
    service.close()

    assert answer.refresh is not None
    assert answer.refresh.state == RefreshState.MONITOR_REFRESH_STATE_CANCELED
    assert not tables.table_path(FullName("main", "monitoring", "trips_profile_metrics")).exists()
    with pytest.raises(DatabricksError, match="already ended"):
        workspace.data_quality.cancel_refresh("table", TABLE_ID, number)


def test_a_missing_column_fails_the_refresh_with_its_name(
    workspace: WorkspaceClient, service: MonitoringService, write_trips: Callable[..., None]
) -> None:
    """The refresh and the monitor say which table lacks which column."""
    write_trips()
    service.start()
    workspace.data_quality.create_monitor(monitor_of(inference_log=inference_log(label_column="tip")))

    refresh = wait_for_end(workspace)

    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_FAILED
    assert refresh.message is not None
    assert "main.s.trips: column 'tip' is missing, expected a number" in refresh.message
    monitor = workspace.data_quality.get_monitor("table", TABLE_ID).data_profiling_config
    assert monitor is not None
    assert monitor.latest_monitor_failure_message == refresh.message


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        pytest.param("fare", pa.array(["x"] * 12), "column 'fare' is STRING, expected a number", id="label as text"),
        pytest.param("at", pa.array(["x"] * 12), "column 'at' is STRING, expected TIMESTAMP or DATE", id="time as text"),
        pytest.param("at", pa.array([True] * 12), "column 'at' is BOOLEAN, expected TIMESTAMP or DATE", id="time as truth"),
        pytest.param("model_version", pa.array([1.5] * 12), "column 'model_version' is DOUBLE, expected STRING", id="model as a number"),
        pytest.param("prediction", pa.array([[1.0]] * 12), "column 'prediction' is ARRAY<DOUBLE>, expected a number", id="array"),
    ],
)
def test_a_column_of_another_type_fails_the_refresh_and_leaves_what_was_there(
    workspace: WorkspaceClient,
    service: MonitoringService,
    tables: Tables,
    write_trips: Callable[..., None],
    column: str,
    values: pa.Array,
    message: str,
) -> None:
    """The message says what was found and expected; the metric tables keep the last good refresh."""
    write_trips()
    service.start()
    workspace.data_quality.create_monitor(monitor_of())
    wait_for_end(workspace)
    path = tables.table_path(FullName("main", "s", "trips"))
    rows = DeltaTable(path).to_pyarrow_table()
    changed = rows.set_column(rows.column_names.index(column), column, values)
    write_deltalake(path, changed, mode="overwrite", schema_mode="overwrite")

    again = workspace.data_quality.create_refresh("table", TABLE_ID, Refresh(object_type="table", object_id=TABLE_ID))

    refresh = wait_for_end(workspace, again.refresh_id)
    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_FAILED
    assert f"main.s.trips: {message}" in (refresh.message or "")
    assert set(read(tables, "trips_profile_metrics")["logging_table_commit_version"].to_pylist()) == {0}


def test_odd_columns_spoil_no_other(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """All NULL, constant, infinite, nested, and a label that never comes: the refresh succeeds and the plain column is right."""
    write_trips(days=2)
    path = tables.table_path(FullName("main", "s", "trips"))
    rows = DeltaTable(path).to_pyarrow_table()
    rows = rows.set_column(rows.column_names.index("fare"), "fare", pa.nulls(12, pa.float64()))
    for name, values in {
        "nothing": pa.nulls(12, pa.string()),
        "constant": pa.array([7] * 12),
        "infinite": pa.array([float("inf"), float("-inf"), float("nan")] * 4),
        "nested": pa.array([[{"a": 1}]] * 12),
        "bytes": pa.array([b"x"] * 12),
    }.items():
        rows = rows.append_column(name, values)
    write_deltalake(path, rows, mode="overwrite", schema_mode="overwrite")
    service.start()

    workspace.data_quality.create_monitor(monitor_of())

    assert wait_for_end(workspace).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    drift = {row["column_name"]: row for row in read(tables, "trips_drift_metrics").to_pylist() if row["model_version"] == "*"}
    assert drift["distance"]["avg_delta"] == 6.0
    assert drift["distance"]["ks_test"]["statistic"] == 1.0
    assert (drift["constant"]["wasserstein_distance"], drift["constant"]["population_stability_index"]) == (0.0, 0.0)
    for column in ("nothing", "infinite", "nested", "bytes", "fare"):
        assert (drift[column]["count_delta"], drift[column]["ks_test"], drift[column]["js_distance"]) == (0, None, None)
    profile = {row["column_name"]: row for row in read(tables, "trips_profile_metrics").to_pylist() if row["model_version"] == "*"}
    assert profile[":table"]["mean_squared_error"] is None
    assert set(profile[":table"]["non_null_columns"]) == {"at", "distance", "prediction", "constant", "infinite", "nested", "bytes"}


def test_a_dropped_table_fails_the_refresh(workspace: WorkspaceClient, service: MonitoringService) -> None:
    """A table without a Delta log fails with one sentence."""
    service.start()
    workspace.data_quality.create_monitor(monitor_of())

    refresh = wait_for_end(workspace)

    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_FAILED
    assert refresh.message is not None
    assert "main.s.trips: the table does not exist" in refresh.message


def test_an_empty_table_succeeds_with_empty_metrics(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """No rows yet is no failure."""
    write_trips(days=0)
    service.start()
    workspace.data_quality.create_monitor(monitor_of())

    assert wait_for_end(workspace).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    assert (read(tables, "trips_profile_metrics").num_rows, read(tables, "trips_drift_metrics").num_rows) == (0, 0)


def test_a_restart_finishes_what_was_asked_for(
    workspace: WorkspaceClient, make_service: Callable[[], MonitoringService], write_trips: Callable[..., None]
) -> None:
    """A refresh that an earlier harness left PENDING is carried out by the next one."""
    write_trips()
    workspace.data_quality.create_monitor(monitor_of())

    make_service().start()

    assert wait_for_end(workspace).state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS


def test_a_failed_refresh_is_told_to_whom_it_concerns(workspace: WorkspaceClient, service: MonitoringService) -> None:
    """Nothing is sent; what would be is recorded, and shown."""
    service.start()
    workspace.data_quality.create_monitor(monitor_of(notification_settings=mails("ann@example.com")))

    refresh = wait_for_end(workspace)

    answer = workspace.api_client.do("GET", "/__harness__/monitor-notifications")
    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_FAILED
    assert [(one["refresh_id"], one["event"], one["to"], one["message"]) for one in answer["notifications"]] == [
        (refresh.refresh_id, "on_failure", ["ann@example.com"], refresh.message)
    ]
