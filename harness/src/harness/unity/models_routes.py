"""The registry as databricks-sdk speaks to it, and mlflow where `MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY` is set.

`/api/2.1/unity-catalog/models*`, over the same store as the older dialect (`registry_routes`).
"""

from typing import NoReturn

import msgspec
from starlette.requests import Request

from harness.errors import ApiError, NotEmulated
from harness.http import AnyRoute, Call, RawRoute, Route
from harness.names import check_name
from harness.unity.model_tags_routes import TagPair, as_tags, model_tags_routes
from harness.unity.model_versions_routes import model_versions_routes
from harness.unity.models_json import model_info
from harness.unity.pages import asked as asked_page
from harness.unity.pages import page
from harness.unity.registry import ModelRegistry
from harness.unity.registry_model import RegisteredModel, renamed
from harness.unity.registry_routes import RenameModel

_DOC = "https://docs.databricks.com/api/workspace/registeredmodels"
_MODELS = "/api/2.1/unity-catalog/models"
# databricks-sdk-py, RegisteredModelsAPI.list: page lengths of one schema, and of the whole metastore.
_OF_A_SCHEMA, _OF_ALL = (10_000, 10_000), (100, 1000)


class _CreateModel(msgspec.Struct):
    name: str
    catalog_name: str
    schema_name: str
    comment: str = ""
    tags: list[TagPair] = []
    deployment_job_id: str = ""


class _UpdateModel(msgspec.Struct):
    comment: str | None = None
    new_name: str | None = None
    owner: str | None = None
    deployment_job_id: str | None = None


class _SetAlias(msgspec.Struct):
    version_num: int


def models_routes(registry: ModelRegistry, rename: RenameModel) -> list[AnyRoute]:
    """Return the routes of `w.registered_models`, `w.model_versions` and mlflow's newer dialect."""
    # versions first: `models/versions` would read as a model of that name
    return [
        *model_versions_routes(registry),
        *_model_routes(registry),
        _update_route(registry, rename),
        *_alias_routes(registry),
        *model_tags_routes(registry),
        _SLASHES,
    ]


async def _slashes(request: Request) -> NoReturn:
    if b"%2f" in request.scope["raw_path"].lower():
        check_name("/", "model")
    raise NotEmulated(f"{request.method} {request.url.path}")


# An encoded slash in a name reads as one more part of the path; nobody else answers there.
_SLASHES = RawRoute(("GET", "POST", "PUT", "PATCH", "DELETE"), f"{_MODELS}/{{path:path}}", _slashes, _DOC)


def _whole(registry: ModelRegistry, found: RegisteredModel, *, aliases: bool = True) -> object:
    """Return a model with its deployment job."""
    told = {"deployment_job_id": found.deployment_job_id, "deployment_job_state": registry.deployment_state(found)}
    return {**model_info(found, aliases=aliases), **told}


def _model_routes(registry: ModelRegistry) -> list[AnyRoute]:
    def create(call: Call) -> object:
        asked = call.json(_CreateModel)
        within = (check_name(asked.catalog_name, "catalog"), check_name(asked.schema_name, "schema"))
        name = ".".join((*within, check_name(asked.name, "model")))
        told = {"description": asked.comment, "deployment_job_id": asked.deployment_job_id}
        return _whole(registry, registry.create(name, user=call.user, tags=as_tags(asked.tags), **told))

    def list_models(call: Call) -> object:
        catalog, schema = call.query.get("catalog_name", ""), call.query.get("schema_name", "")
        if bool(catalog) != bool(schema):
            raise ApiError(400, "INVALID_PARAMETER_VALUE", "catalog_name and schema_name must be given together or not at all")
        within = (check_name(catalog, "catalog"), check_name(schema, "schema")) if catalog else ()
        default, most = _OF_A_SCHEMA if within else _OF_ALL
        wanted = asked_page(call.query, unless_said=default, most=most)
        found = page(registry.models(*within), wanted, lambda each: each.name)
        return found.body("registered_models", lambda each: model_info(each, listed=True))

    def get(call: Call) -> object:
        return _whole(registry, registry.get(call.params["name"]), aliases=call.query.get("include_aliases", "false").lower() == "true")

    def delete(call: Call) -> object:
        registry.delete(call.params["name"])
        return {}

    one = f"{_MODELS}/{{name}}"
    return [
        Route("POST", _MODELS, create, f"{_DOC}/create"),
        Route("GET", _MODELS, list_models, f"{_DOC}/list"),
        Route("GET", one, get, f"{_DOC}/get"),
        Route("DELETE", one, delete, f"{_DOC}/delete"),
    ]


def _update_route(registry: ModelRegistry, rename: RenameModel) -> Route:
    def update(call: Call) -> object:
        asked = call.json(_UpdateModel)
        found = registry.get(call.params["name"])
        if asked.new_name is not None:
            # databricks-sdk sends the name alone, mlflow's newer dialect all three levels
            found = rename(found.name, renamed(found.name, asked.new_name) if "." in asked.new_name else asked.new_name)
        if asked.owner is not None:
            found = registry.change_owner(found.name, asked.owner)
        if asked.deployment_job_id is not None:
            found = registry.connect(found.name, asked.deployment_job_id)
        return _whole(registry, found if asked.comment is None else registry.describe(found.name, asked.comment))

    return Route("PATCH", f"{_MODELS}/{{name}}", update, f"{_DOC}/update")


def _alias_routes(registry: ModelRegistry) -> list[AnyRoute]:
    def set_alias(call: Call) -> object:
        version = str(call.json(_SetAlias).version_num)
        registry.set_alias(call.params["name"], call.params["alias"], version)
        return {"alias_name": call.params["alias"], "version_num": int(version)}

    def delete_alias(call: Call) -> object:
        registry.delete_alias(call.params["name"], call.params["alias"])
        return {}

    alias = f"{_MODELS}/{{name}}/aliases/{{alias}}"
    return [
        Route("PUT", alias, set_alias, f"{_DOC}/setalias"),
        Route("DELETE", alias, delete_alias, f"{_DOC}/deletealias"),
    ]
