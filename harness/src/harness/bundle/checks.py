"""What can be known to be wrong in a resolved job before anything is written to the workspace."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from databricks.sdk.service.jobs import Task

from harness.bundle.conform import UnknownKey, accepted
from harness.bundle.nodes import Node
from harness.bundle.references import references
from harness.bundle.starts import check_starts
from harness.bundle.task_references import check_references
from harness.errors import NotEmulated, UserError

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "schemas": ("name", "catalog_name"),
    "volumes": ("name", "catalog_name", "schema_name"),
    "registered_models": ("name", "catalog_name", "schema_name"),
    "experiments": ("name",),
    "jobs": (),
}
_REQUIRED_IN_TASK: Mapping[str, tuple[str, ...]] = {
    "python_wheel_task": ("package_name", "entry_point"),
    "spark_python_task": ("python_file",),
    "notebook_task": ("notebook_path",),
    "condition_task": ("op", "left", "right"),
    "run_job_task": ("job_id",),
    "for_each_task": ("inputs", "task"),
}


_IN_ENVIRONMENT = ("python_wheel_task", "spark_python_task")  # docs.databricks.com/api/workspace/jobs/create: a notebook may go without
_ELSEWHERE = ("new_cluster", "existing_cluster_id", "job_cluster_key")  # refused as what they are (emulated.py)


def check_sections(tree: Node) -> None:
    """Raise for resources that the files do not say: those that Python code of the bundle would make."""
    for path in (("python",), ("experimental", "python"), ("experimental", "pydabs")):
        found = tree.find(*path)
        if found is not None and found.entries():
            raise NotEmulated(f"{found.at}: {'.'.join(path)}: resources made by Python code (write them as YAML)")


def check_required(resources: Node) -> None:
    """Raise when a resource lacks what its API cannot do without."""
    for kind, keys in _REQUIRED.items():
        found = resources.child(kind)
        for name, resource in found.entries().items() if found is not None else ():
            for key in keys:
                if resource.child(key) is None:
                    raise UserError(f"{resource.at}: resources.{kind}.{name}: '{key}' is missing; add it")


def check_job(job: Node, path: str) -> None:
    """Raise when tasks are not well-formed: key, one type, dependencies and environment that exist, no circle."""
    tasks = job.child("tasks")
    items = tasks.items() if tasks is not None else ()
    if not items:
        raise UserError(f"{job.at}: {path}: a job needs at least one task in 'tasks:'")
    keys = {}
    for number, task in enumerate(items):
        key = task.child("task_key")
        if key is None:
            raise UserError(f"{task.at}: {path}.tasks[{number}]: 'task_key' is missing; give the task a name")
        keys[key.string()] = task
    environments = _keys(job, "environments", "environment_key")
    conditions = [str(key) for key, task in keys.items() if task.child("condition_task") is not None]
    for number, task in enumerate(items):
        inner = f"{path}.tasks[{number}]"
        _check_type(task, inner)
        _check_depends(task, inner, [str(key) for key in keys])
        _check_outcomes(task, inner, conditions)
        _check_environment(task, inner, environments)
        repeated = task.find("for_each_task", "task")
        if repeated is not None:
            _check_repeated(repeated, f"{inner}.for_each_task.task", keys, environments)
    _check_order(items, path)
    check_references(job, path)
    check_starts(job, path)


def _check_environment(task: Node, path: str, environments: list[str]) -> None:
    environment = task.child("environment_key")
    program = next((kind for kind in _IN_ENVIRONMENT if task.child(kind) is not None), None)
    if environment is None and program is not None and not any(task.child(key) is not None for key in _ELSEWHERE):
        known = ", ".join(environments) or "none"
        raise UserError(f"{task.at}: {path}: a {program} on serverless compute needs 'environment_key'; expected one of {known}")
    if environment is not None and environment.string() not in environments:
        known = ", ".join(environments) or "none"
        message = f"'{environment.string()}' is not in 'environments:'; expected one of {known}"
        raise UserError(f"{environment.at}: {path}.environment_key: {message}")


def _check_repeated(task: Node, path: str, keys: Mapping[str | None, Node], environments: list[str]) -> None:
    key = task.child("task_key")
    if key is None:
        raise UserError(f"{task.at}: {path}: 'task_key' is missing; give the task a name")
    if key.string() in keys:
        raise UserError(f"{key.at}: {path}: task_key '{key.string()}' is another task's; give it a name of its own")
    _check_type(task, path)
    _check_environment(task, path, environments)


def check_circles(resources: Node) -> None:
    """Raise when resources need each other's ids, so that none of them can be made first."""
    needs: dict[str, dict[str, Node]] = {
        f"resources.{kind}.{key}": dict(_needed(resource))
        for kind, section in resources.entries().items()
        for key, resource in section.entries().items()
    }
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]  # each refers to the next
        said = f"resources refer to each other's ids in a circle: {' -> '.join(circle)}"
        raise UserError(f"{needs[circle[0]][circle[1]].at}: {said}; remove one reference") from error


