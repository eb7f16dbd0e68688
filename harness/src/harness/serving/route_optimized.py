"""Route-optimized endpoints: where they are called, by whom, and what their logs say of callers. Pure.

docs.databricks.com/aws/en/machine-learning/model-serving/query-route-optimization
"""

import json

from harness.config import WORKSPACE_ID
from harness.errors import ApiError
from harness.http import Identity
from harness.serving.model import Endpoint

# Assumption, and a deviation: the platform gives each such endpoint a host of its own, `<unique-id>.serving.cloud.databricks.com`;
# here they share the harness's. The path behind the host is the platform's.
PATH = "/{workspace_id}/serving-endpoints/{name}/invocations"


def shown(endpoint: Endpoint, host_url: str) -> dict[str, object]:
    """Return what GET of an endpoint shows beyond others': where its data plane is, and the `authorization_details` of a token for it."""
    if not endpoint.route_optimized:
        return {}
    url = host_url + PATH.format(workspace_id=WORKSPACE_ID, name=endpoint.name)
    details = {
        "type": "workspace_permission",
        "object_type": "serving-endpoints",
        # The platform's is the id in the host's label; here the endpoint's own.
        "object_path": f"/serving-endpoints/{endpoint.id}",
        "actions": ["query_inference_endpoint"],
    }
    query_info = {"authorization_details": json.dumps([details]), "endpoint_url": url}
    return {"endpoint_url": url, "data_plane_info": {"query_info": query_info}}


def check_workspace_call(endpoint: Endpoint, caller: Identity) -> None:
    """Raise unless `caller` may call the endpoint at the workspace's URL: route-optimized ones answer there to `ai_query` alone."""
    if endpoint.route_optimized and not caller.ai_query:
        # Assumption: status and wording; documented is that endpoints made after 2025-09-22 do not answer on the workspace's URL.
        message = (
            f"Endpoint '{endpoint.name}' is route-optimized and does not support querying through the workspace URL; use its endpoint_url"
        )
        raise ApiError(403, "PERMISSION_DENIED", message)


def check_data_plane_call(endpoint: Endpoint, identity: Identity) -> None:
    """Raise unless `identity` may call the endpoint at its route-optimized URL."""
    if not endpoint.route_optimized:
        message = "The given endpoint does not exist, please retry after checking the specified model and version deployment exists."
        raise ApiError(404, "ENDPOINT_NOT_FOUND", message)
    if identity.endpoint_id is None:
        # Assumption: 401 for a personal access token (documented as not supported, the text is not known), and for an OAuth token
        # that has no authorization_details.
        message = "Route-optimized endpoints support only OAuth tokens with authorization_details for the endpoint"
        raise ApiError(401, "UNAUTHENTICATED", message)
    if identity.endpoint_id != endpoint.id:
        # Assumption: the wording.
        raise ApiError(403, "PERMISSION_DENIED", f"The token is not authorized to query endpoint '{endpoint.name}'")


def requester(endpoint: Endpoint, identity: Identity) -> str | None:
    """Return who a call's row in the inference table says has called: of route-optimized endpoints, nobody."""
    return None if endpoint.route_optimized else identity.user
