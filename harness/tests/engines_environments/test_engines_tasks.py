"""Tasks as real processes: forked from a warm parent on the base environment, or fresh where an overlay replaces part of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.config import Layout
from harness.engines.environments import Environments
from harness.engines.processes import Lifeline
from harness.engines.tasks import TaskRunner
from harness.jobs import EnvironmentSpec, Outcome, TaskProcess, WheelProgram

pytestmark = pytest.mark.platform  # needs the base environment, made once with uv

MODULE = '''
import os, sys, time

def first():
    """Leave a value and show what a task finds."""
    from databricks.sdk.runtime import dbutils
    dbutils.jobs.taskValues.set("mae", 1.309)
    dbutils.jobs.taskValues.set("uri", "models:/m-1")
    print("argv", sys.argv)
    print("cwd", os.path.basename(os.getcwd()))
    print("host", os.environ["DATABRICKS_HOST"], os.environ.get("SECRET_OF_MINE"))
    print("to stderr", file=sys.stderr)

def second():
    from databricks.sdk.runtime import dbutils
    print(dbutils.jobs.taskValues.get("first", "mae"), dbutils.jobs.taskValues.get("first", "nope", default=7))
    dbutils.jobs.taskValues.get("first", "nope")

def imported():
    print("mlflow" in sys.modules, "sklearn" in sys.modules)

def random():
    import numpy
    print(numpy.random.random())

def raises():
    def deeper():
        raise ValueError("no trips in main.sales.trips")
    deeper()

def leaves(): sys.exit(0)
def refuses(): sys.exit("bad input")
def vanishes(): os._exit(0)
def killed(): os.kill(os.getpid(), 9)
def stubborn():
    import signal, subprocess
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "60"])
    print(child.pid)
    time.sleep(60)
def sleeps():
    print("sleeping"); time.sleep(60)
def lazy():
    from databricks.sdk.runtime import spark, dbutils
    from pyspark.sql import SparkSession
    print(isinstance(spark, SparkSession))
    dbutils.credentials.showRoles()
'''
UNKNOWN = "AttributeError: distribution 'task-probe' has no entry point 'nothing' nor its package such a function"
KNOWN = "first, imported, killed, lazy, leaves, raises, random, refuses, second, sleeps, stubborn, vanishes"
POINTS = ["first", "second", "imported", "random", "raises", "leaves", "refuses", "vanishes", "killed", "stubborn", "sleeps", "lazy"]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskRunner]:
    """A runner with a warm parent."""
    layout, lifeline = Layout(tmp_path_factory.mktemp("state")).make(), Lifeline()
    host = {"DATABRICKS_HOST": "http://127.0.0.1:1", "DATABRICKS_TOKEN": "t0ken"}
    runner = TaskRunner(environments=Environments(layout=layout), lifeline=lifeline, layout=layout, variables=lambda _: host)
    runner.start(lambda _: None)
    yield runner
    runner.close()
    runner.close()
    lifeline.close()


@pytest.fixture
def make_task(make_wheel: Callable[..., Path], tmp_path: Path) -> Callable[..., TaskProcess]:
    """Return a function that makes a task of one of the module's functions."""
    wheel = make_wheel("task-probe", MODULE, points={name: f"task_probe:{name}" for name in POINTS}, group="group_1")

    def make(name: str, *arguments: str, timeout: float | None = None, more: tuple[str, ...] = (), folder: str = "") -> TaskProcess:
        return TaskProcess(
            run_id=1,
            task_run_id=2,
            task_key=name,
            folder=tmp_path / (folder or name),
            values=tmp_path / "values",
            program=WheelProgram("task-probe", name, arguments),
            environment=EnvironmentSpec("4"),
            dependencies=(str(wheel), *more),
            timeout_seconds=timeout,
        )

    return make


def run(runner: TaskRunner, task: TaskProcess) -> Outcome:
    """Run a task nobody cancels."""
    return runner.run(task, cancelled=threading.Event(), on_running=lambda: None)


def printed(task: TaskProcess) -> list[str]:
    """Return the lines of the task's own."""
    return [line for line in (task.folder / "stdout").read_text().splitlines() if not line.startswith("[harness]")]


