"""Calls to endpoints and whose they are: route-optimized ones through the client's data plane, ordinary ones in their log."""

import json
from datetime import timedelta
from typing import Any, Protocol

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    AiGatewayInferenceTableConfig,
    EndpointCoreConfigInput,
    ServedEntityInput,
)

pytestmark = pytest.mark.platform
PRINCIPAL = "7c9e1f52-3f0b-4d0a-9a51-6f1d2c8be403"
USER = "developer@harness.local"
ENTITIES = [ServedEntityInput(entity_name="main.ml.adds", entity_version="1")]
# Bodies in chunks do not go the short way of http/direct.py.
WAYS = [pytest.param(False, id="short way"), pytest.param(True, id="long way")]
CALL: dict[str, Any] = {"dataframe_records": [{"a": 1, "b": 2}]}


class Credentials(Protocol):
    """What knows callers."""

    def ai_query_token(self) -> str: ...


class Platform(Protocol):
    """A running workspace (conftest)."""

    host: str
    personal_token: str
    credentials: Credentials

    def personal(self) -> WorkspaceClient: ...
    def principal(self) -> WorkspaceClient: ...
    def grant(self, **form: str) -> httpx.Response: ...
    def rows(self, table: str) -> list[dict[str, Any]]: ...


def create(platform: Platform, name: str, *, route_optimized: bool) -> dict[str, Any]:
    """Deploy the model to a new endpoint whose calls are logged, and return what GET says of it."""
    client = platform.personal()
    table = AiGatewayInferenceTableConfig(catalog_name="main", schema_name="logs", enabled=True)
    client.serving_endpoints.create_and_wait(
        name,
        config=EndpointCoreConfigInput(name=name, served_entities=ENTITIES),
        ai_gateway=AiGatewayConfig(inference_table_config=table),
        route_optimized=route_optimized,
        timeout=timedelta(seconds=120),
    )
    return client.serving_endpoints.get(name).as_dict()


@pytest.fixture(scope="module")
def fast(platform: Platform) -> dict[str, Any]:
    """A route-optimized endpoint that serves."""
    return create(platform, "fast", route_optimized=True)


@pytest.fixture(scope="module")
def ordinary(platform: Platform) -> dict[str, Any]:
    """An endpoint like any other."""
    return create(platform, "ordinary-one", route_optimized=False)


@pytest.fixture(scope="module")
def other(platform: Platform) -> dict[str, Any]:
    """Another route-optimized endpoint, which nothing is deployed to."""
    platform.personal().serving_endpoints.create("other", route_optimized=True)
    return platform.personal().serving_endpoints.get("other").as_dict()


def post(url: str, token: str, *, chunked: bool) -> httpx.Response:
    """Return the answer to a call with a bearer token."""
    body = json.dumps(CALL).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with httpx.Client(trust_env=False, timeout=60) as plain:
        del plain.headers["connection"]  # requests that have one go the long way
        return plain.post(url, content=iter([body]) if chunked else body, headers=headers)


def endpoint_token(platform: Platform, endpoint: dict[str, Any]) -> str:
    """Return a token for one endpoint, got by hand as the documentation shows."""
    details = endpoint["data_plane_info"]["query_info"]["authorization_details"]
    granted = platform.grant(grant_type="client_credentials", scope="all-apis", authorization_details=details)
    return str(granted.json()["access_token"])


def test_endpoint_says_where_and_how_it_is_called(platform: Platform, fast: dict[str, Any]) -> None:
    """The URL, twice, and what a token must be asked for."""
    info = fast["data_plane_info"]["query_info"]

    assert fast["route_optimized"] is True
    assert fast["endpoint_url"] == info["endpoint_url"] == f"{platform.host}/1234567890123456/serving-endpoints/fast/invocations"
    assert json.loads(info["authorization_details"]) == [
        {
            "type": "workspace_permission",
            "object_type": "serving-endpoints",
            "object_path": f"/serving-endpoints/{fast['id']}",
            "actions": ["query_inference_endpoint"],
        }
    ]


def test_ordinary_endpoint_has_no_data_plane(platform: Platform, ordinary: dict[str, Any]) -> None:
    """The client says so itself."""
    assert ordinary["route_optimized"] is False
    assert not {"data_plane_info", "endpoint_url"} & set(ordinary)
    with pytest.raises(Exception, match="Resource does not support direct Data Plane access"):
        platform.principal().serving_endpoints_data_plane.query("ordinary-one", **CALL)


def test_route_optimization_outlives_updates(platform: Platform, fast: dict[str, Any]) -> None:
    """It is chosen at creation and by nothing afterwards."""
    client = platform.personal()
    client.api_client.do(
        "PUT",
        "/api/2.0/serving-endpoints/fast/config",
        body={"served_entities": [one.as_dict() for one in ENTITIES], "route_optimized": False},
    )
    again = client.serving_endpoints.wait_get_serving_endpoint_not_updating("fast", timeout=timedelta(seconds=120)).as_dict()

    assert (again["route_optimized"], again["endpoint_url"]) == (True, fast["endpoint_url"])


