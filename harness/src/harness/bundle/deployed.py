"""What a bundle has deployed, kept in the workspace beside it: `<root>/state/resources.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from harness.bundle.calls import make_directories, read_file, write_file
from harness.errors import UserError

_VERSION = 2


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One deployed resource: its id, what was sent to make it so, and how it stood in the workspace then (None: not known to its end)."""

    id: str = msgspec.field(name="__id__")
    state: Mapping[str, object] = {}
    permissions: Sequence[Mapping[str, object]] = ()
    grants: Sequence[Mapping[str, object]] = ()
    seen: Mapping[str, object] | None = None


class _Document(msgspec.Struct):
    lineage: str
    serial: int = 0
    state: dict[str, Entry] = {}
    files: dict[str, str] = {}
    making: list[str] = []
    state_version: int = _VERSION


@dataclass(frozen=True, slots=True)
class Deployed:
    """The resources of one deployment by path (`resources.jobs.x`), and the SHA-256 of its files and wheels by workspace path.

    `making` are the resources that a deployment is, or was when it was interrupted, about to make: they may be there.
    """

    lineage: str
    serial: int = 0
    resources: dict[str, Entry] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    making: frozenset[str] = frozenset()

    def with_entry(self, path: str, entry: Entry) -> "Deployed":
        """Return it with one resource more, or changed."""
        return replace(self, resources={**self.resources, path: entry})

    def without(self, path: str) -> "Deployed":
        """Return it with one resource less."""
        return replace(self, resources={key: entry for key, entry in self.resources.items() if key != path})


def load(workspace: WorkspaceClient, folder: str) -> Deployed | None:
    """Return what is deployed under a state folder of the workspace, or None when nothing is."""
    path = f"{folder}/resources.json"
    try:
        text = read_file(workspace, path)
    except NotFound:
        return None
    try:
        found = msgspec.json.decode(text, type=_Document)
    except msgspec.DecodeError as error:
        raise UserError(f"{path}: the deployment's state cannot be read: {error}; restore it, or remove it and what it deployed") from error
    if found.state_version > _VERSION:
        raise UserError(f"{path}: state_version {found.state_version} is newer than {_VERSION}; deploy with the client that wrote it")
    return Deployed(found.lineage, found.serial, found.state, found.files, frozenset(found.making))


def save(workspace: WorkspaceClient, folder: str, deployed: Deployed) -> Deployed:
    """Write the state and return it with its next serial number."""
    after = replace(deployed, serial=deployed.serial + 1)
    document = _Document(after.lineage, after.serial, after.resources, after.files, sorted(after.making))
    body = msgspec.json.encode(document)
    try:
        write_file(workspace, f"{folder}/resources.json", body)
    except NotFound:
        make_directories(workspace, folder)
        write_file(workspace, f"{folder}/resources.json", body)
    return after
