"""Tags of models and their versions as mlflow's newer dialect changes them: several at a time, all or none."""

from collections.abc import Sequence

import msgspec

from harness.errors import ApiError, NotEmulated
from harness.http import AnyRoute, Call, Route
from harness.unity.registry import ModelRegistry

_DOC = "mlflow: mlflow/protos/unity_catalog_service.proto"
_PREFIX = "/api/2.1/unity-catalog"
_MODEL = "FUNCTION"  # what Unity Catalog calls registered models: databricks-sdk-py, RegisteredModelsAPI


class TagPair(msgspec.Struct):
    """One tag of a request."""

    key: str
    value: str = ""


class _Changes(msgspec.Struct):
    add_tags: list[TagPair] = []
    remove: list[str] = []


class _Change(msgspec.Struct):
    changes: _Changes = msgspec.field(default_factory=_Changes)


def as_tags(pairs: Sequence[TagPair]) -> dict[str, str]:
    """Return the tags of a request by key; of two with one key the last."""
    return {pair.key: pair.value for pair in pairs}


def model_tags_routes(registry: ModelRegistry) -> list[AnyRoute]:
    """Return the routes; securables of other kinds are answered as not emulated."""

    def of_model(call: Call) -> object:
        change = _change(call)
        registry.change_tags(call.params["name"], as_tags(change.add_tags), change.remove)
        return {}

    def of_version(call: Call) -> object:
        change = _change(call)
        registry.change_version_tags(call.params["name"], call.params["version"], as_tags(change.add_tags), remove=change.remove)
        return {}

    return [
        Route("PATCH", f"{_PREFIX}/securable-tags/{{kind}}/{{name}}", of_model, _DOC),
        Route("PATCH", f"{_PREFIX}/subentity-tags/{{kind}}/{{name}}/{{version}}", of_version, _DOC),
    ]


def _change(call: Call) -> _Changes:
    if call.params["kind"].upper() != _MODEL:
        raise NotEmulated(f"PATCH {_PREFIX}/securable-tags and subentity-tags of {call.params['kind']}")
    change = call.json(_Change).changes
    both = {pair.key for pair in change.add_tags} & set(change.remove)
    if both:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"changes: tags {sorted(both)} are both added and removed")
    return change
