"""Paths in a bundle: relative ones start from the file they are written in, workspace ones from the user's home."""

import posixpath
import re

from harness.bundle.nodes import Node

_EXTRAS = re.compile(r"^(?P<path>.*\.whl)(?P<extras>\[[\w\s,.-]+\])?$")


def from_root(tree: Node) -> Node:
    """Return a relative path, written in some file of the bundle, relative to the bundle's folder."""
    text = tree.string() or ""
    return Node(_dotted(posixpath.normpath(posixpath.join(str(tree.at.folder), text))), tree.at)


def local_wheel(dependency: str) -> tuple[str, str] | None:
    """Return path (or glob) and extras of a dependency that is a wheel beside the bundle; None for any other dependency."""
    found = _EXTRAS.match(dependency)
    if found is None or dependency.startswith(("/", "dbfs:")) or "://" in dependency or " @ " in dependency:
        return None
    return found["path"], found["extras"] or ""


def workspace_path(text: str, user_name: str) -> str:
    """Return a workspace path in its full form: `~/x` is in the user's home, `/Users/x` and `/Shared/x` below /Workspace."""
    if text == "~" or text.startswith("~/"):
        return f"/Workspace/Users/{user_name}{text[1:]}"
    return f"/Workspace{text}" if text.startswith(("/Users/", "/Shared/")) else text


def _dotted(path: str) -> str:
    return path if path.startswith((".", "/")) else f"./{path}"
