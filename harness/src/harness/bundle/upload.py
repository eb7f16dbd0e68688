"""Bringing files to the workspace: what is new or changed there, and afterwards what is no longer wanted away again."""

import posixpath
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from databricks.sdk import WorkspaceClient

from harness.bundle import calls
from harness.bundle.build import sha256

Progress = Callable[[str], None]
_AT_ONCE = 10
_UNKNOWN = ""
"""The digest of a file that may or may not have arrived."""


@dataclass(frozen=True, slots=True)
class Uploads:
    """What has to be sent, by path in the workspace: the file and its name there, and what is to go. `digests` is what is there then."""

    send: Mapping[str, Path]
    remove: frozenset[str]
    digests: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.send or self.remove)

    def under_way(self, before: Mapping[str, str]) -> dict[str, str]:
        """Return what may be there while files are being sent."""
        return {**before, **dict.fromkeys(self.send, _UNKNOWN)}


def compare(workspace: WorkspaceClient, wanted: Mapping[str, Path], before: Mapping[str, str]) -> Uploads:
    """Return what differs between the files `wanted` and those sent `before`, or is gone from the workspace."""
    digests = {remote: sha256(path) for remote, path in wanted.items()}
    folders = sorted({posixpath.dirname(remote) for remote in wanted if before.get(remote)})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        there = set().union(*pool.map(lambda folder: calls.list_names(workspace, folder), folders))
    send = {remote: path for remote, path in wanted.items() if before.get(remote) != digests[remote] or remote not in there}
    return Uploads(send, frozenset(before.keys() - wanted.keys()), digests)


def send(workspace: WorkspaceClient, uploads: Uploads, progress: Progress) -> None:
    """Send what has to be sent, folders first."""

    def write(item: tuple[str, Path]) -> None:
        remote, path = item
        content = path.read_bytes()
        progress(f"uploading {path.name} ({len(content) / 1000:,.1f} kB)")
        calls.write_file(workspace, posixpath.join(posixpath.dirname(remote), path.name), content)

    for folder in _innermost({posixpath.dirname(remote) for remote in uploads.send}):
        calls.make_directories(workspace, folder)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(write, uploads.send.items()))


def remove(workspace: WorkspaceClient, uploads: Uploads, progress: Progress) -> None:
    """Remove what is no longer wanted."""
    for remote in sorted(uploads.remove):
        progress(f"removing {remote}")
        calls.delete_path(workspace, remote)


def _innermost(folders: set[str]) -> list[str]:
    """Return the folders that are no other's parent: making those makes all."""
    return sorted(folder for folder in folders if not any(other.startswith(f"{folder}/") for other in folders))
