"""What the platform fills in, shows and hides, and the states an endpoint goes through."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from databricks.sdk.errors import (
    BadRequest,
    NotFound,
    OperationFailed,
    ResourceAlreadyExists,
    ResourceConflict,
)
from databricks.sdk.service.serving import (
    EndpointCoreConfigInput,
    EndpointTag,
    ServedEntityInput,
)

pytestmark = pytest.mark.platform
SOON = timedelta(seconds=120)
PATH = "/api/2.0/serving-endpoints"
ROWS = {"dataframe_records": [{"a": 1, "b": 2}]}


class Workspace(Protocol):
    """What conftest.py starts."""

    sdk: Any  # a WorkspaceClient; every field of its answers is optional to the type checker
    http: httpx.Client


def entity(model: str = "adds", version: str = "1", **more: Any) -> ServedEntityInput:
    return ServedEntityInput(entity_name=f"main.ml.{model}", entity_version=version, **more)


def config(*entities: ServedEntityInput) -> EndpointCoreConfigInput:
    return EndpointCoreConfigInput(name="x", served_entities=list(entities))


def shown(workspace: Workspace, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = workspace.http.get(f"{PATH}/{name}").json()
    return answer


@pytest.fixture(scope="module")
def plain(workspace: Workspace) -> str:
    """An endpoint created with as little as possible, once with the words that are never shown again."""
    body = {
        "name": "plain",
        "config": {"name": "x", "served_entities": [{"entity_name": "main.ml.adds", "entity_version": "1", "burst_scaling_enabled": True}]},
        "budget_policy_id": "b-1",
        "rate_limits": [{"calls": 1000, "key": "endpoint", "renewal_period": "minute"}],
    }
    made = workspace.http.post(PATH, json=body)
    assert made.status_code == 200
    workspace.sdk.serving_endpoints.wait_get_serving_endpoint_not_updating("plain", timeout=SOON)
    return "plain"


def test_defaults_are_shown(workspace: Workspace, plain: str) -> None:
    """Names, route, size, description and rights that were not sent; both vocabularies, mirrored."""
    answer = shown(workspace, plain)
    assert answer["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}
    assert (answer["description"], answer["permission_level"], answer["route_optimized"]) == ("", "CAN_MANAGE", False)
    assert (answer["creator"], answer["creator_kind"], answer["creator_display_name"]) == ("me@example.com", "User", "me")
    assert answer["endpoint_type"] == "CUSTOM_MODEL"
    assert answer["config"]["traffic_config"] == {
        "routes": [{"served_entity_name": "adds-1", "served_model_name": "adds-1", "traffic_percentage": 100}]
    }
    (served,), (model,) = answer["config"]["served_entities"], answer["config"]["served_models"]
    assert served == {
        "name": "adds-1",
        "entity_name": "main.ml.adds",
        "entity_version": "1",
        "workload_size": "Small",
        "workload_type": "CPU",
        "scale_to_zero_enabled": False,
        "creator": "me@example.com",
        "creation_timestamp": served["creation_timestamp"],
        "state": {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""},
    }
    assert (model["model_name"], model["model_version"], model["name"]) == ("main.ml.adds", "1", "adds-1")
    assert "pending_config" not in answer


def test_what_is_only_written_is_not_shown(workspace: Workspace, plain: str) -> None:
    """Neither by get nor in the list."""
    answer = shown(workspace, plain)
    listed = next(each for each in workspace.http.get(PATH).json()["endpoints"] if each["name"] == plain)
    for body in (answer, listed):
        assert not {"budget_policy_id", "rate_limits"} & set(body)
        assert "burst_scaling_enabled" not in str(body)


def test_list_has_summaries(workspace: Workspace, plain: str) -> None:
    """An item names what is served and nothing more of it; trailing slash or not."""
    for path in (PATH, f"{PATH}/"):
        listed = next(each for each in workspace.http.get(path).json()["endpoints"] if each["name"] == plain)
        assert listed["config"] == {"served_entities": [{"name": "adds-1", "entity_name": "main.ml.adds", "entity_version": "1"}]}
        assert {"id", "creator", "creation_timestamp", "last_updated_timestamp", "description", "state"} <= set(listed)
        assert not {"permission_level", "route_optimized", "pending_config"} & set(listed)


def test_creation_goes_through_its_states(workspace: Workspace) -> None:
    """First NOT_READY and IN_PROGRESS with everything in pending_config; then READY with a configuration, version 1, and none pending."""
    api = workspace.sdk.serving_endpoints
    made = api.create("stages", config=config(entity()), description="told", tags=[EndpointTag("a", "1")]).response
    assert (made.state.ready.value, made.state.config_update.value, made.config) == ("NOT_READY", "IN_PROGRESS", None)
    assert (made.pending_config.config_version, made.pending_config.served_entities[0].state.deployment.value) == (1, "DEPLOYMENT_CREATING")
    assert made.pending_config.start_time >= made.creation_timestamp
    assert (made.description, made.tags) == ("told", [EndpointTag("a", "1")])
    done = api.wait_get_serving_endpoint_not_updating("stages", timeout=SOON)
    assert (done.state.ready.value, done.config.config_version, done.pending_config) == ("READY", 1, None)
    api.delete("stages")
    with pytest.raises(NotFound, match="Endpoint with name 'stages' does not exist"):
        api.get("stages")


def test_failed_creation_has_no_configuration(workspace: Workspace) -> None:
    """NOT_READY and UPDATE_FAILED; the entities say why; an update brings it up after all."""
    api = workspace.sdk.serving_endpoints
    with pytest.raises(OperationFailed, match="UPDATE_FAILED"):
        api.create_and_wait("failing", config=config(entity("broken")), timeout=SOON)
    failed = api.get("failing")
    assert (failed.state.ready.value, failed.config) == ("NOT_READY", None)
    assert failed.pending_config.served_entities[0].state.deployment.value == "DEPLOYMENT_FAILED"
    assert "no_such_module_here" in failed.pending_config.served_entities[0].state.deployment_state_message
    mended = api.update_config_and_wait("failing", served_entities=[entity()], timeout=SOON)
    assert (mended.state.ready.value, mended.config.config_version, mended.pending_config) == ("READY", 2, None)


def test_one_bad_entity_takes_the_others_down(workspace: Workspace) -> None:
    """Of an update with two, one of which fails, the other is aborted."""
    body = {
        "name": "half",
        "config": {
            "served_entities": [
                {"entity_name": "main.ml.adds", "entity_version": "1", "name": "good"},
                {"entity_name": "main.ml.broken", "entity_version": "1", "name": "bad"},
            ],
            "traffic_config": {
                "routes": [
                    {"served_model_name": "good", "traffic_percentage": "90"},
                    {"served_model_name": "bad", "traffic_percentage": "10"},
                ]
            },
        },
    }
    assert workspace.http.post(PATH, json=body).status_code == 200
    with pytest.raises(OperationFailed):
        workspace.sdk.serving_endpoints.wait_get_serving_endpoint_not_updating("half", timeout=SOON)
    states = {each["name"]: each["state"]["deployment"] for each in shown(workspace, "half")["pending_config"]["served_entities"]}
    assert states == {"good": "DEPLOYMENT_ABORTED", "bad": "DEPLOYMENT_FAILED"}


def test_cancelled_update_leaves_what_was(workspace: Workspace, plain: str) -> None:
    """READY and UPDATE_CANCELED on the old version, nothing pending; the next update has the next number."""
    api = workspace.sdk.serving_endpoints
    api.update_config(plain, served_entities=[entity(version="2")])
    cancelled = workspace.http.post(f"/__harness__/serving-endpoints/{plain}/cancel-update").json()
    assert cancelled["state"] == {"ready": "READY", "config_update": "UPDATE_CANCELED"}
    assert (cancelled["config"]["config_version"], "pending_config" in cancelled) == (1, False)
    with pytest.raises(OperationFailed, match="UPDATE_CANCELED"):
        api.wait_get_serving_endpoint_not_updating(plain, timeout=SOON)
    assert workspace.http.post(f"/serving-endpoints/{plain}/invocations", json=ROWS).json() == {"predictions": [3.0]}
    again = workspace.http.post(f"/__harness__/serving-endpoints/{plain}/cancel-update")
    assert (again.status_code, again.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    done = api.update_config_and_wait(plain, served_entities=[entity()], timeout=SOON)
    assert (done.config.config_version, done.state.ready.value) == (3, "READY")


def test_cancelled_creation_is_not_ready(workspace: Workspace) -> None:
    """Nothing to fall back to; what was starting is gone, and the endpoint can be deleted."""
    api = workspace.sdk.serving_endpoints
    api.create("given-up", config=config(entity()))
    cancelled = workspace.http.post("/__harness__/serving-endpoints/given-up/cancel-update").json()
    assert cancelled["state"] == {"ready": "NOT_READY", "config_update": "UPDATE_CANCELED"}
    assert not {"config", "pending_config"} & set(cancelled)
    api.delete("given-up")


def test_stopped_endpoint_serves_nothing(start_workspace: Callable[[Path], Workspace], tmp_path: Path) -> None:
    """NOT_READY and NOT_UPDATING with its configuration, calls are 400s, also after a restart; a start makes a new version."""
    first = start_workspace(tmp_path)
    first.sdk.serving_endpoints.create_and_wait("resting", config=config(entity()), timeout=SOON)
    stopped = first.http.post("/__harness__/serving-endpoints/resting/stop").json()
    assert stopped["state"] == {"ready": "NOT_READY", "config_update": "NOT_UPDATING"}
    assert stopped["config"]["config_version"] == 1
    call = first.http.post("/serving-endpoints/resting/invocations", json=ROWS)
    assert (call.status_code, call.json()["error_code"]) == (400, "INVALID_STATE")
    again = first.http.post("/__harness__/serving-endpoints/resting/stop")
    assert (again.status_code, again.json()["message"]) == (400, "Endpoint 'resting' serves nothing that could be stopped.")

    second = start_workspace(tmp_path)
    assert second.http.post("/serving-endpoints/resting/invocations", json=ROWS).status_code == 400
    started = second.http.post("/__harness__/serving-endpoints/resting/start").json()
    assert (started["state"]["config_update"], started["pending_config"]["config_version"]) == ("IN_PROGRESS", 2)
    done = second.sdk.serving_endpoints.wait_get_serving_endpoint_not_updating("resting", timeout=SOON)
    assert (done.state.ready.value, done.config.config_version) == ("READY", 2)
    assert second.http.post("/serving-endpoints/resting/invocations", json=ROWS).json() == {"predictions": [3.0]}
    again = second.http.post("/__harness__/serving-endpoints/resting/start")
    assert (again.status_code, again.json()["message"]) == (400, "Endpoint 'resting' is not stopped.")


def test_cancelled_start_stays_stopped(workspace: Workspace) -> None:
    """What was coming up ends; the endpoint can be updated, which starts it."""
    api = workspace.sdk.serving_endpoints
    api.create_and_wait("restless", config=config(entity()), timeout=SOON)
    for action in ("stop", "start", "cancel-update"):
        answer = workspace.http.post(f"/__harness__/serving-endpoints/restless/{action}")
    assert answer.json()["state"] == {"ready": "NOT_READY", "config_update": "UPDATE_CANCELED"}
    assert workspace.http.post("/serving-endpoints/restless/invocations", json=ROWS).status_code == 400
    done = api.update_config_and_wait("restless", served_entities=[entity(version="2")], timeout=SOON)
    assert (done.state.ready.value, done.config.config_version) == ("READY", 3)
    assert workspace.http.post("/serving-endpoints/restless/invocations", json=ROWS).json() == {"predictions": [103.0]}


def test_nothing_else_happens_while_updating(workspace: Workspace) -> None:
    """A second update and a deletion are 409s; tags and notifications change all the same, and survive the update's end."""
    api = workspace.sdk.serving_endpoints
    api.create("busy", config=config(entity()))
    with pytest.raises(ResourceConflict, match="Endpoint served entities are currently being updated"):
        api.update_config("busy", served_entities=[entity(version="2")])
    with pytest.raises(ResourceConflict):
        api.delete("busy")
    api.patch("busy", add_tags=[EndpointTag("a", "1")])
    done = api.wait_get_serving_endpoint_not_updating("busy", timeout=SOON)
    assert (done.tags, done.config.config_version) == ([EndpointTag("a", "1")], 1)


