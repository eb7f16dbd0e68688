"""HTTP of lists that are always empty: a serverless workspace without clusters, policies, pools, pipelines.

Bundles look such things up by name (`variables.….lookup`); making one is not emulated, so that none can be there.
"""

from collections.abc import Callable

from harness.http import AnyRoute, Call, Route

_DOC = "https://docs.databricks.com/api/workspace"
_EMPTY = (
    ("/api/2.0/clusters/list", "clusters", "clusters/list"),
    ("/api/2.1/clusters/list", "clusters", "clusters/list"),
    ("/api/2.0/instance-pools/list", "instance_pools", "instancepools/list"),
    ("/api/2.0/notification-destinations", "results", "notificationdestinations/list"),
    ("/api/2.0/pipelines", "statuses", "pipelines/listpipelines"),
    ("/api/2.0/policies/clusters/list", "policies", "clusterpolicies/list"),
    ("/api/2.0/sql/alerts", "results", "alerts/list"),
    ("/api/2.0/sql/queries", "results", "queries/list"),
)


def routes() -> list[AnyRoute]:
    """Return a route a kind."""
    return [Route("GET", path, _none_of(name), f"{_DOC}/{doc}") for path, name, doc in _EMPTY]


def _none_of(name: str) -> Callable[[Call], object]:
    def none(_: Call) -> object:
        return {name: []}

    return none
