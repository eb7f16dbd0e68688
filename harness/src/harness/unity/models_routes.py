"""The registry as databricks-sdk speaks to it: `/api/2.1/unity-catalog/models*`, over the same store."""

import msgspec

from harness.errors import NotEmulated
from harness.http import AnyRoute, Call, Route
from harness.names import check_name
from harness.unity.registry import ModelRegistry
from harness.unity.registry_model import ModelVersion, RegisteredModel

_DOC = "https://docs.databricks.com/api/workspace"
_MODELS = "/api/2.1/unity-catalog/models"


class _CreateModel(msgspec.Struct):
    name: str
    catalog_name: str
    schema_name: str
    comment: str = ""


class _Update(msgspec.Struct):
    comment: str | None = None
    new_name: str | None = None


class _SetAlias(msgspec.Struct):
    version_num: int


def models_routes(registry: ModelRegistry) -> list[AnyRoute]:
    """Return the routes of `w.registered_models` and `w.model_versions`."""
    return [*_model_routes(registry), *_version_routes(registry)]


def _model_routes(registry: ModelRegistry) -> list[AnyRoute]:
    def create(call: Call) -> object:
        asked = call.json(_CreateModel)
        name = f"{asked.catalog_name}.{asked.schema_name}.{asked.name}"
        return _model(registry.create(name, user=call.user, description=asked.comment))

    def list_models(call: Call) -> object:
        catalog, schema = call.query.get("catalog_name", ""), call.query.get("schema_name", "")
        within = (check_name(catalog, "catalog"), check_name(schema, "schema")) if catalog else ()
        return {"registered_models": [_model(each, aliases=False) for each in registry.models(*within)]}

    def get(call: Call) -> object:
        return _model(registry.get(call.params["name"]), aliases=call.query.get("include_aliases", "false").lower() == "true")

    def update(call: Call) -> object:
        asked = call.json(_Update)
        if asked.new_name is not None:
            raise NotEmulated(f"PATCH {call.path} with new_name")
        return _model(registry.describe(call.params["name"], asked.comment or ""))

    def delete(call: Call) -> object:
        registry.delete(call.params["name"])
        return {}

    def set_alias(call: Call) -> object:
        version = str(call.json(_SetAlias).version_num)
        registry.set_alias(call.params["name"], call.params["alias"], version)
        return {"alias_name": call.params["alias"], "version_num": int(version)}

    def delete_alias(call: Call) -> object:
        registry.delete_alias(call.params["name"], call.params["alias"])
        return {}

    one, alias, doc = f"{_MODELS}/{{name}}", f"{_MODELS}/{{name}}/aliases/{{alias}}", f"{_DOC}/registeredmodels"
    return [
        Route("POST", _MODELS, create, f"{doc}/create"),
        Route("GET", _MODELS, list_models, f"{doc}/list"),
        Route("GET", one, get, f"{doc}/get"),
        Route("PATCH", one, update, f"{doc}/update"),
        Route("DELETE", one, delete, f"{doc}/delete"),
        Route("PUT", alias, set_alias, f"{doc}/setalias"),
        Route("DELETE", alias, delete_alias, f"{doc}/deletealias"),
    ]


def _version_routes(registry: ModelRegistry) -> list[AnyRoute]:
    def render(version: ModelVersion) -> object:
        return _version(version, registry.get(version.name))

    def found(call: Call) -> ModelVersion:
        return registry.version(call.params["name"], call.params["version"])

    def list_versions(call: Call) -> object:
        return {"model_versions": [render(each) for each in reversed(registry.versions(call.params["name"]))]}

    def get(call: Call) -> object:
        return render(found(call))

    def get_by_alias(call: Call) -> object:
        return render(registry.by_alias(call.params["name"], call.params["alias"]))

    def update(call: Call) -> object:
        comment = call.json(_Update).comment or ""
        return render(registry.describe_version(call.params["name"], call.params["version"], comment))

    def delete(call: Call) -> object:
        registry.delete_version(call.params["name"], call.params["version"])
        return {}

    one, doc = f"{_MODELS}/{{name}}/versions/{{version}}", f"{_DOC}/modelversions"
    answers = (
        ("GET", f"{_MODELS}/{{name}}/versions", list_versions, "list"),
        ("GET", one, get, "get"),
        ("PATCH", one, update, "update"),
        ("DELETE", one, delete, "delete"),
        ("GET", f"{_MODELS}/{{name}}/aliases/{{alias}}", get_by_alias, "getbyalias"),
    )
    return [Route(method, path, handler, f"{doc}/{operation}") for method, path, handler, operation in answers]


def _model(found: RegisteredModel, *, aliases: bool = True) -> dict[str, object]:
    catalog, schema, name = found.name.split(".")
    body: dict[str, object] = {
        "id": found.registered_model_id,
        "name": name,
        "catalog_name": catalog,
        "schema_name": schema,
        "full_name": found.name,
        "comment": found.description,
        "owner": found.user_id,
        "created_by": found.user_id,
        "created_at": found.creation_timestamp,
        "updated_at": found.last_updated_timestamp,
        "storage_location": f"/Models/{catalog}/{schema}/{name}",
    }
    return {**body, "aliases": _aliases(found)} if aliases else body


def _version(found: ModelVersion, model: RegisteredModel) -> dict[str, object]:
    catalog, schema, name = found.name.split(".")
    return {
        "id": found.version_id,
        "model_name": name,
        "catalog_name": catalog,
        "schema_name": schema,
        "version": int(found.version),
        "source": found.source,
        "run_id": found.run_id,
        "status": found.status,
        "comment": found.description,
        "created_by": found.user_id,
        "created_at": found.creation_timestamp,
        "updated_at": found.last_updated_timestamp,
        "storage_location": found.storage_location,
        "aliases": [each for each in _aliases(model) if str(each["version_num"]) == found.version],
    }


def _aliases(model: RegisteredModel) -> list[dict[str, object]]:
    return [{"alias_name": alias, "version_num": int(version)} for alias, version in model.aliases.items()]
