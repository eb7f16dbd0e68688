"""What Spark writes in a schema's folder beside the tables: views, functions and external tables, a JSON file each.

`java_sources/harness/Records.java` writes them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec

Kind = Literal[".views", ".functions", ".external"]


class View(msgspec.Struct):
    """A view, as Spark keeps it; `schema` is Spark's own JSON."""

    schema: str
    query: str
    properties: dict[str, str] = {}


class External(msgspec.Struct):
    """A table whose files lie elsewhere; a Delta table's log says more."""

    provider: str
    location: str
    schema: str = '{"type":"struct","fields":[]}'
    partitions: list[str] = []
    properties: dict[str, str] = {}


class Function(msgspec.Struct):
    """A function; `usage` is Spark's own JSON, `python` the body when that is not SQL."""

    usage: str
    python: str | None = None


Content = View | External | Function


@dataclass(frozen=True, slots=True)
class Record:
    """A file's content; one that is written anew has another id."""

    id: str
    changed_at: int
    content: Content


_types: dict[Kind, Callable[[bytes], Content]] = {
    ".views": msgspec.json.Decoder(View).decode,
    ".external": msgspec.json.Decoder(External).decode,
    ".functions": msgspec.json.Decoder(Function).decode,
}


def names(schema: Path, kind: Kind) -> list[str]:
    """Return the names of a kind in a schema's folder, in order."""
    try:
        return sorted(entry.stem for entry in (schema / kind).iterdir() if entry.suffix == ".json" and not entry.name.startswith("."))
    except FileNotFoundError:
        return []


def find(schema: Path, kind: Kind, name: str) -> Record | None:
    """Return a record, or None."""
    path = schema / kind / f"{name}.json"
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = _types[kind](file.read())
    except FileNotFoundError:
        return None
    identity = f"{kind}/{status.st_ino}/{status.st_mtime_ns}"  # neither name nor place: it stays itself when these are changed
    return Record(str(uuid5(NAMESPACE_URL, identity)), status.st_mtime_ns // 10**6, content)


def remove(schema: Path, kind: Kind, name: str) -> bool:
    """Remove a record; False when another was first."""
    try:
        (schema / kind / f"{name}.json").unlink()
    except FileNotFoundError:
        return False
    return True
