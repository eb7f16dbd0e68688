"""What changes at once: AI Gateway, notifications, telemetry, permissions; and what is refused."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import httpx
import pytest
from databricks.sdk.errors import BadRequest, NotFound, ResourceConflict
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    AiGatewayGuardrailParameters,
    AiGatewayGuardrails,
    AiGatewayInferenceTableConfig,
    AiGatewayUsageTrackingConfig,
    EmailNotifications,
    EndpointCoreConfigInput,
    ExternalFunctionRequestHttpMethod,
    FallbackConfig,
    PtEndpointCoreConfig,
    PtServedModel,
    ServedEntityInput,
    ServingEndpointAccessControlRequest,
    ServingEndpointPermissionLevel,
    TelemetryConfig,
    TelemetryFeature,
    TelemetryInferenceTableConfig,
    UnityCatalogTableNames,
)

pytestmark = pytest.mark.platform
SOON = timedelta(seconds=120)
MANAGE, QUERY, VIEW = (ServingEndpointPermissionLevel(f"CAN_{level}") for level in ("MANAGE", "QUERY", "VIEW"))


class Workspace(Protocol):
    """What conftest.py starts."""

    sdk: Any  # a WorkspaceClient; every field of its answers is optional to the type checker
    http: httpx.Client

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a payload table."""
        ...


def serving(model: str = "adds", **more: Any) -> EndpointCoreConfigInput:
    return EndpointCoreConfigInput(
        name="x", served_entities=[ServedEntityInput(entity_name=f"main.ml.{model}", entity_version="1", **more)]
    )


@pytest.fixture
def make_empty(workspace: Workspace) -> Iterator[Callable[[str], str]]:
    """Make an endpoint without a configuration and return its id."""
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return str(workspace.sdk.serving_endpoints.create(name).response.id)

    yield make
    for name in made:
        if name in [endpoint.name for endpoint in workspace.sdk.serving_endpoints.list()]:
            workspace.sdk.serving_endpoints.delete(name)


@pytest.fixture(scope="module")
def served(workspace: Workspace) -> str:
    """An endpoint that serves a model."""
    workspace.sdk.serving_endpoints.create_and_wait("settings", config=serving(), timeout=SOON)
    return "settings"


def test_gateway_is_replaced_whole(workspace: Workspace, make_empty: Callable[[str], str]) -> None:
    """What is not sent is unset; the answer is the gateway, not the endpoint; an empty one leaves none."""
    make_empty("gateway")
    api = workspace.sdk.serving_endpoints
    table = AiGatewayInferenceTableConfig(catalog_name="main", schema_name="logs", enabled=False)
    api.put_ai_gateway("gateway", inference_table_config=table)
    answer = api.put_ai_gateway("gateway", usage_tracking_config=AiGatewayUsageTrackingConfig(enabled=True))
    assert (answer.inference_table_config, answer.usage_tracking_config.enabled) == (None, True)
    assert api.get("gateway").ai_gateway.as_dict() == {"usage_tracking_config": {"enabled": True}}
    assert workspace.http.put("/api/2.0/serving-endpoints/gateway/ai-gateway", json={}).json() == {}
    assert "ai_gateway" not in workspace.http.get("/api/2.0/serving-endpoints/gateway").json()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("fallback_config", FallbackConfig(enabled=True), id="fallbacks"),
        pytest.param("guardrails", AiGatewayGuardrails(input=AiGatewayGuardrailParameters(safety=True)), id="guardrails"),
    ],
)
def test_gateway_features_of_llms_are_refused(workspace: Workspace, make_empty: Callable[[str], str], field: str, value: Any) -> None:
    """On PUT and at creation."""
    make_empty("no-llm")
    message = f"ai_gateway.{field} is not supported for endpoints that serve custom models"
    with pytest.raises(BadRequest, match=message):
        workspace.sdk.serving_endpoints.put_ai_gateway("no-llm", **{field: value})
    with pytest.raises(BadRequest, match=message):
        workspace.sdk.serving_endpoints.create("no-llm-either", ai_gateway=AiGatewayConfig(**{field: value}))