def unknown_task_types(warnings: list[UnknownKey]) -> None:
    """Raise for an unknown key that was meant as a task's type."""
    for warning in warnings:
        name = warning.path.rpartition(".")[2]
        if name.endswith("_task") and ".tasks[" in warning.path:
            raise UserError(f"{warning.at}: {warning.path}: unknown task type '{name}'; expected one of {', '.join(task_types())}")


def task_types() -> tuple[str, ...]:
    """Return the platform's types of task."""
    return tuple(sorted(key for key in accepted(Task) if key.endswith("_task")))


def dependencies(task: Node) -> Iterator[Node]:
    """Yield the keys of the tasks that a task depends on."""
    found = task.child("depends_on")
    for item in found.items() if found is not None else ():
        key = item.child("task_key")
        if key is not None:
            yield key


def _needed(tree: Node) -> Iterator[tuple[str, Node]]:
    """Yield the paths of the resources that a resource refers to, with where it does."""
    for below in (*tree.entries().values(), *tree.items()):
        yield from _needed(below)
    for path in references(tree.value) if isinstance(tree.value, str) else ():
        if path[0] == "resources":
            yield ".".join(path[:3]), tree


def _check_type(task: Node, path: str) -> None:
    found = [key for key in task.entries() if key in task_types()]
    if len(found) != 1:
        what = f"has {' and '.join(found)}" if found else "has no type"
        raise UserError(f"{task.at}: {path}: the task {what}; expected exactly one of {', '.join(task_types())}")
    work = task.entries()[found[0]]
    if work.child("parameters") is not None and work.child("named_parameters") is not None:
        raise UserError(f"{work.at}: {path}.{found[0]}: 'parameters' and 'named_parameters' exclude each other; keep one")
    for key in _REQUIRED_IN_TASK.get(found[0], ()):
        if work.child(key) is None:
            raise UserError(f"{work.at}: {path}.{found[0]}: '{key}' is missing; add it")


def _check_depends(task: Node, path: str, keys: list[str]) -> None:
    for key in dependencies(task):
        if key.string() not in keys:
            raise UserError(f"{key.at}: {path}.depends_on: no task '{key.string()}' in this job; expected one of {', '.join(keys)}")


def _check_outcomes(task: Node, path: str, conditions: list[str]) -> None:
    found = task.child("depends_on")
    for item in found.items() if found is not None else ():
        outcome, key = item.child("outcome"), item.child("task_key")
        if outcome is None or key is None:
            continue
        if key.string() not in conditions:
            raise UserError(f"{outcome.at}: {path}.depends_on: task '{key.string()}' is no condition_task and has no 'outcome'; remove it")
        if outcome.string() not in ("true", "false"):
            raise UserError(f'{outcome.at}: {path}.depends_on: outcome \'{outcome.string()}\' is not known; expected "true" or "false"')


def _check_order(tasks: tuple[Node, ...], path: str) -> None:
    graph = {_key(task): {key.string() for key in dependencies(task)} for task in tasks}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join(str(key) for key in error.args[1])
        first = next(task for task in tasks if _key(task) == error.args[1][0])
        raise UserError(f"{first.at}: {path}: tasks wait for each other in a circle: {circle}; remove one 'depends_on'") from error


def _key(task: Node) -> str | None:
    found = task.child("task_key")
    return found.string() if found is not None else None


def _keys(job: Node, section: str, key: str) -> list[str]:
    found = job.child(section)
    named = [item.child(key) for item in found.items()] if found is not None else []
    return [each.string() or "" for each in named if each is not None]
