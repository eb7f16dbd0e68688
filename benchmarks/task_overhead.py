"""What a task costs before the first line of its own code, beside a plain `python` that imports the same.

usage: python benchmarks/task_overhead.py [--quick] [--json FILE]     --quick: five runs of each instead of twenty; medians are shown

Tasks tell the machine's monotonic clock at their first line, so both sides are measured to the same point: from the moment that a forked
task is asked for, that a task with its environment is handed to the runner, and that `jobs.run_now` is called by the official client. The
reuse of an overlay has the making of the same overlay beside it, with uv's cache warm.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import ImportFormat

from harness.app import LOOPBACK, Harness
from harness.cli.connection import Connection
from harness.config import Layout
from harness.engines.environments import Environments
from harness.engines.processes import GUEST
from harness.engines.tasks import TaskRunner
from harness.jobs import EnvironmentSpec, NotebookProgram, TaskProcess, WheelProgram
from harness.parts import Parts, build

TOKEN = "dapibenchmark"  # noqa: S105 - of a harness that lives for a minute, on this machine only
SAY = "import time; print('first line', time.monotonic(), flush=True)"
VERSION = "5"


@dataclass(frozen=True)
class Started:
    """A harness without Spark and MLflow, and what its tasks are made of."""

    parts: Parts
    connection: Connection
    folder: Path
    wheel: Path


class TasksAlone(Harness):
    """The harness as `harness up` starts it, but for Spark, MLflow and model servers."""

    parts: Parts

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout, print, token=TOKEN)

    def _start(self) -> None:
        layout = self._layout.make()
        listening = socket.create_server((LOOPBACK, 0))
        self._closing.callback(listening.close)
        self._closing.callback(self._lifeline.close)
        host = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        self.parts = build(layout, self._lifeline, host=host, token=TOKEN)
        self._closing.callback(self.parts.close)
        self._serve(self.parts, listening)
        self.parts.tasks.start(print)
        self._connection = Connection(host, TOKEN, "", str(layout.state), 0)


@contextmanager
def started() -> Iterator[Started]:
    """A harness with a warm parent that is ready, and the wheel of a task."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with TasksAlone(Layout(folder / "state")) as harness:
            environments = Environments(layout=Layout(folder / "state"))
            harness.parts.tasks.parents.parent(environments.base().python).wait_ready()
            yield Started(harness.parts, harness.connection, folder, wheel(folder, "probe"))


def wheel(folder: Path, name: str, source: str = SAY) -> Path:
    """Write the wheel of one module."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": f"def main():\n    {source}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\nmain = {name}:main\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in files))
    return path


def first_line(text: str, began: float) -> float:
    """Return the seconds from `began` to what a task told of its first line."""
    line = next(line for line in text.splitlines() if line.startswith("first line"))
    return float(line.split()[2]) - began


def process(at: Started, kind: str = "wheel") -> TaskProcess:
    """Return a task in a folder of its own."""
    folder = Path(tempfile.mkdtemp(dir=at.folder))
    notebook = folder / "notebook.py"
    notebook.write_text(f"# Databricks notebook source\n{SAY}\n")
    program = WheelProgram("probe", "main") if kind == "wheel" else NotebookProgram("/Workspace/notebook", notebook, {})
    dependencies = (str(at.wheel),)
    return TaskProcess(1, 2, "probe", folder, folder / "values", program, EnvironmentSpec(VERSION, "", dependencies), dependencies)


def through_runner(at: Started, kind: str = "wheel", *, forked: bool = False) -> float:
    """Return the seconds from asking the runner (or, `forked`, from its environment being there) to the first line."""
    task, running = process(at, kind), 0.0

    def on_running() -> None:
        nonlocal running
        running = time.monotonic()

    began = time.monotonic()
    runner: TaskRunner = at.parts.tasks
    outcome = runner.run(task, cancelled=threading.Event(), on_running=on_running)
    assert outcome.result == "SUCCESS", outcome
    return first_line((task.folder / "stdout").read_text(), running if forked else began)


def through_rest(at: Started) -> Callable[[], float]:
    """Deploy a job as any client would, and return what starts it and gives the seconds to its task's first line."""
    workspace = WorkspaceClient(host=at.connection.host, token=TOKEN)
    workspace.workspace.mkdirs("/Workspace/Shared")
    path = f"/Workspace/Shared/{at.wheel.name}"
    with at.wheel.open("rb") as content:
        workspace.workspace.upload(path, content, format=ImportFormat.AUTO)
    task = {"task_key": "probe", "environment_key": "e", "python_wheel_task": {"package_name": "probe", "entry_point": "main"}}
    environment = {"environment_key": "e", "spec": {"environment_version": VERSION, "dependencies": [path]}}
    job: Any = workspace.api_client.do(
        "POST", "/api/2.2/jobs/create", body={"name": "probe", "tasks": [task], "environments": [environment]}
    )

    def run() -> float:
        began = time.monotonic()
        run_id = workspace.jobs.run_now(job["job_id"]).response.run_id
        while (found := workspace.jobs.get_run(run_id)).end_time in (None, 0):
            time.sleep(0.05)
        output = workspace.jobs.get_run_output((found.tasks or [])[0].run_id or 0)
        return first_line(output.logs or output.error or "", began)

    return run