def test_notifications_are_replaced(workspace: Workspace, make_empty: Callable[[str], str]) -> None:
    """They are set at creation or by update_notifications, answered with the endpoint's name, and shown."""
    make_empty("notified")
    api = workspace.sdk.serving_endpoints
    first = EmailNotifications(on_update_failure=["a@example.com"], on_update_success=["b@example.com"])
    answer = api.update_notifications("notified", email_notifications=first)
    assert (answer.name, answer.email_notifications) == ("notified", first)
    api.update_notifications("notified", email_notifications=EmailNotifications(on_update_failure=["c@example.com"]))
    assert api.get("notified").email_notifications.as_dict() == {"on_update_failure": ["c@example.com"]}
    made = api.create("notified-at-once", email_notifications=first).response
    assert made.email_notifications == first
    with pytest.raises(NotFound, match="Endpoint with name 'nope' does not exist"):
        api.update_notifications("nope", email_notifications=first)


def logs(fraction: float | None = None, **tables: str) -> TelemetryConfig:
    table = None if fraction is None else TelemetryInferenceTableConfig(sampling_fraction=fraction)
    return TelemetryConfig(table_names=UnityCatalogTableNames(**tables) if tables else None, inference_table_config=table)


def test_telemetry_comes_back_as_a_profile(workspace: Workspace, served: str) -> None:
    """table_names are consumed; the inference table is named after the logs table; another endpoint can use the profile; {} removes it."""
    api = workspace.sdk.serving_endpoints
    answer = api.patch_telemetry_config(served, telemetry_config=logs(1.0, logs_table="main.logs.seen"))
    telemetry = answer.telemetry_config
    assert UUID(telemetry.telemetry_profile_id)
    assert telemetry.as_dict() == {
        "telemetry_profile_id": telemetry.telemetry_profile_id,
        "inference_table_config": {"name": "main.logs.seen_payload", "sampling_fraction": 1.0},
    }
    assert api.get(served).telemetry_config == telemetry
    kept = api.patch_telemetry_config(served, telemetry_config=logs(0.2)).telemetry_config
    assert kept == telemetry  # neither tables nor a profile: nothing changes, nothing fails
    assert api.patch_telemetry_config(served).telemetry_config is None
    again = TelemetryConfig(telemetry_profile_id=telemetry.telemetry_profile_id)
    assert api.patch_telemetry_config(served, telemetry_config=again).telemetry_config == again
    assert workspace.http.patch(f"/api/2.0/serving-endpoints/{served}/telemetry-config", json={}).status_code == 200
    assert api.get(served).telemetry_config is None


def test_telemetrys_inference_table_gets_the_calls(workspace: Workspace, served: str) -> None:
    """Calls are rows of <logs_table>_payload until telemetry is removed."""
    api = workspace.sdk.serving_endpoints
    body = {"dataframe_records": [{"a": 1, "b": 2}]}
    api.patch_telemetry_config(served, telemetry_config=logs(1.0, logs_table="main.logs.observed"))
    workspace.http.post(f"/serving-endpoints/{served}/invocations", json=body)
    api.patch_telemetry_config(served)
    workspace.http.post(f"/serving-endpoints/{served}/invocations", json=body)
    assert [row["status_code"] for row in workspace.rows("main.logs.observed_payload")] == [200]


