"""Paths of the Files API and of workspace objects: what they mean, and which are refused. Pure."""

import re
from dataclasses import dataclass
from typing import Literal

from harness.errors import ApiError

ObjectType = Literal["DIRECTORY", "FILE", "NOTEBOOK"]
Language = Literal["PYTHON", "SQL", "SCALA", "R"]

MAX_SEGMENT_BYTES = 255
_REFUSED = re.compile(r"[\\\x00-\x1f\x7f]")
# docs.databricks.com/dev-tools/vscode-ext/notebooks: the first line that makes a source file a notebook.
_NOTEBOOK_HEADER = b"Databricks notebook source"
_LANGUAGES: dict[str, tuple[Language, bytes]] = {
    ".py": ("PYTHON", b"# "),
    ".sql": ("SQL", b"-- "),
    ".scala": ("SCALA", b"// "),
    ".r": ("R", b"# "),
}


@dataclass(frozen=True, slots=True)
class WorkspaceObject:
    """A directory, file or notebook of the workspace; `path` has no `/Workspace` in front."""

    path: str
    object_type: ObjectType
    object_id: int
    created_at: int
    modified_at: int
    size: int = 0
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What an upload becomes: where it is kept, and as what."""

    path: str
    object_type: ObjectType
    language: Language | None = None


def segments(path: str) -> tuple[str, ...]:
    """Return the parts of an absolute `path`, or raise the platform's 400 for one that could lead outside its root.

    >>> segments("/Volumes/main/ml/raw/a.csv")
    ('Volumes', 'main', 'ml', 'raw', 'a.csv')
    """
    if not path.startswith("/"):
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Path {path!r} must start with '/'")
    parts = tuple(part for part in path.split("/") if part)
    for part in parts:
        if part in {".", ".."} or _REFUSED.search(part) or len(part.encode("utf-8", "surrogatepass")) > MAX_SEGMENT_BYTES:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Path {path!r} is not valid: {part!r} cannot be part of a path")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Path {path!r} is not valid UTF-8") from error
    return parts


def object_path(path: str) -> str:
    """Return the one spelling of a workspace path: absolute, no trailing slash, without the optional `/Workspace` in front."""
    parts = segments(path)
    if parts[:1] == ("Workspace",):
        parts = parts[1:]
    return "/" + "/".join(parts)


def parent(path: str) -> str:
    """Return the folder of `path`."""
    return path.rpartition("/")[0] or "/"


def ancestors(path: str) -> list[str]:
    """Return the folders above `path` and itself, the root left out, outermost first."""
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[: n + 1]) for n in range(len(parts))] if path != "/" else []


def imported(path: str, content: bytes) -> Imported:
    """Return what `content` becomes under `path`: a source file that begins as a notebook is one, and loses its extension."""
    # Assumption: `workspace-files/import-file` and `format=AUTO` decide alike (docs of workspace/import describe AUTO so).
    stem, dot, suffix = path.rpartition(".")
    extension = (dot + suffix).lower()
    if extension == ".ipynb":
        return Imported(stem, "NOTEBOOK", "PYTHON")
    if extension in _LANGUAGES:
        language, comment = _LANGUAGES[extension]
        if content.startswith(comment + _NOTEBOOK_HEADER):
            return Imported(stem, "NOTEBOOK", language)
    return Imported(path, "FILE")
