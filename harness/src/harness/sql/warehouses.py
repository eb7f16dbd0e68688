"""The one SQL warehouse of a harness, as `w.warehouses` shows it: serverless, always running."""

from urllib.parse import urlsplit

from harness.errors import ApiError, NotEmulated
from harness.http import AnyRoute, Call, Route

WAREHOUSE_ID = "4a524e4553530001"
_DOC = "https://docs.databricks.com/api/workspace/warehouses"
_ALL = "/api/2.0/sql/warehouses"
_ONE = f"{_ALL}/{{id}}"


def warehouse_routes(host_url: str, user: str) -> list[AnyRoute]:
    """Return the routes of warehouses."""
    address = urlsplit(host_url)
    # Assumption: the name is that of the warehouse that new workspaces have.
    shown = {
        "id": WAREHOUSE_ID,
        "name": "Serverless Starter Warehouse",
        "cluster_size": "Small",
        "creator_name": user,
        "warehouse_type": "PRO",
        "enable_serverless_compute": True,
        "state": "RUNNING",
        "num_clusters": 1,
        "auto_stop_mins": 0,
        "odbc_params": {
            "hostname": address.hostname,
            "path": f"/sql/1.0/warehouses/{WAREHOUSE_ID}",
            "protocol": "https",
            "port": address.port,
        },
    }

    def known(call: Call) -> str:
        found = call.params["id"]
        if found != WAREHOUSE_ID:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"SQL warehouse {found} does not exist; the harness has {WAREHOUSE_ID}")
        return found

    def list_(_: Call) -> object:
        return {"warehouses": [shown]}

    def get(call: Call) -> object:
        known(call)
        return shown

    def start(call: Call) -> object:
        known(call)
        return {}

    def stop(call: Call) -> object:
        raise NotEmulated(f"stopping warehouse {known(call)}, which is the harness itself (`harness down`),")

    return [
        Route("GET", _ALL, list_, f"{_DOC}/list"),
        Route("GET", _ONE, get, f"{_DOC}/get"),
        Route("POST", f"{_ONE}/start", start, f"{_DOC}/start"),
        Route("POST", f"{_ONE}/stop", stop, f"{_DOC}/stop"),
    ]
