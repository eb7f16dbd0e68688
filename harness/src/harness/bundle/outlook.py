"""What a deployment would do: everything that can be known and checked before the first write."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotImplemented as NotImplementedThere

from harness.bundle import deployed, upload
from harness.bundle.build import build_artifacts
from harness.bundle.changes import look
from harness.bundle.deployed import Deployed, Entry
from harness.bundle.emulated import check_emulated
from harness.bundle.kinds import KINDS
from harness.bundle.local_paths import check_local_files
from harness.bundle.model import Bundle, Resource
from harness.bundle.nodes import Json
from harness.bundle.placing import Placing
from harness.bundle.plan import Plan, Wanted, plan
from harness.bundle.programs import check_programs
from harness.bundle.references import has_reference
from harness.bundle.sync import synced_files
from harness.bundle.upload import Progress, Uploads
from harness.bundle.wheels import Wheels, find_wheels
from harness.errors import NotEmulated, UserError
from harness.ids import Ids

_AT_ONCE = 5
_NAMES = ("catalog_name", "schema_name", "name", "table_name")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A bundle checked and built on this side: its resources with workspace paths in them, and its files by workspace path."""

    wanted: tuple[Wanted, ...]
    files: Mapping[str, Path]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is deployed, what would change, and what would be sent. `fresh` is that nothing was deployed so far."""

    before: Deployed
    plan: Plan
    uploads: Uploads
    fresh: bool

    def __bool__(self) -> bool:
        return bool(self.fresh or self.plan.steps or self.uploads)


def prepare(bundle: Bundle, folder: Path, progress: Progress) -> Prepared:
    """Check and build `bundle`, or raise what is wrong with it; the workspace is not asked."""
    check_emulated(bundle)
    check_local_files(bundle.tree, folder)
    replaced = build_artifacts(bundle.artifacts, folder, progress)
    wheels = find_wheels(bundle, folder, replaced)
    warnings = check_programs(bundle, wheels)
    placing = Placing(folder, synced_files(bundle, folder), bundle.paths.files)
    wanted = tuple(_wanted(each, bundle, wheels, placing) for each in bundle.resources)
    return Prepared(wanted, {**placing.uploads(), **wheels.uploads()}, (*map(str, bundle.warnings), *warnings))


def foresee(bundle: Bundle, workspace: WorkspaceClient, prepared: Prepared, ids: Ids) -> Outlook:
    """Return what bringing `prepared` to the workspace would do, or raise what stands in its way there; nothing is written."""
    found = deployed.load(workspace, bundle.paths.state)
    before = found or Deployed(ids.uuid())
    before = replace(before, resources={**before.resources, **_lost(workspace, prepared.wanted, before)})
    changes = plan(prepared.wanted, before.resources, _now(workspace, before))
    _check_prevented(changes)
    return Outlook(before, changes, upload.compare(workspace, prepared.files, before.files), found is None)


def _wanted(resource: Resource, bundle: Bundle, wheels: Wheels, placing: Placing) -> Wanted:
    body = dict(resource.body)
    if resource.kind == "jobs":
        # What the platform's pages need to know that a job belongs to a bundle, and a bundle's defaults:
        # docs.databricks.com/api/workspace/jobs/create
        deployment: Json = {"kind": "BUNDLE", "metadata_file_path": f"{bundle.paths.state}/metadata.json"}
        defaults: dict[str, Json] = {"max_concurrent_runs": 1, "queue": {"enabled": True}}
        try:
            placed = placing.in_place(wheels.in_place(body))
        except UserError as error:
            raise UserError(f"{resource.at}: {resource.path}: {error}") from error
        body = {**defaults, **placed, "deployment": deployment, "edit_mode": "UI_LOCKED", "format": "MULTI_TASK"}
    return Wanted(resource, body, [each.body() for each in resource.permissions], [each.body() for each in resource.grants])


def _lost(workspace: WorkspaceClient, wanted: tuple[Wanted, ...], before: Deployed) -> dict[str, Entry]:
    """Return what an interrupted deployment may have made without noting it down; what somebody else made is in the way."""
    known = {path: entry.id for path, entry in before.resources.items()}
    found = {}
    for each in wanted:
        path, kind = each.resource.path, KINDS[each.resource.kind]
        if path in before.resources or any(has_reference(str(each.body.get(name, ""))) for name in _NAMES):
            continue
        try:
            there = kind.existing(workspace, each.body, {id_ for other, id_ in known.items() if other.split(".")[1] == each.resource.kind})
        except NotImplementedThere as error:
            raise NotEmulated(f"{each.resource.at}: {path}") from error
        if there is not None and not kind.adopts and path not in before.making:
            message = f"'{there}' is there already, and this bundle has not made it"
            raise UserError(f"{each.resource.at}: {path}: {message}; rename one, or remove the other")
        if there is not None:
            found[path] = Entry(there)
            known[path] = there
    return found


def _now(workspace: WorkspaceClient, before: Deployed) -> dict[str, Mapping[str, object] | None]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        paths = [path for path in before.resources if path.split(".")[1] in KINDS]
        return dict(zip(paths, pool.map(lambda path: look(workspace, path, before.resources[path]), paths), strict=True))


def _check_prevented(found: Plan) -> None:
    for step in found.steps:
        if step.action == "recreate" and step.wanted is not None and step.wanted.resource.prevent_destroy:
            message = f"it would be deleted and made again ({step.why}), and its lifecycle.prevent_destroy forbids that"
            raise UserError(f"{step.wanted.resource.at}: {step.path}: {message}; undo the change, or take prevent_destroy away")
