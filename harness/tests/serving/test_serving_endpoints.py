"""Endpoints of real model processes, through the official client and plain HTTP."""

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from databricks.sdk.errors import NotFound, OperationFailed, ResourceConflict
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    AiGatewayInferenceTableConfig,
    DataframeSplitInput,
    EndpointCoreConfigInput,
    EndpointTag,
    Route,
    ServedEntityInput,
    TrafficConfig,
)

from harness.serving import ServingService

pytestmark = pytest.mark.platform
SOON = timedelta(seconds=120)


class Workspace(Protocol):
    """What conftest.py starts."""

    host: str
    serving: ServingService
    sdk: Any  # a WorkspaceClient; every field of its answers is optional to the type checker
    http: httpx.Client

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a payload table."""
        ...


def entity(model: str, version: str = "1", **more: Any) -> ServedEntityInput:
    return ServedEntityInput(
        entity_name=f"main.ml.{model}", entity_version=version, workload_size="Small", scale_to_zero_enabled=True, **more
    )


def core(name: str, *entities: ServedEntityInput, routes: dict[str, int] | None = None) -> EndpointCoreConfigInput:
    split = TrafficConfig([Route(percentage, served_entity_name=served) for served, percentage in routes.items()]) if routes else None
    return EndpointCoreConfigInput(name=name, served_entities=list(entities), traffic_config=split)


def logged(prefix: str) -> AiGatewayConfig:
    table = AiGatewayInferenceTableConfig(catalog_name="main", schema_name="logs", table_name_prefix=prefix, enabled=True)
    return AiGatewayConfig(inference_table_config=table)


@pytest.fixture(scope="module")
def obeys(workspace: Workspace) -> str:
    """An endpoint whose model does what its input says."""
    workspace.sdk.serving_endpoints.create_and_wait(
        "obeys", config=core("obeys", entity("obeys")), ai_gateway=logged("obeys"), timeout=SOON
    )
    return "obeys"


def call(workspace: Workspace, name: str, body: object) -> httpx.Response:
    return workspace.http.post(f"/serving-endpoints/{name}/invocations", json=body)


def predictions(answer: httpx.Response) -> list[float]:
    assert answer.status_code == 200, answer.text
    found: list[float] = answer.json()["predictions"]
    return found


def told(workspace: Workspace, name: str, word: str) -> httpx.Response:
    return call(workspace, name, {"dataframe_records": [{"do": word}]})


def test_created_endpoint_answers_and_logs(workspace: Workspace) -> None:
    """create_and_wait ends when the model answers; its call is one row with the text as sent and as answered."""
    api = workspace.sdk.serving_endpoints
    endpoint = api.create_and_wait("fares", config=core("fares", entity("adds")), ai_gateway=logged("fares"), timeout=SOON)

    assert (endpoint.state.ready.value, endpoint.state.config_update.value) == ("READY", "NOT_UPDATING")
    assert endpoint.config.config_version == 1
    assert endpoint.config.served_entities[0].name == "adds-1"
    route = endpoint.config.traffic_config.routes[0]
    assert (route.served_entity_name, route.served_model_name, route.traffic_percentage) == ("adds-1", "adds-1", 100)

    answer = api.query("fares", dataframe_split=DataframeSplitInput(columns=["a", "b"], data=[[1.5, 2]], index=[0]), client_request_id="r1")
    assert (answer.predictions, answer.served_model_name) == ([3.5], "adds-1")

    assert ("fares", "main.ml.adds") in workspace.serving.served_models()

    (row,) = workspace.rows("main.logs.fares_payload")
    assert row["request"] == '{"client_request_id": "r1", "dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2]], "index": [0]}}'
    assert row["response"] == '{"predictions": [3.5]}'
    assert (row["status_code"], row["client_request_id"], row["logging_error_codes"], row["sampling_fraction"]) == (200, "r1", [], 1.0)
    (record,) = [r for r in workspace.serving.served_entities() if r.served_entity_id == row["served_entity_id"]]
    assert (record.entity_name, record.entity_version) == ("main.ml.adds", "1")


def test_request_id_of_the_answer_is_the_rows(workspace: Workspace, obeys: str) -> None:
    """The header x-databricks-request-id finds the call in the inference table; failed calls are there too."""
    answer = told(workspace, obeys, "raise")
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "BAD_REQUEST"
    assert answer.json()["message"].startswith("Encountered an unexpected error while evaluating the model.")
    assert "RuntimeError: no" in answer.json()["stack_trace"]

    rows = {row["databricks_request_id"]: row for row in workspace.rows("main.logs.obeys_payload")}
    row = rows[answer.headers["x-databricks-request-id"]]
    assert (row["status_code"], row["response"]) == (400, answer.text)


def test_what_is_not_json_is_logged_as_sent(workspace: Workspace, obeys: str) -> None:
    """A body that the model server cannot read is a 400 with a row that holds the body."""
    answer = workspace.http.post(f"/serving-endpoints/{obeys}/invocations", content=b"blah", headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "blah" in [row["request"] for row in workspace.rows("main.logs.obeys_payload")]


def test_unknown_names_have_two_kinds_of_404(workspace: Workspace) -> None:
    """Control plane and invocations say different things about an endpoint that does not exist."""
    with pytest.raises(NotFound, match=r"Endpoint with name 'nope' does not exist\."):
        workspace.sdk.serving_endpoints.get("nope")
    answer = call(workspace, "nope", {})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    with pytest.raises(NotFound, match="version 7 does not exist"):
        workspace.sdk.serving_endpoints.create("no-version", config=core("x", entity("adds", "7")))
    with pytest.raises(NotFound):
        workspace.sdk.serving_endpoints.get("no-version")


def test_update_under_load_fails_no_call(workspace: Workspace) -> None:
    """While the second version comes up the first answers; no call fails; then the second answers."""
    api = workspace.sdk.serving_endpoints
    api.create_and_wait("moving", config=core("moving", entity("adds")), timeout=SOON)
    statuses: set[int] = set()
    seen: list[float] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            answer = call(workspace, "moving", {"dataframe_records": [{"a": 1, "b": 2}]})
            statuses.add(answer.status_code)
            seen.extend(answer.json()["predictions"])

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        during = api.update_config("moving", served_entities=[entity("adds", "2")]).response
        assert (during.state.ready.value, during.state.config_update.value) == ("READY", "IN_PROGRESS")
        assert (during.config.config_version, during.pending_config.config_version) == (1, 2)
        with pytest.raises(ResourceConflict, match="Endpoint served entities are currently being updated"):
            api.update_config("moving", served_entities=[entity("adds", "1")])
        with pytest.raises(ResourceConflict):
            api.delete("moving")
        after = api.wait_get_serving_endpoint_not_updating("moving", timeout=SOON)
        time.sleep(0.2)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert (after.config.config_version, after.pending_config) == (2, None)
    assert statuses == {200}
    assert (seen[0], seen[-1]) == (3.0, 103.0)


def test_failed_update_keeps_the_old_version_serving(workspace: Workspace) -> None:
    """A version that cannot be loaded fails the update with the reason; the endpoint stays READY on the old one."""
    api = workspace.sdk.serving_endpoints
    api.create_and_wait("steady", config=core("steady", entity("adds")), timeout=SOON)
    with pytest.raises(OperationFailed, match="UPDATE_FAILED"):
        api.update_config_and_wait("steady", served_entities=[entity("broken")], timeout=SOON)
    endpoint = api.get("steady")
    assert (endpoint.state.ready.value, endpoint.config.config_version) == ("READY", 1)
    state = endpoint.pending_config.served_entities[0].state
    assert state.deployment.value == "DEPLOYMENT_FAILED"
    assert "No module named 'no_such_module_here'" in state.deployment_state_message
    assert "no_such_module_here" in api.logs("steady", "broken-1").logs
    assert call(workspace, "steady", {"dataframe_records": [{"a": 1, "b": 2}]}).json() == {"predictions": [3.0]}


def test_traffic_split_and_one_served_model(workspace: Workspace) -> None:
    """Nothing goes to an entity with 0 percent, unless it is named in the path."""
    entities = (entity("adds", name="old"), entity("adds", "2", name="new"))
    config = core("split", *entities, routes={"old": 100, "new": 0})
    workspace.sdk.serving_endpoints.create_and_wait("split", config=config, timeout=SOON)
    body = {"dataframe_records": [{"a": 1, "b": 2}]}
    answers = [call(workspace, "split", body) for _ in range(20)]
    assert {answer.headers["served-model-name"] for answer in answers} == {"old"}
    named = workspace.http.post("/serving-endpoints/split/served-models/new/invocations", json=body)
    assert (named.json(), named.headers["served-model-name"]) == ({"predictions": [103.0]}, "new")
    unknown = workspace.http.post("/serving-endpoints/split/served-models/nobody/invocations", json=body)
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize("word", ["exit", "crash"])
def test_model_that_ends_its_process_is_started_again(workspace: Workspace, obeys: str, word: str) -> None:
    """The call that kills the model is a logged 500; the next one waits for the new process and is answered."""
    before = told(workspace, obeys, "pid").json()["predictions"]
    killer = told(workspace, obeys, word)
    assert (killer.status_code, killer.json()["error_code"]) == (500, "INTERNAL_ERROR")
    after = told(workspace, obeys, "pid")
    assert after.status_code == 200
    assert after.json()["predictions"] != before
    rows = {row["databricks_request_id"]: row["status_code"] for row in workspace.rows("main.logs.obeys_payload")}
    assert rows[killer.headers["x-databricks-request-id"]] == 500


def test_calls_overlap(workspace: Workspace, obeys: str) -> None:
    """A slow call does not hold up a quick one."""
    told(workspace, obeys, "pid")
    slow = threading.Thread(target=told, args=(workspace, obeys, "sleep 3"))
    slow.start()
    started = time.monotonic()
    assert told(workspace, obeys, "quick").json() == {"predictions": ["quick"]}
    assert time.monotonic() - started < 2
    slow.join()


def test_slow_model_times_out(workspace: Workspace, obeys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that takes longer than the platform allows is a 504 in the documentation's words."""
    monkeypatch.setattr(workspace.serving.invocations, "execution_seconds", 0.2)
    answer = told(workspace, obeys, "sleep 0.5")
    assert (answer.status_code, answer.json()["error_code"]) == (504, "DEADLINE_EXCEEDED")
    assert answer.json()["message"] == "Timed out while evaluating the model. Verify that the model evaluates within the timeout."