def overlay(at: Started, number: int) -> tuple[float, float]:
    """Return the seconds to find an overlay that is there, and to make it."""
    environments = Environments(layout=Layout(at.folder / "state"))
    environments.base()
    dependencies = [str(wheel(at.folder, f"overlay_{number}"))]
    seconds = []
    for _ in range(2):
        began = time.monotonic()
        environments.overlay(dependencies, version=VERSION)
        seconds.append(time.monotonic() - began)
    return seconds[1], seconds[0]


def plain_python(at: Started) -> float:
    """Return the seconds from starting a Python on the same interpreter that imports what a warm parent has, to its first line."""
    environments = Environments(layout=Layout(at.folder / "state"))
    read = "import sys; sys.path.insert(0, sys.argv[1]); from harness_guest.warm import PRELOADED; "
    read += "print(*(name for name in PRELOADED if not name.startswith('harness')))"
    python = str(environments.base().python)
    names = subprocess.run([python, "-c", read, str(GUEST)], capture_output=True, text=True, check=True).stdout.split()
    script = at.folder / "plain.py"  # not `python -c`: there the Connect client believes that doctests are run
    script.write_text("\n".join([*(f"import {name}" for name in names), SAY]))
    began = time.monotonic()
    done = subprocess.run([python, str(script)], capture_output=True, text=True, check=True)
    return first_line(done.stdout, began)


def measure(times: int) -> dict[str, dict[str, Any]]:
    """Measure all cases."""
    with started() as at:
        through_runner(at)  # makes the overlay
        through_runner(at, "notebook")
        rest = through_rest(at)
        rest()
        peers = [plain_python(at) for _ in range(max(2, times // 4))]
        cases: Mapping[str, Callable[[], float]] = {
            "fork to first line": lambda: through_runner(at, forked=True),
            "queue to first line, warm environment": lambda: through_runner(at),
            "notebook, queue to first line": lambda: through_runner(at, "notebook"),
            "run-now through REST to first line": rest,
        }
        found = {name: row([case() for _ in range(times)], peers) for name, case in cases.items()}
        overlays = [overlay(at, number) for number in range(max(2, times // 4))]
        found["overlay reused, beside made"] = row([mine for mine, _ in overlays], [theirs for _, theirs in overlays])
        return found


def row(mine: list[float], theirs: list[float]) -> dict[str, Any]:
    """Return the medians in milliseconds; `ratio` is how many times as long the peer takes."""
    ours, peer = statistics.median(mine), statistics.median(theirs)
    return {"ours": round(ours * 1000, 1), "peer": round(peer * 1000, 1), "ratio": round(peer / ours, 2), "unit": "ms"}


def main() -> None:
    """Measure, print a table, and write it as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    load, cpu = os.getloadavg()[0], time.process_time()
    cases = measure(5 if options.quick else 20)
    for name, values in cases.items():
        print(f"{name:40} ours {values['ours']:8.1f} ms   peer {values['peer']:8.1f} ms   {values['ratio']:6.1f} times as long")
    print(f"CPU of the harness's own process: {time.process_time() - cpu:.1f} s; tasks and peers have theirs")
    print(f"load average before and after: {load:.1f}, {os.getloadavg()[0]:.1f}; on a busy machine read the ratios")
    if options.json:
        options.json.write_text(json.dumps({"cases": cases}, indent=2))


if __name__ == "__main__":
    main()
