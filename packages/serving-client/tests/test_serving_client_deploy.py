"""Deployments against an endpoint that behaves as the platform's does, without a network."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    EndpointCoreConfigOutput,
    EndpointPendingConfig,
    EndpointState,
    EndpointStateConfigUpdate,
    ServedEntityOutput,
    ServedModelState,
    ServedModelStateDeployment,
    ServingEndpointDetailed,
    TrafficConfig,
)

from serving_client import Deployer, DeploymentPlan, Retry, ServingError, VerificationFailed, Waiting
from serving_client.plan import current

MODEL, ENDPOINT = "main.shop.returns", "shop_returns"
EXAMPLE = {"dataframe_records": [{"price": 1.0}, {"price": 2.0}]}


class Died(BaseException):
    """The process ends here."""


@dataclass
class FakePlatform:
    """`workspace.serving_endpoints`, `workspace.api_client` and the aliases, in memory; an update takes two looks."""

    answers: dict[str, Any] = field(default_factory=dict)
    fails_to_load: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    dies_after: int | None = None
    endpoint: ServingEndpointDetailed | None = None
    pending: EndpointCoreConfigOutput | None = None
    looks: int = 0
    never_ends: bool = False
    may_look: bool = True

    # serving_endpoints
    def get(self, name: str) -> ServingEndpointDetailed:
        if not self.may_look:
            raise PermissionDenied("no CAN_VIEW")
        if self.endpoint is None:
            raise NotFound(f"Endpoint with name '{name}' does not exist.")
        self._advance()
        return self.endpoint

    def create(self, **asked: Any) -> None:
        self._call("create")
        self.endpoint = ServingEndpointDetailed(name=asked["name"], ai_gateway=asked["ai_gateway"])
        self.endpoint.route_optimized = asked["route_optimized"]
        self._begin(asked["config"].served_entities, asked["config"].traffic_config)

    def update_config(self, _name: str, *, served_entities: list[Any], traffic_config: TrafficConfig) -> None:
        shares = {route.served_entity_name: route.traffic_percentage for route in traffic_config.routes or []}
        self._call(f"update {shares}")
        self._begin(served_entities, traffic_config)

    def put_ai_gateway(self, _name: str, **asked: Any) -> None:
        self._call("put_ai_gateway")
        assert self.endpoint is not None
        self.endpoint.ai_gateway = AiGatewayConfig(**{key: value for key, value in asked.items() if value is not None})

    # api_client
    def do(self, _method: str, path: str, *, body: dict[str, Any]) -> Any:
        assert self.endpoint is not None
        assert {name: value for name, value in body.items() if name != "client_request_id"} == EXAMPLE
        assert body["client_request_id"].startswith("deployment-check")
        served = path.split("/served-models/")[1].split("/", maxsplit=1)[0] if "/served-models/" in path else "traffic"
        self._call(f"query {served}")
        if served == "traffic" and served not in self.answers:
            shares = current(self.endpoint.config).traffic
            served = max(shares, key=lambda name: shares[name])
        answer = self.answers.get(served, {"predictions": [1.0, 2.0]})
        if isinstance(answer, Exception):
            raise answer
        return answer

    # registry
    def get_registered_model(self, _name: str) -> SimpleNamespace:
        return SimpleNamespace(aliases=dict(self.aliases))

    def set_registered_model_alias(self, _name: str, alias: str, version: str) -> None:
        self._call(f"alias {alias} {version}")
        self.aliases[alias] = version

    def delete_registered_model_alias(self, _name: str, alias: str) -> None:
        self._call(f"no alias {alias}")
        del self.aliases[alias]

    def _call(self, name: str) -> None:
        if self.dies_after is not None and len(self.calls) >= self.dies_after:
            raise Died
        self.calls.append(name)

    def _begin(self, entities: list[Any], traffic: TrafficConfig) -> None:
        assert self.endpoint is not None
        ready = ServedModelState(deployment=ServedModelStateDeployment.DEPLOYMENT_READY)
        names = ("name", "entity_name", "entity_version", "workload_size", "scale_to_zero_enabled")
        outputs = [ServedEntityOutput(**{name: getattr(entity, name) for name in names}, state=ready) for entity in entities]
        self.pending = EndpointCoreConfigOutput(served_entities=outputs, traffic_config=traffic)
        self.endpoint.pending_config = EndpointPendingConfig(served_entities=outputs)
        self.endpoint.state = EndpointState(config_update=EndpointStateConfigUpdate.IN_PROGRESS)
        self.looks = 0

    def _advance(self) -> None:
        if self.pending is None or self.endpoint is None or self.never_ends:
            return
        self.looks += 1
        if self.looks < 2:
            return
        loaded = {entity.name for entity in self.pending.served_entities or []}
        failed = bool(loaded & self.fails_to_load)
        if not failed:
            self.endpoint.config = self.pending
        ended = EndpointStateConfigUpdate.UPDATE_FAILED if failed else EndpointStateConfigUpdate.NOT_UPDATING
        self.endpoint.state = EndpointState(config_update=ended)
        self.pending = self.endpoint.pending_config = None


def deployer(platform: FakePlatform, report: Callable[[str], None] = lambda _line: None) -> Deployer:
    """A deployer whose time passes only when it sleeps."""
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    return Deployer(
        workspace=cast("WorkspaceClient", SimpleNamespace(serving_endpoints=platform, api_client=platform)),
        registry=platform,
        progress=report,
        waiting=Waiting(timeout=timedelta(minutes=5), sleep=sleep, now=lambda: clock[0]),
        retry=Retry(sleep=sleep),
    )


def plan(version: str, **changes: Any) -> DeploymentPlan:
    """A version of the model behind the endpoint."""
    return DeploymentPlan(endpoint=ENDPOINT, model=MODEL, version=version, catalog="main", schema="shop", **changes)


def serving(platform: FakePlatform) -> dict[str, int]:
    """What the endpoint serves, with its share of the traffic."""
    config = current(platform.get(ENDPOINT).config)
    return {name: config.traffic[name] for name in config.names}


@pytest.fixture
def platform() -> FakePlatform:
    """A platform on which version 1 was deployed."""
    platform = FakePlatform(aliases={"Challenger": "1"})
    deployer(platform).deploy(plan("1"), EXAMPLE)
    platform.calls.clear()
    return platform


def test_first_deployment_verifies_before_it_names_a_champion() -> None:
    """A missing endpoint is created with its inference table, asked, and only then is its version the Champion."""
    platform = FakePlatform(aliases={"Challenger": "1"})
    deployer(platform).deploy(plan("1"), EXAMPLE)
    assert platform.calls == ["create", "query returns-1", "query traffic", "alias Champion 1", "no alias Challenger"]
    assert platform.endpoint is not None
    assert platform.endpoint.route_optimized is False
    assert platform.endpoint.ai_gateway == AiGatewayConfig(inference_table_config=plan("1").inference_table)


def test_new_version_answers_before_it_gets_traffic(platform: FakePlatform) -> None:
    """The second version loads at 0 %, is asked by its own name, then gets the traffic, then stands alone."""
    deployer(platform).deploy(plan("2"), EXAMPLE)
    assert platform.calls == [
        "update {'returns-1': 100, 'returns-2': 0}",
        "query returns-2",
        "update {'returns-1': 0, 'returns-2': 100}",
        "query traffic",
        "update {'returns-2': 100}",
        "alias Champion 2",
    ]


def test_deploying_what_serves_changes_nothing(platform: FakePlatform) -> None:
    """A second run asks the endpoint again and changes neither it nor the aliases."""
    deployer(platform).deploy(plan("1"), EXAMPLE)
    assert platform.calls == ["query returns-1", "query traffic"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(BadRequest("Model is missing inputs ['weight']"), id="refuses the request"),
        pytest.param({"predictions": [1.0]}, id="too few predictions"),
        pytest.param({"predictions": [1.0, float("nan")]}, id="NaN"),
        pytest.param({"predictions": [1.0, None]}, id="null"),
        pytest.param({"outputs": []}, id="no predictions"),
    ],
)
def test_bad_answer_never_gets_traffic(platform: FakePlatform, answer: object) -> None:
    """A version that does not answer well is unloaded again and the Champion stays."""
    platform.answers["returns-2"] = answer
    with pytest.raises(VerificationFailed, match="version 2"):
        deployer(platform).deploy(plan("2"), EXAMPLE)
    assert serving(platform) == {"returns-1": 100}
    assert platform.aliases["Champion"] == "1"
    assert not [call for call in platform.calls if "'returns-2': 100" in call]


def test_version_that_does_not_load_leaves_the_old_one(platform: FakePlatform) -> None:
    """A failed update names the version; the endpoint goes on as before."""
    platform.fails_to_load.add("returns-2")
    with pytest.raises(ServingError, match="UPDATE_FAILED"):
        deployer(platform).deploy(plan("2"), EXAMPLE)
    assert serving(platform) == {"returns-1": 100}


def test_failure_after_the_move_brings_the_old_version_back(platform: FakePlatform) -> None:
    """When the endpoint fails its check under traffic, all traffic goes back."""
    platform.answers["traffic"] = PermissionDenied("no CAN_QUERY")
    with pytest.raises(VerificationFailed, match="no CAN_QUERY"):
        deployer(platform).deploy(plan("2"), EXAMPLE)
    assert serving(platform) == {"returns-1": 100}


def test_update_without_an_end_is_given_up(platform: FakePlatform) -> None:
    """An update that does not end within the time-out is an error that says what was waited for."""
    platform.never_ends = True
    with pytest.raises(ServingError, match=r"shop_returns: could not restore returns-1 in 0:05:00"):
        deployer(platform).deploy(plan("2"), EXAMPLE)


def test_other_errors_than_not_found_are_not_a_missing_endpoint(platform: FakePlatform) -> None:
    """No permission to look is no reason to create."""
    platform.may_look = False
    with pytest.raises(PermissionDenied):
        deployer(platform).deploy(plan("2"), EXAMPLE)
    assert platform.calls == []


@pytest.mark.parametrize("steps", range(7))
def test_run_that_died_is_finished_by_the_next(platform: FakePlatform, steps: int) -> None:
    """Wherever a deployment dies, running it again ends in the same state."""
    platform.aliases["Challenger"] = "2"
    platform.dies_after = steps
    with pytest.raises(Died):
        deployer(platform).deploy(plan("2"), EXAMPLE)
    platform.dies_after = None
    deployer(platform).deploy(plan("2"), EXAMPLE)
    assert serving(platform) == {"returns-2": 100}
    assert platform.aliases == {"Champion": "2"}


def test_failure_in_the_second_run_still_finds_the_way_back(platform: FakePlatform) -> None:
    """When a run died after the move, a failing second run gives the traffic to the Champion's version."""
    platform.dies_after = 4
    with pytest.raises(Died):
        deployer(platform).deploy(plan("2"), EXAMPLE)
    platform.dies_after = None
    platform.answers["returns-2"] = {"predictions": []}
    with pytest.raises(VerificationFailed):
        deployer(platform).deploy(plan("2"), EXAMPLE)
    assert serving(platform) == {"returns-1": 100}


def test_other_size_of_the_same_version_is_an_update(platform: FakePlatform) -> None:
    """A changed workload size reaches the endpoint."""
    deployer(platform).deploy(plan("1", workload_size="Small"), EXAMPLE)
    config = platform.get(ENDPOINT).config
    assert config is not None
    assert [entity.workload_size for entity in config.served_entities or []] == ["Small"]


def test_missing_inference_table_is_switched_on(platform: FakePlatform) -> None:
    """An endpoint whose requests are not logged gets its inference table."""
    assert platform.endpoint is not None
    platform.endpoint.ai_gateway = None
    deployer(platform).deploy(plan("1"), EXAMPLE)
    assert platform.calls[0] == "put_ai_gateway"
    assert platform.endpoint.ai_gateway == AiGatewayConfig(inference_table_config=plan("1").inference_table)
