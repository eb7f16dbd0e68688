"""What is known of a catalog or a schema lies in its folder: it goes when the folder goes, whoever removes it, and Spark sees it too."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkstemp
from typing import Literal

import msgspec

ABOUT = ".about.json"  # java_sources/harness/Records.java reads and writes it as well

Isolation = Literal["OPEN", "ISOLATED"]
Optimization = Literal["INHERIT", "ENABLE", "DISABLE"]


@dataclass(frozen=True, slots=True)
class About:
    """The file's content. Spark fills in what a statement of its own says; whose the folder is by default is not written."""

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


def read(folder: Path) -> About | None:
    """Return what the folder says of itself; None when it says nothing."""
    try:
        return _decoder.decode((folder / ABOUT).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(folder: Path, about: About) -> About:
    """Write it, whole or not at all, and return it."""
    _draft(folder, about).replace(folder / ABOUT)
    return about


def adopt(folder: Path, about: About) -> About:
    """Let a folder that others made say `about` of itself, unless it says something meanwhile; return what it says then."""
    draft = _draft(folder, about)
    try:
        (folder / ABOUT).hardlink_to(draft)
    except FileExistsError:
        return read(folder) or about
    finally:
        draft.unlink(missing_ok=True)
    return about


def _draft(folder: Path, about: About) -> Path:
    number, name = mkstemp(prefix=".new-", dir=folder)
    with os.fdopen(number, "wb") as draft:
        draft.write(msgspec.json.encode(about))
    return Path(name)
