"""The prompt registry as mlflow's `databricks-uc` client speaks to it: `/api/2.0/mlflow/unity-catalog/prompts*`.

Wire shapes: mlflow's `unity_catalog_prompt_messages.proto`, version 3.17.2. What a prompt is linked to (models, runs, traces) mlflow keeps
in tags of those; what it tells the registry besides is checked and not kept, for no route would show it.
"""

import msgspec

from harness.clock import moment
from harness.errors import NotEmulated
from harness.http import AnyRoute, Call, Route
from harness.names import check_name
from harness.unity.model_tags_routes import TagPair, as_tags
from harness.unity.pages import asked as asked_page
from harness.unity.pages import page
from harness.unity.prompts import PromptRegistry
from harness.unity.prompts_model import Prompt, PromptVersion

_DOC = "https://mlflow.org/docs/latest/genai/prompt-registry/ (registry URI databricks-uc)"
_PROMPTS = "/api/2.0/mlflow/unity-catalog/prompts"
_ONE = f"{_PROMPTS}/{{name}}"
_VERSION = f"{_ONE}/versions/{{version}}"


class _Told(msgspec.Struct):
    description: str | None = None
    template: str = ""
    tags: list[TagPair] = []


class _Schema(msgspec.Struct):
    catalog_name: str
    schema_name: str


class _Link(msgspec.Struct):
    name: str
    version: str


class _Asked(msgspec.Struct):
    """Any request of this dialect; what a route does not use is absent."""

    name: str = ""
    prompt: _Told = msgspec.field(default_factory=_Told)
    prompt_version: _Told = msgspec.field(default_factory=_Told)
    version: str = ""
    key: str = ""
    value: str = ""
    filter: str = ""
    catalog_schema: _Schema | None = None
    max_results: int = 0
    page_token: str = ""
    prompt_versions: list[_Link] = []

    def page(self) -> dict[str, str]:
        """Return which page a search asks for, as a query string would."""
        return {"max_results": str(self.max_results), "page_token": self.page_token}


def prompts_routes(prompts: PromptRegistry) -> list[AnyRoute]:
    """Return the routes."""
    return [*_prompt_routes(prompts), *_version_routes(prompts), *_alias_and_tag_routes(prompts), *_link_routes(prompts)]


def _prompt_routes(prompts: PromptRegistry) -> list[AnyRoute]:
    def create(call: Call) -> object:
        asked = call.json(_Asked)
        return _prompt(prompts.create(asked.name, description=asked.prompt.description or "", tags=as_tags(asked.prompt.tags)))

    def get(call: Call) -> object:
        return _prompt(prompts.get(call.params["name"]))

    def update(call: Call) -> object:
        found, told = prompts.get(call.params["name"]), call.json(_Asked).prompt.description
        return _prompt(found if told is None else prompts.describe(found.name, told))

    def delete(call: Call) -> object:
        prompts.delete(call.params["name"])
        return {}

    def search(call: Call) -> object:
        asked = call.json(_Asked)
        if asked.filter or asked.catalog_schema is None:
            raise NotEmulated(f"POST {_PROMPTS}/search with {'the filter ' + repr(asked.filter) if asked.filter else 'no catalog_schema'}")
        catalog, schema = asked.catalog_schema.catalog_name, asked.catalog_schema.schema_name
        found = prompts.prompts(check_name(catalog, "catalog"), check_name(schema, "schema"))
        return page(found, asked_page(asked.page(), unless_said=100), lambda each: each.name).body("prompts", _prompt)

    return [
        Route("POST", _PROMPTS, create, _DOC),
        Route("POST", f"{_PROMPTS}/search", search, _DOC),
        Route("GET", _ONE, get, _DOC),
        Route("PATCH", _ONE, update, _DOC),
        Route("DELETE", _ONE, delete, _DOC),
    ]


