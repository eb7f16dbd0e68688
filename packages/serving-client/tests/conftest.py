"""A platform in memory: endpoints, their versions' answers, aliases; it notes every breach of the rules of a deployment."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar, cast

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, ResourceConflict
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    DataPlaneInfo,
    EndpointCoreConfigOutput,
    EndpointPendingConfig,
    EndpointState,
    EndpointStateConfigUpdate,
    ModelDataPlaneInfo,
    ServedEntityOutput,
    ServedModelState,
    ServedModelStateDeployment,
    ServingEndpointDetailed,
    TrafficConfig,
)

from serving_client import Deployer, DeploymentPlan, Retry, Waiting, Watch
from serving_client.plan import current

MODEL, ENDPOINT = "main.shop.returns", "shop_returns"
READY = ServedModelState(deployment=ServedModelStateDeployment.DEPLOYMENT_READY)
_ENTITY = ("name", "entity_name", "entity_version", "workload_size", "scale_to_zero_enabled")


Result = TypeVar("Result")


class Died(BaseException):
    """The process ends here."""


@dataclass
class FakePlatform:
    """`workspace` and the registry's aliases; an update takes two looks.

    `fault` may raise before any call, by its name. The process dies before call number `dies_before`, or when call number
    `dies_after` has taken effect; all calls count, reading ones too.
    """

    Died: ClassVar[type[BaseException]] = Died
    answers: dict[str, Any] = field(default_factory=dict)
    fails_to_load: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    most_entities: int = 10
    never_ends: bool = False
    fault: Callable[[str], None] = lambda _call: None
    dies_before: int | None = None
    dies_after: int | None = None
    calls: list[str] = field(default_factory=list)
    count: int = 0
    endpoints: dict[str, ServingEndpointDetailed] = field(default_factory=dict)
    pending: dict[str, tuple[EndpointCoreConfigOutput, list[int]]] = field(default_factory=dict)
    verified: set[str] = field(default_factory=set)
    breaches: list[str] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)

    # workspace
    @property
    def serving_endpoints(self) -> "FakePlatform":
        return self

    @property
    def api_client(self) -> "FakePlatform":
        return self

    @property
    def config(self) -> Any:
        return SimpleNamespace(authenticate=dict, oauth_token=lambda: None, host="https://workspace", auth_type="fake")

    # serving_endpoints
    def get(self, name: str) -> ServingEndpointDetailed:
        return self._call(f"get {name}", lambda: self._look(name), quiet=True)

    def create(self, *, name: str, config: Any, route_optimized: bool, tags: Any, ai_gateway: Any = None) -> None:
        def made() -> None:
            assert name not in self.endpoints
            self.endpoints[name] = ServingEndpointDetailed(name=name, route_optimized=route_optimized, tags=tags, ai_gateway=ai_gateway)
            self._begin(name, config.served_entities, config.traffic_config)

        self._call(f"create {name}", made)

    def update_config(self, name: str, *, served_entities: list[Any], traffic_config: TrafficConfig) -> None:
        shares = {route.served_entity_name: route.traffic_percentage for route in traffic_config.routes or []}
        self._call(f"update {shares}", lambda: self._begin(name, served_entities, traffic_config))

    def put_ai_gateway(self, name: str, **asked: Any) -> None:
        gateway = AiGatewayConfig(**{key: value for key, value in asked.items() if value is not None})
        self._call("put_ai_gateway", lambda: setattr(self.endpoints[name], "ai_gateway", gateway))

    def delete(self, name: str) -> None:
        def deleted() -> None:
            if name in self.pending:
                raise ResourceConflict("Endpoint is currently being updated")
            del self.endpoints[name]

        self._call(f"delete {name}", deleted)

    # api_client
    def do(self, _method: str, *, path: str, url: str | None, data: bytearray, headers: Any, auth: Any) -> Any:
        assert headers
        assert auth
        name, _, served = path.removeprefix("/serving-endpoints/").removesuffix("/invocations").partition("/served-models/")
        if url is None and self.endpoints[name].route_optimized:
            raise BadRequest("not supported on the workspace URL")
        return self._call(f"query {name} {served}".rstrip(), lambda: self._answer(name, served, bytes(data)))

    # registry
    def get_registered_model(self, _name: str) -> SimpleNamespace:
        return self._call("get aliases", lambda: SimpleNamespace(aliases=dict(self.aliases)), quiet=True)

    def set_registered_model_alias(self, _name: str, alias: str, version: str) -> None:
        def set_() -> None:
            traffic = current(self.endpoints[ENDPOINT].config).traffic
            if traffic.get(f"returns-{version}") != 100:
                self.breaches.append(f"{alias} is version {version} while the traffic is {traffic}")
            self.aliases[alias] = version

        self._call(f"alias {alias} {version}", set_)

    def delete_registered_model_alias(self, _name: str, alias: str) -> None:
        self._call(f"no alias {alias}", lambda: self.aliases.pop(alias))

    # what a test looks at
    def serving(self, name: str = ENDPOINT) -> dict[str, int]:
        config = current(self.endpoints[name].config)
        return {one: config.traffic.get(one, 0) for one in config.names}

    def _call(self, name: str, effect: Callable[[], Result], *, quiet: bool = False) -> Result:
        if self.dies_before is not None and self.count >= self.dies_before:
            raise Died
        self.fault(name)
        self.count += 1
        if not quiet:
            self.calls.append(name)
        try:
            return effect()
        finally:
            if self.dies_after is not None and self.count >= self.dies_after:
                self.dies_before = 0
                raise Died

    def _answer(self, name: str, served: str, data: bytes) -> Any:
        self.request_ids.append(json.loads(data)["client_request_id"])
        shares = self.serving(name)
        asked = served or max(shares, key=lambda one: shares[one])
        answer = self.answers.get("traffic" if name == ENDPOINT and not served and "traffic" in self.answers else asked)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            self.verified.add(asked)
        return {"predictions": [1.0, 2.0]} if answer is None else answer

    def _begin(self, name: str, entities: list[Any], traffic: TrafficConfig) -> None:
        if name in self.pending:
            raise ResourceConflict("Endpoint served entities are currently being updated")
        if len(entities) > self.most_entities:
            raise BadRequest(f"at most {self.most_entities} served entities")
        outputs = [ServedEntityOutput(**{field: getattr(entity, field) for field in _ENTITY}, state=READY) for entity in entities]
        self.pending[name] = (EndpointCoreConfigOutput(served_entities=outputs, traffic_config=traffic), [0])
        self.endpoints[name].pending_config = EndpointPendingConfig(served_entities=outputs)
        self.endpoints[name].state = EndpointState(config_update=EndpointStateConfigUpdate.IN_PROGRESS)

    def _look(self, name: str) -> ServingEndpointDetailed:
        if name not in self.endpoints:
            raise NotFound(f"Endpoint with name '{name}' does not exist.")
        endpoint = self.endpoints[name]
        if name in self.pending and not self.never_ends:
            config, looks = self.pending[name]
            looks[0] += 1
            if looks[0] >= 2:
                self._end(name, endpoint, config)
        return endpoint

    def _end(self, name: str, endpoint: ServingEndpointDetailed, config: EndpointCoreConfigOutput) -> None:
        failed = bool({entity.name for entity in config.served_entities or []} & self.fails_to_load)
        if not failed:
            endpoint.config = config
        ended = EndpointStateConfigUpdate.UPDATE_FAILED if failed else EndpointStateConfigUpdate.NOT_UPDATING
        endpoint.state = EndpointState(config_update=ended)
        endpoint.pending_config = None
        del self.pending[name]
        if name == ENDPOINT:
            unverified = [one for one, share in self.serving().items() if share and one not in self.verified]
            self.breaches += [f"{one} has traffic and was never verified" for one in unverified]


def make_deployer(platform: FakePlatform, report: Callable[[str], None] = lambda _line: None, kind: type[Deployer] = Deployer) -> Deployer:
    """A deployer whose time passes only when it sleeps."""
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    return kind(
        workspace=cast("WorkspaceClient", platform),
        registry=platform,
        progress=report,
        waiting=Waiting(timeout=timedelta(minutes=5), sleep=sleep, now=lambda: clock[0]),
        retry=Retry(sleep=sleep, now=lambda: clock[0]),
        watch=Watch(seconds=10, checks=2),
    )


def make_plan(version: str, **changes: Any) -> DeploymentPlan:
    """A version of the model behind the endpoint."""
    return DeploymentPlan(endpoint=ENDPOINT, model=MODEL, version=version, catalog="main", schema="shop", **changes)


EXAMPLE = {"dataframe_records": [{"price": 1.0}, {"price": 2.0}]}


@pytest.fixture
def deploy() -> Callable[..., None]:
    """Deploys a version on a platform: `deploy(platform, "2")`."""

    def deployed(platform: FakePlatform, version: str, *, kind: type[Deployer] = Deployer, **changes: Any) -> None:
        make_deployer(platform, kind=kind).deploy(make_plan(version, **changes), EXAMPLE)

    return deployed


@pytest.fixture
def make_platform(deploy: Callable[..., None]) -> Callable[..., FakePlatform]:
    """Makes a platform; on which `versions` were deployed in turn, on an endpoint that is route-optimized or not."""

    def made(*versions: str, route_optimized: bool = False, **changes: Any) -> FakePlatform:
        platform = FakePlatform(aliases={"Challenger": "1"})
        for version in versions:
            deploy(platform, version)
        if route_optimized:
            details = DataPlaneInfo(authorization_details="[]", endpoint_url="https://fast")
            platform.endpoints[ENDPOINT].route_optimized = True
            platform.endpoints[ENDPOINT].data_plane_info = ModelDataPlaneInfo(query_info=details)
        platform.calls.clear()
        platform.count = 0
        for name, value in changes.items():
            setattr(platform, name, value)
        return platform

    return made


@pytest.fixture
def platform(make_platform: Callable[..., FakePlatform]) -> FakePlatform:
    """A platform on which version 1 was deployed."""
    return make_platform("1")