def test_telemetry_samples_calls(workspace: Workspace, served: str) -> None:
    """With a sampling_fraction of a half the table has some of the calls, and says what share; a later fraction holds for later calls."""
    api = workspace.sdk.serving_endpoints
    body = {"dataframe_records": [{"a": 1, "b": 2}]}
    api.patch_telemetry_config(served, telemetry_config=logs(0.5, logs_table="main.logs.sampled"))
    for _ in range(40):
        workspace.http.post(f"/serving-endpoints/{served}/invocations", json=body)
    rows = workspace.rows("main.logs.sampled_payload")
    assert 0 < len(rows) < 40
    assert {row["sampling_fraction"] for row in rows} == {0.5}
    api.patch_telemetry_config(served, telemetry_config=logs(1.0, logs_table="main.logs.sampled"))
    workspace.http.post(f"/serving-endpoints/{served}/invocations", json=body)
    assert [row["sampling_fraction"] for row in workspace.rows("main.logs.sampled_payload")][-1] == 1.0
    api.patch_telemetry_config(served)


def test_update_leaves_settings_alone(workspace: Workspace, served: str) -> None:
    """PUT …/config ignores an ai_gateway in its body; gateway, notifications and tags outlive the update."""
    api = workspace.sdk.serving_endpoints
    api.put_ai_gateway(served, usage_tracking_config=AiGatewayUsageTrackingConfig(enabled=True))
    api.update_notifications(served, email_notifications=EmailNotifications(on_update_failure=["a@example.com"]))
    body = {"served_entities": [{"entity_name": "main.ml.adds", "entity_version": "1"}], "ai_gateway": {}, "tags": [{"key": "x"}]}
    assert workspace.http.put(f"/api/2.0/serving-endpoints/{served}/config", json=body).status_code == 200
    done = api.wait_get_serving_endpoint_not_updating(served, timeout=SOON)
    assert done.ai_gateway.as_dict() == {"usage_tracking_config": {"enabled": True}}
    assert (done.email_notifications.on_update_failure, done.tags) == (["a@example.com"], [])
    api.put_ai_gateway(served)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("PUT", "/config"),
        ("PUT", "/ai-gateway"),
        ("PUT", "/rate-limits"),
        ("PATCH", "/tags"),
        ("PATCH", "/notifications"),
        ("PATCH", "/telemetry-config"),
        ("GET", "/metrics"),
        ("GET", "/openapi"),
        ("GET", "/served-models/x/logs"),
        ("GET", "/served-models/x/build-logs"),
    ],
)
def test_every_method_knows_unknown_endpoints(workspace: Workspace, method: str, path: str) -> None:
    """The control plane's 404, in the platform's words."""
    answer = workspace.http.request(method, f"/api/2.0/serving-endpoints/nope{path}", content=b"{}")
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert body["message"] == "Endpoint with name 'nope' does not exist."
    assert body["details"] == [
        {"@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": body["details"][0]["request_id"], "serving_data": ""}
    ]
    assert UUID(body["details"][0]["request_id"])


def test_client_learns_the_failed_requests_id(workspace: Workspace) -> None:
    """From the details of the error, as the official client reads them."""
    with pytest.raises(NotFound) as caught:
        workspace.sdk.serving_endpoints.get("nope")
    told = caught.value.get_error_details().request_info
    assert told is not None
    assert UUID(told.request_id)


def test_one_endpoint_has_one_inference_table(workspace: Workspace, served: str) -> None:
    """Assumption: the second kind is refused, whichever comes second."""
    api = workspace.sdk.serving_endpoints
    table = AiGatewayInferenceTableConfig(catalog_name="main", schema_name="logs", table_name_prefix="first", enabled=True)
    api.put_ai_gateway(served, inference_table_config=table)
    with pytest.raises(BadRequest, match="An endpoint has one inference table"):
        api.patch_telemetry_config(served, telemetry_config=logs(1.0, logs_table="main.logs.second"))
    api.put_ai_gateway(served)
    api.patch_telemetry_config(served, telemetry_config=logs(1.0, logs_table="main.logs.second"))
    with pytest.raises(BadRequest, match="An endpoint has one inference table"):
        api.put_ai_gateway(served, inference_table_config=table)
    off = TelemetryConfig(
        enabled_telemetry_features=[TelemetryFeature.TELEMETRY_FEATURE_LOGS],
        table_names=UnityCatalogTableNames(logs_table="main.logs.second"),
        inference_table_config=TelemetryInferenceTableConfig(sampling_fraction=1.0),
    )
    api.patch_telemetry_config(served, telemetry_config=off)
    api.put_ai_gateway(served, inference_table_config=table)
    api.put_ai_gateway(served)
    api.patch_telemetry_config(served)


