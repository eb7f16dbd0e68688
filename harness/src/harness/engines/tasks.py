"""Runs tasks as processes of their own: in their environment, with their output in files, ended on time."""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import msgspec
from uv import find_uv_bin

from harness.config import Layout
from harness.engines.children import Child
from harness.engines.environments import Environment, Environments
from harness.engines.processes import Lifeline, guest_path
from harness.engines.task_limits import TaskLimits, task_limits
from harness.engines.udf_pythons import UdfPythons
from harness.engines.warm_parent import WarmParents, environment_without_habits, fresh_task
from harness.jobs.ports import NotebookProgram, Outcome, Program, ScriptProgram, TaskProcess, WheelProgram

Progress = Callable[[str], None]
_LOOK_SECONDS = 0.05
# "off" lets tasks do with Spark what serverless compute refuses (guest/harness_guest/serverless.py).
LIMITS = "HARNESS_SERVERLESS_LIMITS"
# Of the user's own variables a task sees these; the platform's serverless compute lets none through.
_KEPT = frozenset({"HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"})
_KEPT_NETWORK = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"})
CLIENTS = {
    "MLFLOW_TRACKING_URI": "databricks",
    "MLFLOW_REGISTRY_URI": "databricks-uc",
    # databricks-sdk joins what it reads 2 MiB by 2 MiB: with mlflow's own 100 MiB it copies every byte of a large model 25 times.
    "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE": str(16 * 1024**2),
}


class _Report(msgspec.Struct, frozen=True):
    """What the task's process said of its end (harness_guest/entry.py)."""

    succeeded: bool = False
    error: str = ""
    error_trace: str = ""
    notebook_result: str | None = None


class _Ended(msgspec.Struct, frozen=True):
    """What the task's keeper said (harness_guest/keeper.py)."""

    reason: str


class TaskRunner:
    """The jobs' `TaskRunner`: forks from a warm parent of the base environment where the task's environment allows it."""

    def __init__(
        self,
        *,
        environments: Environments,
        lifeline: Lifeline,
        layout: Layout,
        variables: Callable[[str], Mapping[str, str]],
        limits: TaskLimits | None = None,
    ) -> None:
        """Without `limits` they are those of the user's environment variables (harness/engines/task_limits.py).

        `variables` are what unchanged clients read (DATABRICKS_HOST, DATABRICKS_TOKEN, SPARK_REMOTE), asked for at each task by the
        user for whom it runs.
        """
        self._environments = environments
        self._lifeline = lifeline
        self._variables = variables
        self._files = layout.files
        self._pythons = UdfPythons(layout)
        self._limits = limits or task_limits()
        self.parents = WarmParents(lifeline=lifeline, log=layout.logs / "tasks.log")
        """What tasks are forked from; model servers are too."""

    def start(self, progress: Progress) -> None:
        """Make the base environment if it is not there, and let the warm parent begin to import; it goes on in the background."""
        self.parents.parent(self._environments.base(progress).python)
        self._pythons.support()

    def alive(self) -> bool:
        """Return whether the warm parent runs."""
        return self.parents.alive()

    def close(self) -> None:
        """End the warm parents and every task; twice without harm."""
        self.parents.close()

    def run(self, task: TaskProcess, *, cancelled: threading.Event, on_running: Callable[[], None]) -> Outcome:
        """Install what the task needs, run it to its end and say how it ended."""
        task.folder.mkdir(parents=True, exist_ok=True)
        environment = self._environments.overlay(task.dependencies, version=task.environment.version, progress=_printing(task.folder))
        parent = None if environment.replaces else self.parents.parent(environment.python)
        if parent is not None:
            parent.wait_ready()
        if cancelled.is_set():
            return Outcome("CANCELED", "Run cancelled.")
        on_running()
        spec = self._spec(task, environment)
        process: Child
        if parent is not None:
            process = parent.fork(spec)
        else:
            process = fresh_task(environment.python, spec, lifeline=self._lifeline, folder=task.folder)
        return _outcome(process, task, cancelled)

    def _spec(self, task: TaskProcess, environment: Environment) -> dict[str, object]:
        path = [str(folder) for folder in environment.path]
        kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.upper() in _KEPT_NETWORK}
        variables = {
            **kept,
            "PATH": os.pathsep.join([str(environment.python.parent), os.environ.get("PATH", os.defpath)]),
            "NO_PROXY": ",".join(filter(None, [kept.get("NO_PROXY"), "127.0.0.1", "localhost"])),
            **environment_without_habits(),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join([*path, guest_path()]),  # for processes that the task starts itself
            **CLIENTS,
            **self._variables(task.user),
            "HARNESS_TASK_VALUES": str(task.values),
            "HARNESS_TASK_KEY": task.task_key,
            "HARNESS_TASK_FOLDER": str(task.folder),
            "HARNESS_TASK_RUN_ID": str(task.task_run_id),
            "HARNESS_TASK_ENVIRONMENT": msgspec.json.encode(task.environment).decode(),
            "HARNESS_UV": find_uv_bin(),
            "MPLBACKEND": "Agg",  # no window opens on the machine of a task
        }
        return {
            "folder": str(task.folder),
            "program": _program(task.program),
            "path": path,
            "environment": variables,
            "header": environment.notes,
            "limited": os.environ.get(LIMITS, "on") != "off",
            "limits": asdict(self._limits),
            "workers": str(self._pythons.folder(task.user)),
            "worker_variables": dict(self._pythons.variables()),
            "roots": {root: str(self._files / root.strip("/")) for root in ("/Workspace", "/Volumes", "/dbfs")},
        }


