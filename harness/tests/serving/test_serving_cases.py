"""Cases of the contract: requests and the platform's answers, ours (`cases/*.jsonl`) and those of `../shared` where it exists."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest
from _pytest.mark import ParameterSet
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    AiGatewayInferenceTableConfig,
    DataframeSplitInput,
    EndpointCoreConfigInput,
    Route,
    ServedEntityInput,
    TrafficConfig,
)
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

sys.path.append(str(Path(__file__).parent / "conformance"))
from case_world import SOON, Json, Models, P, Workspace, World, contains, shape, sorted_sets

pytestmark = pytest.mark.platform
HERE = Path(__file__).parent
SHARED = HERE.parents[3] / "shared" / "contract" / "serving-cases.jsonl"
CODE = """
import mlflow
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        {body}
mlflow.models.set_model(Model())
"""
BODIES = {
    "sums": "return model_input.sum(axis=1).to_numpy()",
    "series": "return model_input.sum(axis=1)",
    "params": 'return {"params": params, "n": len(model_input)}',
    "raises": 'raise ValueError("boom")',
    "anything": "return [0]",
}


@pytest.fixture(scope="module")
def world(workspace: Workspace, models: Models, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The models and the endpoint."""
    folder = tmp_path_factory.mktemp("cases")
    signature = ModelSignature(Schema([ColSpec("double", "a"), ColSpec("long", "b")]))
    with_params = ModelSignature(signature.inputs, None, ParamSchema([ParamSpec("temperature", "float", 0.5)]))
    for name, body in BODIES.items():
        source = folder / f"{name}.py"
        source.write_text(CODE.format(body=body))
        path = models.folders[f"main.ml.{name}", "1"] = folder / name
        signed = {"params": with_params, "anything": None}.get(name, signature)
        mlflow.pyfunc.save_model(str(path), python_model=str(source), signature=signed, pip_requirements=["mlflow-skinny"])
    for schema in ("c/s", "my_catalog/my_schema", "my_catalog/observability", "main/default"):
        (workspace.layout.warehouse / schema).mkdir(parents=True, exist_ok=True)
    entities = [ServedEntityInput(name=name, entity_name=f"main.ml.{name}", entity_version="1") for name in BODIES]
    routes = TrafficConfig([Route(100 if name == "sums" else 0, served_entity_name=name) for name in BODIES])
    table = AiGatewayInferenceTableConfig(catalog_name="main", schema_name="logs", table_name_prefix="cases", enabled=True)
    config = EndpointCoreConfigInput(name="cases", served_entities=entities, traffic_config=routes)
    api = workspace.sdk.serving_endpoints
    api.create_and_wait("cases", config=config, ai_gateway=AiGatewayConfig(inference_table_config=table), timeout=SOON)
    yield World(workspace, models)
    api.delete("cases")