def test_only_one_of_many_creations_wins(workspace: Workspace) -> None:
    """The others are told that the name is taken."""
    outcomes: list[str] = []

    def create() -> None:
        answer = workspace.http.post(PATH, json={"name": "contested"})
        outcomes.append("made" if answer.status_code == 200 else f"{answer.status_code} {answer.json()['error_code']}")

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["409 RESOURCE_ALREADY_EXISTS"] * 5 + ["made"]
    with pytest.raises(ResourceAlreadyExists, match="already exists"):
        workspace.sdk.serving_endpoints.create("contested")


def test_recreated_endpoint_is_another(workspace: Workspace) -> None:
    """Same name, new id."""
    api = workspace.sdk.serving_endpoints
    first = api.create("again").response
    api.delete("again")
    second = api.create("again").response
    assert first.id != second.id
    assert len(first.id) == 32


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        pytest.param({"workload_size": "Medium", "scale_to_zero_enabled": True}, {"scale_to_zero_enabled": True}, id="scale to zero"),
        pytest.param({"workload_size": "Large", "workload_type": "CPU_LARGE"}, {}, id="large"),
        pytest.param(
            {"min_provisioned_concurrency": 4, "max_provisioned_concurrency": 12, "scale_to_zero_enabled": False}, {}, id="set concurrency"
        ),
        pytest.param({"environment_vars": {"A": "b", "PASSWORD": "{{secrets/greetings/polite}}"}}, {}, id="variables"),
    ],
)
def test_entity_is_echoed_as_sent(workspace: Workspace, sent: dict[str, Any], echoed: dict[str, Any]) -> None:
    """Sizes, concurrency, scaling and variables; a secret as the reference it was sent as, never its value."""
    api = workspace.sdk.serving_endpoints
    if "echoes" in [each.name for each in api.list()]:
        workspace.http.post("/__harness__/serving-endpoints/echoes/cancel-update")
        api.delete("echoes")
    made = {"name": "echoes", "config": {"served_entities": [{"entity_name": "main.ml.adds", "entity_version": "1", **sent}]}}
    (served,) = workspace.http.post(PATH, json=made).json()["pending_config"]["served_entities"]
    assert {key: served.get(key) for key in {**sent, **echoed}} == {**sent, **echoed}
    assert ("workload_size" in served) is ("max_provisioned_concurrency" not in sent)


