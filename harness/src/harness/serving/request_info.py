"""The `details` of the control plane's errors: which request it was."""

from collections.abc import Callable
from dataclasses import replace

from harness.errors import ApiError, NotEmulated
from harness.http import AnyRoute, Call, Route

# Seen with the platform: github.com/databricks-demos/dbdemos/issues/220. Invocations' errors were seen without it.
TYPE = "type.googleapis.com/google.rpc.RequestInfo"


def with_request_info(route: AnyRoute, new_id: Callable[[], str]) -> AnyRoute:
    """Return `route`, its errors in the platform's name with the details that the platform's have."""
    if not isinstance(route, Route):
        return route
    handler = route.handler

    def answering(call: Call) -> object:
        try:
            return handler(call)
        except NotEmulated:
            raise
        except ApiError as error:
            details = [{"@type": TYPE, "request_id": new_id(), "serving_data": ""}]
            raise ApiError(error.status, error.error_code, error.message, headers=error.headers, details=details) from error

    return replace(route, handler=answering)