def _lines(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _ours(file: str) -> list[ParameterSet]:
    return [pytest.param(case, id=case["id"]) for case in _lines(HERE / "cases" / file)]


@pytest.mark.parametrize("case", _ours("invocations.jsonl"))
def test_invocation(world: World, case: Json) -> None:
    """Status and text of the answer; of errors, what the case says of them."""
    _invoked(world, case["model"], case["content_type"], case["request"], case["status"], case["answer"])


@pytest.mark.parametrize("case", _ours("control.jsonl"))
def test_control_plane(world: World, case: Json) -> None:
    """One request after the other, each with its status and what its answer contains."""
    for name in case["endpoints"]:
        world.fresh(name)
    try:
        for step in case["steps"]:
            if "settled" in step:
                answer = world.settled(step["settled"])
            else:
                world.register(step.get("body", {}))
                said = world.http.request(step["method"], step["path"], json=step.get("body"))
                assert said.status_code == step["status"], said.text
                answer = said.json()
            contains(answer, step["contains"])
    finally:
        for name in case["endpoints"]:
            world.fresh(name)


def _invoked(world: World, model: str, content_type: str | None, body: str, status: int, expected: object) -> None:
    headers = {"content-type": content_type} if content_type else {}
    path = f"/serving-endpoints/cases/served-models/{model}/invocations"
    said = world.http.post(path, content=body.encode(), headers=headers)
    assert said.status_code == status, said.text
    if isinstance(expected, str):
        assert said.text == expected
    elif isinstance(expected, dict):
        answer = said.json()
        trace = expected.get("stack_trace")
        if trace is not None:  # the frames between are the model's and MLflow's
            assert answer["stack_trace"].splitlines()[0] == trace.splitlines()[0]
            assert answer["stack_trace"].splitlines()[-1] == trace.splitlines()[-1]
        assert {key: sorted_sets(value) for key, value in answer.items() if key != "stack_trace"} == {
            key: sorted_sets(value) for key, value in expected.items() if key != "stack_trace"
        }


# What the lines of ../shared/contract/serving-cases.jsonl say, and how each is tried here.


def _line_invokes(world: World, line: Json) -> None:
    request, response, kind = line["request"], line["response"], line["kind"]
    model = {"invoke_series_output": "series", "invoke_error_model_exception": "raises"}.get(kind, "sums")
    if "param" in kind:
        model = "params"
    body = request["body"] if isinstance(request["body"], str) else json.dumps(request["body"])
    if "docs.databricks.com" in line["source"]:  # the documentation's answer is not the answer to its request: it is taken, no more
        _invoked(world, "anything", request["content_type"], body, 200, None)
    else:
        _invoked(world, model, request["content_type"], body, response["status"], response["body"])


def _line_creates(world: World, line: Json) -> None:
    body = json.loads(json.dumps(line["request"]["body"]))
    for entity in body["config"]["served_entities"]:
        entity.setdefault("entity_version", "1")  # MLflow's example leaves it out; a registered model needs one
    body["name"] = "case-created"
    world.fresh("case-created")
    world.register(body)
    assert world.http.post(line["request"]["path"], json=body).status_code == 200
    found = world.settled("case-created")
    assert found["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}
    contains(found, (line["response"] or {}).get("then_GETcontains", {}))
    percentages = [int(route["traffic_percentage"]) for route in body["config"].get("traffic_config", {"routes": []})["routes"]]
    if percentages:
        assert [route["traffic_percentage"] for route in found["config"]["traffic_config"]["routes"]] == percentages
    world.fresh("case-created")


def _line_gets(world: World, line: Json) -> None:
    world.have("case-got")
    expected = json.loads(json.dumps(line["response"]))
    expected["state"]["config_update"] = expected["state"].pop("update_state")  # an error of the documentation
    contains(world.settled("case-got"), shape(expected))
    world.fresh("case-got")


def _line_changes(world: World, line: Json) -> None:
    world.have("test")
    method, path = line["request"]["method"], line["request"]["path"]
    said = world.http.request(method, re.sub(r"(?<=serving-endpoints/)[^/]+", "test", path), json=line["request"]["body"])
    assert said.status_code == 200, said.text
    expected = line["response"]
    if "GET_telemetry_config" in expected:
        contains(world.settled("test")["telemetry_config"], json.loads(json.dumps(expected["GET_telemetry_config"])))
    else:
        assert said.json() == expected
    world.fresh("test")


def _line_updates(world: World, line: Json) -> None:
    world.have("ep")
    world.register(line["request"]["body"])
    assert world.http.put(line["request"]["path"], json=line["request"]["body"]).status_code == 200
    assert world.settled("ep")["config"]["config_version"] == 2
    conflict = [world.http.put(line["request"]["path"], json=line["request"]["body"]) for _ in range(2)]
    assert {said.status_code for said in conflict} <= {200, 409}
    world.fresh("ep")


def _line_permits(world: World, line: Json) -> None:
    id_ = world.have("case-permitted")
    said = world.http.put(line["request"]["path"].replace("[ENDPOINT_ID_1]", id_), json=line["request"]["body"])
    assert said.status_code == 200, said.text
    contains(said.json(), {"object_id": f"/serving-endpoints/{id_}", "object_type": "serving-endpoint"})
    by_name = world.http.put(line["request"]["path"].replace("[ENDPOINT_ID_1]", "case-permitted"), json=line["request"]["body"])
    assert by_name.status_code == 404
    world.fresh("case-permitted")


def _line_refuses(world: World, line: Json) -> None:
    request, response = line["request"], line["response"]
    body = request.get("body", {})
    if line["kind"] == "error_already_exists":
        world.have(body["name"])
    said = world.http.request(request["method"], request["path"], json=body)
    assert said.status_code == response["status"]
    expected = response["body"]
    assert {key: said.json().get(key) for key in ("error_code", "message")} == {key: expected[key] for key in ("error_code", "message")}
    if line["kind"] == "error_already_exists":
        world.fresh(body["name"])


def _line_conflicts(world: World, line: Json) -> None:
    world.fresh("X")
    body = {"name": "X", "config": {"served_entities": [{"entity_name": "c.s.m", "entity_version": "1"}]}}
    world.register(body)
    world.http.post(P, json=body)
    said = world.http.put(line["request"]["path"], json=body["config"])
    assert (said.status_code, said.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
    assert line["response"]["body"]["message"].strip(". ") in said.json()["message"]
    world.fresh("X")


def _line_logs(world: World, line: Json) -> None:
    text = line["response"]["body_text"]
    body = json.loads(text)
    if line["kind"] == "mlflow_predict_wire":
        from mlflow.deployments import get_deploy_client

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DATABRICKS_HOST", str(world.http.base_url))
            patch.setenv("DATABRICKS_TOKEN", "t0ken")
            with pytest.raises(Exception, match="400"):  # the model has other columns; what travels is what counts
                get_deploy_client("databricks").predict(endpoint="cases", inputs=body)
    else:
        options = {**body}
        if "dataframe_split" in body:
            options["dataframe_split"] = DataframeSplitInput.from_dict(body["dataframe_split"])
        try:
            world.workspace.sdk.serving_endpoints.query("cases", **options)
        except Exception as error:  # noqa: BLE001 - the same: an é is no number
            assert "compatible with model signature" in str(error)  # noqa: PT017 - only one of the lines is refused
    assert text in [row["request"] for row in world.workspace.rows("main.logs.cases_payload")]


HANDLERS: dict[str, Callable[[World, Json], None]] = {
    "create_endpoint": _line_creates,
    "create_endpoint_traffic_split": _line_creates,
    "telemetry_create": _line_creates,
    "get_endpoint": _line_gets,
    "put_ai_gateway": _line_changes,
    "put_rate_limits": _line_changes,
    "patch_tags": _line_changes,
    "telemetry_patch": _line_changes,
    "update_config": _line_updates,
    "permissions": _line_permits,
    "error_not_found_get": _line_refuses,
    "error_not_found_invoke": _line_refuses,
    "error_already_exists": _line_refuses,
    "error_update_conflict": _line_conflicts,
    "sdk_query_wire": _line_logs,
    "mlflow_predict_wire": _line_logs,
}
# Lines that are no test here, by kind or by the beginning of it.
ELSEWHERE = {
    "update_config_response": "the answer of an endpoint with an external model; those are not emulated",
    "error_workload": "GPU workloads are not emulated: 501, where the platform says 400 to some and starts others",
    "error_rate_limit": "foundation models; limits of custom models: test_serving_control_limits.py",
    "error_fm_wrong_format": "foundation models are not emulated",
    "openapi": "of a model the documentation does not show; the shape: test_openapi_tells_the_types",
    "data_plane_wire": "needs the identity service: tests/identity/test_identity_data_plane.py",
    "oauth_route_optimized_token": "the same",
    "inference_row": "rows of agents, of the legacy table, and of answers with `databricks_output`, which ours have not",
    "predictions_to_json_metadata": "MLflow's own function, which our model servers call; without metadata",
    "unpack_notebook": "what a reader of the table does: packages/monitoring-unpacker",
    "ai_query": "tests/ai_query",
}


def _shared() -> list[ParameterSet]:
    numbered = list(enumerate(_lines(SHARED), 1))
    tried = [(number, line) for number, line in numbered if not line["kind"].startswith(tuple(ELSEWHERE))]
    return [pytest.param(line, id=f"{line['kind']}-{number}") for number, line in tried]


@pytest.mark.parametrize("line", _shared())
def test_line_of_the_contract(world: World, line: Json) -> None:
    """What the platform was seen to do, or is documented to do."""
    HANDLERS.get(line["kind"], _line_invokes)(world, line)


def test_every_line_is_a_test_or_has_a_reason() -> None:
    """No kind of line is overlooked."""
    kinds = {line["kind"] for line in _lines(SHARED)}
    known = (*HANDLERS, *ELSEWHERE, "invoke_")
    assert [kind for kind in sorted(kinds) if not kind.startswith(known)] == []
