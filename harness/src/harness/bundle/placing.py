"""What is called how in the workspace: notebooks without their extension, and paths in jobs with the files' folder in front."""

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.bundle.nodes import Json
from harness.bundle.sync import Synced
from harness.errors import UserError

# docs.databricks.com/dev-tools/vscode-ext/notebooks: the first line that makes a source file a notebook.
_TITLE = b"Databricks notebook source"
_HEADERS = {".py": b"# " + _TITLE, ".sql": b"-- " + _TITLE, ".scala": b"// " + _TITLE, ".r": b"# " + _TITLE}
# Where tasks name a file of the bundle.
_IN_TASKS = (("notebook_task", "notebook_path"), ("spark_python_task", "python_file"))
_ELSEWHERE = ("/", "dbfs:", "s3:", "abfss:", "gs:", "${")


def is_notebook(path: Path) -> bool:
    """Return whether the workspace takes a file for a notebook, and so drops its extension."""
    suffix = path.suffix.lower()
    if suffix == ".ipynb":
        return True
    header = _HEADERS.get(suffix)
    if header is None:
        return False
    with path.open("rb") as content:
        return content.readline().removeprefix(b"\xef\xbb\xbf").rstrip() == header


@dataclass(frozen=True, slots=True)
class Placing:
    """Where the files of a bundle lie in the workspace: below `folder`."""

    bundle_folder: Path
    synced: Synced
    folder: str

    def uploads(self) -> dict[str, Path]:
        """Return every file by the path that it is found at in the workspace; two that would have one path are an error."""
        found: dict[str, Path] = {}
        for name, path in self.synced.files.items():
            remote = posixpath.join(self.folder, self._named(name, path))
            if remote in found:
                message = f"{path} and {found[remote]} would both be {remote}, as notebooks lose their extension"
                raise UserError(f"{message}; rename one, or leave it out with sync.exclude")
            found[remote] = path
        return found

    def in_place(self, body: Mapping[str, Json]) -> dict[str, Json]:
        """Return a job's settings with workspace paths in the place of paths beside the bundle."""
        git = "git_source" in body
        tasks, environments = body.get("tasks"), body.get("environments")
        changed: dict[str, Json] = {}
        if isinstance(tasks, list):
            changed["tasks"] = [self._task(each, git=git) for each in tasks]
        if isinstance(environments, list):
            changed["environments"] = [self._environment(each) for each in environments]
        return {**body, **changed}

    def _task(self, task: Json, *, git: bool) -> Json:
        if not isinstance(task, dict):
            return task
        changed = dict(task)
        for kind, key in _IN_TASKS:
            work = task.get(kind)
            if isinstance(work, dict) and isinstance(path := work.get(key), str) and not _is_git(work, git=git):
                changed[kind] = {**work, key: self._remote(path)}
        each = task.get("for_each_task")
        if isinstance(each, dict):
            changed["for_each_task"] = {**each, "task": self._task(each.get("task"), git=git)}
        return changed

    def _environment(self, environment: Json) -> Json:
        spec = environment.get("spec") if isinstance(environment, dict) else None
        dependencies = spec.get("dependencies") if isinstance(spec, dict) else None
        if not isinstance(environment, dict) or not isinstance(spec, dict) or not isinstance(dependencies, list):
            return environment
        return {**environment, "spec": {**spec, "dependencies": [self._dependency(each) for each in dependencies]}}

    def _dependency(self, dependency: Json) -> Json:
        if isinstance(dependency, str) and dependency.startswith("-r "):
            return f"-r {self._remote(dependency[3:].strip())}"
        return dependency

    def _remote(self, path: str) -> str:
        if path.startswith(_ELSEWHERE):
            return path
        local = Path(os.path.normpath(self.bundle_folder.resolve() / path))
        name = os.path.relpath(local, self.synced.root)
        known = self.synced.files.get(name)
        if known is None:
            known = next((at for other, at in self.synced.files.items() if _stem(other) == name and is_notebook(at)), None)
        if known is None:
            raise UserError(f"{path}: the bundle does not send this file (.gitignore, sync.exclude, or a folder beside it); see 'sync:'")
        return posixpath.join(self.folder, self._named(known.relative_to(self.synced.root).as_posix(), known))

    @staticmethod
    def _named(name: str, path: Path) -> str:
        return _stem(name) if is_notebook(path) else name


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _is_git(work: Mapping[str, Json], *, git: bool) -> bool:
    return work.get("source") == "GIT" or (git and work.get("source") != "WORKSPACE")
