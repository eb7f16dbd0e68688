"""Corners of both families of monitor routes, by the unmodified SDK: masks, pages, cancelling, refreshes that meet."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.errors import NotImplemented as NotThere
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.catalog import MonitorTimeSeries
from databricks.sdk.service.dataquality import (
    AggregationGranularity,
    CronSchedule,
    DataProfilingConfig,
    DataProfilingStatus,
    InferenceLogConfig,
    InferenceProblemType,
    Monitor,
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
DAYS = [AggregationGranularity.AGGREGATION_GRANULARITY_1_DAY]
Write = Callable[..., None]
Wait = Callable[..., Refresh]
SUCCESS = RefreshState.MONITOR_REFRESH_STATE_SUCCESS


def log() -> InferenceLogConfig:
    return InferenceLogConfig(
        problem_type=InferenceProblemType.INFERENCE_PROBLEM_TYPE_REGRESSION,
        timestamp_column="at",
        granularities=DAYS,
        prediction_column="prediction",
        model_id_column="model_version",
        label_column="fare",
    )


def config(**settings: object) -> DataProfilingConfig:
    found = DataProfilingConfig(output_schema_id=SCHEMA_ID)
    for name, value in settings.items():
        setattr(found, name, value)
    return found


def created(workspace: WorkspaceClient, object_id: str = TABLE_ID, /, **settings: object) -> DataProfilingConfig:
    kind = {} if settings.keys() & {"time_series", "snapshot"} else {"inference_log": log()}
    monitor = Monitor(object_type="table", object_id=object_id, data_profiling_config=config(**kind, **settings))
    made = workspace.data_quality.create_monitor(monitor).data_profiling_config
    assert made is not None
    return made


def updated(workspace: WorkspaceClient, mask: str, **settings: object) -> DataProfilingConfig:
    change = Monitor(object_type="table", object_id=TABLE_ID, data_profiling_config=config(**settings))
    paths = ",".join(f"data_profiling_config.{path}" for path in mask.split(",")) if mask else mask
    made = workspace.data_quality.update_monitor("table", TABLE_ID, change, paths).data_profiling_config
    assert made is not None
    return made


def ask(workspace: WorkspaceClient) -> int:
    number = workspace.data_quality.create_refresh("table", TABLE_ID, Refresh(object_type="table", object_id=TABLE_ID)).refresh_id
    assert number is not None
    return number


def versions(tables: Tables) -> list[int]:
    names = [f"trips_{name}_metrics" for name in ("profile", "drift")]
    return [DeltaTable(tables.table_path(FullName("main", "monitoring", name))).version() for name in names]


def test_a_nested_mask_changes_that_field_only(workspace: WorkspaceClient) -> None:
    """The schedule keeps its zone; what the mask does not name is not looked at."""
    created(workspace, schedule=CronSchedule("0 0 8 * * ?", "PST"), slicing_exprs=["distance > 6"])

    changed = updated(workspace, "schedule.quartz_cron_expression", schedule=CronSchedule("0 0 9 * * ?", "UTC"), slicing_exprs=["x"])

    assert changed.schedule == CronSchedule("0 0 9 * * ?", "PST")
    assert (changed.slicing_exprs, changed.monitor_version) == (["distance > 6"], 1)


def test_what_the_mask_names_and_the_body_lacks_is_cleared(workspace: WorkspaceClient) -> None:
    """The SDK drops empty lists: the mask alone says that they are meant."""
    created(workspace, slicing_exprs=["distance > 6"], schedule=CronSchedule("0 0 8 * * ?", "UTC"), baseline_table_name="main.s.b")

    changed = updated(workspace, "slicing_exprs,schedule,baseline_table_name,inference_log.label_column", slicing_exprs=[])

    assert (changed.slicing_exprs, changed.schedule, changed.baseline_table_name) == (None, None, None)
    assert changed.inference_log is not None
    assert changed.inference_log.label_column is None


@pytest.mark.parametrize(
    ("mask", "settings", "message"),
    [
        pytest.param("", {}, "update_mask names no field", id="empty"),
        pytest.param("schedule.cron", {}, r"update_mask: 'data_profiling_config\.schedule\.cron' is not a field", id="nested misspelt"),
        pytest.param("monitor_version", {}, "is not a field of a table monitor that can be updated", id="output only"),
        pytest.param("custom_metrics.name", {}, "is not a field of a table monitor that can be updated", id="into a list"),
        pytest.param("inference_log.timestamp_column", {}, "timestamp_column", id="clears what is required"),
        pytest.param("schedule.pause_status", {"schedule": CronSchedule("0 0 8 * * ?", "UTC")}, "schedule", id="part of what is not there"),
        pytest.param(
            "inference_log,snapshot", {"snapshot": SnapshotConfig()}, "kind inference_log cannot become one of kind snapshot", id="snapshot"
        ),
        pytest.param(
            "inference_log,time_series",
            {"time_series": TimeSeriesConfig(timestamp_column="at", granularities=DAYS)},
            "kind inference_log cannot become one of kind time_series",
            id="time series",
        ),
        pytest.param("inference_log", {}, "exactly one of snapshot, time_series, inference_log; found none", id="no kind"),
        pytest.param("output_schema_id", {"output_schema_id": "other"}, "the output schema cannot be updated", id="output schema"),
    ],
)
def test_an_update_that_cannot_be_changes_nothing(workspace: WorkspaceClient, mask: str, settings: dict[str, object], message: str) -> None:
    """A 400 that says what; the version stays."""
    before = created(workspace)

    with pytest.raises(InvalidParameterValue, match=message):
        updated(workspace, mask, **settings)

    assert workspace.data_quality.get_monitor("table", TABLE_ID).data_profiling_config == before


def test_an_update_by_name_keeps_the_kind_and_the_output_schema(workspace: WorkspaceClient) -> None:
    """As by mask."""
    created(workspace)
    series = MonitorTimeSeries(timestamp_col="at", granularities=["1 day"])

    with pytest.raises(InvalidParameterValue, match="kind inference_log cannot become one of kind time_series"):
        workspace.quality_monitors.update("main.s.trips", "main.monitoring", time_series=series)


def test_pages_of_refreshes_and_monitors_are_complete(workspace: WorkspaceClient) -> None:
    """The SDK asks for page after page; each refresh is in one of them, the newest first."""
    created(workspace)
    asked = [ask(workspace) for _ in range(4)]

    paged = [refresh.refresh_id for refresh in workspace.data_quality.list_refresh("table", TABLE_ID, page_size=2)]

    assert paged == [refresh.refresh_id for refresh in workspace.data_quality.list_refresh("table", TABLE_ID)]
    assert len(paged) == len(set(paged)) == 5
    assert set(asked) < set(paged)
    assert [monitor.object_id for monitor in workspace.data_quality.list_monitor(page_size=1)] == [TABLE_ID]
    with pytest.raises(InvalidParameterValue, match="page_token 'x'"):
        list(workspace.data_quality.list_refresh("table", TABLE_ID, page_token="x"))


def test_what_the_platform_calls_unimplemented_is_not_emulated(workspace: WorkspaceClient) -> None:
    """By the name of the route."""
    created(workspace)
    number = ask(workspace)
    refresh = Refresh(object_type="table", object_id=TABLE_ID)

    with pytest.raises(NotThere, match=f"PATCH .*/refreshes/{number}"):
        workspace.data_quality.update_refresh("table", TABLE_ID, number, refresh, "state")
    with pytest.raises(NotThere, match=f"DELETE .*/refreshes/{number}"):
        workspace.data_quality.delete_refresh("table", TABLE_ID, number)


def test_a_refresh_of_another_monitor_is_not_found(workspace: WorkspaceClient) -> None:
    """A 404, and no monitor at all another one."""
    created(workspace)

    with pytest.raises(NotFound, match="Cannot find Refresh with ID: 12"):
        workspace.data_quality.get_refresh("table", TABLE_ID, 12)
    with pytest.raises(NotFound, match=rf"Cannot find Monitor with ID: /metastores:[-0-9a-f]+/tables:{TWIN_ID}/"):
        workspace.data_quality.list_refresh("table", TWIN_ID).__next__()


def test_the_second_of_two_refreshes_finds_nothing_new(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Write, wait_for_refresh: Wait
) -> None:  # fmt: skip
    """Both were asked for at once: they are carried out one after the other, and the second writes nothing."""
    write_trips()
    created(workspace)
    numbers = [ask(workspace), ask(workspace)]
    service.start()

    assert [wait_for_refresh(number).state for number in numbers] == [SUCCESS, SUCCESS]
    assert versions(tables) == [0, 0]


class Held:
    """The port of SQL expressions that keeps a refresh waiting, and then has rows by the port below it."""

    def __init__(self, inner: object) -> None:
        self.inner = inner
        self.asked, self.go_on = threading.Event(), threading.Event()

    def rows(self, table: FullName, version: int, expressions: Sequence[str], where: str = "") -> pa.Table:
        self.asked.set()
        assert self.go_on.wait(20)
        return self.inner.rows(table, version, expressions, where)  # type: ignore[attr-defined]  # the other fake


@pytest.fixture
def begun(
    workspace: WorkspaceClient, make_service: Callable[..., MonitoringService], expressions: object, write_trips: Write
) -> tuple[Held, MonitoringService]:
    """A monitor's first refresh, which waits for the values of its slices, and the service that carries it out."""
    write_trips()
    held = Held(expressions)
    created(workspace, slicing_exprs=["distance > 6"])
    service = make_service(expressions=held)
    service.start()
    assert held.asked.wait(10)
    return held, service


