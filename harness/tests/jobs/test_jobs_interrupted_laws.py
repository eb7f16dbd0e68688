"""Laws of runs that are cancelled, or whose harness dies, at any task: any graph of wheel tasks, conditions and loops.

Death is a copy of what the store holds at that moment, which is what a `kill -9` leaves, and a second harness over the copy.
"""

import datetime as dt
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import FakeClock
from harness.config import Layout
from harness.ids import RandomIds
from harness.jobs import JobService, Outcome, TaskProcess
from harness.jobs.model import Run, RunRequest
from harness.jobs.repairing import RepairRequest
from harness.jobs.runs import Runs
from harness.state import Store

Json = dict[str, object]
START = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
ENVIRONMENTS = [{"environment_key": "default", "spec": {"environment_version": "5"}}]
WHEEL: Json = {"python_wheel_task": {"package_name": "p", "entry_point": "e"}, "environment_key": "default"}


@dataclass
class Counts:
    """Ends every task well; at the one of this number, something happens first."""

    at: int = -1
    happens: Callable[[TaskProcess], None] = lambda _: None
    began: list[tuple[str, bool]] = field(default_factory=list)
    """Each task that began, and whether it was cancelled by then."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, task: TaskProcess, *, cancelled: threading.Event, on_running: Callable[[], None]) -> Outcome:
        """Count, and end."""
        with self.lock:
            number = len(self.began)
            self.began.append((task.task_key, cancelled.is_set()))
        on_running()
        if number == self.at:
            self.happens(task)
        return Outcome("CANCELED", "Run cancelled.") if cancelled.is_set() else Outcome("SUCCESS")


class Nothing:
    """No files, no data."""

    def file(self, path: str) -> Path:
        """Refuse."""
        raise AssertionError(path)

    def files(self, _: str) -> dict[str, int]:
        """Return no files."""
        return {}

    def version(self, _: str) -> None:
        """Return no version."""


@st.composite
def graphs(draw: st.DrawFn) -> list[Json]:
    """Return tasks, each after some of those before it."""
    tasks: list[Json] = []
    for number in range(draw(st.integers(1, 5))):
        before = sorted(draw(st.sets(st.integers(0, number - 1)))) if number else []
        inner: Json = {"task_key": f"t{number}_each", **WHEEL}
        loop: Json = {"inputs": '["a", "b", "c"]', "concurrency": draw(st.integers(1, 3)), "task": inner}
        condition: Json = {"op": "EQUAL_TO", "left": "1", "right": "1"}
        kind = draw(st.sampled_from([WHEEL, {"for_each_task": loop}, {"condition_task": condition}]))
        tasks.append({"task_key": f"t{number}", "depends_on": [{"task_key": f"t{each}"} for each in before], **kind})
    return tasks


@dataclass
class Harness:
    """Jobs over a database."""

    database: Path
    layout: Layout
    runner: Counts

    def __post_init__(self) -> None:
        self.store = Store(self.database)
        self.runs = Runs(self.store, self.layout.logs / "runs")
        self.service = JobService(
            clock=FakeClock(START), ids=RandomIds(), store=self.store, layout=self.layout, runner=self.runner, files=Nothing(),
            data=Nothing(), host_url="http://x",
        )  # fmt: skip

    def begin(self, tasks: list[Json]) -> int:
        """Begin a run of a job of these tasks."""
        job_id = self.service.definitions.create({"environments": ENVIRONMENTS, "tasks": tasks}, "me")
        return self.service.run_now(RunRequest(job_id), "me")

    def ended(self, run_id: int) -> Run:
        """Wait for the end of a run."""
        deadline = time.monotonic() + 30
        while not self.service.is_over(run_id):
            assert time.monotonic() < deadline, self.runs.get(run_id)
            time.sleep(0.005)
        return self.runs.get(run_id)

    def close(self) -> None:
        """End it."""
        self.service.close()
        self.store.close()


def copy(database: Path, to: Path) -> None:
    """Copy what has been committed."""
    source, target = sqlite3.connect(database), sqlite3.connect(to)
    source.backup(target)
    source.close()
    target.close()


def succeeded(run: Run) -> set[str]:
    """The tasks that have come to a good end."""
    return {task.task_key for task in run.tasks if run.latest(task.task_key).state.result_state == "SUCCESS"}


def repaired(harness: Harness, run: Run) -> None:
    """Law: a repair makes the run a success, and runs nothing again that had succeeded."""
    before, first = succeeded(run), len(harness.runner.began)

    harness.service.repair(RepairRequest(run.run_id, rerun_all_failed_tasks=True))
    again = harness.ended(run.run_id)

    assert again.state.result_state == "SUCCESS"
    assert succeeded(again) == {task.task_key for task in run.tasks}
    assert not before & {key for key, _ in harness.runner.began[first:]}


@settings(max_examples=25, deadline=None)
@given(graphs(), st.integers(0, 8))
def test_a_cancelled_run_ends_at_once_begins_nothing_more_and_can_be_repaired(tasks: list[Json], at: int) -> None:
    """Cancelled by one of its own tasks; a run that needs fewer tasks is a success."""
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder)).make()
        runner = Counts(at)
        harness = Harness(layout.database, layout, runner)
        told: list[int] = []

        def cancel(task: TaskProcess) -> None:
            harness.service.cancel(task.run_id)
            told.append(len(runner.began))

        runner.happens = cancel
        run = harness.ended(harness.begin(tasks))

        was_reached = len(runner.began) > at
        assert all(task.state.ended for task in (*run.tasks, *run.iterations))
        assert run.state.result_state == ("CANCELED" if was_reached else "SUCCESS")
        assert all(cancelled for _, cancelled in runner.began[told[0] :]) if was_reached else not told
        if was_reached:
            runner.at = -1
            repaired(harness, run)
        harness.close()


@settings(max_examples=25, deadline=None)
@given(graphs(), st.integers(0, 8))
def test_a_run_whose_harness_died_has_failed_and_can_be_repaired(tasks: list[Json], at: int) -> None:
    """The next harness says so of it, of its tasks and of their iterations; what had succeeded stays so."""
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder)).make()
        left = Path(folder) / "left.db"
        runner = Counts(at, lambda _: copy(layout.database, left))
        first = Harness(layout.database, layout, runner)
        run_id = first.begin(tasks)
        whole = first.ended(run_id)
        first.close()
        if not left.exists():
            assert whole.state.result_state == "SUCCESS"
            return

        second = Harness(left, layout, Counts())
        known = succeeded(second.runs.get(run_id))
        second.service.start()
        run = second.ended(run_id)

        assert (run.state.life_cycle_state, run.state.result_state) == ("INTERNAL_ERROR", "FAILED")
        assert all(task.state.ended for task in (*run.tasks, *run.iterations))
        assert succeeded(run) == known
        repaired(second, run)
        second.close()


@settings(max_examples=15, deadline=None)
@given(graphs(), st.integers(0, 4), st.integers(0, 4))
def test_a_repair_whose_harness_died_can_be_repaired(tasks: list[Json], at: int, later: int) -> None:
    """Death in the run, then in its repair; the third harness brings it to its end."""
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder)).make()
        database, run_id = layout.database, 0
        for number, moment in enumerate((at, later)):
            left = Path(folder) / f"left{number}.db"
            harness = Harness(database, layout, Counts(moment))
            harness.runner.happens = lambda _, database=database, left=left: copy(database, left)
            harness.service.start()
            if run_id:
                harness.service.repair(RepairRequest(run_id, rerun_all_failed_tasks=True))
            else:
                run_id = harness.begin(tasks)
            harness.ended(run_id)
            harness.close()
            if not left.exists():
                return
            database = left

        last = Harness(database, layout, Counts())
        last.service.start()
        run = last.ended(run_id)
        latest = run.repairs[-1].repair_id
        last.service.repair(RepairRequest(run_id, rerun_all_failed_tasks=True, latest_repair_id=latest))

        assert last.ended(run_id).state.result_state == "SUCCESS"
        last.close()
