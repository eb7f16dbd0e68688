"""Endpoints as the API shows them."""

import re
from collections.abc import Callable

import msgspec

from harness.serving.model import Config, Endpoint, EntityState, ServedEntity

_APPLICATION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Assumption: what the entities of a stopped endpoint say is not documented.
STOPPED = EntityState("DEPLOYMENT_ABORTED", "The endpoint is stopped.")
StateOf = Callable[[ServedEntity], EntityState]
Json = dict[str, object]


def is_ready(endpoint: Endpoint, state_of: StateOf) -> bool:
    """Return whether every entity that the endpoint serves has a process that answers."""
    config = None if endpoint.stopped else endpoint.config
    return config is not None and all(state_of(entity).deployment == "DEPLOYMENT_READY" for entity in config.entities)


def detailed(endpoint: Endpoint, state_of: StateOf) -> Json:
    """Return the answer to GET /api/2.0/serving-endpoints/{name}."""
    shown: Json = {**_common(endpoint, state_of), "permission_level": "CAN_MANAGE", "route_optimized": endpoint.route_optimized}
    if endpoint.config is not None:
        shown["config"] = _config(endpoint.config, (lambda _: STOPPED) if endpoint.stopped else state_of)
    if endpoint.pending is not None:
        shown["pending_config"] = {
            **_config(endpoint.pending, lambda e: endpoint.outcome.get(e.id) or state_of(e)),
            "start_time": endpoint.pending.start_time,
        }
    return shown


def summary(endpoint: Endpoint, state_of: StateOf) -> Json:
    """Return the endpoint's item in the list of endpoints."""
    shown = _common(endpoint, state_of)
    config = endpoint.config or endpoint.pending
    if config is not None:
        keys = ("name", "entity_name", "entity_version")
        shown["config"] = {"served_entities": [{key: getattr(entity, key) for key in keys} for entity in config.entities]}
    return shown


def _common(endpoint: Endpoint, state_of: StateOf) -> Json:
    shown: Json = {
        "id": endpoint.id,
        "name": endpoint.name,
        "creator": endpoint.creator,
        **_creator(endpoint.creator),
        "creation_timestamp": endpoint.creation_timestamp,
        "last_updated_timestamp": endpoint.last_updated_timestamp,
        "description": endpoint.description,
        "state": {"ready": "READY" if is_ready(endpoint, state_of) else "NOT_READY", "config_update": endpoint.config_update},
    }
    if endpoint.config is not None or endpoint.pending is not None:
        shown["endpoint_type"] = "CUSTOM_MODEL"
    if endpoint.tags:
        shown["tags"] = msgspec.to_builtins(endpoint.tags)
    for key in ("ai_gateway", "email_notifications", "telemetry_config"):
        value = getattr(endpoint, key)
        if value is not None:
            shown[key] = msgspec.to_builtins(value)
    return shown


def _creator(name: str) -> Json:
    # Real answers carry these, and `endpoint_type`, beside what the official client reads: docstrings of MLflow's deployment client.
    # Assumption: the value for custom models; that service principals are named by their application id is documented.
    service_principal = _APPLICATION_ID.fullmatch(name) is not None
    return {"creator_kind": "ServicePrincipal" if service_principal else "User", "creator_display_name": name.partition("@")[0]}


def _config(config: Config, state_of: StateOf) -> Json:
    routes = [
        {"served_entity_name": r.served_entity_name, "served_model_name": r.served_entity_name, "traffic_percentage": r.traffic_percentage}
        for r in config.routes
    ]
    entities = [_entity(entity, state_of(entity)) for entity in config.entities]
    # Both vocabularies, mirrored: clients read either (`served_entities or served_models`).
    models = [{**entity, "model_name": entity["entity_name"], "model_version": entity["entity_version"]} for entity in entities]
    older = [{key: value for key, value in model.items() if not key.startswith("entity_")} for model in models]
    return {"config_version": config.version, "served_entities": entities, "served_models": older, "traffic_config": {"routes": routes}}


def _entity(entity: ServedEntity, state: EntityState) -> Json:
    hidden = ("id", "environment_vars")
    shown: Json = {
        name: getattr(entity, name) for name in entity.__struct_fields__ if name not in hidden and getattr(entity, name) is not None
    }
    if entity.environment_vars:
        shown["environment_vars"] = entity.environment_vars
    return {**shown, "state": msgspec.to_builtins(state)}