def test_a_running_refresh_is_cancelled_and_writes_nothing(
    workspace: WorkspaceClient, make_service: Callable[..., MonitoringService], begun: tuple[Held, MonitoringService], tables: Tables,
    wait_for_refresh: Wait,
) -> None:  # fmt: skip
    """It is CANCELED at once; what it computes further is thrown away, and the next refresh is carried out."""
    held, _ = begun
    number = next(iter(workspace.data_quality.list_refresh("table", TABLE_ID))).refresh_id
    assert number is not None

    answer = workspace.data_quality.cancel_refresh("table", TABLE_ID, number).refresh

    assert answer is not None
    assert answer.state == RefreshState.MONITOR_REFRESH_STATE_CANCELED
    again = ask(workspace)
    held.go_on.set()
    make_service(expressions=held).start()
    assert wait_for_refresh(again).state == SUCCESS
    assert workspace.data_quality.get_refresh("table", TABLE_ID, number).state == RefreshState.MONITOR_REFRESH_STATE_CANCELED
    assert versions(tables) == [0, 0]


def test_a_closing_service_breaks_a_refresh_off_and_the_next_one_carries_it_out(
    workspace: WorkspaceClient, make_service: Callable[..., MonitoringService], begun: tuple[Held, MonitoringService], tables: Tables,
    wait_for_refresh: Wait,
) -> None:  # fmt: skip
    """Nothing of it is written before; the same refresh succeeds afterwards."""
    held, first = begun
    closing = threading.Thread(target=first.close)
    closing.start()
    while not first.refreshes.is_closing:
        time.sleep(0.01)
    held.go_on.set()
    closing.join()
    state = next(iter(workspace.data_quality.list_refresh("table", TABLE_ID))).state

    make_service(expressions=held).start()

    assert state == RefreshState.MONITOR_REFRESH_STATE_RUNNING
    assert wait_for_refresh().state == SUCCESS
    assert versions(tables) == [0, 0]


