"""Configuration as a tree whose every value knows the file, line and column it was written at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where something was written; `file` is relative to the bundle's folder."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def folder(self) -> PurePosixPath:
        """Folder of the file, relative to the bundle's: what relative paths in it start from."""
        return PurePosixPath(self.file).parent


@dataclass(frozen=True, slots=True)
class Node:
    """A scalar, a mapping or a sequence. Two nodes are equal when their values are, wherever they were written.

    `at` is the position of the key for a mapping's value, of the item for a sequence's. `text` is how a scalar was written
    (`3.10` is the number 3.1, but as text "3.10").
    """

    value: "Scalar | Mapping[str, Node] | tuple[Node, ...]"
    at: Position = field(compare=False)
    text: str | None = field(default=None, compare=False)

    def child(self, key: str) -> "Node | None":
        """Return what stands under `key`; None when nothing (or null) does, or this is no mapping."""
        found = self.value.get(key) if isinstance(self.value, Mapping) else None
        return None if found is None or found.value is None else found

    def find(self, *path: str) -> "Node | None":
        """Return what stands under a path of keys, or None."""
        found: Node | None = self
        for key in path:
            found = found.child(key) if found is not None else None
        return found

    def entries(self) -> "Mapping[str, Node]":
        """Return a mapping's values; nothing when this is no mapping."""
        return self.value if isinstance(self.value, Mapping) else {}

    def items(self) -> "tuple[Node, ...]":
        """Return a sequence's items; nothing when this is no sequence."""
        return self.value if isinstance(self.value, tuple) else ()

    def string(self) -> str | None:
        """Return a scalar as text, as it was written; None for null and for what is no scalar."""
        match self.value:
            case bool():
                return "true" if self.value else "false"
            case str():
                return self.value
            case int() | float():
                return self.text or str(self.value)
        return None

    def plain(self) -> Json:
        """Return the values without positions."""
        match self.value:
            case Mapping():
                return {key: value.plain() for key, value in self.value.items()}
            case tuple():
                return [item.plain() for item in self.value]
        return self.value

    def with_child(self, key: str, value: "Node") -> "Node":
        """Return this mapping with `value` under `key`."""
        return replace(self, value={**self.entries(), key: value})

    def with_path(self, path: tuple[str, ...], value: "Node") -> "Node":
        """Return this mapping with `value` under a path of keys; missing mappings are made."""
        if len(path) == 1:
            return self.with_child(path[0], value)
        below = self.child(path[0]) or Node({}, value.at)
        return self.with_child(path[0], below.with_path(path[1:], value))


def node(value: Json, at: Position) -> Node:
    """Return plain values as a tree that was written at `at`."""
    match value:
        case dict():
            return Node({key: node(each, at) for key, each in value.items()}, at)
        case list():
            return Node(tuple(node(each, at) for each in value), at)
    return Node(value, at)


def map_scalars(tree: Node, change: Callable[[Node], Node]) -> Node:
    """Return the tree with every scalar changed."""
    match tree.value:
        case Mapping():
            return replace(tree, value={key: map_scalars(value, change) for key, value in tree.value.items()})
        case tuple():
            return replace(tree, value=tuple(map_scalars(item, change) for item in tree.value))
    return change(tree)
