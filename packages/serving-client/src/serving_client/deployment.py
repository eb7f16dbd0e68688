import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from databricks.sdk.errors import NotFound, ResourceConflict
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    EndpointCoreConfigInput,
    EndpointStateConfigUpdate,
    ServedEntityOutput,
    ServedModelStateDeployment,
    ServingEndpointDetailed,
)

from serving_client.errors import ServingError, VerificationFailed
from serving_client.plan import DeploymentPlan, EndpointConfig, beside, current, fault_in, logs_to, restored, shifted, target
from serving_client.query import query
from serving_client.retry import Retry

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_UPDATE_ENDED_BADLY = (EndpointStateConfigUpdate.UPDATE_FAILED, EndpointStateConfigUpdate.UPDATE_CANCELED)


class Registry(Protocol):
    """The aliases of a registered model, as `MlflowClient` offers them."""

    def get_registered_model(self, name: str) -> Any:
        """Return the model; `.aliases` maps alias to version."""

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Point `alias` at `version`."""

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Remove `alias`."""


# How the `client_request_id` of a verification begins: whoever reads the inference table can tell it from a use of the model.
CHECK = "deployment-check"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long an update may take, and what time is; a container build takes ten to thirty minutes on the platform."""

    timeout: timedelta = timedelta(minutes=45)
    poll: timedelta = timedelta(seconds=0.5)
    longest_poll: timedelta = timedelta(seconds=15)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    now: Callable[[], float] = field(default=time.monotonic, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployer:
    """Carries out a `DeploymentPlan`: verify first, move traffic after, restore on failure, alias last.

    Every step looks at the endpoint before it changes it, so a run that died anywhere is finished by the next one.
    """

    workspace: "WorkspaceClient"
    registry: Registry
    progress: Callable[[str], None]
    waiting: Waiting = field(default_factory=Waiting)
    retry: Retry = field(default_factory=Retry)

    def deploy(self, plan: DeploymentPlan, example: Mapping[str, Any]) -> None:
        """Make the endpoint serve the planned version with all traffic, then call it Champion.

        Args:
            plan: what to serve.
            example: the body of a real request, sent to the version before it gets traffic and once more after.

        Raises:
            VerificationFailed: the version does not answer well; the previous configuration serves.
            ServingError: an update failed or did not end in time; the previous configuration serves.
        """
        endpoint = self._find(plan)
        if endpoint is None:
            self._create(plan)
        else:
            self._settle(plan)
            self._log_requests(plan, endpoint)
        self._move_traffic(plan, example)
        self._crown(plan)

    def _find(self, plan: DeploymentPlan) -> ServingEndpointDetailed | None:
        try:
            return self.workspace.serving_endpoints.get(plan.endpoint)
        except NotFound:
            return None

    def _create(self, plan: DeploymentPlan) -> None:
        self.progress(f"endpoint {plan.endpoint}: create with {plan.entity_name} ({plan.workload_size})")
        config = target(plan)
        self.workspace.serving_endpoints.create(
            name=plan.endpoint,
            config=EndpointCoreConfigInput(
                name=plan.endpoint,
                served_entities=list(config.entities),
                traffic_config=config.traffic_config,
            ),
            ai_gateway=AiGatewayConfig(inference_table_config=plan.inference_table),
            route_optimized=False,
        )
        self._wait(plan, wants=plan.entity_name)

    def _log_requests(self, plan: DeploymentPlan, endpoint: ServingEndpointDetailed) -> None:
        if logs_to(endpoint.ai_gateway, plan):
            return
        self.progress(f"endpoint {plan.endpoint}: log requests to {plan.catalog}.{plan.schema}.{plan.endpoint}_payload")
        gateway = endpoint.ai_gateway or AiGatewayConfig()  # put replaces all of it: send the rest back as it is
        self.workspace.serving_endpoints.put_ai_gateway(
            plan.endpoint,
            fallback_config=gateway.fallback_config,
            guardrails=gateway.guardrails,
            inference_table_config=plan.inference_table,
            rate_limits=gateway.rate_limits,
            usage_tracking_config=gateway.usage_tracking_config,
        )

    def _move_traffic(self, plan: DeploymentPlan, example: Mapping[str, Any]) -> None:
        before = self._config(plan)
        back = restored(before, plan, champion=self._champion(plan))
        try:
            if plan.entity_name not in before.names:
                self._update(plan, beside(before, plan) if before.entities else target(plan), "load the new version at 0 % traffic")
            self._verify(plan, example, served_entity=plan.entity_name)
            self._update(plan, shifted(self._config(plan), plan), "move traffic to the new version")
            self._verify(plan, example, served_entity=None)
            self._update(plan, target(plan), "unload what served before")
        except (ServingError, DatabricksError, TimeoutError) as error:
            self._restore(plan, back, error)
            raise

    def _verify(self, plan: DeploymentPlan, example: Mapping[str, Any], *, served_entity: str | None) -> None:
        where = f"endpoint {plan.endpoint}" + (f", served entity {served_entity}" if served_entity else "")
        try:
            marked = {**example, "client_request_id": f"{CHECK}-{plan.entity_name}"}
            answer = query(self.workspace, plan.endpoint, body=marked, served_entity=served_entity, retry=self.retry)
        except DatabricksError as error:
            raise VerificationFailed(f"{where}: {plan.model} version {plan.version} refused its example request: {error}") from error
        if fault := fault_in(answer, example):
            raise VerificationFailed(f"{where}: {plan.model} version {plan.version}: {fault}")
        self.progress(f"{where}: answers, predictions {str(answer['predictions'])[:80]}")

    def _update(self, plan: DeploymentPlan, config: EndpointConfig, why: str) -> None:
        if self._config(plan).matches(config):
            return
        shares = ", ".join(f"{name} {config.traffic.get(name, 0)} %" for name in config.names)
        self.progress(f"endpoint {plan.endpoint}: {why} ({shares})")
        self._put(plan, config)
        self._wait(plan, wants=plan.entity_name)

    def _put(self, plan: DeploymentPlan, config: EndpointConfig) -> None:
        self.workspace.serving_endpoints.update_config(
            plan.endpoint, served_entities=list(config.entities), traffic_config=config.traffic_config
        )

    def _restore(self, plan: DeploymentPlan, back: EndpointConfig, cause: Exception) -> None:
        if not back.entities:
            self.progress(f"{cause}; nothing served before, so nothing is restored")
            return
        self.progress(f"{cause}; restore {', '.join(back.names)}")
        deadline = self.waiting.now() + self.waiting.timeout.total_seconds()
        while not self._config(plan).matches(back) or self._updating(plan):
            try:
                if not self._updating(plan):
                    self._put(plan, back)
            except ResourceConflict:
                self.progress(f"endpoint {plan.endpoint}: the failed update still runs, restore after it")
            if self.waiting.now() >= deadline:
                raise ServingError(
                    f"endpoint {plan.endpoint}: could not restore {', '.join(back.names)} in {self.waiting.timeout}"
                ) from cause
            self.waiting.sleep(self.waiting.poll.total_seconds())

    def _settle(self, plan: DeploymentPlan) -> None:
        """Let an update that runs already come to its end, whatever that is."""
        if self._updating(plan):
            self.progress(f"endpoint {plan.endpoint}: an update is running, wait for its end")
            self._poll(plan, lambda endpoint: _state(endpoint) != EndpointStateConfigUpdate.IN_PROGRESS)

    def _wait(self, plan: DeploymentPlan, *, wants: str) -> None:
        """Wait until the update has ended and `wants` is loaded; the SDK's waiter looks at the update alone."""
        endpoint = self._poll(plan, lambda endpoint: _state(endpoint) in _UPDATE_ENDED_BADLY or _loaded(endpoint, wants))
        if _state(endpoint) in _UPDATE_ENDED_BADLY:
            raise ServingError(f"endpoint {plan.endpoint}: the update to {wants} ended as {_state(endpoint)}: {_reasons(endpoint)}")

    def _poll(self, plan: DeploymentPlan, done: Callable[[ServingEndpointDetailed], bool]) -> ServingEndpointDetailed:
        start, wait, told = self.waiting.now(), self.waiting.poll.total_seconds(), ""
        while not done(endpoint := self.workspace.serving_endpoints.get(plan.endpoint)):
            waited = self.waiting.now() - start
            if waited >= self.waiting.timeout.total_seconds():
                raise ServingError(f"endpoint {plan.endpoint}: no end of the update after {self.waiting.timeout}: {_reasons(endpoint)}")
            if (told_now := _reasons(endpoint)) != told:
                told = told_now
                self.progress(f"endpoint {plan.endpoint}: {told} ({waited:.0f} s)")
            self.waiting.sleep(wait)
            wait = min(wait * 1.5, self.waiting.longest_poll.total_seconds())
        return endpoint

    def _crown(self, plan: DeploymentPlan) -> None:
        aliases = self.registry.get_registered_model(plan.model).aliases
        if str(aliases.get("Champion")) != plan.version:
            self.registry.set_registered_model_alias(plan.model, "Champion", plan.version)
        if str(aliases.get("Challenger")) == plan.version:
            self.registry.delete_registered_model_alias(plan.model, "Challenger")
        self.progress(f"model {plan.model}: version {plan.version} is Champion")

    def _champion(self, plan: DeploymentPlan) -> str | None:
        champion = self.registry.get_registered_model(plan.model).aliases.get("Champion")
        return None if champion is None else str(champion)

    def _config(self, plan: DeploymentPlan) -> EndpointConfig:
        return current(self.workspace.serving_endpoints.get(plan.endpoint).config)

    def _updating(self, plan: DeploymentPlan) -> bool:
        return _state(self.workspace.serving_endpoints.get(plan.endpoint)) == EndpointStateConfigUpdate.IN_PROGRESS


def _state(endpoint: ServingEndpointDetailed) -> EndpointStateConfigUpdate | None:
    return endpoint.state.config_update if endpoint.state else None


def _loaded(endpoint: ServingEndpointDetailed, name: str) -> bool:
    entities = (endpoint.config.served_entities if endpoint.config else None) or []
    ready = [
        entity.name for entity in entities if entity.state is None or entity.state.deployment == ServedModelStateDeployment.DEPLOYMENT_READY
    ]
    return _state(endpoint) == EndpointStateConfigUpdate.NOT_UPDATING and name in ready


def _reasons(endpoint: ServingEndpointDetailed) -> str:
    shown = endpoint.pending_config or endpoint.config
    entities = (shown.served_entities if shown else None) or []
    told = [_told(entity) for entity in entities if entity.state]
    state = _state(endpoint)
    return "; ".join(told) or (state.value if state else "no state")


def _told(entity: ServedEntityOutput) -> str:
    state = entity.state
    parts = (entity.name, state.deployment.value if state and state.deployment else None, state.deployment_state_message if state else None)
    return " ".join(part for part in parts if part)
