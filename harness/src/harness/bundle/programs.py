"""Whether the wheels of a job hold what its tasks run: known once they are built, before anything is sent."""

import ast
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from harness.bundle.model import Bundle
from harness.bundle.nodes import Node
from harness.bundle.wheels import Wheels
from harness.errors import UserError


@dataclass(frozen=True, slots=True)
class Contents:
    """What matters of a wheel: its project's name, what it requires, its entry points of all groups, and what its package defines."""

    name: str
    requires: frozenset[str]
    entry_points: frozenset[str]
    path: Path

    def defines(self, package: str, function: str) -> bool:
        """Return whether module `package` may have `function`: it is run where there is no entry point of that name."""
        names = {f"{package}/__init__.py", f"{package}.py"}
        with zipfile.ZipFile(self.path) as archive:
            sources = [archive.read(name) for name in archive.namelist() if name in names]
        return any(_binds(source, function) for source in sources)


def check_programs(bundle: Bundle, wheels: Wheels) -> list[str]:
    """Raise when a task's package or entry point is in none of its job's wheels; return what cannot be known from them."""
    contents = {path: _contents(path, text) for text, paths in wheels.of_dependency.items() for path in paths}
    warnings: list[str] = []
    jobs = bundle.tree.find("resources", "jobs")
    for key, job in jobs.entries().items() if jobs is not None else ():
        for task in _tasks(job):
            work = task.child("python_wheel_task")
            if work is not None:
                dependencies = _dependencies(job, task)
                known = [contents[path] for each in dependencies for path in wheels.of_dependency.get(each, ())]
                others = [each for each in dependencies if each not in wheels.of_dependency]
                warnings += _check(work, f"resources.jobs.{key}", known, others)
    return warnings


def _check(work: Node, path: str, known: list[Contents], others: list[str]) -> Iterator[str]:
    package, entry = work.child("package_name"), work.child("entry_point")
    name = (package.string() if package is not None else None) or ""
    function = (entry.string() if entry is not None else None) or ""
    found = next((each for each in known if each.name == canonicalize_name(name)), None)
    if package is None or entry is None:
        return
    if found is None:
        yield from _absent(package, path, name, known, others)
    elif function not in found.entry_points and not found.defines(name, function):
        has = ", ".join(sorted(found.entry_points)) or "none"
        message = f"{found.path.name} has no entry point '{function}', and {name} no function of that name; its entry points: {has}"
        raise UserError(f"{entry.at}: {path}: {message}; correct entry_point, or add it to [project.scripts] and deploy again")


def _absent(package: Node, path: str, name: str, known: list[Contents], others: list[str]) -> Iterator[str]:
    wanted = canonicalize_name(name)
    if wanted in {_project(each) for each in others} | {each for wheel in known for each in wheel.requires}:
        return
    said = f"package_name '{name}' is in no wheel of the task's environment"
    if known and all(each.endswith(".whl") for each in others):
        has = ", ".join(sorted(each.name for each in known))
        raise UserError(f"{package.at}: {path}: {said}; expected one of {has}; correct it, or add its wheel to the dependencies")
    yield f"{package.at}: {path}: {said}; it has to come from what else is installed there"


def _contents(path: Path, text: str) -> Contents:
    try:
        with zipfile.ZipFile(path) as archive:
            files = {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist() if _is_about(name)}
    except zipfile.BadZipFile as error:
        raise UserError(f"{path}: is no wheel ({error}), and '{text}' names it; build it again") from error
    metadata = BytesParser().parsebytes(files.get("METADATA", b""))
    parser = ConfigParser(delimiters=("=",), strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    parser.read_string(files.get("entry_points.txt", b"").decode())
    names = frozenset(name for section in parser.sections() for name in parser[section])
    project = metadata["Name"] or path.name.partition("-")[0]
    return Contents(canonicalize_name(project), frozenset(_project(each) for each in metadata.get_all("Requires-Dist", [])), names, path)


def _is_about(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return folder.endswith(".dist-info") and "/" not in folder and file in {"METADATA", "entry_points.txt"}


def _project(dependency: str) -> str:
    if dependency.endswith(".whl"):
        return canonicalize_name(dependency.rpartition("/")[2].partition("-")[0])
    try:
        return canonicalize_name(Requirement(dependency).name)
    except InvalidRequirement:  # a requirements file, an option
        return ""


def _binds(source: bytes, name: str) -> bool:
    """Return whether a module's text defines, imports or assigns `name`, or may import it with everything else."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return True  # what it does is seen when it runs
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=defined) | ast.AsyncFunctionDef(name=defined) | ast.ClassDef(name=defined) if defined == name:
                return True
            case ast.ImportFrom(names=names) | ast.Import(names=names) if any((each.asname or each.name) in {name, "*"} for each in names):
                return True
            case ast.Name(id=assigned, ctx=ast.Store()) if assigned in {name, "__getattr__"}:
                return True
    return False


def _tasks(job: Node) -> Iterator[Node]:
    tasks = job.child("tasks")
    for task in tasks.items() if tasks is not None else ():
        yield task
        inner = task.find("for_each_task", "task")
        if inner is not None:
            yield inner


def _dependencies(job: Node, task: Node) -> list[str]:
    key = task.child("environment_key")
    environments = job.child("environments")
    for environment in environments.items() if environments is not None else ():
        of = environment.child("environment_key")
        if key is not None and of is not None and of.string() == key.string():
            found = environment.find("spec", "dependencies")
            return [each.string() or "" for each in found.items()] if found is not None else []
    return []
