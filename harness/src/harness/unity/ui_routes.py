"""The registry as the MLflow server's pages ask for it: the open-source dialect below `/ml/ajax-api`, over Unity Catalog's models.

Read and shown are aliases, tags and the newest version, in searches too, as the pages expect. Changes are those of the workspace's own
dialect, whose requests are the same. A version is not made here: its files have to be sent first, which mlflow's client does.
"""

import re

from starlette.responses import FileResponse, Response

from harness.errors import ApiError, NotEmulated
from harness.http import AnyRoute, Call, Handler, Route
from harness.unity.pages import LONG_PAGE_SIZE, page
from harness.unity.pages import asked as asked_page
from harness.unity.registry import ModelRegistry
from harness.unity.registry_model import ModelVersion, RegisteredModel, newest_first
from harness.unity.registry_routes import PREFIX, RenameModel, registry_routes

_DOC = "https://mlflow.org/docs/latest/api_reference/rest-api.html#search-registeredmodels"
_PAGES = "/ml/ajax-api/2.0/mlflow"
_FILE = "/ml/model-versions/get-artifact"
_CHANGES = frozenset({"create", "update", "delete", "set-tag", "delete-tag", "alias"})
_BY_NAME = re.compile(r"\s*name\s+(?:i?like\s+'%?([^'%]*)%?'|=\s*'([^']*)')\s*", re.IGNORECASE)
# What the pages add to leave out prompts, or to see nothing else; there are none among these models.
_NO_PROMPTS = re.compile(r"(?:\s+AND\s+)?tags\.`mlflow\.prompt\.is_prompt`\s*!=\s*'true'(?:\s+AND\s+)?", re.IGNORECASE)
_PROMPTS = re.compile(r"tags\.`mlflow\.prompt\.is_prompt`\s*=\s*'true'", re.IGNORECASE)


def ui_routes(registry: ModelRegistry, rename: RenameModel) -> list[AnyRoute]:
    """Return the routes."""
    return [*_reading_routes(registry), *_changing_routes(registry, rename), Route("GET", _FILE, _file(registry), _DOC)]


def _changing_routes(registry: ModelRegistry, rename: RenameModel) -> list[AnyRoute]:
    return [
        Route(route.method, f"{_PAGES}{route.path.removeprefix(PREFIX)}", route.handler, _DOC)
        for route in registry_routes(registry, rename)
        if isinstance(route, Route)
        and route.method != "GET"
        and route.path.rpartition("/")[2] in _CHANGES
        and not route.path.endswith("model-versions/create")
    ]


def _reading_routes(registry: ModelRegistry) -> list[AnyRoute]:
    def model(found: RegisteredModel) -> dict[str, object]:
        versions = registry.versions(found.name)
        return {
            "name": found.name,
            "creation_timestamp": found.creation_timestamp,
            "last_updated_timestamp": found.last_updated_timestamp,
            "description": found.description,
            "latest_versions": [_version(versions[-1], found)] if versions else [],
            "tags": _pairs(found.tags),
            "aliases": [{"alias": alias, "version": version} for alias, version in found.aliases.items()],
        }

    def search(call: Call) -> object:
        found = [each for each in registry.models() if _matches(call.query.get("filter", ""), each.name)]
        return page(found, asked_page(call.query, unless_said=100), lambda each: each.name).body("registered_models", model)

    def get(call: Call) -> object:
        return {"registered_model": model(registry.get(call.require("name")))}

    def search_versions(call: Call) -> object:
        asked = call.query.get("filter", "")
        found = [] if _PROMPTS.search(asked) else registry.search_versions(asked)
        wanted = asked_page(call.query, unless_said=LONG_PAGE_SIZE, most=LONG_PAGE_SIZE)
        return page(found, wanted, newest_first).body("model_versions", lambda each: _version(each, registry.get(each.name)))

    def get_version(call: Call) -> object:
        found = registry.version(call.require("name"), call.require("version"))
        return {"model_version": _version(found, registry.get(found.name))}

    return [
        Route("GET", f"{_PAGES}/registered-models/search", search, _DOC),
        Route("GET", f"{_PAGES}/registered-models/get", get, _DOC),
        Route("GET", f"{_PAGES}/model-versions/search", search_versions, _DOC),
        Route("GET", f"{_PAGES}/model-versions/get", get_version, _DOC),
    ]


def _file(registry: ModelRegistry) -> Handler:
    def file(call: Call) -> Response:
        folder = registry.files(call.require("name"), call.require("version")).resolve()
        path = (folder / call.require("path")).resolve()
        if not (path.is_relative_to(folder) and path.is_file()):
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"The model version has no file '{call.require('path')}'")
        headers = {"x-content-type-options": "nosniff"}
        return FileResponse(path, media_type="application/octet-stream", headers=headers, filename=path.name)

    return file


def _version(found: ModelVersion, model: RegisteredModel) -> dict[str, object]:
    return {
        "name": found.name,
        "version": found.version,
        "creation_timestamp": found.creation_timestamp,
        "last_updated_timestamp": found.last_updated_timestamp,
        "user_id": found.user_id,
        "current_stage": "None",
        "description": found.description,
        "source": found.source,
        "run_id": found.run_id,
        "model_id": found.model_id,
        "status": found.status,
        "tags": _pairs(found.tags),
        "aliases": [alias for alias, version in model.aliases.items() if version == found.version],
    }


def _matches(filter_text: str, name: str) -> bool:
    asked = _NO_PROMPTS.sub("", filter_text).strip()
    if not asked or _PROMPTS.search(asked):
        return not asked
    found = _BY_NAME.fullmatch(asked)
    if found is None:
        raise NotEmulated(f"searching registered models for {asked!r}")
    return found[1].lower() in name if found[1] is not None else found[2] == name


def _pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