def _version_routes(prompts: PromptRegistry) -> list[AnyRoute]:
    def render(found: PromptVersion) -> dict[str, object]:
        return _version(found, prompts.get(found.name))

    def create(call: Call) -> object:
        told = call.json(_Asked).prompt_version
        made = prompts.create_version(
            call.params["name"], template=told.template, description=told.description or "", tags=as_tags(told.tags)
        )
        return render(made)

    def get(call: Call) -> object:
        return render(prompts.version(call.params["name"], call.params["version"]))

    def update(call: Call) -> object:
        name, version, told = call.params["name"], call.params["version"], call.json(_Asked).prompt_version.description
        return render(prompts.version(name, version) if told is None else prompts.describe_version(name, version, told))

    def delete(call: Call) -> object:
        prompts.delete_version(call.params["name"], call.params["version"])
        return {}

    def search(call: Call) -> object:
        found = prompts.versions(call.params["name"])
        wanted = asked_page(call.json(_Asked).page(), unless_said=100)
        return page(found, wanted, lambda each: f"{int(each.version):019d}").body("prompt_versions", render)

    return [
        Route("POST", f"{_ONE}/versions/search", search, _DOC),
        Route("POST", f"{_ONE}/versions", create, _DOC),
        Route("GET", _VERSION, get, _DOC),
        Route("PATCH", _VERSION, update, _DOC),
        Route("DELETE", _VERSION, delete, _DOC),
    ]


def _alias_and_tag_routes(prompts: PromptRegistry) -> list[AnyRoute]:
    def by_alias(call: Call) -> object:
        found = prompts.by_alias(call.params["name"], call.params["alias"])
        return _version(found, prompts.get(found.name))

    def set_alias(call: Call) -> object:
        prompts.set_alias(call.params["name"], call.params["alias"], call.json(_Asked).version)
        return {}

    def delete_alias(call: Call) -> object:
        prompts.delete_alias(call.params["name"], call.params["alias"])
        return {}

    def change_tag(call: Call) -> object:
        add, remove = ({}, [call.params["key"]]) if call.method == "DELETE" else ({call.json(_Asked).key: call.json(_Asked).value}, [])
        if "version" in call.params:
            prompts.change_version_tags(call.params["name"], call.params["version"], add, remove=remove)
        else:
            prompts.change_tags(call.params["name"], add, remove)
        return {}

    return [
        Route("GET", f"{_ONE}/versions/by-alias/{{alias}}", by_alias, _DOC),
        Route("POST", f"{_ONE}/aliases/{{alias}}", set_alias, _DOC),
        Route("DELETE", f"{_ONE}/aliases/{{alias}}", delete_alias, _DOC),
        *(Route("POST", f"{each}/tags", change_tag, _DOC) for each in (_ONE, _VERSION)),
        *(Route("DELETE", f"{each}/tags/{{key}}", change_tag, _DOC) for each in (_ONE, _VERSION)),
    ]


def _link_routes(prompts: PromptRegistry) -> list[AnyRoute]:
    def link(call: Call) -> object:
        for each in call.json(_Asked).prompt_versions:
            prompts.version(each.name, each.version)
        return {}

    links = f"{_PROMPTS.removesuffix('s')}-versions/links-to"
    return [Route("POST", f"{links}-{kind}", link, _DOC) for kind in ("models", "runs", "traces")]


def _prompt(found: Prompt) -> dict[str, object]:
    return {
        "name": found.name,
        "creation_timestamp": _told(found.creation_timestamp),
        "last_updated_timestamp": _told(found.last_updated_timestamp),
        "description": found.description,
        "aliases": [{"alias": alias, "version": version} for alias, version in found.aliases.items()],
        "tags": [{"key": key, "value": value} for key, value in found.tags.items()],
    }


def _version(found: PromptVersion, prompt: Prompt) -> dict[str, object]:
    return {
        "name": found.name,
        "version": found.version,
        "creation_timestamp": _told(found.creation_timestamp),
        "last_updated_timestamp": _told(found.last_updated_timestamp),
        "description": found.description,
        "template": found.template,
        "aliases": [{"alias": alias, "version": version} for alias, version in prompt.aliases.items() if version == found.version],
        "tags": [{"key": key, "value": value} for key, value in found.tags.items()],
    }


def _told(millis: int) -> str:
    """Return a time as this dialect writes it (protobuf's Timestamp), unlike that of models."""
    return moment(millis).isoformat().replace("+00:00", "Z")