def _outcome(process: Child, task: TaskProcess, cancelled: threading.Event) -> Outcome:
    """Wait for the end of `process`, bringing it about when it is cancelled or out of time."""
    deadline = time.monotonic() + task.timeout_seconds if task.timeout_seconds is not None else None
    ended: Outcome | None = None
    while (status := process.wait(_LOOK_SECONDS)) is None:
        if ended is not None:
            continue
        if cancelled.is_set():
            ended = Outcome("CANCELED", "Run cancelled.")
            process.end()
        elif deadline is not None and time.monotonic() >= deadline:
            message = f"The task was ended after its timeout of {task.timeout_seconds:g} seconds."
            ended = Outcome("TIMEDOUT", message, error=message)
            process.end()
    return ended or _ended(status, _read_report(task.folder), _read_reason(task.folder))


def _ended(status: int, report: _Report, reason: str) -> Outcome:
    if status == 0 and report.succeeded:
        return Outcome("SUCCESS", notebook_result=report.notebook_result)
    if reason:
        return Outcome("FAILED", reason, error=reason)
    if status < 0:
        message = f"The task was ended by signal {-status} ({signal.Signals(-status).name})."
        return Outcome("FAILED", message, error=message)
    if report.error:
        return Outcome("FAILED", "Workload failed, see run output for details", report.error, report.error_trace)
    when = "after" if report.succeeded else "before"
    message = f"The task's process ended with exit status {status} {when} its entry point returned."
    return Outcome("FAILED", message, error=message)


def _program(program: Program) -> dict[str, object]:
    """Return the program as the guest reads it (harness_guest/entry.py)."""
    match program:
        case WheelProgram():
            return {"kind": "wheel", **asdict(program)}
        case ScriptProgram():
            return {"kind": "script", "path": program.path, "file": str(program.file), "arguments": program.arguments}
        case NotebookProgram():
            return {"kind": "notebook", "path": program.path, "file": str(program.file), "parameters": dict(program.parameters)}


def _read_report(folder: Path) -> _Report:
    path = folder / "report.json"
    return msgspec.json.decode(path.read_bytes(), type=_Report) if path.exists() else _Report()


def _read_reason(folder: Path) -> str:
    """Return why the task's keeper ended it, empty when it did not."""
    path = folder / "ended.json"
    return msgspec.json.decode(path.read_bytes(), type=_Ended).reason if path.exists() else ""


def _printing(folder: Path) -> Progress:
    """Return a progress that goes to the task's own output, where whoever waits for the task looks."""

    def progress(line: str) -> None:
        with (folder / "stdout").open("a") as stdout:
            stdout.write(f"[harness] {line}\n")

    return progress
