"""Dashboards of monitors, through the official client: their ids, made anew, found again."""

import re
import time
from collections.abc import Callable

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound, ResourceDoesNotExist
from databricks.sdk.service.catalog import MonitorInferenceLog, MonitorInferenceLogProblemType, MonitorInfo, MonitorInfoStatus
from databricks.sdk.service.dashboards import Dashboard, LifecycleState

from harness.monitoring.service import MonitoringService

TABLE, OUTPUT, ASSETS = "main.s.trips", "main.monitoring", "/Workspace/Users/ann@example.com/monitors"
LOG = MonitorInferenceLog(
    problem_type=MonitorInferenceLogProblemType.PROBLEM_TYPE_REGRESSION,
    timestamp_col="at",
    granularities=["1 day"],
    prediction_col="prediction",
    model_id_col="model_version",
)


def active(workspace: WorkspaceClient) -> MonitorInfo:
    deadline = time.monotonic() + 10
    while (found := workspace.quality_monitors.get(TABLE)).status != MonitorInfoStatus.MONITOR_STATUS_ACTIVE:
        assert time.monotonic() < deadline, "the monitor did not become active in time"
        time.sleep(0.02)
    return found


@pytest.fixture
def monitored(workspace: WorkspaceClient, service: MonitoringService, write_trips: Callable[..., None]) -> MonitorInfo:
    """A monitor that has become active."""
    write_trips()
    workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=LOG)
    service.start()
    return active(workspace)


def test_the_id_is_there_once_the_monitor_is_active(
    workspace: WorkspaceClient, service: MonitoringService, write_trips: Callable[..., None]
) -> None:
    """None while PENDING; then 32 hexadecimal digits, the same in both APIs."""
    write_trips()
    made = workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=LOG)
    service.start()

    found = active(workspace)

    assert made.dashboard_id is None
    assert re.fullmatch("[0-9a-f]{32}", found.dashboard_id or "")
    (newer,) = workspace.data_quality.list_monitor()
    assert newer.data_profiling_config is not None
    assert newer.data_profiling_config.dashboard_id == found.dashboard_id


def test_a_monitor_may_have_no_dashboard(workspace: WorkspaceClient, service: MonitoringService, write_trips: Callable[..., None]) -> None:
    """`skip_builtin_dashboard`: no id, and nothing to list; regenerating makes one all the same."""
    write_trips()
    workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=LOG, skip_builtin_dashboard=True)
    service.start()

    assert active(workspace).dashboard_id is None
    assert list(workspace.lakeview.list()) == []
    made = workspace.quality_monitors.regenerate_dashboard(TABLE)
    assert active(workspace).dashboard_id == made.dashboard_id


def test_regenerating_keeps_the_id_and_names_the_folder(workspace: WorkspaceClient, monitored: MonitorInfo) -> None:
    """The folder is the assets' with the table's name."""
    made = workspace.quality_monitors.regenerate_dashboard(TABLE, warehouse_id="abc")

    assert (made.dashboard_id, made.parent_folder) == (monitored.dashboard_id, f"{ASSETS}/{TABLE}")


def test_a_dashboard_is_listed_and_got(workspace: WorkspaceClient, monitored: MonitorInfo) -> None:
    """By what is true of it: no path, for there is no file of it."""
    (listed,) = workspace.lakeview.list(page_size=1)
    got = workspace.lakeview.get(monitored.dashboard_id or "")

    assert (listed.dashboard_id, listed.display_name) == (monitored.dashboard_id, "main.s.trips Monitoring")
    assert listed.lifecycle_state == LifecycleState.ACTIVE
    assert listed.path is None
    assert Dashboard.from_dict({**got.as_dict(), "etag": None, "update_time": None}) == listed


def test_a_dashboard_outlives_its_monitor(workspace: WorkspaceClient, monitored: MonitorInfo) -> None:
    """As the metric tables do."""
    workspace.quality_monitors.delete(TABLE)

    assert [one.dashboard_id for one in workspace.lakeview.list()] == [monitored.dashboard_id]
    with pytest.raises(ResourceDoesNotExist, match="Cannot find Monitor"):
        workspace.quality_monitors.regenerate_dashboard(TABLE)


def test_an_update_keeps_the_dashboard(workspace: WorkspaceClient, monitored: MonitorInfo) -> None:
    """Whether it names the monitor's own or none; another is refused, and nothing changes."""
    same = workspace.quality_monitors.update(TABLE, OUTPUT, inference_log=LOG, dashboard_id=monitored.dashboard_id)

    assert same.dashboard_id == monitored.dashboard_id
    with pytest.raises(InvalidParameterValue, match="dashboard_id '0123' is not the dashboard of the monitor"):
        workspace.quality_monitors.update(TABLE, OUTPUT, inference_log=LOG, dashboard_id="0123")
    assert workspace.quality_monitors.get(TABLE).monitor_version == 1


def test_create_refuses_a_dashboard(workspace: WorkspaceClient) -> None:
    """The platform makes it."""
    body = {"output_schema_name": OUTPUT, "assets_dir": ASSETS, "inference_log": LOG.as_dict(), "dashboard_id": "0123"}

    with pytest.raises(InvalidParameterValue, match="dashboard_id: the platform sets this"):
        workspace.api_client.do("POST", f"/api/2.1/unity-catalog/tables/{TABLE}/monitor", body=body)


def test_an_unknown_dashboard_is_not_there(workspace: WorkspaceClient) -> None:
    """With its id in the message."""
    with pytest.raises(NotFound, match="Dashboard with ID '0123' does not exist"):
        workspace.lakeview.get("0123")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param({"page_size": "0"}, "page_size '0': expected at least 1", id="no rows"),
        pytest.param({"page_size": "ten"}, "page_size 'ten': expected a number", id="no number"),
        pytest.param({"page_token": "x"}, "page_token 'x': expected a number, as an earlier page gave it", id="made-up token"),
    ],
)
def test_a_bad_page_is_refused(workspace: WorkspaceClient, monitored: MonitorInfo, query: dict[str, str], message: str) -> None:
    """By its name, and with what was expected."""
    assert monitored.dashboard_id

    with pytest.raises(InvalidParameterValue, match=re.escape(message)):
        workspace.api_client.do("GET", "/api/2.0/lakeview/dashboards", query=query)
