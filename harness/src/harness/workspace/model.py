"""Paths of the Files API and of workspace objects: what they mean, and which are refused. Pure."""

import re
from dataclasses import dataclass
from typing import Literal

from harness.errors import ApiError, NotEmulated
from harness.workspace.notebooks import COMMENTS, EXTENSIONS, HEADER, Language, language_of

ObjectType = Literal["DIRECTORY", "FILE", "NOTEBOOK"]
Format = Literal["SOURCE", "JUPYTER"]

MAX_SEGMENT_BYTES = 255
# Assumption: the platform's own bound is not documented; this one keeps every path within what the file system of a laptop can hold.
MAX_PATH_BYTES = 2048
_REFUSED = re.compile(r"[\\\x00-\x1f\x7f]")
_LANGUAGES: dict[str, Language] = {extension: language for language, extension in EXTENSIONS.items()}


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
    format: Format = "SOURCE"
    """In which the bytes of a notebook are kept: the one in which it was imported."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an upload becomes: where it is kept, and as what."""

    path: str
    object_type: ObjectType
    language: Language | None = None
    format: Format = "SOURCE"


def segments(path: str) -> tuple[str, ...]:
    """Return the parts of an absolute `path`, or raise the platform's 400 for one that could lead outside its root.

    >>> segments("/Volumes/main/ml/raw/a.csv")
    ('Volumes', 'main', 'ml', 'raw', 'a.csv')
    """
    if not path.startswith("/"):
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Path {path!r} must start with '/'")
    parts = tuple(part for part in path.split("/") if part)
    for part in parts:
        if not is_name(part):
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Path {path!r} is not valid: {part!r} cannot be part of a path")
    try:
        if len(path.encode()) > MAX_PATH_BYTES:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Path '{path[:80]}…' is longer than {MAX_PATH_BYTES} bytes")
    except UnicodeEncodeError as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Path {path!r} is not valid UTF-8") from error
    return parts


def is_name(part: str) -> bool:
    """Return whether `part` can be the name of a file or folder."""
    return part not in {".", ".."} and not _REFUSED.search(part) and len(part.encode("utf-8", "surrogatepass")) <= MAX_SEGMENT_BYTES


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
    if stem.endswith("/"):  # a name that begins with its only dot has no extension
        return Imported(path, "FILE")
    if extension == ".ipynb":
        return Imported(stem, "NOTEBOOK", language_of(content), "JUPYTER")
    language = _LANGUAGES.get(extension)
    if language is not None and _begins_as_notebook(content, language):
        return Imported(stem, "NOTEBOOK", language)
    return Imported(path, "FILE")


def imported_as(format_: str, path: str, content: bytes, language: Language | None) -> Imported:
    """Return what `workspace/import` makes of `content` in `format_`, or raise the platform's 400 when they do not fit."""
    match format_:
        case "AUTO":
            return imported(path, content)
        case "RAW":
            return Imported(path, "FILE")
        case "JUPYTER":
            return Imported(path, "NOTEBOOK", language_of(content), "JUPYTER")
        case "SOURCE":
            if language is None:
                message = f"Importing {path} with format=SOURCE needs a language; use format=AUTO for a file"
                raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
            return Imported(path, "NOTEBOOK", language)
        case "HTML" | "DBC" | "R_MARKDOWN":
            raise NotEmulated(f"POST /api/2.0/workspace/import with format={format_}")
    raise ApiError(400, "INVALID_PARAMETER_VALUE", f"format '{format_}' is not one of SOURCE, JUPYTER, AUTO, RAW, HTML, DBC, R_MARKDOWN")


def with_extension(found: WorkspaceObject) -> str:
    """Return the name that a notebook has outside the workspace."""
    if found.language is None:
        return found.path
    return found.path + (".ipynb" if found.format == "JUPYTER" else EXTENSIONS[found.language])


def _begins_as_notebook(content: bytes, language: Language) -> bool:
    # docs.databricks.com/dev-tools/vscode-ext/notebooks: the first line that makes a source file a notebook.
    first = content.partition(b"\n")[0].removeprefix(b"\xef\xbb\xbf")
    return first.rstrip() == f"{COMMENTS[language]} {HEADER}".encode()