@pytest.fixture
def polite(workspace: Workspace) -> Iterator[str]:
    """An endpoint whose model is greeted from a secret."""
    variables = {"GREETING": "{{secrets/greetings/polite}}"}
    workspace.sdk.serving_endpoints.create_and_wait("polite", config=config(entity("obeys", environment_vars=variables)), timeout=SOON)
    yield "polite"
    workspace.sdk.serving_endpoints.delete("polite")


def test_secret_reaches_the_model_and_nothing_else(workspace: Workspace, polite: str) -> None:
    """The process has its text; get shows the reference, no log the value."""
    answer = workspace.http.post(f"/serving-endpoints/{polite}/invocations", json={"dataframe_records": [{"do": "variable"}]})
    assert answer.json() == {"predictions": ["good evening"]}
    api = workspace.sdk.serving_endpoints
    assert "good evening" not in workspace.http.get(f"{PATH}/{polite}").text + api.logs(polite, "obeys-1").logs
    assert "good evening" not in api.build_logs(polite, "obeys-1").logs


def test_missing_secret_fails_the_deployment(workspace: Workspace) -> None:
    """Assumption: not the request; the entity says which secret."""
    api = workspace.sdk.serving_endpoints
    variables = {"GREETING": "{{secrets/greetings/rude}}"}
    with pytest.raises(OperationFailed, match="UPDATE_FAILED"):
        api.create_and_wait("rude", config=config(entity(environment_vars=variables)), timeout=SOON)
    (served,) = api.get("rude").pending_config.served_entities
    assert served.state.deployment_state_message == "Secret does not exist with scope: greetings and key: rude"