def test_an_update_computes_all_rows_by_the_new_configuration(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Write, wait_for_refresh: Wait
) -> None:  # fmt: skip
    """The table is as it was: its rows are recomputed all the same, and say by which version."""
    write_trips()
    service.start()
    created(workspace)
    wait_for_refresh()
    updated(workspace, "slicing_exprs", slicing_exprs=["model_version"])

    assert wait_for_refresh(ask(workspace)).state == SUCCESS
    path = tables.table_path(FullName("main", "monitoring", "trips_profile_metrics"))
    rows = DeltaTable(path).to_pyarrow_table().to_pylist()
    assert {(row["monitor_version"], row["slice_value"]) for row in rows} == {(1, None), (1, "1")}


@pytest.mark.parametrize("gone", ["profile", "drift"])
def test_a_dropped_metric_table_is_made_again(
    workspace: WorkspaceClient, service: MonitoringService, tables: Any, write_trips: Write,
    wait_for_refresh: Wait, gone: str,
) -> None:  # fmt: skip
    """Whole, by the next refresh; the other one is left as it is."""
    write_trips()
    service.start()
    created(workspace)
    wait_for_refresh()
    tables.drop(FullName("main", "monitoring", f"trips_{gone}_metrics"))

    assert wait_for_refresh(ask(workspace)).state == SUCCESS
    assert versions(tables) == [0, 0]


