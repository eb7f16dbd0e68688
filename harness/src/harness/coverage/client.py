"""The routes that the official client knows, read from its source: what there is to answer, and with which fields."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path

import databricks.sdk

_SERVICES = Path(databricks.sdk.__file__).parent / "service"
_CLASS = re.compile(r"^class (\w+)API:$", re.MULTILINE)
_METHOD = re.compile(r"^    def (\w+)\(", re.MULTILINE)
_CALL = re.compile(r'self\._api\.do\(\s*"([A-Z]+)",\s*f?"([^"]+)"')
_LIST = re.compile(r'for v in json\["(\w+)"\]:\s+yield (\w+)\.from_dict')
_OBJECT = re.compile(r"(\w+)\.from_dict\((?:res|op_response|json)\)")
_HOLE = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class ClientRoute:
    """One method of the client: `tables.get` sends `GET` to `path`, where each parameter is `{}`, and reads `fields` of the answer."""

    name: str
    method: str
    path: str
    fields: tuple[str, ...]


def client_routes() -> list[ClientRoute]:
    """Return every route of a workspace that the client's services call; those of accounts are another product's."""
    return [route for module in sorted(_SERVICES.glob("[a-z]*.py")) for route in _routes(module) if "/accounts/" not in route.path]


def _routes(module: Path) -> Iterator[ClientRoute]:
    parts = _CLASS.split(module.read_text())
    for service, source in zip(parts[1::2], parts[2::2], strict=True):
        methods = _METHOD.split(source)
        for name, body in zip(methods[1::2], methods[2::2], strict=True):
            called = _CALL.search(body)
            if called is not None and not name.startswith("_"):
                found = _fields(module.stem, body)
                yield ClientRoute(f"{_snake(service)}.{name}", called[1], _HOLE.sub("{}", called[2]), found)


def _fields(module: str, body: str) -> tuple[str, ...]:
    listed = _LIST.search(body)
    if listed:
        return tuple(f"{listed[1]}[].{name}" for name in _names(module, listed[2]))
    single = _OBJECT.search(body)
    return _names(module, single[1]) if single else ()


def _names(module: str, class_name: str) -> tuple[str, ...]:
    found = getattr(import_module(f"databricks.sdk.service.{module}"), class_name, None)
    return tuple(each.name for each in fields(found)) if isinstance(found, type) and is_dataclass(found) else ()


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
