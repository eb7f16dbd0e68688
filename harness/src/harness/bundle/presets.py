"""What a target's mode and presets do to every resource: docs.databricks.com/dev-tools/bundles/deployment-modes."""

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from harness.bundle.merge import merge
from harness.bundle.model import Identity
from harness.bundle.nodes import Json, Node, node
from harness.errors import UserError

_MODES = ("development", "production")
_DEVELOPMENT_RUNS = 4
# docs.databricks.com/dev-tools/bundles/run-as: resources that support no other identity than the owner's
_OWNERS_ONLY = ("model_serving_endpoints", "quality_monitors")
_TRIGGERS = ("schedule", "continuous", "trigger")


def with_presets(tree: Node, mode: str | None, identity: Identity) -> Node:
    """Return the tree with names prefixed, triggers paused, tags and run_as added, as mode and `presets:` say."""
    presets = _presets(tree, mode, identity)
    prefix = _text(presets, "name_prefix")
    changes: Mapping[str, Callable[[Node], Node]] = {
        "jobs": lambda job: _job(job, presets, prefix, tree.child("run_as")),
        "experiments": lambda each: _renamed(each, lambda name: _in_folder(name, prefix)),
        "schemas": lambda each: _renamed(each, lambda name: _plain_prefix(prefix) + name),
        "registered_models": lambda each: _renamed(each, lambda name: _plain_prefix(prefix) + name),
        "models": lambda each: _renamed(each, lambda name: prefix + name),
        "model_serving_endpoints": lambda each: _renamed(each, lambda name: _plain_prefix(prefix) + name),
        "quality_monitors": lambda each: _without_schedule(each, presets),
    }
    for kind, change in changes.items():
        found = tree.find("resources", kind)
        if found is not None:
            changed = {key: change(value) for key, value in found.entries().items()}
            tree = tree.with_path(("resources", kind), replace(found, value=changed))
    tree = _dynamic(tree, presets)
    return Node({key: value for key, value in tree.entries().items() if key not in {"presets", "run_as"}}, tree.at)


def check_run_as(tree: Node, identity: Identity) -> None:
    """Raise when jobs are to run as somebody else, and the bundle holds what cannot."""
    run_as = tree.child("run_as")
    if run_as is None:
        return
    named = {key: value.string() or "" for key, value in run_as.entries().items()}
    if len(named) != 1:
        raise UserError(
            f"{run_as.at}: run_as: expected exactly one of user_name, service_principal_name; found {', '.join(named) or 'none'}"
        )
    for kind in _OWNERS_ONLY:
        found = tree.find("resources", kind)
        if found is not None and found.entries() and identity.user_name not in named.values():
            message = f"resources.{kind} run as whoever deploys ({identity.user_name}), not as {next(iter(named.values()))}"
            raise UserError(f"{run_as.at}: run_as: {message}; deploy as that one, or give jobs a 'run_as' of their own")


def check_mode(tree: Node, mode: str | None, target: str) -> None:
    """Raise when the mode is unknown, or a production target could be deployed twice by two people."""
    if mode is None:
        return
    if mode not in _MODES:
        raise UserError(f"target '{target}': mode '{mode}' is not known; expected one of {', '.join(_MODES)}")
    if mode == "production" and tree.find("workspace", "root_path") is None and tree.child("run_as") is None:
        message = "mode 'production' needs one place for everybody"
        raise UserError(f"target '{target}': {message}; set workspace.root_path (or run_as) in the target")


def _presets(tree: Node, mode: str | None, identity: Identity) -> Node:
    user = identity.short_name
    development: Json = {
        "name_prefix": f"[dev {user}] ",
        "tags": {"dev": user},
        "trigger_pause_status": "PAUSED",
        "jobs_max_concurrent_runs": _DEVELOPMENT_RUNS,
    }
    defaults = node(development if mode == "development" else {}, tree.at)
    own = tree.child("presets")
    return merge(defaults, own) if own is not None else defaults


def _job(job: Node, presets: Node, prefix: str, run_as: Node | None) -> Node:
    # docs.databricks.com/api/workspace/jobs/create: the name of a job that has none
    name = job.child("name") or Node("Untitled", job.at)
    job = job.with_child("name", replace(name, value=prefix + (name.string() or "")))
    tags = presets.child("tags")
    if tags is not None:
        own = job.child("tags")
        job = job.with_child("tags", merge(tags, own) if own is not None else tags)
    # A job that says so itself keeps its own number of runs and its own pause status (same page).
    runs = presets.child("jobs_max_concurrent_runs")
    if runs is not None and job.child("max_concurrent_runs") is None:
        job = job.with_child("max_concurrent_runs", runs)
    if run_as is not None and job.child("run_as") is None:
        job = job.with_child("run_as", run_as)
    return _paused(job, presets)


def _paused(job: Node, presets: Node) -> Node:
    status = presets.child("trigger_pause_status")
    for name in _TRIGGERS if status is not None else ():
        trigger = job.child(name)
        if status is not None and trigger is not None and trigger.child("pause_status") is None:
            job = job.with_child(name, trigger.with_child("pause_status", status))
    return job


def _without_schedule(monitor: Node, presets: Node) -> Node:
    """Return the monitor without its schedule where triggers are paused: it would run by itself all the same."""
    if _text(presets, "trigger_pause_status") != "PAUSED":
        return monitor
    return replace(monitor, value={key: value for key, value in monitor.entries().items() if key != "schedule"})


def _dynamic(tree: Node, presets: Node) -> Node:
    wanted = presets.child("artifacts_dynamic_version")
    artifacts = tree.child("artifacts")
    for key, artifact in artifacts.entries().items() if artifacts is not None and wanted is not None else ():
        if wanted is not None and artifact.child("dynamic_version") is None:
            tree = tree.with_path(("artifacts", key, "dynamic_version"), wanted)
    return tree


def _renamed(resource: Node, rename: Callable[[str], str]) -> Node:
    name = resource.child("name")
    return resource if name is None else resource.with_child("name", replace(name, value=rename(name.string() or "")))


def _in_folder(name: str, prefix: str) -> str:
    folder, last = posixpath.split(name)
    return posixpath.join(folder, prefix + last) if folder else prefix + last


def _plain_prefix(prefix: str) -> str:
    """Return the prefix as names in Unity Catalog allow it: `[dev ann] ` is `dev_ann_`."""
    plain = re.sub(r"[^a-z0-9_]+", "_", prefix.lower()).strip("_")
    return f"{plain}_" if plain else ""


def _text(presets: Node, key: str) -> str:
    found = presets.child(key)
    return (found.string() if found is not None else None) or ""