def test_a_dropped_output_schema_fails_the_refresh_until_it_is_there(
    workspace: WorkspaceClient, service: MonitoringService, tables: Any, write_trips: Write,
    wait_for_refresh: Wait,
) -> None:  # fmt: skip
    """The refresh says which schema, and does not bring it back by writing; the monitor is in error until it can be refreshed again."""
    write_trips()
    service.start()
    created(workspace)
    wait_for_refresh()
    tables.schemas.clear()

    refresh = wait_for_refresh(ask(workspace))

    assert refresh.state == RefreshState.MONITOR_REFRESH_STATE_FAILED
    assert refresh.message == "main.monitoring: the output schema does not exist any more; create it again or delete the monitor"
    assert shown(workspace).status == DataProfilingStatus.DATA_PROFILING_STATUS_ERROR
    tables.schemas[SCHEMA_ID] = ("main", "monitoring")
    assert wait_for_refresh(ask(workspace)).state == SUCCESS
    assert shown(workspace).status == DataProfilingStatus.DATA_PROFILING_STATUS_ACTIVE
    assert shown(workspace).latest_monitor_failure_message is None


def shown(workspace: WorkspaceClient) -> DataProfilingConfig:
    found = workspace.data_quality.get_monitor("table", TABLE_ID).data_profiling_config
    assert found is not None
    return found


def test_a_new_column_and_a_dropped_one_show_in_every_window(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Write, wait_for_refresh: Wait
) -> None:  # fmt: skip
    """The metric tables are of the table's columns as they are: a new one has rows from its first window on, a dropped one none."""
    write_trips()
    service.start()
    created(workspace)
    wait_for_refresh()
    path = tables.table_path(FullName("main", "s", "trips"))
    rows = DeltaTable(path).to_pyarrow_table()
    write_deltalake(
        path, rows.drop_columns(["distance"]).append_column("tip", pa.array([1.0] * 12)), mode="overwrite", schema_mode="overwrite"
    )

    assert wait_for_refresh(ask(workspace)).state == SUCCESS
    found = DeltaTable(tables.table_path(FullName("main", "monitoring", "trips_profile_metrics"))).to_pyarrow_table().to_pylist()
    assert {row["column_name"] for row in found} == {":table", "at", "prediction", "fare", "tip"}
    assert {row["window"]["start"].day for row in found if row["column_name"] == "tip"} == {5, 6}


def test_a_refresh_without_a_change_feed_writes_nothing_when_nothing_changed(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Write, wait_for_refresh: Wait
) -> None:  # fmt: skip
    """Nor when rows came and went: all of the table is looked at, and no row of the metric tables is another."""
    write_trips()
    service.start()
    created(workspace)
    wait_for_refresh()
    assert wait_for_refresh(ask(workspace)).state == SUCCESS
    write_trips()

    assert wait_for_refresh(ask(workspace)).state == SUCCESS
    assert versions(tables) == [0, 0]


def test_six_mails_are_refused_by_an_update_too(workspace: WorkspaceClient) -> None:
    """As at create."""
    created(workspace)
    body = {"data_profiling_config": {"notification_settings": {"on_failure": {"email_addresses": list("abcdef")}}}}

    with pytest.raises(DatabricksError, match="at most 5 email_addresses; found 6"):
        workspace.api_client.do(
            "PATCH",
            f"/api/data-quality/v1/monitors/table/{TABLE_ID}",
            query={"update_mask": "data_profiling_config.notification_settings"},
            body=body,
        )
