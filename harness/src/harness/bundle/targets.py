"""Which target is meant, what it lays over the bundle, and the values of variables."""

import json
from collections.abc import Callable, Mapping

from harness.bundle.merge import merge, merge_job_lists
from harness.bundle.model import Choice
from harness.bundle.nodes import Node, Position, node
from harness.bundle.references import has_reference
from harness.errors import UserError

_LAID_OVER = ("artifacts", "bundle", "permissions", "presets", "resources", "run_as", "sync", "workspace")
_DEFINITION = {"default", "description", "type", "lookup"}
_ENVIRONMENT = "BUNDLE_VAR_"
OVERRIDES = ".databricks/bundle/{target}/variable-overrides.json"
# docs.databricks.com/dev-tools/bundles/settings, lookup
LOOKUPS = (
    "alert",
    "cluster",
    "cluster_policy",
    "dashboard",
    "instance_pool",
    "job",
    "metastore",
    "notification_destination",
    "pipeline",
    "query",
    "service_principal",
    "warehouse",
)
Find = Callable[[str, str], str]


def nothing_there(kind: str, name: str) -> str:
    """Find nothing: there is no workspace to ask."""
    raise UserError(f"no workspace to look up the {kind} '{name}' in")


def with_target(root: Node, choice: Choice, find: Find = nothing_there) -> tuple[Node, str, str | None]:
    """Return the configuration with the chosen target laid over it, the target's name and its mode.

    `find` gives the id of what the workspace has under a kind and a name, or raises a `UserError`.
    """
    name, target = _choose(root, choice.target)
    tree = Node({key: value for key, value in root.entries().items() if key not in {"targets", "include"}}, root.at)
    for section in _LAID_OVER:
        over = target.child(section)
        if over is not None:
            under = tree.child(section)
            tree = tree.with_child(section, merge(under, over) if under is not None else over)
    tree = _with_variables(tree, target, choice, name, find)
    mode = target.child("mode")
    return merge_job_lists(tree), name, mode.string() if mode is not None else None


def _choose(root: Node, wanted: str | None) -> tuple[str, Node]:
    section = root.child("targets")
    targets = section.entries() if section is not None else {}
    nothing = Node({}, root.at)
    if section is None or not targets:
        resolved = root.find("bundle", "target")  # an already resolved bundle has no targets, and says which one it was
        name = (resolved.string() if resolved is not None else None) or "default"
        if wanted not in (None, name):
            raise UserError(f"{root.at.file}: unknown target '{wanted}': the bundle has no 'targets:'; leave the target out, or add it")
        return name, nothing
    if wanted is not None:
        if wanted not in targets:
            raise UserError(f"{section.at}: unknown target '{wanted}'; expected one of {', '.join(targets)}")
        return wanted, _mapping(targets[wanted])
    marked = [name for name, target in targets.items() if _is_default(target)]
    if len(marked) > 1:
        raise UserError(f"{section.at}: targets {' and '.join(marked)} are both 'default: true'; keep one, or name a target with -t")
    if not marked and len(targets) > 1:
        raise UserError(f"{section.at}: no target is 'default: true'; name one with -t: {', '.join(targets)}")
    name = marked[0] if marked else next(iter(targets))
    return name, _mapping(targets[name])


def _mapping(target: Node) -> Node:
    return Node({}, target.at) if target.value is None else target


def _is_default(target: Node) -> bool:
    found = target.child("default")
    return found is not None and found.value is True


def _with_variables(tree: Node, target: Node, choice: Choice, target_name: str, find: Find) -> Node:
    section = tree.child("variables") or Node({}, tree.at)
    declared = {name: _mapping(definition) for name, definition in section.entries().items()}
    for name, override in _overrides(target).items():
        _known(name, declared, str(override.at))
        declared[name] = declared[name].with_child("default", override)
    for name, value in _from_file(choice, target_name).items():
        _known(name, declared, str(value.at))
        declared[name] = declared[name].with_child("default", value)
    given = {key.removeprefix(_ENVIRONMENT): value for key, value in choice.environment.items() if key.startswith(_ENVIRONMENT)}
    for name, text in given.items():
        if name in declared:  # the environment may hold variables of other bundles
            declared[name] = _given(declared[name], text, name, f"{_ENVIRONMENT}{name}")
    for name, text in choice.variables.items():
        _known(name, declared, f"--var {name}=…")
        declared[name] = _given(declared[name], text, name, f"--var {name}")
    for name, definition in declared.items():
        declared[name] = _with_value(name, definition, target_name, find)
    return tree.with_child("variables", Node(declared, section.at)) if declared else tree


def _overrides(target: Node) -> Mapping[str, Node]:
    section = target.child("variables")
    found: dict[str, Node] = {}
    for name, value in section.entries().items() if section is not None else ():
        entries = value.entries()
        if entries and set(entries) <= _DEFINITION:  # `x: {default: 1}` says the same as `x: 1`
            default = value.child("default")
            if default is not None:
                found[name] = default
        elif value.value is not None:
            found[name] = value
    return found


def _known(name: str, declared: Mapping[str, Node], where: str) -> None:
    if name not in declared:
        known = ", ".join(declared) or "none"
        message = f"unknown variable '{name}'; declared in the bundle: {known}"
        raise UserError(f"{where}: {message}; correct the name or declare it in 'variables:'")


def _given(definition: Node, text: str, name: str, where: str) -> Node:
    kind = definition.child("type")
    default = definition.child("default")
    if (kind is not None and kind.value == "complex") or (default is not None and isinstance(default.value, Mapping | tuple)):
        raise UserError(f"{where}: variable '{name}' is complex and takes no text; set it in a target's 'variables:'")
    return definition.with_child("default", Node(text, Position(where, 1, 1)))


def _from_file(choice: Choice, target_name: str) -> Mapping[str, Node]:
    """Return the variables in `.databricks/bundle/<target>/variable-overrides.json`."""
    text = choice.overrides.get(target_name)
    if text is None:
        return {}
    where = Position(OVERRIDES.format(target=target_name), 1, 1)
    try:
        values = json.loads(text)
    except ValueError as error:
        raise UserError(f"{where.file}: no JSON ({error}); expected an object of variables and their values") from error
    if not isinstance(values, dict):
        raise UserError(f"{where.file}: expected an object of variables and their values, found {type(values).__name__}")
    return {name: node(value, where) for name, value in values.items()}


def _with_value(name: str, definition: Node, target_name: str, find: Find) -> Node:
    lookup = definition.child("lookup")
    if definition.child("default") is None and lookup is not None:
        return definition.with_child("default", _looked_up(name, lookup, find))
    if definition.child("default") is None:
        message = f"variable '{name}' has no value for target '{target_name}'"
        raise UserError(f"{definition.at}: {message}; give one with --var {name}=…, {_ENVIRONMENT}{name}, in the target, or a 'default:'")
    return definition


def _looked_up(name: str, lookup: Node, find: Find) -> Node:
    entries = lookup.entries()
    kinds = ", ".join(LOOKUPS)
    if len(entries) != 1 or next(iter(entries)) not in LOOKUPS:
        raise UserError(f"{lookup.at}: variables.{name}.lookup: expected exactly one of {kinds}, with the name of what is meant")
    kind, wanted = next(iter(entries.items()))
    text = wanted.string()
    if text is None or has_reference(text):
        raise UserError(f"{wanted.at}: variables.{name}.lookup.{kind}: expected a name written out")
    try:
        return node(find(kind, text), wanted.at)
    except UserError as error:
        raise UserError(f"{wanted.at}: variables.{name}: {error}; correct the name, or give the id with --var {name}=…") from error
