"""Deploying a bundle: check and build everything, then upload, then change what differs. And taking it away again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors.base import DatabricksError

from harness.bundle import access, calls, deployed, upload
from harness.bundle.changes import Changes
from harness.bundle.lock import locked
from harness.bundle.metadata import write_metadata
from harness.bundle.model import Bundle
from harness.bundle.nodes import Json, Node
from harness.bundle.outlook import Outlook, foresee, prepare
from harness.bundle.plan import Plan, removal
from harness.bundle.upload import Progress
from harness.errors import UserError
from harness.ids import Ids, RandomIds

Ask = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a deployment did: its plan, the ids by resource path, how many files it sent, and what it has to warn of."""

    plan: Plan
    ids: Mapping[str, str]
    warnings: tuple[str, ...]
    sent: int = 0


def deploy(
    bundle: Bundle,
    workspace: WorkspaceClient,
    *,
    folder: Path,
    progress: Progress,
    approve: bool = False,
    ask: Ask | None = None,
    force_lock: bool = False,
    ids: Ids | None = None,
) -> Deployment:
    """Bring `bundle` (read from `folder`) to the workspace; nothing is written there before all of it is known to be right.

    Where something would be deleted, `ask` decides. Without it, jobs and what holds no data goes, and schemas, volumes, models and
    secret scopes, with what they hold, only when `approve`. `force_lock` takes the lock from a deployment that is no more.
    """
    numbers = ids or RandomIds()
    prepared = prepare(bundle, folder, progress)
    ahead = foresee(bundle, workspace, prepared, numbers)
    _check_approved(ahead.plan, approve=approve, ask=ask)
    if not ahead:
        progress(str(ahead.plan))
        return Deployment(ahead.plan, _ids(ahead.before), prepared.warnings)
    with locked(bundle, workspace, force=force_lock, ids=numbers):
        now = foresee(bundle, workspace, prepared, numbers)  # somebody may have deployed in between
        if {str(step) for step in now.plan.steps} - {str(step) for step in ahead.plan.steps}:
            _check_approved(now.plan, approve=approve, ask=ask)
        changes = _apply(bundle, workspace, now, progress)
    progress(str(now.plan))
    return Deployment(now.plan, _ids(changes.deployed), (*prepared.warnings, *changes.warnings), len(now.uploads.send))


def foreseen(bundle: Bundle, workspace: WorkspaceClient, *, folder: Path, progress: Progress) -> Outlook:
    """Return what `deploy` would do; wheels are built, and nothing is written to the workspace."""
    return foresee(bundle, workspace, prepare(bundle, folder, progress), RandomIds())


def destroy(bundle: Bundle, workspace: WorkspaceClient, *, progress: Progress, force_lock: bool = False) -> Plan | None:
    """Remove all that is deployed of `bundle`, and return what that was; None when nothing was deployed."""
    if deployed.load(workspace, bundle.paths.state) is None:
        return None
    for each in bundle.resources:
        if each.prevent_destroy:
            message = "its lifecycle.prevent_destroy forbids to delete it, and so nothing was deleted"
            raise UserError(f"{each.at}: {each.path}: {message}; take prevent_destroy away to destroy the bundle")
    with locked(bundle, workspace, force=force_lock):
        before = deployed.load(workspace, bundle.paths.state)
        if before is None:
            return None
        changes = Changes(workspace, bundle.paths.state, before, progress)
        gone = removal(before.resources)
        for step in gone.steps:
            changes.apply(step)
        for remote in sorted(path for path in before.files if not path.startswith(f"{bundle.paths.root}/")):
            calls.delete_path(workspace, remote)
        for folder in (bundle.paths.root, bundle.paths.state):
            progress(f"deleting {folder}")
            calls.delete_path(workspace, folder, recursive=True)
    return gone


def _apply(bundle: Bundle, workspace: WorkspaceClient, ahead: Outlook, progress: Progress) -> Changes:
    changes = Changes(workspace, bundle.paths.state, ahead.before, progress)
    making = frozenset(step.path for step in ahead.plan.steps if step.action in {"create", "recreate"})
    if making or ahead.uploads.send or ahead.fresh:
        changes.save(files=ahead.uploads.under_way(ahead.before.files), making=making | ahead.before.making)
    try:
        upload.send(workspace, ahead.uploads, progress)
    except (DatabricksError, OSError) as error:
        raise UserError(f"the bundle's files could not be sent: {error}; no resource was touched, deploy again") from error
    if ahead.uploads.send:
        changes.save(files={**ahead.before.files, **ahead.uploads.digests})
    if ahead.fresh:
        _permit_root(bundle, workspace)
    for step in ahead.plan.steps:
        changes.apply(step)
    if ahead.uploads.remove:
        upload.remove(workspace, ahead.uploads, progress)
    write_metadata(bundle, workspace, changes.deployed.resources)
    if ahead.uploads.remove or changes.deployed.making:
        changes.save(files=ahead.uploads.digests, making=frozenset())
    return changes


def _permit_root(bundle: Bundle, workspace: WorkspaceClient) -> None:
    """Let those whom the bundle's own `permissions:` name work with its folder."""
    shared = bundle.tree.child("permissions")
    names = ("user_name", "group_name", "service_principal_name")
    lines: list[dict[str, Json]] = [
        {"permission_level": _text(each, "level"), **{name: _text(each, name) for name in names if each.child(name) is not None}}
        for each in (shared.items() if shared is not None else ())
    ]
    if lines:
        access.write_directory(workspace, bundle.paths.root, lines)


def _check_approved(found: Plan, *, approve: bool, ask: Ask | None) -> None:
    if approve:
        return
    gone = [step.path for step in found.steps if step.action == "delete" or step.loses_data]
    lost = [step.path for step in found.steps if step.loses_data]
    if ask is not None and gone:
        what = ", ".join(f"{path}{', with all data in it' if path in lost else ''}" for path in gone)
        if not ask(f"This deletes {what}. Go on?"):
            raise UserError("nothing was changed, as was answered")
    elif lost:
        message = f"{', '.join(lost)} would be deleted, with all data in it"
        raise UserError(f"{message}; nothing was changed; deploy with --auto-approve to go on")


def _text(line: Node, key: str) -> str:
    found = line.child(key)
    return (found.string() if found is not None else None) or ""


def _ids(found: deployed.Deployed) -> dict[str, str]:
    return {path: entry.id for path, entry in found.resources.items()}