@pytest.mark.parametrize(
    ("body", "status", "error_code", "message"),
    [
        pytest.param({"name": "databricks-x"}, 400, "INVALID_PARAMETER_VALUE", "the prefix 'databricks-' is reserved", id="reserved"),
        pytest.param({"name": "a.b"}, 400, "INVALID_PARAMETER_VALUE", "letters, digits, '-' and '_'", id="characters"),
        pytest.param({"name": "x" * 64}, 400, "INVALID_PARAMETER_VALUE", "at most 63 characters", id="too long"),
        pytest.param({}, 400, "INVALID_PARAMETER_VALUE", "missing required field `name`", id="no name"),
        pytest.param({"name": "x", "config": {}}, 400, "INVALID_PARAMETER_VALUE", "at least one served entity", id="nothing to serve"),
        pytest.param(
            {"name": "x", "config": {"served_entities": [{"entity_name": "main.ml.adds", "entity_version": "9"}]}},
            404,
            "RESOURCE_DOES_NOT_EXIST",
            "version 9 does not exist",
            id="no such version",
        ),
        pytest.param(
            {
                "name": "x",
                "config": {"served_entities": [{"external_model": {"name": "gpt-4o", "provider": "openai", "task": "llm/v1/chat"}}]},
            },
            501,
            "NOT_IMPLEMENTED",
            "served entity with external_model",
            id="external model",
        ),
    ],
)
def test_bad_creation_leaves_nothing(workspace: Workspace, body: dict[str, Any], status: int, error_code: str, message: str) -> None:
    """The envelope names what is wrong, and there is no endpoint afterwards."""
    answer = workspace.http.post(PATH, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, error_code)
    assert message in answer.json()["message"]
    if "name" in body:
        assert workspace.http.get(f"{PATH}/{body['name']}").status_code == 404


