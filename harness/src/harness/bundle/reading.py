"""A bundle read from disk for a workspace that is there."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient

from harness.bundle.files import read_overrides, read_sources
from harness.bundle.git import read_git
from harness.bundle.model import Bundle, Choice, Identity
from harness.bundle.resolver import resolve
from harness.bundle.targets import Find, nothing_there
from harness.errors import NotEmulated, UserError

# How what a `lookup` names is found: all there are, what is compared with the name, and what the variable then is.
_FOUND: Mapping[str, tuple[Callable[[WorkspaceClient], Iterable[Any]], str, str]] = {
    "cluster": (lambda workspace: workspace.clusters.list(), "cluster_name", "cluster_id"),
    "cluster_policy": (lambda workspace: workspace.cluster_policies.list(), "name", "policy_id"),
    "instance_pool": (lambda workspace: workspace.instance_pools.list(), "instance_pool_name", "instance_pool_id"),
    "job": (lambda workspace: workspace.jobs.list(), "settings.name", "job_id"),
    "metastore": (lambda workspace: workspace.metastores.list(), "name", "metastore_id"),
    "pipeline": (lambda workspace: workspace.pipelines.list_pipelines(), "name", "pipeline_id"),
    "service_principal": (lambda workspace: workspace.service_principals.list(), "display_name", "application_id"),
    "warehouse": (lambda workspace: workspace.warehouses.list(), "name", "id"),
}


def read_bundle(folder: Path, workspace: WorkspaceClient, choice: Choice) -> Bundle:
    """Return the bundle in `folder`, resolved for whoever `workspace` says we are."""
    identity = Identity(workspace.current_user.me().user_name or "", workspace.config.host)
    return _resolved(folder, identity, choice, lambda kind, name: find(workspace, kind, name))


def read_offline(folder: Path, identity: Identity, choice: Choice) -> Bundle:
    """Return the bundle in `folder`, resolved without a workspace: nothing can be looked up."""
    return _resolved(folder, identity, choice, nothing_there)


def _resolved(folder: Path, identity: Identity, choice: Choice, find: Find) -> Bundle:
    chosen = replace(choice, overrides={**read_overrides(folder), **choice.overrides}, git=read_git(folder))
    return resolve(read_sources(folder), choice=chosen, identity=identity, find=find)


def find(workspace: WorkspaceClient, kind: str, name: str) -> str:
    """Return the id of what the workspace has of a kind under a name; `UserError` when there is none, or more than one."""
    if kind not in _FOUND:
        raise NotEmulated(f"looking up a {kind} (here are: {', '.join(_FOUND)})")
    list_all, compared, wanted = _FOUND[kind]
    found = [each for each in list_all(workspace) if _part(each, compared) == name]
    if len(found) != 1:
        raise UserError(f"the workspace has {len(found) or 'no'} {kind}{'s' if found else ''} named '{name}'")
    return str(_part(found[0], wanted))


def _part(found: Any, path: str) -> object:
    for name in path.split("."):
        found = getattr(found, name, None)
    return found