def test_client_queries_the_data_plane(platform: Platform, fast: dict[str, Any]) -> None:
    """The unmodified client: endpoint, token exchange, call; nothing but a name is given."""
    answer = platform.principal().serving_endpoints_data_plane.query(fast["name"], **CALL)

    assert answer.predictions == [3]


@pytest.mark.parametrize("chunked", WAYS)
def test_token_fetched_by_hand_is_as_good(platform: Platform, fast: dict[str, Any], *, chunked: bool) -> None:
    """The documentation's two requests."""
    answer = post(fast["endpoint_url"], endpoint_token(platform, fast), chunked=chunked)

    assert (answer.status_code, answer.json()) == (200, {"predictions": [3]})
    assert not [name for name in answer.headers if "ratelimit" in name]


def test_workspace_url_does_not_answer_for_it(platform: Platform, fast: dict[str, Any]) -> None:
    """Neither to the user nor to a service principal, whole endpoint or one of its models."""
    with pytest.raises(PermissionDenied, match="use its endpoint_url"):
        platform.personal().serving_endpoints.query(fast["name"], **CALL)
    with pytest.raises(PermissionDenied, match="use its endpoint_url"):
        platform.principal().serving_endpoints.query(fast["name"], **CALL)
    for path in ("served-models/adds-1/invocations", "invocations"):
        url = f"{platform.host}/serving-endpoints/fast/{path}"
        assert [post(url, platform.personal_token, chunked=way).status_code for way in (False, True)] == [403, 403]


@pytest.mark.parametrize("chunked", WAYS)
def test_ai_query_is_let_in_at_the_workspace_url(platform: Platform, fast: dict[str, Any], *, chunked: bool) -> None:
    """`ai_query` calls there, with a token of its own."""
    url = f"{platform.host}/serving-endpoints/{fast['name']}/invocations"
    answer = post(url, platform.credentials.ai_query_token(), chunked=chunked)

    assert answer.json() == {"predictions": [3]}


@pytest.mark.parametrize("chunked", WAYS)
def test_data_plane_wants_the_endpoints_own_token(
    platform: Platform, fast: dict[str, Any], other: dict[str, Any], *, chunked: bool
) -> None:
    """A personal token and one for everything are 401, another endpoint's token is 403; on the workspace's URL the right one is 403."""
    everything = str(platform.grant(grant_type="client_credentials", scope="all-apis").json()["access_token"])
    calls = {
        "personal token": (fast["endpoint_url"], platform.personal_token),
        "token for everything": (fast["endpoint_url"], everything),
        "no token": (fast["endpoint_url"], "nonsense"),
        "another endpoint's token": (fast["endpoint_url"], endpoint_token(platform, other)),
        "right token, workspace's URL": (f"{platform.host}/serving-endpoints/fast/invocations", endpoint_token(platform, fast)),
    }

    assert {name: post(*call, chunked=chunked).status_code for name, call in calls.items()} == {
        "personal token": 401,
        "token for everything": 401,
        "no token": 401,
        "another endpoint's token": 403,
        "right token, workspace's URL": 403,
    }


@pytest.mark.parametrize("chunked", WAYS)
@pytest.mark.parametrize(
    "path", ["1234567890123456/serving-endpoints/ordinary-one", "1234567890123456/serving-endpoints/no", "99/serving-endpoints/fast"]
)
@pytest.mark.usefixtures("ordinary")
def test_data_plane_is_that_of_route_optimized_endpoints(platform: Platform, fast: dict[str, Any], path: str, *, chunked: bool) -> None:
    """An ordinary endpoint, one that is not there and another workspace have no such URL."""
    assert post(f"{platform.host}/{path}/invocations", endpoint_token(platform, fast), chunked=chunked).status_code == 404


def test_log_names_who_called(platform: Platform, ordinary: dict[str, Any]) -> None:
    """Two callers are two requesters."""
    platform.personal().serving_endpoints.query(ordinary["name"], **CALL)
    platform.principal().serving_endpoints.query(ordinary["name"], **CALL)

    assert sorted(row["requester"] for row in platform.rows("main.logs.ordinary-one_payload")) == [PRINCIPAL, USER]


def test_log_of_a_route_optimized_endpoint_names_nobody(platform: Platform, fast: dict[str, Any]) -> None:
    """NULL, as documented."""
    platform.principal().serving_endpoints_data_plane.query(fast["name"], **CALL)

    assert {row["requester"] for row in platform.rows("main.logs.fast_payload")} == {None}
