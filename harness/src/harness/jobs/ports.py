"""What jobs need from others."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from harness.jobs.model import EnvironmentSpec


@dataclass(frozen=True, slots=True)
class WheelProgram:
    """An entry point of a distribution that the task's environment holds."""

    package_name: str
    entry_point: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScriptProgram:
    """A Python file, run as `__main__`. `path` is its name in the workspace, `file` where it lies on this machine."""

    path: str
    file: Path
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotebookProgram:
    """A notebook, as source text or `.ipynb`. `path` is its name in the workspace, `file` where it lies on this machine."""

    path: str
    file: Path
    parameters: Mapping[str, str]
    """Values of its widgets."""


Program = WheelProgram | ScriptProgram | NotebookProgram


@dataclass(frozen=True, slots=True)
class TaskProcess:
    """One attempt of one task, ready to run: nothing in it is left to resolve."""

    run_id: int
    task_run_id: int
    task_key: str
    folder: Path
    """Where `stdout`, `stderr` and `report.json` go; the process works in `folder / "work"`."""
    values: Path
    """Folder with one JSON file of task values a task of the run."""
    program: Program
    environment: EnvironmentSpec
    """As the job has it."""
    dependencies: tuple[str, ...]
    """Those of the environment: requirements, `-r FILE`s, and wheels as paths on this machine (`….whl` or `….whl[extra]`)."""
    timeout_seconds: float | None = None
    user: str = ""
    """For whom it runs: whose token it has."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended. `error` is the exception's last line, `error_trace` its traceback."""

    result: Literal["SUCCESS", "FAILED", "TIMEDOUT", "CANCELED"]
    message: str = ""
    error: str = ""
    error_trace: str = ""
    notebook_result: str | None = None


class TaskRunner(Protocol):
    """Whoever runs tasks as processes."""

    def run(self, task: TaskProcess, *, cancelled: threading.Event, on_running: Callable[[], None]) -> Outcome:
        """Install what the task needs, call `on_running`, run it to its end and say how it ended.

        Soon after `cancelled` is set the task's processes are gone. `ApiError` or `UserError` when its environment cannot be made.
        """
        ...


class DependencyFiles(Protocol):
    """Files of the workspace."""

    def file(self, path: str) -> Path:
        """Return where the file at `/Workspace/…` or `/Volumes/…` lies on this machine; `ApiError` 404 when there is none."""
        ...
