from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from databricks.sdk.service.serving import (
    AiGatewayConfig,
    AiGatewayInferenceTableConfig,
    EndpointCoreConfigOutput,
    Route,
    ServedEntityInput,
    ServedEntityOutput,
    TrafficConfig,
)


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """What an endpoint shall serve: one version of one registered model, with its inference table.

    The endpoint is not route-optimized: since 2025-09-22 such endpoints answer only on their own data-plane URL with
    OAuth, so neither `ai_query` nor a query through the workspace URL would reach them.
    """

    endpoint: str
    model: str
    version: str
    catalog: str
    schema: str
    workload_size: str = "Medium"
    scale_to_zero: bool = True

    @property
    def entity_name(self) -> str:
        """The served entity's name, formed as the platform forms its default: last part of the model's name, version."""
        return f"{self.model.rsplit('.', maxsplit=1)[-1]}-{self.version}"

    @property
    def entity(self) -> ServedEntityInput:
        """The served entity to ask for."""
        return ServedEntityInput(
            name=self.entity_name,
            entity_name=self.model,
            entity_version=self.version,
            workload_size=self.workload_size,
            scale_to_zero_enabled=self.scale_to_zero,
        )

    @property
    def inference_table(self) -> AiGatewayInferenceTableConfig:
        """Log every request to `{catalog}.{schema}.{endpoint}_payload`."""
        return AiGatewayInferenceTableConfig(
            catalog_name=self.catalog,
            schema_name=self.schema,
            table_name_prefix=self.endpoint,
            enabled=True,
        )


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """The part of an endpoint's configuration that an update replaces: entities, and traffic in percent by entity name."""

    entities: tuple[ServedEntityInput, ...]
    traffic: Mapping[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the served entities."""
        return tuple(entity.name or "" for entity in self.entities)

    @property
    def traffic_config(self) -> TrafficConfig:
        """The routes to ask for, one for each entity."""
        return TrafficConfig(routes=[Route(served_entity_name=name, traffic_percentage=self.traffic.get(name, 0)) for name in self.names])

    def matches(self, other: "EndpointConfig") -> bool:
        """Whether both serve the same entities at the same sizes with the same traffic, in any order."""
        return _by_name(self.entities) == _by_name(other.entities) and _positive(self.traffic) == _positive(other.traffic)


def current(config: EndpointCoreConfigOutput | None) -> EndpointConfig:
    """Return what an endpoint serves now; nothing when its creation never finished."""
    if config is None:
        return EndpointConfig((), {})
    routes = (config.traffic_config.routes if config.traffic_config else None) or []
    traffic = {route.served_entity_name or route.served_model_name or "": int(route.traffic_percentage) for route in routes}
    return EndpointConfig(tuple(_as_input(entity) for entity in config.served_entities or []), traffic)


def target(plan: DeploymentPlan) -> EndpointConfig:
    """Return the end: the planned entity alone with all traffic."""
    return EndpointConfig((plan.entity,), {plan.entity_name: 100})


def beside(config: EndpointConfig, plan: DeploymentPlan) -> EndpointConfig:
    """Return `config` with the planned entity loaded too, at 0 % traffic."""
    return EndpointConfig((*_others(config.entities, plan), plan.entity), {**config.traffic, plan.entity_name: 0})


def shifted(config: EndpointConfig, plan: DeploymentPlan) -> EndpointConfig:
    """Return `config` with all traffic on the planned entity; the others stay loaded for a way back."""
    return EndpointConfig(config.entities, {name: 100 if name == plan.entity_name else 0 for name in config.names})


def restored(config: EndpointConfig, plan: DeploymentPlan, *, champion: str | None) -> EndpointConfig:
    """Return `config` without the planned entity: what served before.

    When an earlier run died after it had moved the traffic, all of it goes back to the Champion's entity, or to the
    last one listed.
    """
    entities = tuple(_others(config.entities, plan))
    names = [entity.name or "" for entity in entities]
    traffic = {name: config.traffic.get(name, 0) for name in names}
    if entities and sum(traffic.values()) != 100:
        champions = [entity.name or "" for entity in entities if entity.entity_version == champion]
        back_to = (champions or names)[-1]
        traffic = {name: 100 if name == back_to else 0 for name in names}
    return EndpointConfig(entities, traffic)


def sole_version(config: EndpointConfig, model: str) -> str | None:
    """Return the version of `model` that gets all the traffic; None when no single one does."""
    full = [entity for entity in config.entities if config.traffic.get(entity.name or "", 0) == 100]
    return full[0].entity_version if len(full) == 1 and full[0].entity_name == model else None


def logs_to(gateway: AiGatewayConfig | None, plan: DeploymentPlan) -> bool:
    """Whether the endpoint's inference table is already the planned one."""
    table = gateway.inference_table_config if gateway else None
    return table is not None and table.as_dict() == plan.inference_table.as_dict()


def request_rows(body: Mapping[str, Any]) -> int | None:
    """Return how many rows a request body asks to score; None for tensors and other forms without rows."""
    split = body.get("dataframe_split")
    if isinstance(split, Mapping):
        return len(split.get("data", []))
    for key in ("dataframe_records", "instances", "inputs"):
        rows = body.get(key)
        if isinstance(rows, list):
            return len(rows)
        if isinstance(rows, Mapping):
            return next((len(column) for column in rows.values() if isinstance(column, list)), None)
    return None


def fault_in(answer: Mapping[str, Any], body: Mapping[str, Any]) -> str | None:
    """Return why `answer` is no usable answer to `body`; None when it is."""
    predictions = answer.get("predictions")
    if predictions is None:
        return f"the answer has no 'predictions', only {sorted(answer)}"
    if not isinstance(predictions, list):
        return None
    rows = request_rows(body)
    if rows is not None and len(predictions) != rows:
        return f"expected {rows} predictions, got {len(predictions)}"
    unusable = [index for index, value in enumerate(predictions) if value is None or value != value or value in _INFINITE]  # noqa: PLR0124 - NaN
    return f"prediction {unusable[0]} is {predictions[unusable[0]]}" if unusable else None


_INFINITE = (float("inf"), float("-inf"))


def _others(entities: Sequence[ServedEntityInput], plan: DeploymentPlan) -> list[ServedEntityInput]:
    return [entity for entity in entities if entity.name != plan.entity_name]


def _as_input(entity: ServedEntityOutput) -> ServedEntityInput:
    """Return what to send so that an update leaves this entity as it is."""
    concurrency = entity.workload_size is None  # the platform refuses both ways of sizing together
    return ServedEntityInput(
        name=entity.name,
        entity_name=entity.entity_name,
        entity_version=entity.entity_version,
        workload_size=entity.workload_size,
        workload_type=entity.workload_type,
        scale_to_zero_enabled=entity.scale_to_zero_enabled,
        environment_vars=entity.environment_vars,
        instance_profile_arn=entity.instance_profile_arn,
        min_provisioned_concurrency=entity.min_provisioned_concurrency if concurrency else None,
        max_provisioned_concurrency=entity.max_provisioned_concurrency if concurrency else None,
    )


def _by_name(entities: Sequence[ServedEntityInput]) -> dict[str | None, tuple[object, ...]]:
    return {
        entity.name: (entity.entity_name, entity.entity_version, entity.workload_size, bool(entity.scale_to_zero_enabled))
        for entity in entities
    }


def _positive(traffic: Mapping[str, int]) -> dict[str, int]:
    return {name: share for name, share in traffic.items() if share}
