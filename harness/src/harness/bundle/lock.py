"""One deployment at a time: a file beside the state that only one can make."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import AlreadyExists, BadRequest, NotFound, ResourceAlreadyExists, ResourceConflict

from harness.bundle import calls
from harness.bundle.model import Bundle
from harness.clock import Clock, SystemClock
from harness.errors import UserError
from harness.ids import Ids, RandomIds


class _Holder(msgspec.Struct, rename={"id": "ID", "since": "AcquisitionTime", "forced": "IsForced", "user": "User"}):
    id: str
    since: str
    forced: bool
    user: str


@contextmanager
def locked(
    bundle: Bundle, workspace: WorkspaceClient, *, force: bool, ids: Ids | None = None, clock: Clock | None = None
) -> Iterator[None]:
    """Hold the lock of a deployment inside the block; `force` takes it from whoever has it.

    A bundle that says `bundle.deployment.lock.enabled: false` goes without.
    """
    enabled = bundle.tree.find("bundle", "deployment", "lock", "enabled")
    if enabled is not None and enabled.value is False:
        yield
        return
    path = f"{bundle.paths.state}/deploy.lock"
    now = (clock or SystemClock()).now().astimezone(dt.UTC).isoformat()
    mine = _Holder((ids or RandomIds()).uuid(), now, force, workspace.current_user.me().user_name or "")
    _take(workspace, path, mine)
    try:
        yield
    finally:
        _release(workspace, path, mine)


def _take(workspace: WorkspaceClient, path: str, mine: _Holder) -> None:
    content = msgspec.json.encode(mine)
    calls.make_directories(workspace, path.rpartition("/")[0])
    try:
        calls.write_file(workspace, path, content, overwrite=mine.forced)
    except (AlreadyExists, ResourceAlreadyExists, ResourceConflict, BadRequest) as error:
        if "already exists" not in str(error):
            raise
        held = _holder(workspace, path)
        if held is not None and held.id == mine.id:  # our own first attempt, whose answer was lost
            return
        who = f"by {held.user} at {held.since}" if held is not None else "by somebody"
        message = f"this bundle is being deployed, {who} ({path})"
        raise UserError(f"{message}; wait for its end, or, when that deployment is no more, take the lock with --force-lock") from error


def _release(workspace: WorkspaceClient, path: str, mine: _Holder) -> None:
    """Remove the lock, when it is (still) ours: somebody may have taken it, and `destroy` takes its folder away."""
    held = _holder(workspace, path)
    if held is not None and held.id == mine.id:
        calls.delete_path(workspace, path)


def _holder(workspace: WorkspaceClient, path: str) -> _Holder | None:
    try:
        return msgspec.json.decode(calls.read_file(workspace, path), type=_Holder)
    except (NotFound, msgspec.DecodeError):
        return None
