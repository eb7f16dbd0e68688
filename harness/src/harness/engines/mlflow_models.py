"""Models of the workspace's own registry as `w.model_registry.get_model` shows them: the MLflow server's, with an id for permissions."""

import uuid
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from harness.errors import ApiError
from harness.http import AnyRoute, RawRoute, json_response

Ask = Callable[[str, Mapping[str, str]], Awaitable[Mapping[str, object]]]
_DOC = "https://docs.databricks.com/api/workspace/modelregistry/getmodel"


def model_routes(ask: Ask, user: str) -> list[AnyRoute]:
    """Return the route; `ask` asks the MLflow server. It stands before those that are passed on to the server."""

    async def get(request: Request) -> Response:
        name = request.query_params.get("name", "")
        if not name:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'name'")
        answer = await ask("/api/2.0/mlflow/registered-models/get", {"name": name})
        found = answer.get("registered_model")
        model = dict(found) if isinstance(found, Mapping) else {}
        # Assumption: an id lives as long as the name; the server that is behind knows no other.
        shown = {**model, "id": uuid.uuid5(uuid.NAMESPACE_URL, name).hex, "user_id": user, "permission_level": "CAN_MANAGE"}
        return json_response({"registered_model_databricks": shown})

    return [RawRoute(("GET",), "/api/2.0/mlflow/databricks/registered-models/get", get, _DOC)]
