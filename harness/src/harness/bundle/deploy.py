"""Deploying a bundle: check and build everything, then upload, then change what differs. And taking it away again."""

import posixpath
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.errors import NotImplemented as NotImplementedThere
from databricks.sdk.errors.base import DatabricksError

from harness.bundle import calls, deployed
from harness.bundle.build import build_artifacts, sha256
from harness.bundle.deployed import Deployed, Entry
from harness.bundle.emulated import check_emulated
from harness.bundle.model import Bundle, Resource
from harness.bundle.nodes import Json
from harness.bundle.plan import Plan, Step, Wanted, plan, removal
from harness.bundle.substitution import with_ids
from harness.bundle.wheels import Wheels, find_wheels
from harness.errors import UserError
from harness.ids import Ids, RandomIds

Progress = Callable[[str], None]
_UPLOADS_AT_ONCE = 5
_PERMISSION_PATHS = {"jobs": "jobs", "experiments": "experiments"}


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a deployment did: its plan, the ids by resource path, and what it has to warn of."""

    plan: Plan
    ids: Mapping[str, str]
    warnings: tuple[str, ...]


def deploy(
    bundle: Bundle, workspace: WorkspaceClient, *, folder: Path, progress: Progress, approve: bool = False, ids: Ids | None = None
) -> Deployment:
    """Bring `bundle` (read from `folder`) to the workspace; nothing is written there before all of it is known to be right.

    `approve` allows removing schemas, volumes and registered models, with what they hold.
    """
    warnings = [str(warning) for warning in bundle.warnings]
    check_emulated(bundle)
    build_artifacts(bundle.artifacts, folder, progress)
    wheels = find_wheels(bundle, folder)
    before = deployed.load(workspace, bundle.paths.state) or Deployed((ids or RandomIds()).uuid())
    wanted = [_wanted(each, bundle, wheels) for each in bundle.resources]
    found = plan(wanted, before.resources, _gone(workspace, before))
    _check_approved(found, approve=approve)
    after = _upload(workspace, wheels, before, progress)
    changes = _Changes(workspace, bundle.paths.state, after, progress)
    for step in found.steps:
        changes.apply(step)
    if after != before or found.steps:
        changes.save()
    progress(str(found))
    return Deployment(found, {path: entry.id for path, entry in changes.deployed.resources.items()}, (*warnings, *changes.warnings))


def destroy(bundle: Bundle, workspace: WorkspaceClient, *, progress: Progress) -> Plan | None:
    """Remove all that is deployed of `bundle`, and return what that was; None when nothing was deployed."""
    before = deployed.load(workspace, bundle.paths.state)
    if before is None:
        return None
    changes = _Changes(workspace, bundle.paths.state, before, progress)
    gone = removal(before.resources)
    for step in gone.steps:
        changes.apply(step)
    progress(f"deleting {bundle.paths.root}")
    calls.delete_path(workspace, bundle.paths.root, recursive=True)
    return gone


def _wanted(resource: Resource, bundle: Bundle, wheels: Wheels) -> Wanted:
    body = dict(resource.body)
    if resource.kind == "jobs":
        # What the platform's pages need to know that a job belongs to a bundle, and a bundle's defaults:
        # docs.databricks.com/api/workspace/jobs/create
        deployment: Json = {"kind": "BUNDLE", "metadata_file_path": f"{bundle.paths.state}/metadata.json"}
        defaults: dict[str, Json] = {"max_concurrent_runs": 1, "queue": {"enabled": True}}
        body = {**defaults, **wheels.in_place(body), "deployment": deployment, "edit_mode": "UI_LOCKED", "format": "MULTI_TASK"}
    return Wanted(resource, body, [each.body() for each in resource.permissions])


def _gone(workspace: WorkspaceClient, before: Deployed) -> set[str]:
    def there(path: str) -> bool:
        kind = path.split(".")[1]
        return kind not in calls.KINDS or calls.KINDS[kind].exists(workspace, before.resources[path].id)

    with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
        paths = list(before.resources)
        return {path for path, found in zip(paths, pool.map(there, paths), strict=True) if not found}


def _check_approved(found: Plan, *, approve: bool) -> None:
    lost = [step.path for step in found.steps if step.loses_data]
    if lost and not approve:
        message = f"{', '.join(lost)} would be deleted, with all data in it"
        raise UserError(f"{message}; nothing was changed; deploy with --auto-approve to go on")


def _upload(workspace: WorkspaceClient, wheels: Wheels, before: Deployed, progress: Progress) -> Deployed:
    local = wheels.uploads()
    digests = {remote: sha256(path) for remote, path in local.items()}
    there = {posixpath.basename(path) for path in calls.list_names(workspace, wheels.folder)} if local else set()
    new = [remote for remote in local if before.wheels.get(remote) != digests[remote] or posixpath.basename(remote) not in there]

    def send(remote: str) -> None:
        content = local[remote].read_bytes()
        progress(f"uploading {local[remote].name} ({len(content) / 1000:,.0f} kB)")
        calls.write_file(workspace, remote, content)

    if new:
        calls.make_directories(workspace, wheels.folder)
        with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
            list(pool.map(send, new))
    for old in set(before.wheels) - set(digests):
        calls.delete_path(workspace, old)
    return replace(before, wheels=digests)


class _Changes:
    """Applies steps one by one and writes the state after each, so that whatever happens, what was made is known."""

    def __init__(self, workspace: WorkspaceClient, folder: str, before: Deployed, progress: Progress) -> None:
        self._workspace = workspace
        self._folder = folder
        self._progress = progress
        self.deployed = before
        self.warnings: list[str] = []

    def apply(self, step: Step) -> None:
        """Make one change, or say where in the bundle the workspace refused what."""
        self._progress(f"{step.action.removesuffix('e')}ing {step.path}")
        try:
            if step.id is not None and step.action in {"delete", "recreate"}:
                self._delete(step.path, step.kind, step.id)
            if step.wanted is not None:
                self._make(step, step.wanted)
        except DatabricksError as error:
            where = f"{step.wanted.resource.at}: " if step.wanted is not None else ""
            message = f"{where}{step.path}: the workspace refused to {step.action} it: {error.error_code}: {error}"
            raise UserError(f"{message}; what was done before it stands, deploy again once it is put right") from error

    def save(self) -> None:
        """Write the state."""
        self.deployed = deployed.save(self._workspace, self._folder, self.deployed)

    def _delete(self, path: str, kind: str, id_: str) -> None:
        try:
            calls.KINDS[kind].delete(self._workspace, id_)
        except NotFound:
            self._progress(f"{path} was gone already")
        self.deployed = self.deployed.without(path)
        self.save()

    def _make(self, step: Step, wanted: Wanted) -> None:
        kind = calls.KINDS[step.kind]
        body = with_ids(wanted.body, {path: entry.id for path, entry in self.deployed.resources.items()})
        if step.action == "update" and step.id is not None:
            id_ = step.id
            kind.update(self._workspace, id_, body)
        else:
            id_ = kind.create(self._workspace, body)
        before = self.deployed.resources.get(step.path)
        self.deployed = self.deployed.with_entry(step.path, Entry(id_, wanted.body, []))
        self.save()
        if wanted.permissions or (before is not None and before.permissions):
            self._permit(step, wanted, id_)

    def _permit(self, step: Step, wanted: Wanted, id_: str) -> None:
        me = self._workspace.current_user.me().user_name or ""
        others: list[Json] = [{**each} for each in wanted.permissions if each.get("user_name") != me]
        own: Json = {"user_name": me, "permission_level": "IS_OWNER" if step.kind == "jobs" else "CAN_MANAGE"}
        path = f"/api/2.0/permissions/{_PERMISSION_PATHS[step.kind]}/{id_}"
        try:
            calls.call(self._workspace, "PUT", path, body={"access_control_list": [own, *others]})
        except NotImplementedThere:
            self.warnings.append(f"not emulated: permissions of {step.path}; the resource itself is deployed")
        self.deployed = self.deployed.with_entry(step.path, Entry(id_, wanted.body, wanted.permissions))
