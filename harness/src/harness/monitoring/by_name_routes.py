"""`w.quality_monitors`: the monitors of `w.data_quality`, by the names of their tables.

Deprecated on the platform, and what most notebooks, bundles and Terraform files still call.
"""

import msgspec

from harness.http import AnyRoute, Call, Route
from harness.monitoring import by_name, model
from harness.monitoring.routes import refresh_id
from harness.monitoring.service import MonitoringService

DOC = "https://docs.databricks.com/api/workspace/qualitymonitors"
MONITOR = "/api/2.1/unity-catalog/tables/{table_name}/monitor"
REFRESHES = f"{MONITOR}/refreshes"
REFRESH = f"{REFRESHES}/{{refresh_id}}"
_MOST_REFRESHES = 25  # "up to 25", databricks-sdk's docstring


def by_name_routes(service: MonitoringService) -> list[AnyRoute]:
    """Return the routes, all but that of the dashboard, which stands with the other routes of dashboards."""

    def table(call: Call) -> str:
        return service.table_id(call.params["table_name"])

    def create(call: Call) -> object:
        by_name.check_create(call.json(model.Document))
        request = call.json(by_name.MonitorRequest)
        config = by_name.config_of(request, service.schema_id(request.output_schema_name))
        wanted = model.MonitorRequest(object_type="table", object_id=table(call), data_profiling_config=config)
        return by_name.shown(service.create_monitor(wanted))

    def get(call: Call) -> object:
        return by_name.shown(service.get_monitor("table", table(call)))

    def update(call: Call) -> object:
        request, known = call.json(by_name.MonitorRequest), service.get_monitor("table", table(call))
        by_name.check_dashboard(call.json(model.Document), known)
        config = by_name.config_of(request, service.schema_id(request.output_schema_name))
        kept = {name: getattr(known.config, name) for name in ("assets_dir", "skip_builtin_dashboard", "warehouse_id")}
        return by_name.shown(service.replace_config(known.table_id, msgspec.structs.replace(config, **kept)))

    def delete(call: Call) -> object:
        service.delete_monitor("table", table(call))
        return {}

    def run_refresh(call: Call) -> object:
        return by_name.shown_refresh(service.create_refresh("table", table(call)))

    def list_refreshes(call: Call) -> object:
        found = service.list_refreshes("table", table(call))[:_MOST_REFRESHES]
        return {"refreshes": [by_name.shown_refresh(each) for each in found]}

    def get_refresh(call: Call) -> object:
        return by_name.shown_refresh(service.get_refresh("table", table(call), refresh_id(call)))

    def cancel_refresh(call: Call) -> object:
        service.cancel_refresh("table", table(call), refresh_id(call))
        return {}

    return [
        Route("POST", MONITOR, create, f"{DOC}/create"),
        Route("GET", MONITOR, get, f"{DOC}/get"),
        Route("PUT", MONITOR, update, f"{DOC}/update"),
        Route("DELETE", MONITOR, delete, f"{DOC}/delete"),
        Route("POST", REFRESHES, run_refresh, f"{DOC}/runrefresh"),
        Route("GET", REFRESHES, list_refreshes, f"{DOC}/listrefreshes"),
        Route("GET", REFRESH, get_refresh, f"{DOC}/getrefresh"),
        Route("POST", f"{REFRESH}/cancel", cancel_refresh, f"{DOC}/cancelrefresh"),
    ]
