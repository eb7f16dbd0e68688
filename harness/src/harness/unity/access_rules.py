"""What each route of Unity Catalog and of the Files API needs. docs.databricks.com/api/workspace says so at each operation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from harness.errors import ApiError
from harness.unity.access import MANAGE, Need, within
from harness.unity.model import METASTORE_ID

_PREFIX = "/api/2.1/unity-catalog/"
_LEGACY = "/api/2.0/mlflow/unity-catalog/"
_PAGES = "/ml/"  # the MLflow server's pages, which ask as the legacy dialect does
_OF_MODELS = (_LEGACY, _PAGES, *(_PREFIX + each for each in ("securable-tags/", "subentity-tags/", "temporary-model-version-credentials")))
# What a kind of securable needs: to be seen, and to be made in what holds it.
_SEEN = {
    "catalogs": "USE_CATALOG",
    "schemas": "USE_SCHEMA",
    "tables": "SELECT",
    "volumes": "READ_VOLUME",
    "models": "EXECUTE",
    "functions": "EXECUTE",
}
_MADE = {
    "catalogs": "CREATE_CATALOG",
    "schemas": "CREATE_SCHEMA",
    "tables": "CREATE_TABLE",
    "volumes": "CREATE_VOLUME",
    "models": "CREATE_MODEL",
    "functions": "CREATE_FUNCTION",
}
_KINDS = {"catalogs": "catalog", "schemas": "schema", "tables": "table", "volumes": "volume", "models": "function", "functions": "function"}
# Reads of the legacy dialect that are sent as a POST.
_READS = ("generate-temporary-credentials", "emit-lineage", "temporary-model-version-credentials")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its route's pattern and what it names."""

    method: str
    pattern: str
    params: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class _Place(msgspec.Struct):
    catalog_name: str = ""
    schema_name: str = ""


class _Body(msgspec.Struct):
    name: str = ""
    catalog_name: str = ""
    schema_name: str = ""
    model_name: str = ""
    full_name_arg: str = ""
    entity_type: str = ""
    entity_name: str = ""
    path: str = ""
    function_info: _Place = msgspec.field(default_factory=_Place)


def needs(asked: Asked) -> list[Need]:  # noqa: PLR0911 - one return a kind of route
    """Return what a request needs; what everybody may ask needs nothing."""
    if asked.pattern.startswith(_OF_MODELS):
        return _of_legacy_models(asked)
    if asked.pattern.startswith("/__harness__/"):  # what the engine asks for the workspace's user tells of everything
        return [Need(MANAGE, "metastore", METASTORE_ID)]
    kind, _, rest = asked.pattern.removeprefix(_PREFIX).partition("/")
    match kind:
        case "permissions" | "effective-permissions" | "privilege-assignments" | "effective-privilege-assignments":
            return [Need(MANAGE, asked.params["kind"], _lowered(asked.params["name"]))]
        case "constraints":
            return within(Need(MANAGE, "table", _lowered(asked.params.get("name") or _body(asked).full_name_arg)))
        case "workspace-bindings" | "bindings":
            return [Need(MANAGE, "catalog", _lowered(asked.params["name"]))]
    if kind == "entity-tag-assignments":
        return _of_tags(asked)
    if kind not in _KINDS:
        return []  # the metastore, and lists of what a harness has none of
    return _of_securables(asked, kind, rest) if rest else _of_all(asked, kind)


def item_need(pattern: str, item: Mapping[str, object]) -> Need | None:
    """Return what an item of a list needs to be shown; None when the list's own need was all."""
    kind = "models" if pattern.startswith((_LEGACY, _PAGES)) else pattern.removeprefix(_PREFIX)
    kind = "tables" if kind == "table-summaries" else kind
    name = item.get("full_name") or item.get("name")
    if "/prompts" in pattern or kind not in _SEEN or not isinstance(name, str):
        return None
    return Need(_SEEN[kind], _KINDS[kind], name)


