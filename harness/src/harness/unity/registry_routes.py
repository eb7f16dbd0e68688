"""The registry as mlflow's `databricks-uc` client speaks to it: `/api/2.0/mlflow/unity-catalog/*`.

Wire shapes: mlflow's `databricks_uc_registry_messages.proto`, version 3.17.2.
"""

from collections.abc import Callable
from dataclasses import asdict

import msgspec

from harness.http import AnyRoute, Call, Route
from harness.unity.model_tags_routes import TagPair, as_tags
from harness.unity.pages import LONG_PAGE_SIZE, page
from harness.unity.pages import asked as asked_page
from harness.unity.registry import ModelRegistry
from harness.unity.registry_model import ModelVersion, RegisteredModel, default_storage, newest_first, renamed

_DOC = "https://mlflow.org/docs/latest/ml/model-registry/ (registry URI databricks-uc)"
PREFIX = "/api/2.0/mlflow/unity-catalog"

RenameModel = Callable[[str, str], RegisteredModel]
"""Gives a model another name in its schema."""


class _Asked(msgspec.Struct):
    """Any request of this dialect; what a route does not use is absent."""

    name: str
    new_name: str = ""
    version: str = ""
    alias: str = ""
    key: str = ""
    value: str = ""
    description: str | None = None
    tags: list[TagPair] = []
    source: str = ""
    run_id: str = ""
    run_tracking_server_id: str = ""
    model_id: str = ""
    deployment_job_id: str | None = None


def registry_routes(registry: ModelRegistry, rename: RenameModel) -> list[AnyRoute]:
    """Return the routes of the dialect that mlflow speaks by default."""
    return [*_model_routes(registry, rename), *_version_routes(registry), *_alias_and_tag_routes(registry), *_artifact_routes(registry)]


def _model_routes(registry: ModelRegistry, rename: RenameModel) -> list[AnyRoute]:
    def render(found: RegisteredModel) -> object:
        return {"registered_model": {**render_model(found), "deployment_job_state": registry.deployment_state(found)}}

    def create(call: Call) -> object:
        asked = call.json(_Asked)
        told = {"description": asked.description or "", "deployment_job_id": asked.deployment_job_id or ""}
        return render(registry.create(asked.name, user=call.user, tags=as_tags(asked.tags), **told))

    def get(call: Call) -> object:
        return render(registry.get(call.require("name")))

    def update(call: Call) -> object:
        asked = call.json(_Asked)
        found = registry.get(asked.name)
        if asked.new_name:
            found = rename(found.name, renamed(found.name, asked.new_name))
        found = found if asked.description is None else registry.describe(found.name, asked.description)
        return render(found if asked.deployment_job_id is None else registry.connect(found.name, asked.deployment_job_id))

    def delete(call: Call) -> object:
        registry.delete(call.json(_Asked).name)
        return {}

    def search(call: Call) -> object:
        found = page(registry.models(), asked_page(call.query, unless_said=100), lambda each: each.name)
        return found.body("registered_models", lambda each: render_model(each, searched=True))

    base = f"{PREFIX}/registered-models"
    return [
        Route("POST", f"{base}/create", create, _DOC),
        Route("GET", f"{base}/get", get, _DOC),
        Route("PATCH", f"{base}/update", update, _DOC),
        Route("DELETE", f"{base}/delete", delete, _DOC),
        Route("GET", f"{base}/search", search, _DOC),
    ]


def _version_routes(registry: ModelRegistry) -> list[AnyRoute]:
    def render(version: ModelVersion) -> dict[str, object]:
        return {"model_version": render_version(version, registry.get(version.name))}

    def create(call: Call) -> object:
        asked = call.json(_Asked)
        return render(registry.create_version(_new_version(asked, call.user)))

    def get(call: Call) -> object:
        return {"model_version": render_whole(registry, registry.version(call.require("name"), call.require("version")))}

    def update(call: Call) -> object:
        asked = call.json(_Asked)
        found = registry.version(asked.name, asked.version)
        return render(found if asked.description is None else registry.describe_version(asked.name, asked.version, asked.description))

    def delete(call: Call) -> object:
        asked = call.json(_Asked)
        registry.delete_version(asked.name, asked.version)
        return {}

    def finalize(call: Call) -> object:
        asked = call.json(_Asked)
        return render(registry.finalize(asked.name, asked.version))

    def search(call: Call) -> object:
        wanted = asked_page(call.query, unless_said=LONG_PAGE_SIZE, most=LONG_PAGE_SIZE)
        found = page(registry.search_versions(call.query.get("filter", "")), wanted, newest_first)
        return found.body("model_versions", lambda each: {**render_version(each, None), **registry.deployment(each)})

    base = f"{PREFIX}/model-versions"
    return [
        Route("POST", f"{base}/create", create, _DOC),
        Route("GET", f"{base}/get", get, _DOC),
        Route("PATCH", f"{base}/update", update, _DOC),
        Route("DELETE", f"{base}/delete", delete, _DOC),
        Route("POST", f"{base}/finalize", finalize, _DOC),
        Route("GET", f"{base}/search", search, _DOC),
    ]


