"""Inside a task's process: make it the task's own, call the wheel's entry point, report how that ended."""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness_guest import udf_python, workspace_paths
from harness_guest.serverless import limit_spark

REPORT = "report.json"


@dataclass(frozen=True)
class Spec:
    """What a task's process is to be; it travels as JSON."""

    folder: str
    program: Mapping[str, Any]
    """Of which `kind`, and what that kind needs (harness/jobs/ports.py)."""
    path: Sequence[str]
    environment: Mapping[str, str]
    header: Sequence[str]
    roots: Mapping[str, str] = field(default_factory=dict)
    """Which folders of this machine `/Workspace` and `/Volumes` are."""
    limited: bool = True
    """Whether Spark refuses what serverless compute refuses."""
    workers: str = ""
    """Where the scripts lie that start Spark's workers for tasks of this user."""
    worker_variables: Mapping[str, str] = field(default_factory=dict)
    """What such a worker is told besides."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """What the task may take (harness_guest.keeper.Limits)."""


def run(spec: Spec) -> int:
    """Run the task and return its exit status; its report says what no exit status can.

    Only a report that says so makes a task successful: one that leaves through `os._exit(0)` has not reached its end.
    """
    _become(spec)
    try:
        result = _PROGRAMS[spec.program["kind"]](spec)
    except SystemExit as leave:
        if leave.code in (None, 0):
            return _report(spec, {"succeeded": True}, 0)
        return _failed(spec, leave)
    except BaseException as error:  # noqa: BLE001 - whatever a task raises, KeyboardInterrupt among it, is how it ended
        return _failed(spec, error)
    return _report(spec, {"succeeded": True, "notebook_result": result}, 0)


def _run_wheel(spec: Spec) -> None:
    program = spec.program
    function = entry_point(program["package_name"], program["entry_point"])
    sys.argv = [program["package_name"], *program["arguments"]]
    function()


def _run_script(spec: Spec) -> None:
    from harness_guest.scripts import run_script

    run_script(spec.program["file"], spec.program["arguments"])


def _run_notebook(spec: Spec) -> str | None:
    from harness_guest.notebooks import run_notebook

    return run_notebook(spec)


_PROGRAMS: Mapping[str, Callable[[Spec], str | None]] = {
    "wheel": _run_wheel,
    "script": _run_script,
    "notebook": _run_notebook,
}


def entry_point(package_name: str, name: str) -> Callable[[], object]:
    """Return the entry point `name` of a distribution, in whatever group, else the function `name` of its package.

    On the platform it is found the same way: docs.databricks.com/jobs/python-wheel.
    """
    try:
        distribution = importlib.metadata.distribution(package_name)
    except importlib.metadata.PackageNotFoundError as error:
        raise ModuleNotFoundError(
            f"no distribution '{package_name}' in the task's environment; is its wheel among the dependencies?"
        ) from error
    found = next((point for point in distribution.entry_points if point.name == name), None)
    function: Any = found.load() if found is not None else getattr(importlib.import_module(package_name.replace("-", "_")), name, None)
    if function is None:
        points = ", ".join(sorted({point.name for point in distribution.entry_points})) or "none"
        raise AttributeError(
            f"distribution '{package_name}' has no entry point '{name}' nor its package such a function; entry points: {points}"
        )
    return function  # type: ignore[no-any-return]  # what a stranger's wheel names


def _become(spec: Spec) -> None:
    os.environ.clear()
    os.environ.update(spec.environment)
    work = Path(spec.folder, "work")
    work.mkdir(parents=True, exist_ok=True)
    os.chdir(work)
    sys.path[:0] = spec.path  # its finders are new: nothing they know is old, and forgetting the others' would cost 15 ms
    for stream, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
        file = os.open(Path(spec.folder, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, stream.fileno())
        os.close(file)
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a real stream, and a line is seen as soon as it is printed
    workspace_paths.install(spec.roots)
    if importlib.util.find_spec("pyspark.sql.connect") is not None:
        udf_python.follow(Path(spec.workers), spec.folder, spec.worker_variables)
        if spec.limited:
            limit_spark()
    for line in spec.header:
        print(f"[harness] {line}")  # noqa: T201 - the task's log


def _failed(spec: Spec, error: BaseException) -> int:
    told = traceback.TracebackException.from_exception(error)
    _keep_users_part(told)
    trace = "".join(told.format()).rstrip()
    with contextlib.suppress(OSError, ValueError, AttributeError):  # the task has closed them, or put something else in their place
        sys.stdout.flush()
        sys.stderr.write(trace + "\n")
    status = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1
    return _report(spec, {"succeeded": False, "error": _told(error), "error_trace": trace}, status)


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


def _keep_users_part(told: traceback.TracebackException) -> None:
    """Take the frames of the harness, and of the shell that runs notebooks, out of an error and out of those it came from."""
    told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if not _is_ours(frame.filename)])
    for other in (told.__cause__, told.__context__):
        if other is not None:
            _keep_users_part(other)


def _is_ours(file: str) -> bool:
    path = Path(file)
    return path.parent == Path(__file__).parent or "IPython" in path.parts


def _report(spec: Spec, report: Mapping[str, object], status: int) -> int:
    Path(spec.folder, REPORT).write_text(json.dumps(report))
    return status
