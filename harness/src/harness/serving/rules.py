"""The decisions of serving endpoints, as pure functions."""

import re
from collections.abc import Callable, Sequence

import msgspec

from harness.errors import ApiError, NotEmulated
from harness.serving.limits import checked_limits
from harness.serving.model import Config, ConfigInput, CreateEndpoint, EntityInput, Gateway, Route, RouteInput, ServedEntity, Tag, TagsPatch
from harness.serving.variables import check_variables

# Alphanumerics, dashes, underscores: docs, create-manage-serving-endpoints. Assumption: at most 63 characters (commonly enforced by tools).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
MAX_ENTITIES = 15  # docs say 10; github.com/databricks/databricks-sdk-py/issues/1496 saw 15
_CPU_TYPES = ("CPU", "CPU_MEDIUM", "CPU_LARGE")
# Small 4-4, Medium 8-16, Large 16-64 provisioned concurrency: databricks-sdk-py, ServedEntityInput. Here nothing scales: the upper end.
CONCURRENCY = {"Small": 4, "Medium": 16, "Large": 64}


def invalid(message: str) -> ApiError:
    """Return the platform's 400 (its wordings for these cases are not documented; ours name the field)."""
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def not_eligible(entity_name: str | None) -> ApiError:
    """Return the platform's 400 for provisioned throughput of what is no foundation model: databricks-sdk-py, issue 1081."""
    return invalid(f"Served entity {entity_name} is not eligible for Provisioned Throughput.")


def check_create(request: CreateEndpoint) -> None:
    """Raise unless an endpoint may have this name and these features."""
    if not _NAME.fullmatch(request.name):
        raise invalid(f"Endpoint name '{request.name}' is not valid: letters, digits, '-' and '_', at most 63 characters.")
    if request.name.startswith("databricks-"):
        raise invalid(f"Endpoint name '{request.name}' is not valid: the prefix 'databricks-' is reserved.")


def check_gateway(gateway: Gateway, endpoint: str) -> Gateway | None:
    """Return `gateway` with the platform's defaults (None for an empty one), or raise for what is missing or not for custom models."""
    for field in ("fallback_config", "guardrails"):
        if getattr(gateway, field):
            # Assumption: fallbacks and guardrails are for LLMs; what the platform answers here is not documented.
            raise invalid(f"ai_gateway.{field} is not supported for endpoints that serve custom models.")
    table = gateway.inference_table_config
    if table is not None:
        if table.enabled and not (table.catalog_name and table.schema_name):
            raise invalid("ai_gateway.inference_table_config: catalog_name and schema_name are required when enabled is true.")
        table = msgspec.structs.replace(table, table_name_prefix=table.table_name_prefix or endpoint)
    limits = checked_limits("ai_gateway.rate_limits", gateway.rate_limits)
    filled = Gateway(inference_table_config=table, usage_tracking_config=gateway.usage_tracking_config, rate_limits=limits)
    return None if filled == Gateway() else filled


def concurrency(entity: ServedEntity) -> int:
    """Return how many calls the entity evaluates side by side at most."""
    return entity.max_provisioned_concurrency or entity.min_provisioned_concurrency or CONCURRENCY[entity.workload_size or "Small"]


def new_config(
    request: ConfigInput,
    *,
    version: int,
    creator: str,
    now: int,
    new_id: Callable[[], str],
    current: Config | None = None,
) -> Config:
    """Return the configuration that `request` asks for, defaults filled in, or raise the platform's 400.

    An entity that `current` serves already, unchanged, keeps its id (and so its process).
    """
    capture = request.auto_capture_config
    if capture is not None and capture.enabled is not False:
        # Not enabled by the platform since 2026-02-20; the wording is ours. What says that it is off changes nothing.
        raise invalid("auto_capture_config can no longer be enabled; use ai_gateway.inference_table_config.")
    inputs = request.served_entities or request.served_models
    if not inputs:
        raise invalid("served_entities: at least one served entity is required.")
    if len(inputs) > MAX_ENTITIES:
        raise invalid(f"served_entities: {len(inputs)} served entities; at most {MAX_ENTITIES} are allowed.")
    entities = tuple(_entity(item, creator, now, new_id) for item in inputs)
    names = [entity.name for entity in entities]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise invalid(f"served_entities: names must be unique, got {sorted(twice)} more than once.")
    routes = _routes(request.traffic_config.routes if request.traffic_config else [], names)
    return Config(version=version, entities=tuple(_kept(entity, current) for entity in entities), routes=routes, start_time=now)