def test_tasks_run_a_wheels_entry_point_and_pass_values_on(
    runner: TaskRunner, make_task: Callable[..., TaskProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Argument vector, folder, variables, output and task values of two tasks of one run."""
    monkeypatch.setenv("SECRET_OF_MINE", "not for tasks")
    first, second = make_task("first", "--catalog", "main"), make_task("second")

    assert run(runner, first) == Outcome("SUCCESS")
    failed = run(runner, second)

    assert printed(first) == ["argv ['task-probe', '--catalog', 'main']", "cwd work", "host http://127.0.0.1:1 None"]
    assert (first.folder / "stderr").read_text() == "to stderr\n"
    assert printed(second) == ["1.309 7"]
    assert failed.error == "ValueError: taskValues.get: task 'first' has set no value 'nope' in this run; it has set: mae, uri"


def test_a_task_is_forked_in_a_fraction_of_a_second_with_everything_imported(
    runner: TaskRunner, make_task: Callable[..., TaskProcess]
) -> None:
    """Imports of seconds are there from the start, and each task draws its own random numbers."""
    imported, one, other = make_task("imported"), make_task("random", folder="one"), make_task("random", folder="other")
    for task in (imported, one, other):
        assert run(runner, task).result == "SUCCESS"

    assert printed(imported) == ["True True"]
    assert printed(one) != printed(other)


def test_the_log_says_how_the_environment_differs_from_the_platforms(runner: TaskRunner, make_task: Callable[..., TaskProcess]) -> None:
    """In one line."""
    task = make_task("leaves")
    assert run(runner, task) == Outcome("SUCCESS")

    said = [line for line in (task.folder / "stdout").read_text().splitlines() if "environment_version 4" in line]
    assert len(said) == 1
    assert "scikit-learn 1.6.1 (here 1.9.1)" in said[0]


@pytest.mark.parametrize(
    ("name", "message", "error"),
    [
        ("raises", "Workload failed, see run output for details", "ValueError: no trips in main.sales.trips"),
        ("refuses", "Workload failed, see run output for details", "SystemExit: bad input"),
        ("killed", "The task was ended by signal 9 (SIGKILL).", "The task was ended by signal 9 (SIGKILL)."),
        ("vanishes", *["The task's process ended with exit status 0 before its entry point returned."] * 2),
        (
            "nothing",
            "Workload failed, see run output for details",
            f"{UNKNOWN}; entry points: {KNOWN}",
        ),
        (
            "lazy",
            "Workload failed, see run output for details",
            "NotImplementedError: dbutils.credentials.showRoles is not emulated; see docs/coverage.md of the harness",
        ),
    ],
)
def test_a_task_that_does_not_reach_its_end_fails_and_says_how(
    runner: TaskRunner, make_task: Callable[..., TaskProcess], name: str, message: str, error: str
) -> None:
    """An exception, a refusal, a kill, a silent exit, a wrong entry point, a part of dbutils that is not there."""
    outcome = run(runner, make_task(name))

    assert (outcome.result, outcome.message, outcome.error) == ("FAILED", message, error)


def test_a_traceback_shows_the_users_code_only(runner: TaskRunner, make_task: Callable[..., TaskProcess]) -> None:
    """It begins at the entry point."""
    trace = run(runner, make_task("raises")).error_trace.splitlines()

    assert trace[0] == "Traceback (most recent call last):"
    assert "task_probe.py" in trace[1]


@pytest.mark.parametrize("replaces", [False, True], ids=["forked", "fresh"])
def test_cancelling_ends_the_task_and_what_it_started(runner: TaskRunner, make_task: Callable[..., TaskProcess], *, replaces: bool) -> None:
    """The whole process group goes, in a forked task and in a fresh one."""
    task = make_task("stubborn" if not replaces else "sleeps", more=("pandas==2.2.3",) if replaces else ())
    cancelled = threading.Event()
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(runner.run(task, cancelled=cancelled, on_running=lambda: None)))
    thread.start()
    lines = wait_for_line(task)
    cancelled.set()
    thread.join(20)

    assert outcomes == [Outcome("CANCELED", "Run cancelled.")]
    if not replaces:
        assert not runs(int(lines[0]))


def test_a_task_out_of_time_is_ended(runner: TaskRunner, make_task: Callable[..., TaskProcess]) -> None:
    """Its timeout is in the message."""
    outcome = run(runner, make_task("sleeps", timeout=0.3))

    assert (outcome.result, outcome.message) == ("TIMEDOUT", "The task was ended after its timeout of 0.3 seconds.")


def test_an_overlay_that_replaces_a_package_runs_fresh(
    runner: TaskRunner, make_task: Callable[..., TaskProcess], make_wheel: Callable[..., Path]
) -> None:
    """The task sees its own version, not the one the warm parent has imported."""
    other = make_wheel("orjson", "version = 'mine'", version="0.0.1")
    main = make_wheel(
        "asks-version",
        "import orjson, sys\ndef main(): print(orjson.version, 'sklearn' in sys.modules)",
        points={"main": "asks_version:main"},
    )
    task = TaskProcess(
        1,
        2,
        "v",
        make_task("x").folder,
        make_task("x").values,
        WheelProgram("asks-version", "main"),
        EnvironmentSpec("4"),
        (str(main), str(other)),
    )

    assert run(runner, task) == Outcome("SUCCESS")
    assert printed(task) == ["mine False"]
    assert "replaced by the job's dependencies: orjson" in (task.folder / "stdout").read_text()


def test_a_killed_warm_parent_fails_its_tasks_and_is_replaced(runner: TaskRunner, make_task: Callable[..., TaskProcess]) -> None:
    """The next task runs."""
    task = make_task("sleeps")
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(run(runner, task)))
    thread.start()
    wait_for_line(task)
    (parent,) = runner.parents.pids()
    os.kill(parent, signal.SIGKILL)
    thread.join(10)

    assert [outcome.result for outcome in outcomes] == ["FAILED"]
    assert run(runner, make_task("leaves")).result == "SUCCESS"


HARNESS = """
import sys, threading, time
from pathlib import Path
from harness.config import Layout
from harness.engines.environments import Environments
from harness.engines.processes import Lifeline
from harness.engines.tasks import TaskRunner
from harness.jobs import EnvironmentSpec, TaskProcess, WheelProgram

state, wheel = Path(sys.argv[1]), sys.argv[2]
layout, lifeline = Layout(state).make(), Lifeline()
runner = TaskRunner(environments=Environments(layout=layout), lifeline=lifeline, layout=layout, variables=lambda _: {})
runner.start(print)
task = TaskProcess(1, 2, "t", state / "task", state / "values", WheelProgram("task-probe", "stubborn"), EnvironmentSpec("4"), (wheel,))
threading.Thread(target=runner.run, args=(task,), kwargs={"cancelled": threading.Event(), "on_running": lambda: None}).start()
stdout = state / "task" / "stdout"
while not (line := [text for text in (stdout.read_text() if stdout.exists() else "").splitlines() if text.isdigit()]):
    time.sleep(0.01)
print(*runner.parents.pids(), line[0], flush=True)
"""


def test_a_killed_harness_leaves_no_task_behind(make_task: Callable[..., TaskProcess], tmp_path: Path) -> None:
    """Neither the warm parent, nor what the task has started, though that ignores polite requests."""
    script = tmp_path / "killed.py"
    script.write_text(HARNESS)
    wheel = make_task("stubborn").dependencies[0]
    harness = subprocess.Popen([sys.executable, str(script), str(tmp_path / "state"), wheel], stdout=subprocess.PIPE, text=True)
    assert harness.stdout is not None
    with harness, harness.stdout:
        pids = [int(pid) for pid in harness.stdout.readline().split()]
        harness.kill()

    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while any(runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_line(task: TaskProcess) -> list[str]:
    """Wait until the task has printed something of its own; a fresh one installs its environment first."""
    deadline = time.monotonic() + 120
    while not (task.folder / "stdout").exists() or not printed(task):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return printed(task)


def runs(pid: int) -> bool:
    """Return whether a process runs; one that waits for its parent to ask how it ended does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state) and not state.startswith("Z")