def test_logs_are_of_known_entities(workspace: Workspace, plain: str) -> None:
    """An unknown served entity or endpoint is a 404."""
    api = workspace.sdk.serving_endpoints
    assert api.logs(plain, "adds-1").logs is not None
    with pytest.raises(NotFound, match="Served entity 'nobody' of endpoint 'plain' does not exist"):
        api.logs(plain, "nobody")
    with pytest.raises(NotFound, match="Endpoint with name 'nope' does not exist"):
        api.build_logs("nope", "adds-1")


def test_openapi_needs_a_ready_endpoint(workspace: Workspace, plain: str) -> None:
    """400 before it is; 404 when there is none; a document of its served models then."""
    api = workspace.sdk.serving_endpoints
    with pytest.raises(NotFound, match="Endpoint with name 'nope' does not exist"):
        api.get_open_api("nope")
    workspace.http.post(PATH, json={"name": "undocumented"})
    with pytest.raises(BadRequest, match="not ready"):
        api.get_open_api("undocumented")
    assert b"/served-models/adds-1/invocations" in api.get_open_api(plain).contents.read()


def test_mlflow_updates_the_configuration(workspace: Workspace, plain: str, mlflow_deployments: Any) -> None:
    """update_endpoint_config sends what the official client sends."""
    wanted = {"served_entities": [{"entity_name": "main.ml.adds", "entity_version": "2"}]}
    answer = mlflow_deployments.update_endpoint_config(endpoint=plain, config=wanted)
    assert answer["state"] == {"ready": "READY", "config_update": "IN_PROGRESS"}
    done = workspace.sdk.serving_endpoints.wait_get_serving_endpoint_not_updating(plain, timeout=SOON)
    assert done.config.served_entities[0].name == "adds-2"
    assert mlflow_deployments.predict(endpoint=plain, inputs=ROWS)["predictions"] == [103.0]
