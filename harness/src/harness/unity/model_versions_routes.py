"""Model versions at `/api/2.1/unity-catalog`: made, filled through the Files API, finalized, read, removed.

Making and finalizing are what mlflow 3.17 does where `MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY` is set; databricks-sdk has neither.
"""

import msgspec

from harness.http import AnyRoute, Call, Route
from harness.names import check_name
from harness.unity.model_tags_routes import TagPair, as_tags
from harness.unity.models_json import version_info
from harness.unity.pages import asked as asked_page
from harness.unity.pages import page
from harness.unity.registry import ModelRegistry
from harness.unity.registry_model import ModelVersion, default_storage, newest_first

_DOC = "https://docs.databricks.com/api/workspace/modelversions"
_NATIVE = "mlflow: mlflow/protos/unity_catalog_service.proto"
_PREFIX = "/api/2.1/unity-catalog"


class _CreateVersion(msgspec.Struct):
    model_name: str
    catalog_name: str
    schema_name: str
    source: str = ""
    run_id: str = ""
    comment: str = ""
    tags: list[TagPair] = []
    model_id: str = ""
    run_tracking_server_id: str = ""


class _UpdateVersion(msgspec.Struct):
    comment: str | None = None


class _CredentialsAsked(msgspec.Struct):
    catalog_name: str
    schema_name: str
    model_name: str
    version: int


def model_versions_routes(registry: ModelRegistry) -> list[AnyRoute]:
    """Return the routes of versions."""
    return [*_writing_routes(registry), *_reading_routes(registry)]


def _writing_routes(registry: ModelRegistry) -> list[AnyRoute]:
    def create(call: Call) -> object:
        return version_info(registry.create_version(_new_version(call)))

    def finalize(call: Call) -> object:
        return version_info(registry.finalize(call.params["name"], call.params["version"]))

    def update(call: Call) -> object:
        name, version, comment = call.params["name"], call.params["version"], call.json(_UpdateVersion).comment
        found = registry.version(name, version)
        return version_info(registry.describe_version(name, version, comment) if comment is not None else found, registry.get(name))

    def delete(call: Call) -> object:
        registry.delete_version(call.params["name"], call.params["version"])
        return {}

    def credentials(call: Call) -> object:
        asked = call.json(_CredentialsAsked)
        registry.version(_full_name(asked.catalog_name, asked.schema_name, asked.model_name), str(asked.version))
        return default_storage()

    one = f"{_PREFIX}/models/{{name}}/versions/{{version}}"
    return [
        Route("POST", f"{_PREFIX}/models/versions", create, _NATIVE),
        Route("PATCH", f"{one}/finalize", finalize, _NATIVE),
        Route("PATCH", one, update, f"{_DOC}/update"),
        Route("DELETE", one, delete, f"{_DOC}/delete"),
        Route("POST", f"{_PREFIX}/temporary-model-version-credentials", credentials, _NATIVE),
    ]


def _reading_routes(registry: ModelRegistry) -> list[AnyRoute]:
    def render(call: Call, found: ModelVersion) -> object:
        wanted = call.query.get("include_aliases", "false").lower() == "true"
        told = {**registry.logged(found).rendered(), **registry.deployment(found)}
        return {**version_info(found, registry.get(found.name) if wanted else None), **told}

    def list_versions(call: Call) -> object:
        wanted = asked_page(call.query, unless_said=100, most=1000)  # databricks-sdk-py, ModelVersionsAPI.list
        found = page(registry.versions(call.params["name"])[::-1], wanted, newest_first)
        return found.body("model_versions", lambda each: {**version_info(each, listed=True), **registry.deployment(each)})

    def get(call: Call) -> object:
        return render(call, registry.version(call.params["name"], call.params["version"]))

    def get_by_alias(call: Call) -> object:
        return render(call, registry.by_alias(call.params["name"], call.params["alias"]))

    model = f"{_PREFIX}/models/{{name}}"
    return [
        Route("GET", f"{model}/versions", list_versions, f"{_DOC}/list"),
        Route("GET", f"{model}/versions/{{version}}", get, f"{_DOC}/get"),
        Route("GET", f"{model}/aliases/{{alias}}", get_by_alias, f"{_DOC}/getbyalias"),
    ]


def _new_version(call: Call) -> ModelVersion:
    asked = call.json(_CreateVersion)
    return ModelVersion.asked(
        _full_name(asked.catalog_name, asked.schema_name, asked.model_name),
        user=call.user,
        source=asked.source,
        run_id=asked.run_id,
        run_tracking_server_id=asked.run_tracking_server_id,
        description=asked.comment,
        model_id=asked.model_id,
        tags=as_tags(asked.tags),
    )


def _full_name(catalog: str, schema: str, model: str) -> str:
    return ".".join((check_name(catalog, "catalog"), check_name(schema, "schema"), check_name(model, "model")))
