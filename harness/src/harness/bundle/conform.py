"""Checks a tree against the dataclasses of `shapes`: unknown keys become warnings, wrong types errors, texts numbers."""

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from harness.bundle.nodes import Node
from harness.bundle.references import has_reference
from harness.errors import UserError


@dataclass(frozen=True, slots=True, order=True)
class UnknownKey:
    """A key that nothing reads: where it stands, its path, and what would be read there."""

    at: str
    path: str
    accepted: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.at}: {self.path}: unknown key, ignored; accepted here: {', '.join(self.accepted)}"


Report = Callable[[UnknownKey], None]


def conform(tree: Node, shape: Any, path: str, report: Report) -> Node:
    """Return the tree as `shape` wants it: unknown keys and nulls left out, text turned into the number or text that is expected.

    A scalar that still holds a `${…}` reference passes everywhere.
    """
    if shape is Any or (isinstance(tree.value, str) and has_reference(tree.value)):
        return tree
    origin, arguments = get_origin(shape), get_args(shape)
    if origin in (Union, types.UnionType):
        return conform(tree, next(each for each in arguments if each is not types.NoneType), path, report)
    if is_dataclass(shape):
        return _object(tree, shape, path, report)
    if origin is list:
        return _list(tree, arguments[0], path, report)
    if origin is dict:
        return _map(tree, arguments[1], path, report)
    return _scalar(tree, shape, path)


@cache
def accepted(shape: Any) -> Mapping[str, Any]:
    """Return the keys of a dataclass with their types."""
    return get_type_hints(shape)


def _object(tree: Node, shape: Any, path: str, report: Report) -> Node:
    fields = accepted(shape)
    kept: dict[str, Node] = {}
    for key, value in _mapping(tree, path).items():
        inner = f"{path}.{key}" if path else key
        if key not in fields:
            report(UnknownKey(str(value.at), inner, tuple(sorted(fields))))
        elif value.value is not None:
            kept[key] = conform(value, fields[key], inner, report)
    return replace(tree, value=kept)


def _map(tree: Node, shape: Any, path: str, report: Report) -> Node:
    entries = _mapping(tree, path).items()
    kept = {key: conform(value, shape, f"{path}.{key}", report) for key, value in entries if value.value is not None}
    return replace(tree, value=kept)


def _list(tree: Node, shape: Any, path: str, report: Report) -> Node:
    if not isinstance(tree.value, tuple):
        raise UserError(f"{tree.at}: {path}: expected a list, found {_kind(tree)}; write each element on a line of its own after '- '")
    return replace(tree, value=tuple(conform(item, shape, f"{path}[{n}]", report) for n, item in enumerate(tree.value)))


def _mapping(tree: Node, path: str) -> Mapping[str, Node]:
    if not isinstance(tree.value, Mapping):
        raise UserError(f"{tree.at}: {path}: expected a mapping, found {_kind(tree)}; write 'key: value' lines below it")
    return tree.value


_TRUE_FALSE = {"true": True, "false": False}


def _scalar(tree: Node, shape: Any, path: str) -> Node:
    text = tree.string()
    if text is None:
        if shape is dict or shape is object:
            return tree
        raise UserError(f"{tree.at}: {path}: expected {_NAMES.get(shape, 'text')}, found {_kind(tree)}")
    if shape is bool:
        if text.lower() not in _TRUE_FALSE:
            raise UserError(f"{tree.at}: {path}: expected true or false, found {text!r}")
        return replace(tree, value=_TRUE_FALSE[text.lower()])
    if shape is int:
        if not re.fullmatch(r"[-+]?\d+", text):
            raise UserError(f"{tree.at}: {path}: expected a whole number, found {text!r}")
        return replace(tree, value=int(text))
    if shape is float:
        if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
            raise UserError(f"{tree.at}: {path}: expected a number, found {text!r}")
        return replace(tree, value=float(text))
    if isinstance(shape, type) and issubclass(shape, Enum):
        return _one_of(tree, [str(each.value) for each in shape], path)
    return replace(tree, value=text)


def _one_of(tree: Node, values: list[str], path: str) -> Node:
    text = tree.string() or ""
    if text not in values:
        raise UserError(f"{tree.at}: {path}: {text!r} is not known; expected one of {', '.join(values)}")
    return replace(tree, value=text)


_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _kind(tree: Node) -> str:
    if isinstance(tree.value, Mapping):
        return "a mapping"
    return "a list" if isinstance(tree.value, tuple) else f"{tree.string()!r}"
