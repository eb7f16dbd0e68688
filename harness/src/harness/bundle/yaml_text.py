"""YAML text to nodes with positions, and back. Scalars are read by YAML 1.2's core rules: `yes` and `on` are text."""

import re
from collections.abc import Mapping
from dataclasses import replace

import yaml

from harness.bundle.nodes import Json, Node, Position, Scalar
from harness.errors import UserError

_RULES: tuple[tuple[str, str, str], ...] = (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("merge", r"^(?:<<)$", "<"),
)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - declared so by yaml


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - declared so by yaml

    def ignore_aliases(self, data: object) -> bool:
        """Write shared values out each time."""
        del data
        return True


for _name, _pattern, _first in _RULES:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_name}", re.compile(_pattern), ["" if letter == "\0" else letter for letter in _first]
        )


def parse(text: str, file: str) -> Node:
    """Return the document in `text`; an empty one is an empty mapping. `file` is what positions and errors name."""
    try:
        composed = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Position(file, mark.line + 1, mark.column + 1) if mark else file
        raise UserError(f"{where}: not valid YAML: {error.problem or error.context}; correct the text there") from error
    except yaml.YAMLError as error:  # unprintable characters carry no mark
        raise UserError(f"{file}: not valid YAML: {error}; correct the text") from error
    start = Position(file, 1, 1)
    if composed is None:
        return Node({}, start)
    tree = _Conversion(file).convert(composed)
    if tree.value is None:
        return Node({}, start)
    if not isinstance(tree.value, Mapping):
        raise UserError(f"{tree.at}: the document is no mapping; expected keys such as 'bundle:' and 'resources:'")
    return tree


def dump(value: Json) -> str:
    """Return `value` as YAML that `parse` reads back as the same values."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Conversion:
    """PyYAML's nodes to ours, for one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[yaml.Node] = []

    def convert(self, found: yaml.Node) -> Node:
        at = self._position(found)
        if any(found is each for each in self._open):
            raise UserError(f"{at}: an alias refers to the value it stands in; write the value out")
        self._open.append(found)
        try:
            if isinstance(found, yaml.MappingNode):
                return Node(self._mapping(found), at)
            if isinstance(found, yaml.SequenceNode):
                return Node(tuple(self.convert(item) for item in found.value), at)
            return Node(_scalar(found, at), at, found.value)
        finally:
            self._open.pop()

    def _position(self, found: yaml.Node) -> Position:
        return Position(self._file, found.start_mark.line + 1, found.start_mark.column + 1)

    def _mapping(self, found: yaml.MappingNode) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in found.value:
            at = self._position(key)
            if key.tag == "tag:yaml.org,2002:merge":
                merged = {**merged, **self._merged(value)}
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise UserError(f"{at}: a key is no text; expected a name")
            if key.value in own:
                raise UserError(f"{at}: key '{key.value}' stands twice in one mapping (first at {own[key.value].at}); remove one")
            own[key.value] = replace(self.convert(value), at=at)
        return {**merged, **own}

    def _merged(self, value: yaml.Node) -> dict[str, Node]:
        converted = self.convert(value)
        sources = converted.items() or (converted,)
        out: dict[str, Node] = {}
        for source in reversed(sources):
            if not isinstance(source.value, Mapping):
                raise UserError(f"{source.at}: '<<' merges mappings only; expected an alias of a mapping, or a list of them")
            out = {**out, **source.value}
        return out


def _scalar(found: yaml.Node, at: Position) -> Scalar:
    text: str = found.value
    match found.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "str" | "merge":
            return text
    raise UserError(f"{at}: tag {found.tag!r} is not supported; write a plain value")
