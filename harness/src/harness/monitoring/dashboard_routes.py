"""Dashboards of monitors over HTTP: made anew by `w.quality_monitors`, found by `w.lakeview`."""

import datetime as dt

import msgspec

from harness.clock import moment
from harness.http import AnyRoute, Call, Route
from harness.monitoring.configuration import invalid
from harness.monitoring.dashboards import Dashboard
from harness.monitoring.model import Document
from harness.monitoring.service import MonitoringService

_DOC = "https://docs.databricks.com/api/workspace"
DASHBOARDS = "/api/2.0/lakeview/dashboards"


class RegenerateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of regenerate; no warehouse is needed to draw."""

    warehouse_id: str | None = None


def dashboard_routes(service: MonitoringService) -> list[AnyRoute]:
    """Return the routes. Making, changing, publishing and trashing dashboards are answered 501 like any other unknown route."""

    def regenerate(call: Call) -> object:
        call.json(RegenerateRequest)
        made = service.regenerate_dashboard(service.table_id(call.params["table_name"]))
        return {"dashboard_id": made.dashboard_id, "parent_folder": made.parent_folder}

    def get(call: Call) -> object:
        found = service.dashboards.get(call.params["dashboard_id"])
        return _listed(found) | {"update_time": _time(found.updated_ms), "etag": str(found.updated_ms)}

    def list_(call: Call) -> object:
        return _page(service.dashboards.list(), call)

    regenerating = "/api/2.1/quality-monitoring/tables/{table_name}/monitor/dashboard"
    return [
        Route("POST", regenerating, regenerate, f"{_DOC}/qualitymonitors/regeneratedashboard"),
        Route("GET", DASHBOARDS, list_, f"{_DOC}/lakeview/list"),
        Route("GET", f"{DASHBOARDS}/{{dashboard_id}}", get, f"{_DOC}/lakeview/get"),
    ]


def _page(found: list[Dashboard], call: Call) -> Document:
    first, size = _number(call, "page_token", 0), _number(call, "page_size", len(found))
    if size < 1 and found:
        raise invalid(f"page_size '{size}': expected at least 1")
    end = first + size
    page: Document = {"dashboards": [_listed(one) for one in found[first:end]]}
    return page | ({"next_page_token": str(end)} if end < len(found) else {})


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name) or str(default)
    if not (text.isascii() and text.isdecimal()):
        raise invalid(f"{name} '{text}': expected a number" + (", as an earlier page gave it" if name == "page_token" else ""))
    return int(text)


def _listed(dashboard: Dashboard) -> Document:
    # No `path`, `parent_path` or `serialized_dashboard`: there is no file of it in the workspace. The harness draws it: docs/monitoring.md.
    shown: Document = {
        "dashboard_id": dashboard.dashboard_id,
        "display_name": dashboard.display_name,
        "lifecycle_state": "ACTIVE",
        "create_time": _time(dashboard.created_ms),
    }
    warehouse = dashboard.monitor.config.warehouse_id
    return shown | ({"warehouse_id": warehouse} if warehouse else {})


def _time(millis: int) -> str:
    return moment(millis).astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