@pytest.mark.parametrize(
    ("telemetry", "error", "message"),
    [
        pytest.param(logs(1.5, logs_table="main.logs.x"), BadRequest, "sampling_fraction must be from 0 to 1", id="fraction"),
        pytest.param(logs(1.0, metrics_table="main.logs.x"), BadRequest, "needs table_names.logs_table", id="no logs table"),
        pytest.param(logs(logs_table="two.parts"), BadRequest, "not a valid table name", id="table name"),
        pytest.param(TelemetryConfig(telemetry_profile_id="none"), NotFound, "Telemetry profile 'none' does not exist", id="profile"),
        pytest.param(
            TelemetryConfig(telemetry_profile_id="x", table_names=UnityCatalogTableNames(logs_table="a.b.c")),
            BadRequest,
            "either table_names or telemetry_profile_id",
            id="both",
        ),
    ],
)
def test_impossible_telemetry_is_refused(
    workspace: Workspace, served: str, telemetry: TelemetryConfig, error: type[DatabricksError], message: str
) -> None:
    """And leaves the endpoint as it was."""
    with pytest.raises(error, match=message):
        workspace.sdk.serving_endpoints.patch_telemetry_config(served, telemetry_config=telemetry)
    assert workspace.sdk.serving_endpoints.get(served).telemetry_config is None


def test_telemetry_needs_something_to_observe(workspace: Workspace, make_empty: Callable[[str], str]) -> None:
    """PATCH refuses an endpoint without configuration in the platform's words; creation drops the telemetry."""
    make_empty("unobserved")
    api = workspace.sdk.serving_endpoints
    message = (
        r"Telemetry configuration is not supported for endpoint type 'NO_CONFIG'\. "
        r"This API only supports endpoints with custom served models\."
    )
    with pytest.raises(BadRequest, match=message):
        api.patch_telemetry_config("unobserved", telemetry_config=logs(logs_table="main.logs.x"))
    made = api.create("unobserved-too", telemetry_config=logs(logs_table="main.logs.x")).response
    assert made.telemetry_config is None


def test_telemetry_waits_for_the_update(workspace: Workspace) -> None:
    """While an update runs PATCH is a 409 in the platform's words; telemetry of the creation is there at once."""
    api = workspace.sdk.serving_endpoints
    made = api.create("observed-late", config=serving(), telemetry_config=logs(logs_table="main.logs.late")).response
    assert list(made.telemetry_config.as_dict()) == ["telemetry_profile_id"]
    message = "Endpoint observed-late is currently updating. Wait for the update to complete before updating its telemetry configuration."
    with pytest.raises(ResourceConflict) as caught:
        api.patch_telemetry_config("observed-late")
    assert str(caught.value) == message
    api.wait_get_serving_endpoint_not_updating("observed-late", timeout=SOON)
    assert api.patch_telemetry_config("observed-late").telemetry_config is None


