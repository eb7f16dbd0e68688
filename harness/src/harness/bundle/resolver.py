"""From the texts of a bundle to a `Bundle`: pure, and idempotent (a resolved bundle, written out, resolves to itself)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.bundle.checks import check_circles, check_job, check_required, check_sections, unknown_task_types
from harness.bundle.conform import UnknownKey, conform
from harness.bundle.local_paths import with_local_paths
from harness.bundle.merge import merge
from harness.bundle.model import Bundle, Choice, Identity, Source
from harness.bundle.nodes import Node, node
from harness.bundle.paths import from_root, workspace_path
from harness.bundle.presets import check_mode, check_run_as, with_presets
from harness.bundle.references import Path, Resolution, is_reference
from harness.bundle.shapes import Root
from harness.bundle.targets import Find, nothing_there, with_target
from harness.bundle.typed import typed
from harness.bundle.yaml_text import parse
from harness.errors import UserError

_HOME = "/Workspace/Users/${workspace.current_user.userName}/.bundle/${bundle.name}/${bundle.target}"
_BELOW_ROOT = {"artifact_path": "artifacts", "file_path": "files", "state_path": "state"}
# What a resource's fields are made of, where the platform computes them from others.
_COMPUTED: Mapping[tuple[str, str], str] = {
    **{("schemas", field): "{0}.catalog_name}}.{0}.name}}" for field in ("id", "full_name")},
    **{
        (kind, field): "{0}.catalog_name}}.{0}.schema_name}}.{0}.name}}"
        for kind in ("volumes", "registered_models")
        for field in ("id", "full_name")
    },
    ("volumes", "volume_path"): "/Volumes/{0}.catalog_name}}/{0}.schema_name}}/{0}.name}}",
}
_KNOWN_AFTER_DEPLOY = {("jobs", "id"), ("experiments", "id"), ("experiments", "experiment_id")}


def resolve(sources: Sequence[Source], *, choice: Choice, identity: Identity, find: Find = nothing_there) -> Bundle:
    """Return the bundle for one target, or raise a `UserError` that says where the files are wrong, and what to do.

    `find` gives the id of what a `lookup` variable names.
    """
    warnings: list[UnknownKey] = []
    root = conform(_joined(sources), Root, "", warnings.append)
    unknown_task_types(warnings)
    tree, target, mode = with_target(root, choice, find)
    if choice.ignore_host:
        tree = _without_host(tree)
    check_mode(tree, mode, target)
    check_sections(tree)
    tree = _with_paths(_with_git(_with_bundle(tree, target, mode), choice.git), identity)
    tree = Resolution(_Settings(tree, identity).find, lambda path: path[0] == "resources").tree(tree)
    _check_host(tree, identity)
    check_run_as(tree, identity)
    tree = _full_paths(with_presets(tree, mode, identity), identity)
    found = _Resources(tree)
    tree = Resolution(found.find, found.later).tree(tree)
    again: list[UnknownKey] = []
    tree = _from_root(conform(tree, Root, "", again.append))
    unknown_task_types(again)
    _check(tree)
    seen = sorted({*warnings, *again})
    return typed(tree, seen)


def _joined(sources: Sequence[Source]) -> Node:
    first, *rest = [parse(source.text, source.file) for source in sources]
    if first.child("bundle") is None:
        raise UserError(f"{first.at.file}: 'bundle:' is missing; expected a mapping with 'name:'")
    tree = first
    for other in rest:
        _check_once(tree, other)
        tree = merge(tree, other)
    return tree


def _check_once(tree: Node, other: Node) -> None:
    resources = other.child("resources")
    for kind, section in resources.entries().items() if resources is not None else ():
        for key, resource in section.entries().items():
            first = tree.find("resources", kind, key)
            if first is not None:
                raise UserError(f"{resource.at}: resources.{kind}.{key} is defined twice (first at {first.at}); rename or remove one")


def _with_bundle(tree: Node, target: str, mode: str | None) -> Node:
    section = tree.child("bundle")
    name = section.child("name") if section is not None else None
    if section is None or name is None:
        raise UserError(f"{tree.at.file}: bundle.name is missing; add it")
    tree = tree.with_path(("bundle", "target"), node(target, section.at))
    return tree.with_path(("bundle", "mode"), node(mode, section.at)) if mode is not None else tree


def _with_git(tree: Node, git: Mapping[str, str]) -> Node:
    for name, value in git.items():
        if tree.find("bundle", "git", name) is None:
            tree = tree.with_path(("bundle", "git", name), node(value, tree.at))
    return tree


def _with_paths(tree: Node, identity: Identity) -> Node:
    section = tree.child("workspace") or Node({}, tree.at)
    root = section.child("root_path") or node(_HOME, tree.at)
    section = section.with_child("root_path", replace(root, value=workspace_path(root.string() or "", identity.user_name)))
    for key, folder in _BELOW_ROOT.items():
        if section.child(key) is None:
            section = section.with_child(key, node(f"${{workspace.root_path}}/{folder}", tree.at))
    return tree.with_child("workspace", section)


def _full_paths(tree: Node, identity: Identity) -> Node:
    for key in ("root_path", *_BELOW_ROOT):
        found = tree.find("workspace", key)
        if found is not None:
            tree = tree.with_path(("workspace", key), replace(found, value=workspace_path(found.string() or "", identity.user_name)))
    return tree


def _without_host(tree: Node) -> Node:
    """Return the configuration without the workspace that it pins: references to its host mean the one that is there."""
    section = tree.child("workspace")
    if section is None:
        return tree
    return tree.with_child("workspace", replace(section, value={key: each for key, each in section.entries().items() if key != "host"}))


def _check_host(tree: Node, identity: Identity) -> None:
    host = tree.find("workspace", "host")
    pinned = (host.string() if host is not None else None) or ""
    if host is not None and pinned and _bare(pinned) != _bare(identity.host):
        message = f"the bundle pins workspace.host {pinned}, and this workspace is {identity.host}"
        raise UserError(f"{host.at}: {message}; nothing was sent; use a target without a host, or --ignore-host")


def _bare(host: str) -> str:
    return re.sub(r"^https?://", "", host.strip().lower()).rstrip("/")


class _Settings:
    """References to everything but resources."""

    def __init__(self, tree: Node, identity: Identity) -> None:
        user = {
            "userName": identity.user_name,
            "short_name": identity.short_name,
            "domain_friendly_name": identity.domain_friendly_name,
        }
        self._tree = tree.with_path(("workspace", "current_user"), node({**user}, tree.at))
        if tree.find("workspace", "host") is None:
            self._tree = self._tree.with_path(("workspace", "host"), node(identity.host, tree.at))

    def find(self, path: Path) -> Node | None:
        """Return what stands at `path`; `var.x` is the variable's value."""
        if path[0] == "var" and len(path) > 1:
            return _walk(self._tree, ("variables", path[1], "default", *path[2:]))
        if path[0] == "variables" and path[2:] == ("value",):
            return _walk(self._tree, (*path[:2], "default"))
        if path == ("bundle", "environment"):  # the older name of the target
            return _walk(self._tree, ("bundle", "target"))
        return _walk(self._tree, path) if path[0] in {"bundle", "workspace", "variables", "artifacts"} else None


