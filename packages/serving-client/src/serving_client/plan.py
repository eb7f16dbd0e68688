from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from databricks.sdk.service.serving import (
    AiGatewayConfig,
    AiGatewayInferenceTableConfig,
    EndpointCoreConfigOutput,
    Route,
    ServedEntityInput,
    ServedEntityOutput,
    TrafficConfig,
)

_HELPER = "-next"


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """What an endpoint shall serve: one version of one registered model, with its inference table.

    An endpoint that does not exist is created not route-optimized, because that kind answers callers on the workspace's
    URL. One that exists stays as it is, route-optimized or not.
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
    def helper(self) -> str:
        """The name of the endpoint that a version is verified on where it cannot be loaded beside what serves."""
        # Assumption: names have at most 63 characters; no document says so, other clients keep to it.
        return f"{self.endpoint[: 63 - len(_HELPER)]}{_HELPER}"

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

    def serves(self, other: "EndpointConfig") -> bool:
        """Whether this serves the same versions under the same names with the same traffic, whatever their sizes."""
        return _versions(self.entities) == _versions(other.entities) and _positive(self.traffic) == _positive(other.traffic)

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


def loaded(config: EndpointConfig, plan: DeploymentPlan) -> bool:
    """Whether the planned version is among what `config` serves, under its planned name."""
    return any(_is_planned(entity, plan) for entity in config.entities)


def alone(config: EndpointConfig, plan: DeploymentPlan) -> bool:
    """Whether the planned version serves already, and nothing else does."""
    return loaded(config, plan) and len(config.entities) == 1


def name_is_free(config: EndpointConfig, plan: DeploymentPlan) -> bool:
    """Whether no other model's version has the planned entity's name (models of one name in two schemas)."""
    return plan.entity_name not in config.names or loaded(config, plan)


def beside(config: EndpointConfig, plan: DeploymentPlan) -> EndpointConfig:
    """Return `config` with the planned entity loaded too, at 0 % traffic."""
    return EndpointConfig((*_others(config.entities, plan), plan.entity), {**config.traffic, plan.entity_name: 0})


def shifted(config: EndpointConfig, plan: DeploymentPlan) -> EndpointConfig:
    """Return `config` with all traffic on the planned entity; the others stay loaded for a way back."""
    return EndpointConfig(config.entities, {name: 100 if name == plan.entity_name else 0 for name in config.names})


def previous(config: EndpointConfig, plan: DeploymentPlan, *, champion: str | None) -> EndpointConfig:
    """Return what to restore when the deployment fails: what served before it, without the planned entity.

    Where an earlier run died after it had moved the traffic, all of it goes back to the Champion's entity, or to the
    last one listed. A split that gives the planned entity a part of the traffic was not made by a deployment: it stays.
    """
    others = tuple(_others(config.entities, plan))
    if not others or (loaded(config, plan) and 0 < config.traffic.get(plan.entity_name, 0) < 100):
        return config
    names = [entity.name or "" for entity in others]
    traffic = {name: config.traffic.get(name, 0) for name in names}
    if sum(traffic.values()) != 100:
        champions = [entity.name or "" for entity in others if (entity.entity_name, entity.entity_version) == (plan.model, champion)]
        back_to = (champions or names)[-1]
        traffic = {name: 100 if name == back_to else 0 for name in names}
    return EndpointConfig(others, traffic)


def sole_version(config: EndpointConfig, model: str) -> str | None:
    """Return the version of `model` that gets all the traffic; None when no single one does."""
    full = [entity for entity in config.entities if config.traffic.get(entity.name or "", 0) == 100]
    return full[0].entity_version if len(full) == 1 and full[0].entity_name == model else None


def logs_to(gateway: AiGatewayConfig | None, plan: DeploymentPlan) -> bool:
    """Whether the endpoint's inference table is already the planned one."""
    table = gateway.inference_table_config if gateway else None
    return table is not None and table.as_dict() == plan.inference_table.as_dict()


def _others(entities: Sequence[ServedEntityInput], plan: DeploymentPlan) -> list[ServedEntityInput]:
    return [entity for entity in entities if not _is_planned(entity, plan)]


def _is_planned(entity: ServedEntityInput, plan: DeploymentPlan) -> bool:
    return (entity.name, entity.entity_name, entity.entity_version) == (plan.entity_name, plan.model, plan.version)


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


def _versions(entities: Sequence[ServedEntityInput]) -> dict[str | None, tuple[object, ...]]:
    return {entity.name: (entity.entity_name, entity.entity_version) for entity in entities}


def _by_name(entities: Sequence[ServedEntityInput]) -> dict[str | None, tuple[object, ...]]:
    return {
        entity.name: (entity.entity_name, entity.entity_version, entity.workload_size, bool(entity.scale_to_zero_enabled))
        for entity in entities
    }


def _positive(traffic: Mapping[str, int]) -> dict[str, int]:
    return {name: share for name, share in traffic.items() if share}
