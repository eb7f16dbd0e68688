from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from databricks.sdk.errors import NotFound, ResourceConflict
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    EndpointCoreConfigInput,
    EndpointStateConfigUpdate,
    EndpointTag,
    ServedEntityOutput,
    ServedModelStateDeployment,
    ServingEndpointDetailed,
)

from serving_client.errors import ServingError
from serving_client.plan import DeploymentPlan, EndpointConfig, current, logs_to
from serving_client.retry import TRANSIENT
from serving_client.waiting import Waiting

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_ENDED_BADLY = (EndpointStateConfigUpdate.UPDATE_FAILED, EndpointStateConfigUpdate.UPDATE_CANCELED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One serving endpoint while it is changed: every change looks first, waits until it is true, and says what it does."""

    name: str
    workspace: "WorkspaceClient"
    progress: Callable[[str], None]
    waiting: Waiting = field(default_factory=Waiting)

    def find(self) -> ServingEndpointDetailed | None:
        """Return the endpoint, None when the platform says that there is none; any other error is raised."""
        try:
            return self._get()
        except NotFound:
            return None

    def settled(self) -> ServingEndpointDetailed | None:
        """Return the endpoint after an update that may be running has ended, however; None when there is none."""
        found = self.find()
        if found is None or _state(found) != EndpointStateConfigUpdate.IN_PROGRESS:
            return found
        self.progress(f"endpoint {self.name}: an update is running, wait for its end")
        return self._poll(lambda endpoint: _state(endpoint) != EndpointStateConfigUpdate.IN_PROGRESS)

    def config(self) -> EndpointConfig:
        """Return what the endpoint serves now."""
        return current(self._get().config)

    def create(self, config: EndpointConfig, *, wants: str, tags: dict[str, str] | None = None) -> None:
        """Create the endpoint and wait until it serves `config` with `wants` loaded; its requests are not logged yet."""
        self.progress(f"endpoint {self.name}: create with {', '.join(config.names)}")
        self.workspace.serving_endpoints.create(
            name=self.name,
            config=EndpointCoreConfigInput(name=self.name, served_entities=list(config.entities), traffic_config=config.traffic_config),
            route_optimized=False,
            tags=[EndpointTag(key=key, value=value) for key, value in (tags or {}).items()] or None,
        )
        self._wait(config, wants=wants)

    def update(self, config: EndpointConfig, why: str, *, wants: str) -> None:
        """Make the endpoint serve `config` and wait until `wants` is loaded; nothing happens when it does already."""
        if self.config().matches(config):
            return
        shares = ", ".join(f"{name} {config.traffic.get(name, 0)} %" for name in config.names)
        self.progress(f"endpoint {self.name}: {why} ({shares})")
        self._put(config)
        self._wait(config, wants=wants)

    def log_requests(self, plan: DeploymentPlan) -> None:
        """Switch the planned inference table on; everything else of the AI Gateway stays."""
        gateway = self._get().ai_gateway or AiGatewayConfig()
        if logs_to(gateway, plan):
            return
        self.progress(f"endpoint {self.name}: log requests to {plan.catalog}.{plan.schema}.{plan.endpoint}_payload")
        self.workspace.serving_endpoints.put_ai_gateway(  # it replaces all of the gateway: send the rest back as it is
            self.name,
            fallback_config=gateway.fallback_config,
            guardrails=gateway.guardrails,
            inference_table_config=plan.inference_table,
            rate_limits=gateway.rate_limits,
            usage_tracking_config=gateway.usage_tracking_config,
        )

    def restore(self, back: EndpointConfig, cause: Exception) -> None:
        """Make the endpoint serve `back` again, insisting until it does or the time is up."""
        self.progress(f"{cause}; restore {', '.join(back.names)}")
        last: Exception | None = None
        for _waited in self.waiting.looks():
            try:
                endpoint = self._get()
                if _state(endpoint) != EndpointStateConfigUpdate.IN_PROGRESS:
                    if current(endpoint.config).matches(back):
                        return
                    self._put(back)
            except (ResourceConflict, TimeoutError, *TRANSIENT) as error:
                last = error
                self.progress(f"endpoint {self.name}: not restored yet: {error}")
            except DatabricksError as error:
                raise ServingError(f"endpoint {self.name}: could not restore {', '.join(back.names)}: {error}") from cause
        why = f": {last}" if last else ""
        raise ServingError(f"endpoint {self.name}: could not restore {', '.join(back.names)} in {self.waiting.timeout}{why}") from cause

    def delete(self) -> None:
        """Delete the endpoint; one that is being updated, after that."""
        self.progress(f"endpoint {self.name}: delete")
        try:
            self.workspace.serving_endpoints.delete(self.name)
        except ResourceConflict:
            self.settled()
            self.workspace.serving_endpoints.delete(self.name)

    def _wait(self, config: EndpointConfig, *, wants: str) -> None:
        """Wait for the update's end; the SDK's waiter looks at the update alone, not at what is loaded."""
        endpoint = self._poll(lambda endpoint: _state(endpoint) in _ENDED_BADLY or _serves(endpoint, config, wants))
        if _state(endpoint) in _ENDED_BADLY:
            raise ServingError(f"endpoint {self.name}: the update to {wants} ended as {_state(endpoint)}: {_reasons(endpoint)}")

    def _get(self) -> ServingEndpointDetailed:
        return self.workspace.serving_endpoints.get(self.name)

    def _put(self, config: EndpointConfig) -> None:
        self.workspace.serving_endpoints.update_config(
            self.name, served_entities=list(config.entities), traffic_config=config.traffic_config
        )

    def _poll(self, done: Callable[[ServingEndpointDetailed], bool]) -> ServingEndpointDetailed:
        told = ""
        for waited in self.waiting.looks():
            try:
                endpoint = self._get()
            except (TimeoutError, *TRANSIENT) as error:  # hours of waiting do not end because one look failed
                self.progress(f"endpoint {self.name}: cannot look: {error}")
                continue
            if done(endpoint):
                return endpoint
            if (reasons := _reasons(endpoint)) != told:
                told = reasons
                self.progress(f"endpoint {self.name}: {told} ({waited:.0f} s)")
        raise ServingError(f"endpoint {self.name}: no end of the update after {self.waiting.timeout}: {told}")


def _state(endpoint: ServingEndpointDetailed) -> EndpointStateConfigUpdate | None:
    return endpoint.state.config_update if endpoint.state else None


def _serves(endpoint: ServingEndpointDetailed, config: EndpointConfig, wants: str) -> bool:
    entities = (endpoint.config.served_entities if endpoint.config else None) or []
    ready = [one.name for one in entities if one.state is None or one.state.deployment == ServedModelStateDeployment.DEPLOYMENT_READY]
    return _state(endpoint) == EndpointStateConfigUpdate.NOT_UPDATING and wants in ready and current(endpoint.config).serves(config)


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
