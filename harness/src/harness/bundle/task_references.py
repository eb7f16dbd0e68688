"""`{{job.parameters.x}}` and `{{tasks.y.…}}` in a job's tasks: the platform resolves them in a run; that they can be is known before."""

import re
from collections.abc import Iterator, Mapping

from harness.bundle.nodes import Node
from harness.errors import UserError

_REFERENCE = re.compile(r"\{\{\s*(?P<kind>job\.parameters|tasks)\.(?P<name>[\w-]+)[^{}]*\}\}")


def check_references(job: Node, path: str) -> None:
    """Raise when a task refers to a parameter that the job does not declare, or to a task that does not come before it."""
    declared = _named(job, "parameters", "name")
    tasks = job.child("tasks")
    items = tasks.items() if tasks is not None else ()
    before = _before({key: task for task in items if (key := _text(task, "task_key"))})
    for number, task in enumerate(items):
        for text, kind, name in _references(task):
            inner = f"{text.at}: {path}.tasks[{number}]: "
            if kind == "job.parameters" and name not in declared:
                known = ", ".join(declared) or "none"
                raise UserError(f"{inner}{{{{job.parameters.{name}}}}}: the job declares no such parameter; declared: {known}")
            if kind == "tasks" and name not in before.get(_text(task, "task_key"), set()):
                raise UserError(f"{inner}{{{{tasks.{name}…}}}}: '{name}' is no task that comes before this one; add it to 'depends_on'")


def _references(tree: Node) -> Iterator[tuple[Node, str, str]]:
    for below in (*tree.entries().values(), *tree.items()):
        yield from _references(below)
    for found in _REFERENCE.finditer(tree.value) if isinstance(tree.value, str) else ():
        yield tree, found["kind"], found["name"]


def _before(tasks: Mapping[str, Node]) -> dict[str, set[str]]:
    """Return the keys of the tasks that come before each, whether one after the other or in a circle."""
    direct = {key: set(_named(task, "depends_on", "task_key")) for key, task in tasks.items()}
    found: dict[str, set[str]] = {}
    for key in tasks:
        seen: set[str] = set()
        ahead = list(direct[key])
        while ahead:
            one = ahead.pop()
            if one not in seen:
                seen.add(one)
                ahead.extend(direct.get(one, ()))
        found[key] = seen
    return found


def _named(tree: Node, section: str, key: str) -> list[str]:
    found = tree.child(section)
    return [name for item in found.items() if (name := _text(item, key))] if found is not None else []


def _text(tree: Node, key: str) -> str:
    found = tree.child(key)
    return (found.string() if found is not None else None) or ""