def choose(routes: Sequence[Route], point: int) -> str:
    """Return the entity that serves a request which fell on `point` (0 to 99) of the traffic."""
    reached = 0
    for route in routes:
        reached += route.traffic_percentage
        if point < reached:
            return route.served_entity_name
    raise AssertionError(f"routes do not sum to 100: {routes}")


def patched(tags: Sequence[Tag], patch: TagsPatch) -> tuple[Tag, ...]:
    """Return `tags` without those deleted, with those added or overwritten."""
    kept = {tag.key: tag for tag in tags if tag.key not in patch.delete_tags}
    return tuple({**kept, **{tag.key: tag for tag in patch.add_tags}}.values())


def _entity(item: EntityInput, creator: str, now: int, new_id: Callable[[], str]) -> ServedEntity:
    name, version = item.entity_name or item.model_name, item.entity_version or item.model_version
    for field in ("external_model", "instance_profile_arn"):
        if getattr(item, field):
            raise NotEmulated(f"served entity with {field}")
    if item.min_provisioned_throughput or item.max_provisioned_throughput or item.provisioned_model_units:
        raise not_eligible(name)
    if not name or not version:
        raise invalid("served_entities: entity_name and entity_version are required for a registered model.")
    _check_workload(item)
    check_variables(item.environment_vars)
    served_name = item.name or f"{name.rsplit('.', 1)[-1]}-{version}"
    if not _NAME.fullmatch(served_name):
        raise invalid(f"Served entity name '{served_name}' is not valid: letters, digits, '-' and '_', at most 63 characters.")
    sized = item.workload_size or (None if item.min_provisioned_concurrency is not None or item.max_provisioned_concurrency else "Small")
    return ServedEntity(
        id=new_id(),
        name=served_name,
        entity_name=name,
        entity_version=version,
        creator=creator,
        creation_timestamp=now,
        workload_size=sized,
        workload_type=item.workload_type or "CPU",
        scale_to_zero_enabled=item.scale_to_zero_enabled,
        min_provisioned_concurrency=item.min_provisioned_concurrency,
        max_provisioned_concurrency=item.max_provisioned_concurrency,
        environment_vars=item.environment_vars,
    )


def _check_workload(item: EntityInput) -> None:
    size, kind = item.workload_size, item.workload_type or "CPU"
    if kind not in _CPU_TYPES:
        # Wording: github.com/databricks-industry-solutions/hls-llm-doc-qa/issues/9, for a region without such nodes; so is the harness.
        nodes = ", ".join(_CPU_TYPES)
        raise invalid(f"Workload type '{kind}' with size '{size or 'Small'}' is not supported. Please choose a node type from {nodes}.")
    if size and size not in CONCURRENCY:
        raise invalid(f"workload_size '{size}' is not one of {', '.join(CONCURRENCY)}.")
    least, most = item.min_provisioned_concurrency, item.max_provisioned_concurrency
    if size and (least is not None or most is not None):
        raise invalid("workload_size cannot be combined with min_provisioned_concurrency or max_provisioned_concurrency.")
    if (least or 0) < 0 or (most is not None and most < max(1, least or 0)):
        raise invalid(f"provisioned concurrency must be from 0 up and max at least 1 and min, got min {least} and max {most}.")


def _routes(inputs: Sequence[RouteInput], names: Sequence[str]) -> tuple[Route, ...]:
    if not inputs:
        if len(names) > 1:
            raise invalid("traffic_config is required when there is more than one served entity.")
        return (Route(names[0], 100),)
    routes = tuple(Route(item.served_entity_name or item.served_model_name or "", item.traffic_percentage) for item in inputs)
    routed = [route.served_entity_name for route in routes]
    if sorted(routed) != sorted(names):
        raise invalid(f"traffic_config: there must be one route for each served entity; expected {sorted(names)}, got {sorted(routed)}.")
    if any(not 0 <= route.traffic_percentage <= 100 for route in routes) or sum(route.traffic_percentage for route in routes) != 100:
        raise invalid(f"traffic_config: percentages must be 0 to 100 and sum to 100, got {[route.traffic_percentage for route in routes]}.")
    return routes


def _kept(entity: ServedEntity, current: Config | None) -> ServedEntity:
    before = current.entity(entity.name) if current else None
    if before is None:
        return entity
    kept = msgspec.structs.replace(entity, id=before.id, creation_timestamp=before.creation_timestamp, creator=before.creator)
    return kept if _process(kept) == _process(before) else entity


def _process(entity: ServedEntity) -> tuple[object, ...]:
    """Return what a process is started with: whatever else changes needs no other one."""
    return entity.entity_name, entity.entity_version, entity.environment_vars, concurrency(entity)
