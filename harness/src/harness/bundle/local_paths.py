"""Notebooks, scripts and requirements files that jobs name by a path beside the bundle's files."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.bundle.nodes import Node
from harness.bundle.paths import from_root, local_wheel
from harness.bundle.placing import is_notebook
from harness.errors import UserError

_IN_TASKS = (("notebook_task", "notebook_path"), ("spark_python_task", "python_file"))
_REMOTE = ("/", "~", "dbfs:", "s3:", "abfss:", "gs:", "${")
_REQUIREMENTS = ("-r ", "--requirement ")
# docs.databricks.com/dev-tools/bundles/job-task-types: the extension is written, though the notebook has none in the workspace.
_EXTENSIONS = (".py", ".ipynb", ".sql", ".scala", ".r")


def with_local_paths(tree: Node) -> Node:
    """Return the tree with paths that start at the file they are written in made to start at the bundle's folder."""
    jobs = tree.find("resources", "jobs")
    for key, job in jobs.entries().items() if jobs is not None else ():
        git = job.child("git_source") is not None
        for name, change in (("tasks", lambda task, git=git: _task(task, git=git)), ("environments", _environment)):
            found = job.child(name)
            if found is not None:
                tree = tree.with_path(("resources", "jobs", key, name), replace(found, value=tuple(change(each) for each in found.items())))
    return tree


def check_local_files(tree: Node, folder: Path) -> None:
    """Raise when a notebook, script or requirements file that a job names is not there."""
    jobs = tree.find("resources", "jobs")
    for key, job in jobs.entries().items() if jobs is not None else ():
        for kind, path in _named(job):
            text = path.string() or ""
            file = folder / text
            if kind == "notebook_path" and file.suffix.lower() not in _EXTENSIONS:
                expected = f"expected the file's name, with {' or '.join(_EXTENSIONS)}"
                raise UserError(f"{path.at}: resources.jobs.{key}: notebook '{text}' has no extension; {expected}")
            if not file.is_file():
                raise UserError(f"{path.at}: resources.jobs.{key}: {kind}: no file {text} in {folder}; correct the path, or add the file")
            if kind == "notebook_path" and not is_notebook(file):
                said = f"{text} is no notebook: its first line is not 'Databricks notebook source' in a comment"
                raise UserError(f"{path.at}: resources.jobs.{key}: {said}; add that line, or run it as a spark_python_task")


def _task(task: Node, *, git: bool) -> Node:
    for kind, name in _IN_TASKS:
        path = task.find(kind, name)
        if path is not None and _is_local(path) and not _is_git(task.find(kind, "source"), git=git):
            task = task.with_path((kind, name), from_root(path))
    inner = task.find("for_each_task", "task")
    return task if inner is None else task.with_path(("for_each_task", "task"), _task(inner, git=git))


def _environment(environment: Node) -> Node:
    found = environment.find("spec", "dependencies")
    if found is None:
        return environment
    changed = tuple(_dependency(each) for each in found.items())
    return environment.with_path(("spec", "dependencies"), replace(found, value=changed))


def _dependency(dependency: Node) -> Node:
    text = dependency.string() or ""
    option = next((option for option in _REQUIREMENTS if text.startswith(option)), None)
    if option is not None:
        path = replace(dependency, value=text.removeprefix(option).strip())
        return replace(dependency, value=f"-r {from_root(path).string()}", text=None) if _is_local(path) else dependency
    local = local_wheel(text)
    if local is None:
        return dependency
    path, extras = replace(dependency, value=local[0]), local[1]
    return replace(dependency, value=f"{from_root(path).string()}{extras}", text=None)


def _named(job: Node) -> Iterator[tuple[str, Node]]:
    """Yield what a job names of the bundle's files, with which key."""
    git = job.child("git_source") is not None
    tasks = job.child("tasks")
    for task in tasks.items() if tasks is not None else ():
        for each in (task, task.find("for_each_task", "task")):
            for kind, name in _IN_TASKS:
                path = each.find(kind, name) if each is not None else None
                if each is not None and path is not None and _is_local(path) and not _is_git(each.find(kind, "source"), git=git):
                    yield name, path
    environments = job.child("environments")
    for environment in environments.items() if environments is not None else ():
        found = environment.find("spec", "dependencies")
        for dependency in found.items() if found is not None else ():
            text = dependency.string() or ""
            path = replace(dependency, value=text.removeprefix("-r ").strip(), text=None)
            if text.startswith("-r ") and _is_local(path):
                yield "requirements", path


def _is_local(path: Node) -> bool:
    return not (path.string() or "").startswith(_REMOTE)


def _is_git(source: Node | None, *, git: bool) -> bool:
    said = source.string() if source is not None else None
    return said == "GIT" or (git and said != "WORKSPACE")