def test_permissions_go_by_the_endpoints_id(workspace: Workspace, make_empty: Callable[[str], str]) -> None:
    """Set, update and get by id; the list of a deleted endpoint stays; one of the same name has another id and list."""
    first = make_empty("guarded")
    api = workspace.sdk.serving_endpoints
    line = ServingEndpointAccessControlRequest(group_name="users", permission_level=VIEW)
    answer = api.set_permissions(first, access_control_list=[line])
    assert (answer.object_id, answer.object_type) == (f"/serving-endpoints/{first}", "serving-endpoint")
    query = ServingEndpointAccessControlRequest(user_name="ann@example.com", permission_level=QUERY)
    api.update_permissions(first, access_control_list=[query])
    levels = [
        (each.group_name or each.user_name, each.all_permissions[0].permission_level)
        for each in api.get_permissions(first).access_control_list
    ]
    assert levels == [("users", VIEW), ("ann@example.com", QUERY)]
    api.delete("guarded")
    second = make_empty("guarded")
    assert second != first
    assert len(api.get_permissions(first).access_control_list) == 2
    assert [(each.user_name, each.all_permissions[0].permission_level) for each in api.get_permissions(second).access_control_list] == [
        ("me@example.com", MANAGE)
    ]
    with pytest.raises(NotFound, match="does not exist"):
        api.get_permissions("guarded")


def test_permission_levels_are_told(workspace: Workspace, make_empty: Callable[[str], str]) -> None:
    """Three levels, the least first."""
    found = workspace.sdk.serving_endpoints.get_permission_levels(make_empty("levels")).permission_levels
    assert [each.permission_level for each in found] == [VIEW, QUERY, MANAGE]
    assert all(each.description for each in found)


def test_provisioned_throughput_is_refused(workspace: Workspace, make_empty: Callable[[str], str]) -> None:
    """No model served here is eligible, in the platform's words; an unknown endpoint is a 404 first."""
    make_empty("throughput")
    api = workspace.sdk.serving_endpoints
    config = PtEndpointCoreConfig(
        served_entities=[PtServedModel(entity_name="main.ml.adds", entity_version="1", provisioned_model_units=50)]
    )
    message = r"Served entity main\.ml\.adds is not eligible for Provisioned Throughput\."
    with pytest.raises(BadRequest, match=message):
        api.create_provisioned_throughput_endpoint("pt", config)
    with pytest.raises(BadRequest, match=message):
        api.update_provisioned_throughput_endpoint_config("throughput", config)
    with pytest.raises(NotFound, match="Endpoint with name 'nope' does not exist"):
        api.update_provisioned_throughput_endpoint_config("nope", config)
    with pytest.raises(BadRequest, match=message):
        api.create("pt", config=serving(max_provisioned_throughput=100))


def test_external_functions_are_not_emulated(workspace: Workspace) -> None:
    """Connections to other services' HTTP are not the harness's."""
    with pytest.raises(DatabricksError, match="not emulated") as caught:
        workspace.sdk.serving_endpoints.http_request("conn", ExternalFunctionRequestHttpMethod.GET, "/x")
    assert caught.value.error_code == "NOT_IMPLEMENTED"


def test_mlflow_changes_settings(mlflow_deployments: Any, make_empty: Callable[[str], str]) -> None:
    """MLflow's client changes tags and the AI Gateway, gets and deletes."""
    make_empty("mlflow-settings")
    name = "mlflow-settings"
    tags = mlflow_deployments.update_endpoint_tags(endpoint=name, config={"add_tags": [{"key": "project", "value": "test"}]})
    assert tags == {"tags": [{"key": "project", "value": "test"}]}
    table = {"enabled": False, "catalog_name": "main", "schema_name": "logs"}
    config = {"usage_tracking_config": {"enabled": True}, "inference_table_config": table}
    gateway = mlflow_deployments.update_endpoint_ai_gateway(endpoint=name, config=config)
    assert gateway == {"usage_tracking_config": {"enabled": True}, "inference_table_config": {**table, "table_name_prefix": name}}
    shown = mlflow_deployments.get_endpoint(endpoint=name)
    assert (shown["ai_gateway"], shown["creator_kind"], shown["tags"]) == (gateway, "User", [{"key": "project", "value": "test"}])
    mlflow_deployments.delete_endpoint(endpoint=name)
    assert name not in [endpoint["name"] for endpoint in mlflow_deployments.list_endpoints()]
