"""Searching traces as mlflow's `databricks` client begins it: version 4, which a workspace may have for traces in tables only.

The traces of an experiment are the MLflow server's, by version 3: mlflow asks again that way when it is told so. Nothing here keeps
traces in Unity Catalog's tables.
"""

import msgspec

from harness.errors import ApiError, NotEmulated
from harness.http import AnyRoute, Call, Route

_SEARCH = "/api/4.0/mlflow/traces/search-long-running"
_DOC = "mlflow: mlflow/store/tracking/databricks_rest_store.py, search_traces"


class _Location(msgspec.Struct):
    type: str = ""


class _Asked(msgspec.Struct):
    locations: list[_Location] = []


def trace_routes() -> list[AnyRoute]:
    """Return the route."""
    return [Route("POST", _SEARCH, _search, _DOC)]


def _search(call: Call) -> object:
    kinds = {location.type for location in call.json(_Asked).locations}
    if kinds == {"MLFLOW_EXPERIMENT"}:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", "Experiment locations not yet supported")  # the words that mlflow looks for
    raise NotEmulated(f"POST {_SEARCH} of traces in Unity Catalog")
