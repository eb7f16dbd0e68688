"""`w.data_quality`: monitors and refreshes over HTTP."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from harness.http import AnyRoute, Call, Route
from harness.monitoring.configuration import invalid
from harness.monitoring.model import Document, Monitor, MonitorRequest
from harness.monitoring.service import MonitoringService

T = TypeVar("T")

DOC = "https://docs.databricks.com/api/workspace/dataquality"
MONITORS = "/api/data-quality/v1/monitors"
MONITOR = f"{MONITORS}/{{object_type}}/{{object_id}}"
REFRESHES = f"{MONITOR}/refreshes"
REFRESH = f"{REFRESHES}/{{refresh_id}}"


def routes(service: MonitoringService) -> list[AnyRoute]:
    """Return the routes of the data quality API, all but the two the platform itself calls unimplemented."""

    def create_monitor(call: Call) -> object:
        return _monitor(service.create_monitor(call.json(MonitorRequest)))

    def get_monitor(call: Call) -> object:
        return _monitor(service.get_monitor(*_object(call)))

    def update_monitor(call: Call) -> object:
        return _monitor(service.update_monitor(*_object(call), call.json(Document), call.require("update_mask")))

    def delete_monitor(call: Call) -> object:
        service.delete_monitor(*_object(call))
        return {}

    def list_monitors(call: Call) -> object:
        found, more = _page(call, service.monitors())
        return {"monitors": [_monitor(monitor) for monitor in found]} | more

    return [
        Route("POST", MONITORS, create_monitor, f"{DOC}/createmonitor"),
        Route("GET", MONITORS, list_monitors, f"{DOC}/listmonitor"),
        Route("GET", MONITOR, get_monitor, f"{DOC}/getmonitor"),
        Route("PATCH", MONITOR, update_monitor, f"{DOC}/updatemonitor"),
        Route("DELETE", MONITOR, delete_monitor, f"{DOC}/deletemonitor"),
        *_refresh_routes(service),
    ]


def _refresh_routes(service: MonitoringService) -> list[AnyRoute]:
    def create_refresh(call: Call) -> object:
        return service.create_refresh(*_object(call))

    def get_refresh(call: Call) -> object:
        return service.get_refresh(*_object(call), refresh_id(call))

    def list_refreshes(call: Call) -> object:
        found, more = _page(call, service.list_refreshes(*_object(call)))
        return {"refreshes": found} | more

    def cancel_refresh(call: Call) -> object:
        return {"refresh": service.cancel_refresh(*_object(call), refresh_id(call))}

    def list_notifications(_call: Call) -> object:
        return {"notifications": service.refreshes.notifications()}

    return [
        Route("POST", REFRESHES, create_refresh, f"{DOC}/createrefresh"),
        Route("GET", REFRESHES, list_refreshes, f"{DOC}/listrefresh"),
        Route("GET", REFRESH, get_refresh, f"{DOC}/getrefresh"),
        Route("POST", f"{REFRESH}/cancel", cancel_refresh, f"{DOC}/cancelrefresh"),
        Route("GET", "/__harness__/monitor-notifications", list_notifications, "docs/coverage.md"),
    ]


def _page(call: Call, items: Sequence[T]) -> tuple[Sequence[T], Document]:
    """Return the part of `items` that a call asks for, and the token of the next; all of them without a `page_size`."""
    size, token = (call.query.get(name) or "0" for name in ("page_size", "page_token"))
    if not size.isdecimal() or not token.isdecimal():
        raise invalid(f"page_size '{size}', page_token '{token}': expected a number, and a token that the page before gave")
    end = int(token) + (int(size) or len(items))
    return items[int(token) : end], {"next_page_token": str(end)} if end < len(items) else {}


def _object(call: Call) -> tuple[str, str]:
    return call.params["object_type"], call.params["object_id"]


def refresh_id(call: Call) -> int:
    """Return the refresh that a path names, or raise the platform's 400."""
    text = call.params["refresh_id"]
    if not text.isdecimal():
        raise invalid(f"refresh_id '{text}' is not a number")
    return int(text)


def _monitor(monitor: Monitor) -> Document:
    config: Document = msgspec.to_builtins(monitor.config)
    if isinstance(log := config.get("inference_log"), dict):
        log.pop("prediction_proba_column", None)  # not of this API
    written: Document = {
        "monitored_table_name": monitor.table,
        "profile_metrics_table_name": monitor.profile_table,
        "drift_metrics_table_name": monitor.drift_table,
        "monitor_version": monitor.version,
        "status": monitor.status,
    }
    if monitor.dashboard_id:
        written["dashboard_id"] = monitor.dashboard_id
    if monitor.failure:
        written["latest_monitor_failure_message"] = monitor.failure
    return {"object_type": "table", "object_id": monitor.table_id, "data_profiling_config": config | written}
