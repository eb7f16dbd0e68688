"""Making the changes of a plan one by one, with the state written after each: whatever happens, what was made is known."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InternalError, NotFound
from databricks.sdk.errors import NotImplemented as NotImplementedThere
from databricks.sdk.errors.base import DatabricksError

from harness.bundle import access, deployed
from harness.bundle.deployed import Deployed, Entry
from harness.bundle.kinds import KINDS
from harness.bundle.nodes import Json
from harness.bundle.plan import Step, Wanted
from harness.bundle.substitution import with_ids
from harness.errors import UserError

Progress = Callable[[str], None]


def look(workspace: WorkspaceClient, path: str, entry: Entry) -> dict[str, Json] | None:
    """Return how a deployed resource stands, of what the bundle says of it; None when it is gone."""
    kind = path.split(".")[1]
    there = KINDS[kind].read(workspace, entry.id, entry.state)
    if there is None:
        return None
    found: dict[str, Json] = {"resource": there}
    if entry.permissions:
        try:
            found["permissions"] = access.read_permissions(workspace, kind, entry.id)
        except NotImplementedThere:
            found["permissions"] = None
    if entry.grants:
        found["grants"] = access.read_grants(workspace, kind, entry.id)
    return found


class Changes:
    """Applies steps. `deployed` is what stands after them."""

    def __init__(self, workspace: WorkspaceClient, folder: str, before: Deployed, progress: Progress) -> None:
        self._workspace = workspace
        self._folder = folder
        self._progress = progress
        self.deployed = before
        self.warnings: list[str] = []

    def apply(self, step: Step) -> None:
        """Make one change, or say where in the bundle the workspace refused what."""
        self._progress(f"{step.action.removesuffix('e')}ing {step.path}{f' ({step.why})' if step.why else ''}")
        try:
            if step.id is not None and step.action in {"delete", "recreate"}:
                self._delete(step.path, step.kind, step.id)
            if step.wanted is not None:
                self._make(step, step.wanted)
        except (DatabricksError, OSError, UserError) as error:  # the client's own errors of the network are OSErrors
            self._note(step, error)
            where = f"{step.wanted.resource.at}: " if step.wanted is not None else ""
            said = f"{error.error_code}: {error}" if isinstance(error, DatabricksError) else str(error)
            message = f"{where}{step.path}: the workspace refused to {step.action} it: {said}"
            raise UserError(f"{message}; what was done before it stands, deploy again once it is put right") from error

    def save(self, **changes: Mapping[str, str] | frozenset[str]) -> None:
        """Write the state, with `changes` of its fields."""
        wanted = replace(self.deployed, **changes)  # type: ignore[arg-type]  # files and making, by name
        self.deployed = deployed.save(self._workspace, self._folder, wanted)

    def _note(self, step: Step, error: Exception) -> None:
        """Forget what was to be made after a failure; what may have been made although it failed is kept in mind."""
        refused = isinstance(error, DatabricksError) and not isinstance(error, InternalError)
        making = frozenset({step.path}) & self.deployed.making if not refused else frozenset()
        if making != self.deployed.making:
            self.save(making=making)

    def _delete(self, path: str, kind: str, id_: str) -> None:
        try:
            KINDS[kind].delete(self._workspace, id_)
        except NotFound:
            self._progress(f"{path} was gone already")
        self.deployed = self.deployed.without(path)
        self.save()

    def _make(self, step: Step, wanted: Wanted) -> None:
        kind = KINDS[step.kind]
        body = with_ids(wanted.body, {path: entry.id for path, entry in self.deployed.resources.items()})
        before = self.deployed.resources.get(step.path)
        if step.action == "update" and step.id is not None:
            id_ = step.id
            kind.update(self._workspace, id_, body)
        else:
            id_, before = kind.create(self._workspace, body), None
            self._enter(step.path, Entry(id_, wanted.body))
        entry = Entry(id_, wanted.body, wanted.permissions, wanted.grants)
        if wanted.permissions or (before is not None and before.permissions):
            self._permit(step, wanted, id_)
        if wanted.grants or (before is not None and before.grants):
            access.write_grants(self._workspace, step.kind, id_, wanted.grants)
        seen = look(self._workspace, step.path, entry)
        self._enter(step.path, Entry(id_, wanted.body, wanted.permissions, wanted.grants, seen))

    def _enter(self, path: str, entry: Entry) -> None:
        self.deployed = self.deployed.with_entry(path, entry)
        self.save(making=self.deployed.making - {path})

    def _permit(self, step: Step, wanted: Wanted, id_: str) -> None:
        try:
            access.write_permissions(self._workspace, step.kind, id_, wanted.permissions)
        except NotImplementedThere:
            self.warnings.append(f"not emulated: permissions of {step.path}; the resource itself is deployed")
