"""Making isolated workspaces, and removing them with all that was made in them."""

import logging
import os
import threading
from collections.abc import Sequence

from harness.clock import Clock, millis
from harness.errors import ApiError
from harness.ids import Ids
from harness.isolation.model import IsolatedWorkspace, workspace_id
from harness.isolation.ports import Belongings, Tokens
from harness.state import Documents, Store

log = logging.getLogger(__name__)


class IsolationService:
    """Isolated workspaces by id. Their users' objects are told apart by who made them, their tables by their catalog.

    A workspace whose process has ended (a test run that was killed) goes when the next one is made, or at the harness's next start.
    """

    def __init__(self, *, clock: Clock, ids: Ids, store: Store, tokens: Tokens, belongings: Sequence[Belongings]) -> None:
        """`belongings` are made in this order and removed in the opposite one."""
        self._clock = clock
        self._ids = ids
        self._workspaces = Documents(store, "isolated_workspace", IsolatedWorkspace)
        self._tokens = tokens
        self._belongings = tuple(belongings)
        self._removing: set[str] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Know the workspaces of an earlier life of the harness again, but for those whose process has ended."""
        self._remove_abandoned()
        for workspace in self._workspaces.list():
            self._tokens.admit(workspace.user)

    def create(self, process: int = 0) -> tuple[IsolatedWorkspace, str]:
        """Make a workspace and return it with its token; see `IsolatedWorkspace.process`."""
        self._remove_abandoned()
        workspace = IsolatedWorkspace(workspace_id(self._ids.hex32()), millis(self._clock.now()), process)
        self._workspaces.put(workspace.workspace_id, workspace)  # first: what a killed harness leaves half made is removed later
        for belongings in self._belongings:
            belongings.make(workspace)
        return workspace, self._tokens.admit(workspace.user)

    def get(self, id_: str) -> IsolatedWorkspace:
        """Return a workspace, or raise 404."""
        found = self._workspaces.get(id_)
        if found is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"There is no isolated workspace '{id_}'; it may have been deleted.")
        return found

    def list(self) -> Sequence[IsolatedWorkspace]:
        """Return every workspace."""
        return self._workspaces.list()

    def delete(self, id_: str) -> None:
        """Remove a workspace: its token first, then what runs in it, then everything it made."""
        workspace = self.get(id_)
        with self._lock:
            if id_ in self._removing:
                raise ApiError(409, "RESOURCE_CONFLICT", f"The isolated workspace '{id_}' is being deleted.")
            self._removing.add(id_)
        try:
            self._remove(workspace)
        finally:
            with self._lock:
                self._removing.discard(id_)

    def _remove(self, workspace: IsolatedWorkspace) -> None:
        self._tokens.dismiss(workspace.user)
        problems: list[Exception] = []
        for belongings in reversed(self._belongings):
            try:
                belongings.remove(workspace)
            except Exception as error:  # the rest is removed all the same; the workspace stays on record, to be deleted again
                log.exception("isolated workspace %s: %s could not be removed", workspace.workspace_id, type(belongings).__name__)
                problems.append(error)
        if problems:
            raise ExceptionGroup(f"isolated workspace {workspace.workspace_id}", problems)
        self._workspaces.delete(workspace.workspace_id)

    def _remove_abandoned(self) -> None:
        for workspace in self._workspaces.list():
            if workspace.process and not _lives(workspace.process):
                log.info("isolated workspace %s goes: its process %d has ended", workspace.workspace_id, workspace.process)
                try:
                    self.delete(workspace.workspace_id)
                except ApiError:
                    log.info("isolated workspace %s is being removed by another caller", workspace.workspace_id)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
