"""Who may call a route-optimized endpoint where, and who may not."""

import pytest

from harness.errors import ApiError
from harness.http import Identity
from harness.serving import route_optimized
from harness.serving.model import Endpoint

PLAIN = Endpoint(id="a1", name="plain", creator="me", creation_timestamp=0, last_updated_timestamp=0)
FAST = Endpoint(id="f1", name="fast", creator="me", creation_timestamp=0, last_updated_timestamp=0, route_optimized=True)
USER = Identity("me@example.com")
AI_QUERY = Identity("me@example.com", ai_query=True)
HOLDER = Identity("someone", endpoint_id="f1")


@pytest.mark.parametrize(
    ("endpoint", "caller"),
    [
        pytest.param(PLAIN, USER, id="ordinary endpoint"),
        pytest.param(PLAIN, AI_QUERY, id="ai_query on an ordinary endpoint"),
        pytest.param(FAST, AI_QUERY, id="ai_query on a route-optimized endpoint"),
    ],
)
def test_workspace_url_is_open_to(endpoint: Endpoint, caller: Identity) -> None:
    """Users for ordinary endpoints, `ai_query` for all."""
    route_optimized.check_workspace_call(endpoint, caller)


def test_workspace_url_is_closed_to_users_of_route_optimized_endpoints() -> None:
    """Assumption: 403, and a message that says where to go."""
    with pytest.raises(ApiError, match="use its endpoint_url") as refused:
        route_optimized.check_workspace_call(FAST, USER)
    assert (refused.value.status, refused.value.error_code) == (403, "PERMISSION_DENIED")


def test_data_plane_is_open_to_the_endpoints_token() -> None:
    """A token with the endpoint's authorization_details is what it takes."""
    route_optimized.check_data_plane_call(FAST, HOLDER)


@pytest.mark.parametrize(
    ("endpoint", "identity", "status", "error_code"),
    [
        pytest.param(FAST, USER, 401, "UNAUTHENTICATED", id="personal access token"),
        pytest.param(FAST, AI_QUERY, 401, "UNAUTHENTICATED", id="ai_query"),
        pytest.param(FAST, Identity("someone", endpoint_id="f2"), 403, "PERMISSION_DENIED", id="another endpoint's token"),
        pytest.param(PLAIN, USER, 404, "ENDPOINT_NOT_FOUND", id="ordinary endpoint"),
        pytest.param(PLAIN, Identity("someone", endpoint_id="a1"), 404, "ENDPOINT_NOT_FOUND", id="ordinary endpoint, token for it"),
    ],
)
def test_data_plane_is_closed_to(endpoint: Endpoint, identity: Identity, status: int, error_code: str) -> None:
    """Everybody else."""
    with pytest.raises(ApiError) as refused:
        route_optimized.check_data_plane_call(endpoint, identity)
    assert (refused.value.status, refused.value.error_code) == (status, error_code)


def test_log_of_route_optimized_endpoints_names_no_requester() -> None:
    """NULL is documented for these endpoints."""
    assert route_optimized.requester(FAST, HOLDER) is None
    assert route_optimized.requester(FAST, AI_QUERY) is None
    assert route_optimized.requester(PLAIN, USER) == "me@example.com"
