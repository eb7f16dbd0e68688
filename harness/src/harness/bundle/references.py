"""`${a.b.c}` references: found in text, looked up, put in place. `{{…}}` belongs to the platform and is never touched."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from harness.bundle.nodes import Node
from harness.errors import UserError

_REFERENCE = re.compile(r"\$\{([a-zA-Z][\w-]*(?:\.[\w-]+|\[\d+\])*)\}")
# A reference may be made of references (`${var.${bundle.target}_host}`): the inner ones go first, round after round.
_ROUNDS = 11

Path = tuple[str, ...]


class Lookup(Protocol):
    """Gives the value behind a path: None when there is none, the reference itself (as text) when only the platform knows it."""

    def __call__(self, path: Path, /) -> Node | None:
        """Return what stands at `path`, as written."""
        ...


def has_reference(text: str) -> bool:
    """Return whether `text` holds a reference."""
    return _REFERENCE.search(text) is not None


def is_reference(text: str) -> bool:
    """Return whether `text` is one reference and nothing else."""
    return _REFERENCE.fullmatch(text) is not None


def references(text: str) -> list[Path]:
    """Return the paths that `text` refers to, in order."""
    return [split(found) for found in _REFERENCE.findall(text)]


def split(path: str) -> Path:
    """Return the parts of a dotted path: `a.b[0].c` is a, b, 0, c."""
    return tuple(part for part in re.split(r"[.\[\]]+", path) if part)


class Resolution:
    """Puts values in the place of references. `later` says which references stay, because only the platform knows their values."""

    def __init__(self, lookup: Lookup, later: Callable[[Path], bool]) -> None:
        self._lookup = lookup
        self._later = later
        self._open: list[Path] = []
        self._done: dict[Path, Node] = {}

    def tree(self, tree: Node) -> Node:
        """Return the tree with every reference resolved, or raise what is wrong and where."""
        match tree.value:
            case Mapping():
                return replace(tree, value={key: self.tree(value) for key, value in tree.value.items()})
            case tuple():
                return replace(tree, value=tuple(self.tree(item) for item in tree.value))
            case str():
                return self._text(tree, tree.value)
        return tree

    def _text(self, tree: Node, text: str) -> Node:
        for _ in range(_ROUNDS):
            whole = _REFERENCE.fullmatch(text)
            if whole is not None:
                path = split(whole[1])
                return tree if self._later(path) and text == tree.value else self._whole(tree, path, text)
            changed = _REFERENCE.sub(lambda found: self._part(tree, found), text)
            if changed == text:
                return tree if text == tree.value else replace(tree, value=text, text=None)
            text = changed
        raise UserError(f"{tree.at}: references in {tree.value!r} do not end after {_ROUNDS} rounds; write the value out")

    def _whole(self, tree: Node, path: Path, text: str) -> Node:
        if self._later(path):
            return replace(tree, value=text, text=None)
        found = self._value(tree, path)
        # A scalar takes the place of its reference; a mapping or list keeps where its parts were written (relative paths in it).
        return replace(found, at=tree.at) if not isinstance(found.value, Mapping | tuple) else found

    def _part(self, tree: Node, found: re.Match[str]) -> str:
        path = split(found[1])
        if self._later(path):
            return found[0]
        text = self._value(tree, path).string()
        if text is None:
            raise UserError(
                f"{tree.at}: {found[0]} is no text, so it cannot stand inside {tree.value!r}; let it stand alone, or refer to a part of it"
            )
        return text

    def _value(self, tree: Node, path: Path) -> Node:
        if path in self._done:
            return self._done[path]
        if path in self._open:
            circle = " -> ".join(".".join(each) for each in (*self._open[self._open.index(path) :], path))
            raise UserError(f"{tree.at}: references go in a circle: {circle}; give one of them a value of its own")
        self._open.append(path)
        try:
            found = self._lookup(path)
            if found is None:
                message = "it names nothing; expected ${var.NAME}, ${bundle.name}, ${workspace.root_path}, ${resources.TYPE.KEY.FIELD} …"
                raise UserError(f"{tree.at}: unknown reference ${{{'.'.join(path)}}}: {message}; declare it or correct the name")
            self._done[path] = self.tree(found)
        finally:
            self._open.pop()
        return self._done[path]