def _alias_and_tag_routes(registry: ModelRegistry) -> list[AnyRoute]:
    def set_alias(call: Call) -> object:
        asked = call.json(_Asked)
        registry.set_alias(asked.name, asked.alias, asked.version)
        return {}

    def delete_alias(call: Call) -> object:
        asked = call.json(_Asked)
        registry.delete_alias(asked.name, asked.alias)
        return {}

    def get_by_alias(call: Call) -> object:
        return {"model_version": render_whole(registry, registry.by_alias(call.require("name"), call.require("alias")))}

    def set_tag(call: Call) -> object:
        asked = call.json(_Asked)
        if "model-versions" in call.path:
            registry.change_version_tags(asked.name, asked.version, {asked.key: asked.value})
        else:
            registry.change_tags(asked.name, {asked.key: asked.value})
        return {}

    def delete_tag(call: Call) -> object:
        asked = call.json(_Asked)
        if "model-versions" in call.path:
            registry.change_version_tags(asked.name, asked.version, {}, remove=[asked.key])
        else:
            registry.change_tags(asked.name, {}, [asked.key])
        return {}

    alias = f"{PREFIX}/registered-models/alias"
    kinds = ("registered-models", "model-versions")
    return [
        Route("POST", alias, set_alias, _DOC),
        Route("DELETE", alias, delete_alias, _DOC),
        Route("GET", alias, get_by_alias, _DOC),
        *(Route("POST", f"{PREFIX}/{kind}/set-tag", set_tag, _DOC) for kind in kinds),
        *(Route("DELETE", f"{PREFIX}/{kind}/delete-tag", delete_tag, _DOC) for kind in kinds),
    ]


def _artifact_routes(registry: ModelRegistry) -> list[AnyRoute]:
    def files_api_is_used(_: Call) -> object:
        return {"is_databricks_sdk_models_artifact_repository_enabled": True}

    def download_uri(call: Call) -> object:
        return {"artifact_uri": registry.version(call.require("name"), call.require("version")).storage_location}

    def credentials(call: Call) -> object:
        asked = call.json(_Asked)
        registry.version(asked.name, asked.version)
        return {"credentials": default_storage()}

    def lineage(call: Call) -> object:
        asked = call.json(_Asked)
        registry.version(asked.name, asked.version)  # lineage itself is not kept
        return {}

    versions = f"{PREFIX}/model-versions"
    probe = f"{PREFIX}/registered-models:is-databricks-sdk-models-artifact-repository-enabled"
    return [
        Route("GET", probe, files_api_is_used, _DOC),
        Route("GET", f"{versions}/get-download-uri", download_uri, _DOC),
        Route("POST", f"{versions}/generate-temporary-credentials", credentials, _DOC),
        Route("POST", f"{versions}/emit-lineage", lineage, _DOC),
    ]


def render_model(found: RegisteredModel, *, searched: bool = False) -> dict[str, object]:
    """Return a model as JSON; search results carry no tags and aliases, as on the platform."""
    body = asdict(found)
    for kept in ("registered_model_id", "last_version", "owner"):
        del body[kept]
    if searched:
        return {**body, "tags": [], "aliases": []}
    aliases = [{"alias": alias, "version": version} for alias, version in found.aliases.items()]
    return {**body, "tags": _pairs(found.tags), "aliases": aliases}


def render_version(found: ModelVersion, model: RegisteredModel | None) -> dict[str, object]:
    """Return a version as JSON; without its `model`, as search results are: no tags, no aliases."""
    body = asdict(found)
    for kept in ("version_id", "deployment_job_id", "deployment_run_id"):
        del body[kept]
    body["storage_location"] = found.storage_location
    if model is None:
        return {**body, "tags": [], "aliases": []}
    aliases = [{"alias": alias, "version": version} for alias, version in model.aliases.items() if version == found.version]
    return {**body, "tags": _pairs(found.tags), "aliases": aliases}


def render_whole(registry: ModelRegistry, found: ModelVersion) -> dict[str, object]:
    """Return a version as JSON, with what was logged of its model."""
    return {**render_version(found, registry.get(found.name)), **registry.logged(found).rendered(), **registry.deployment(found)}


def _new_version(asked: _Asked, user: str) -> ModelVersion:
    return ModelVersion.asked(
        asked.name,
        user=user,
        source=asked.source,
        run_id=asked.run_id,
        run_tracking_server_id=asked.run_tracking_server_id,
        description=asked.description or "",
        model_id=asked.model_id,
        tags=as_tags(asked.tags),
    )


def _pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
