"""Models and versions as JSON of `/api/2.1/unity-catalog`: mlflow's `unity_catalog_messages.proto`, and what databricks-sdk reads."""

from collections.abc import Mapping

from harness.unity.model import METASTORE_ID
from harness.unity.registry_model import ModelVersion, RegisteredModel


def model_info(found: RegisteredModel, *, listed: bool = False, aliases: bool = True) -> dict[str, object]:
    """Return a model; a listed one carries neither aliases nor tags."""
    catalog, schema, name = found.name.split(".")
    body: dict[str, object] = {
        "id": found.registered_model_id,
        "name": name,
        "catalog_name": catalog,
        "schema_name": schema,
        "full_name": found.name,
        "comment": found.description,
        "owner": found.owner or found.user_id,
        "created_by": found.user_id,
        "created_at": found.creation_timestamp,
        "updated_at": found.last_updated_timestamp,
        "storage_location": f"/Models/{catalog}/{schema}/{name}",
        "metastore_id": METASTORE_ID,
    }
    if listed:
        return body
    shown = {**body, "tags": _pairs(found.tags)}
    return {**shown, "aliases": _aliases(found)} if aliases else shown


def version_info(found: ModelVersion, model: RegisteredModel | None = None, *, listed: bool = False) -> dict[str, object]:
    """Return a version, with the aliases that its `model` gives it; a listed one carries neither aliases nor tags."""
    catalog, schema, name = found.name.split(".")
    body: dict[str, object] = {
        "id": found.version_id,
        "model_name": name,
        "catalog_name": catalog,
        "schema_name": schema,
        "version": int(found.version),
        "source": found.source,
        "run_id": found.run_id,
        "model_id": found.model_id,
        "status": found.status,
        "comment": found.description,
        "created_by": found.user_id,
        "created_at": found.creation_timestamp,
        "updated_at": found.last_updated_timestamp,
        "storage_location": found.storage_location,
        "metastore_id": METASTORE_ID,
    }
    if found.run_tracking_server_id.isdecimal():
        body["run_workspace_id"] = int(found.run_tracking_server_id)
    if listed:
        return body
    shown = {**body, "tags": _pairs(found.tags)}
    if model is None:
        return shown
    return {**shown, "aliases": [each for each in _aliases(model) if str(each["version_num"]) == found.version]}


def _aliases(model: RegisteredModel) -> list[dict[str, object]]:
    return [{"alias_name": alias, "version_num": int(version)} for alias, version in model.aliases.items()]


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