class _Resources:
    """References between resources, by name now, by id when they are deployed."""

    def __init__(self, tree: Node) -> None:
        self._tree = tree

    def find(self, path: Path) -> Node | None:
        """Return a resource's field, or of what the platform makes it."""
        if path[0] != "resources" or len(path) < 4 or self._tree.find(*path[:3]) is None:
            return None
        computed = _COMPUTED.get((path[1], path[3]))
        if computed is not None and len(path) == 4:
            return node(computed.format("${" + ".".join(path[:3])), self._tree.at)
        return _walk(self._tree, path)

    def later(self, path: Path) -> bool:
        """Return whether only the platform knows the value."""
        return path[0] == "resources" and (path[1], *path[3:]) in _KNOWN_AFTER_DEPLOY and self._tree.find(*path[:3]) is not None


def _walk(tree: Node, path: Path) -> Node | None:
    found = tree
    for number, part in enumerate(path):
        if isinstance(found.value, str) and is_reference(found.value):
            # Half-way there stands a reference: what is wanted lies behind it.
            return replace(found, value=found.value.removesuffix("}") + "." + ".".join(path[number:]) + "}")
        if isinstance(found.value, tuple):
            below = found.value[int(part)] if part.isdecimal() and int(part) < len(found.value) else None
        else:
            below = found.child(part)
        if below is None:
            return None
        found = below
    return found


def _from_root(tree: Node) -> Node:
    artifacts = tree.child("artifacts")
    for key, artifact in artifacts.entries().items() if artifacts is not None else ():
        path = artifact.child("path") or Node(".", artifact.at)
        tree = tree.with_path(("artifacts", key, "path"), from_root(path))
    return with_local_paths(tree)


def _check(tree: Node) -> None:
    resources = tree.child("resources")
    if resources is None:
        return
    check_required(resources)
    check_circles(resources)
    jobs = resources.child("jobs")
    for key, job in jobs.entries().items() if jobs is not None else ():
        check_job(job, f"resources.jobs.{key}")