def test_what_the_model_prints_is_in_its_logs(workspace: Workspace, obeys: str) -> None:
    """logs() returns the process's output, build_logs() what it runs on."""
    told(workspace, obeys, "print")
    assert "hello from the model" in workspace.sdk.serving_endpoints.logs(obeys, "obeys-1").logs
    assert "environment" in workspace.sdk.serving_endpoints.build_logs(obeys, "obeys-1").logs


def test_openapi_tells_the_types(workspace: Workspace) -> None:
    """ai_query reads the type of one prediction from the endpoint's OpenAPI document."""
    document = json.loads(workspace.sdk.serving_endpoints.get_open_api("fares").contents.read())
    post = document["paths"]["/served-models/adds-1/invocations"]["post"]
    answer = post["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"type": "object", "properties": {"predictions": {"type": "array", "items": {"type": "number", "format": "double"}}}}
    split, records = (option["properties"] for option in post["requestBody"]["content"]["application/json"]["schema"]["oneOf"])
    assert split["dataframe_split"]["properties"]["columns"]["items"]["enum"] == ["a", "b"]
    assert records["dataframe_records"]["items"]["properties"]["b"] == {"type": "integer", "format": "int64"}
    assert split["params"]["properties"]["temperature"] == {"type": "number", "format": "double", "default": "0.5"}
    assert document["servers"][0]["url"] == f"{workspace.host}/serving-endpoints/fares"


def test_environment_variables_reach_the_model(workspace: Workspace) -> None:
    """environment_vars of the served entity are the process's."""
    config = core("greets", entity("obeys", environment_vars={"GREETING": "hello"}))
    workspace.sdk.serving_endpoints.create_and_wait("greets", config=config, timeout=SOON)
    assert told(workspace, "greets", "variable").json() == {"predictions": ["hello"]}
    workspace.sdk.serving_endpoints.delete("greets")
    assert told(workspace, "greets", "variable").status_code == 404


def test_restart_brings_everything_back(start_workspace: Callable[[Path], Workspace], tmp_path: Path) -> None:
    """After a restart the endpoint is not ready until its process answers again; its log goes on in the same table."""
    first = start_workspace(tmp_path)
    first.sdk.serving_endpoints.create_and_wait("stays", config=core("stays", entity("linear")), ai_gateway=logged("stays"), timeout=SOON)
    body = {"dataframe_records": [{"x": 3.0}]}
    assert predictions(call(first, "stays", body)) == pytest.approx([7.0])

    second = start_workspace(tmp_path)
    assert second.sdk.serving_endpoints.get("stays").state.ready.value == "NOT_READY"
    assert predictions(call(second, "stays", body)) == pytest.approx([7.0])  # waits for the process
    assert second.sdk.serving_endpoints.get("stays").state.ready.value == "READY"
    assert len(second.rows("main.logs.stays_payload")) == 2


def test_update_cut_off_by_a_restart_goes_on(start_workspace: Callable[[Path], Workspace], tmp_path: Path) -> None:
    """An update that was under way when the harness ended is finished by the next."""
    first = start_workspace(tmp_path)
    first.sdk.serving_endpoints.create("halfway", config=core("halfway", entity("adds")))
    second = start_workspace(tmp_path)
    endpoint = second.sdk.serving_endpoints.wait_get_serving_endpoint_not_updating("halfway", timeout=SOON)
    assert endpoint.state.ready.value == "READY"


def test_tags_and_gateway_change_at_once(workspace: Workspace) -> None:
    """Method patch and put_ai_gateway need no update; the gateway's prefix defaults to the endpoint's name; an empty one ends logging."""
    api = workspace.sdk.serving_endpoints
    api.create_and_wait("tagged", config=core("tagged", entity("adds")), tags=[EndpointTag("a", "1"), EndpointTag("b", "2")], timeout=SOON)
    assert [(t.key, t.value) for t in api.patch("tagged", add_tags=[EndpointTag("c", "3")], delete_tags=["a"]).tags] == [
        ("b", "2"),
        ("c", "3"),
    ]
    table = AiGatewayInferenceTableConfig(catalog_name="main", schema_name="logs", enabled=True)
    assert api.put_ai_gateway("tagged", inference_table_config=table).inference_table_config.table_name_prefix == "tagged"
    body = {"dataframe_records": [{"a": 1, "b": 2}]}
    call(workspace, "tagged", body)
    assert workspace.http.put("/api/2.0/serving-endpoints/tagged/ai-gateway", json={}).json() == {}
    call(workspace, "tagged", body)
    assert len(workspace.rows("main.logs.tagged_payload")) == 1


def test_mlflow_deployment_client_works(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's client creates and lists with a trailing slash, and predicts."""
    from mlflow.deployments import get_deploy_client

    monkeypatch.setenv("DATABRICKS_HOST", workspace.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", "t0ken")
    client = get_deploy_client("databricks")
    client.create_endpoint(name="mlflow-made", config={"served_entities": [{"entity_name": "main.ml.adds", "entity_version": "1"}]})
    workspace.sdk.serving_endpoints.wait_get_serving_endpoint_not_updating("mlflow-made", timeout=SOON)
    assert "mlflow-made" in [endpoint["name"] for endpoint in client.list_endpoints()]
    answer = client.predict(endpoint="mlflow-made", inputs={"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]]}})
    assert answer["predictions"] == [3.0]