def file_needs(path: str, *, writing: bool) -> list[Need]:
    """Return what a path of the Files API needs."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["Volumes", catalog, schema, volume, *_]:
            name = _lowered(f"{catalog}.{schema}.{volume}")
            return within(*[Need(each, "volume", name) for each in (["READ_VOLUME", "WRITE_VOLUME"] if writing else ["READ_VOLUME"])])
        case ["Models", catalog, schema, model, *_]:
            return within(Need(MANAGE if writing else "EXECUTE", "function", _lowered(f"{catalog}.{schema}.{model}")))
    return []


def file_path(asked: Asked) -> tuple[str, bool]:
    """Return which path a request of the Files API is about, and whether it writes there."""
    path = asked.params.get("path") or asked.query.get("path") or _body(asked).path
    if asked.pattern.endswith("-url"):
        return path, "upload" in asked.pattern
    return path, asked.method not in {"GET", "HEAD"}


def _of_all(asked: Asked, kind: str) -> list[Need]:
    """What a list needs, or making one more."""
    body = _body(asked)
    made_in = body.function_info if kind == "functions" else body
    place = made_in if asked.method == "POST" else _Place(**{key: asked.query.get(key, "") for key in ("catalog_name", "schema_name")})
    holder = _lowered(".".join(part for part in (place.catalog_name, place.schema_name) if part))
    if asked.method != "POST":
        names = holder.split(".") if holder else []
        uses = [("USE_CATALOG", "catalog"), ("USE_SCHEMA", "schema")]
        return [Need(use, level, ".".join(names[:count])) for count, (use, level) in enumerate(uses, 1) if count <= len(names)]
    if kind == "catalogs":
        return [Need(_MADE[kind], "metastore", METASTORE_ID)]
    return within(Need(_MADE[kind], "catalog" if kind == "schemas" else "schema", holder))


def _of_securables(asked: Asked, kind: str, rest: str) -> list[Need]:
    name = _lowered(asked.params.get("name") or asked.params.get("full_name") or _body(asked).name)
    if kind == "models" and rest == "versions":  # a version is made: the body says of which model
        body = _body(asked)
        name = _lowered(f"{body.catalog_name}.{body.schema_name}.{body.model_name}")
    return within(Need(_SEEN[kind] if asked.method == "GET" else MANAGE, _KINDS[kind], name))


def _of_tags(asked: Asked) -> list[Need]:
    """What tags need, by what they are on; those of a column by its table."""
    body = _body(asked)
    kind, name = asked.params.get("kind") or body.entity_type, _lowered(asked.params.get("name") or body.entity_name)
    if kind == "columns":
        kind, name = "tables", name.rsplit(".", 1)[0]
    if kind not in _SEEN:
        return []  # refused by its kind
    return within(Need(_SEEN[kind] if asked.method == "GET" else "APPLY_TAG", _KINDS[kind], name))


def _of_legacy_models(asked: Asked) -> list[Need]:
    body = _body(asked)
    parts = f"{body.catalog_name}.{body.schema_name}.{body.model_name}" if body.model_name else ""
    name = _lowered(asked.query.get("name", "") or asked.params.get("name", "") or body.name or parts)
    if not name:
        return []  # searches are shown what may be seen
    if (
        "/prompts" in asked.pattern
    ):  # docs.databricks.com/aws/en/mlflow3/genai/prompt-version-mgmt/prompt-registry: privileges of the schema
        return within(Need("EXECUTE" if asked.method == "GET" else MANAGE, "schema", name.rpartition(".")[0]))
    if asked.pattern.endswith("registered-models/create"):
        return within(Need("CREATE_MODEL", "schema", name.rpartition(".")[0]))
    reads = asked.method == "GET" or asked.pattern.endswith(_READS)
    return within(Need("EXECUTE" if reads else MANAGE, "function", name))


def _body(asked: Asked) -> _Body:
    try:
        return msgspec.json.decode(asked.body or b"{}", type=_Body)
    except msgspec.MsgspecError as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{asked.method} {asked.pattern}: {error}") from error


def _lowered(name: str) -> str:
    return name.replace("`", "").lower()
