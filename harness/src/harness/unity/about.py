"""What is known of a catalog or a schema lies in its folder: it goes when the folder goes, whoever removes it.

Comment and properties of a schema lie in a file of Spark's, where its statements find and change them.
"""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkstemp
from typing import Literal

import msgspec

ABOUT = ".about.json"
SPARKS = "_schema.json"  # java_sources/harness/Records.java: an object of texts
_NO_PROPERTIES = frozenset({"comment", "owner", "location"})

Isolation = Literal["OPEN", "ISOLATED"]
Optimization = Literal["INHERIT", "ENABLE", "DISABLE"]


@dataclass(frozen=True, slots=True)
class About:
    """The file's content."""

    id: str
    created_at: int
    updated_at: int
    comment: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    owner: str = ""
    created_by: str = ""
    updated_by: str = ""
    isolation_mode: Isolation = "OPEN"
    enable_predictive_optimization: Optimization = "INHERIT"
    options: dict[str, str] = field(default_factory=dict)
    custom_max_retention_hours: int | None = None
    workspaces: dict[str, str] = field(default_factory=dict)
    """To which workspaces an isolated catalog is bound, and how."""


_decoder = msgspec.json.Decoder(About)
_sparks = msgspec.json.Decoder(dict[str, str])


def read(folder: Path) -> About | None:
    """Return what the folder says of itself; None when it has no id yet."""
    try:
        found = _decoder.decode((folder / ABOUT).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    told = _told(folder)
    if told is None:
        return found
    properties = {key: value for key, value in told.items() if key not in _NO_PROPERTIES}
    return replace(found, comment=told.get("comment", ""), properties=properties)


def write(folder: Path, about: About) -> About:
    """Write it, whole or not at all, and return it."""
    told = _told(folder)
    if told is not None:
        kept = {key: value for key, value in told.items() if key in _NO_PROPERTIES - {"comment"}}
        _draft(folder, {**about.properties, **kept, "comment": about.comment}).replace(folder / SPARKS)
    _draft(folder, about).replace(folder / ABOUT)
    return about


def write_schema(folder: Path, about: About) -> None:
    """Write it into the folder of a schema that nobody sees yet."""
    share(folder)
    write(folder, about)


def share(folder: Path) -> None:
    """Let a schema's folder have Spark's file, if it has none."""
    if _told(folder) is None:
        _draft(folder, {}).replace(folder / SPARKS)


def adopt(folder: Path, about: About) -> About:
    """Give a folder that others made an id, unless it has one meanwhile; return what it says then."""
    draft = _draft(folder, about)
    try:
        (folder / ABOUT).hardlink_to(draft)
    except FileExistsError:
        return read(folder) or about
    finally:
        draft.unlink(missing_ok=True)
    return read(folder) or about


def _told(folder: Path) -> dict[str, str] | None:
    try:
        return _sparks.decode((folder / SPARKS).read_bytes())
    except FileNotFoundError:
        return None


def _draft(folder: Path, content: object) -> Path:
    number, name = mkstemp(prefix=".new-", dir=folder)
    with os.fdopen(number, "wb") as draft:
        draft.write(msgspec.json.encode(content))
    return Path(name)
