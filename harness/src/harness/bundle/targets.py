"""Which target is meant, what it lays over the bundle, and the values of variables."""

from collections.abc import Mapping

from harness.bundle.merge import merge, merge_job_lists
from harness.bundle.model import Choice
from harness.bundle.nodes import Node, Position
from harness.errors import UserError

_LAID_OVER = ("artifacts", "bundle", "permissions", "presets", "resources", "run_as", "sync", "workspace")
_DEFINITION = {"default", "description", "type", "lookup"}
_ENVIRONMENT = "BUNDLE_VAR_"


def with_target(root: Node, choice: Choice) -> tuple[Node, str, str | None]:
    """Return the configuration with the chosen target laid over it, the target's name and its mode."""
    name, target = _choose(root, choice.target)
    tree = Node({key: value for key, value in root.entries().items() if key not in {"targets", "include"}}, root.at)
    for section in _LAID_OVER:
        over = target.child(section)
        if over is not None:
            under = tree.child(section)
            tree = tree.with_child(section, merge(under, over) if under is not None else over)
    tree = _with_variables(tree, target, choice, name)
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


def _with_variables(tree: Node, target: Node, choice: Choice, target_name: str) -> Node:
    section = tree.child("variables") or Node({}, tree.at)
    declared = {name: _mapping(definition) for name, definition in section.entries().items()}
    for name, override in _overrides(target).items():
        _known(name, declared, str(override.at))
        declared[name] = declared[name].with_child("default", override)
    given = {key.removeprefix(_ENVIRONMENT): value for key, value in choice.environment.items() if key.startswith(_ENVIRONMENT)}
    for name, text in given.items():
        if name in declared:  # the environment may hold variables of other bundles
            declared[name] = _given(declared[name], text, name, f"{_ENVIRONMENT}{name}")
    for name, text in choice.variables.items():
        _known(name, declared, f"--var {name}=…")
        declared[name] = _given(declared[name], text, name, f"--var {name}")
    for name, definition in declared.items():
        _check_value(name, definition, target_name)
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


def _check_value(name: str, definition: Node, target_name: str) -> None:
    if definition.child("lookup") is not None:
        raise UserError(f"{definition.at}: variables.{name}: 'lookup' is not emulated by the harness; give the id with --var {name}=…")
    if definition.child("default") is None:
        message = f"variable '{name}' has no value for target '{target_name}'"
        raise UserError(f"{definition.at}: {message}; give one with --var {name}=…, {_ENVIRONMENT}{name}, in the target, or a 'default:'")
