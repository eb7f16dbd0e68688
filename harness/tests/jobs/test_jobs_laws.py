"""Laws of whole runs: any graph of wheel tasks, conditions and Run Job tasks, through the service with its threads and its record."""

import datetime as dt
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import FakeClock
from harness.config import Layout
from harness.ids import SeededIds
from harness.jobs import JobService, Outcome, TaskProcess
from harness.jobs.model import RunRequest
from harness.jobs.runs import Runs
from harness.state import Store

Json = dict[str, object]
START = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
RUN_IFS = ["ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"]
ENDED = {"SUCCESS", "FAILED", "EXCLUDED", "UPSTREAM_FAILED"}
INNER: Json = {"name": "inner", "tasks": [{"task_key": "c", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}]}


@dataclass
class Fails:
    """Ends the tasks in `failing` as failed, all others well; notes which of the tasks before each had not ended when it began."""

    failing: set[str]
    runs: Runs
    upstream: Mapping[str, set[str]]
    early: list[str] = field(default_factory=list)

    def run(self, task: TaskProcess, *, cancelled: threading.Event, on_running: Callable[[], None]) -> Outcome:
        """Look, and end."""
        assert not cancelled.is_set()
        on_running()
        run = self.runs.get(task.run_id)
        self.early.extend(key for key in self.upstream[task.task_key] if not run.latest(key).state.ended)
        return Outcome("FAILED", "no") if task.task_key in self.failing else Outcome("SUCCESS")


class NoData:
    """Nothing to watch."""

    def files(self, _: str) -> dict[str, int]:
        """Return no files."""
        return {}

    def version(self, _: str) -> None:
        """Return no version."""


class NoFiles:
    """No wheel is asked for."""

    def file(self, path: str) -> Path:
        """Refuse."""
        raise AssertionError(path)


@st.composite
def jobs(draw: st.DrawFn) -> list[Json]:
    """Return the tasks of a job whose inner job has the id 0, to be replaced."""
    tasks: list[Json] = []
    conditions: set[str] = set()
    for number in range(draw(st.integers(1, 6))):
        key = f"t{number}"
        before = sorted(draw(st.sets(st.integers(0, number - 1)))) if number else []
        depends_on: list[Json] = [{"task_key": f"t{each}"} for each in before]
        for each in depends_on:
            if each["task_key"] in conditions and draw(st.booleans()):
                each["outcome"] = draw(st.sampled_from(["true", "false"]))
        kind = draw(st.sampled_from(["wheel", "condition", "job"]))
        compared = {"op": "GREATER_THAN", "left": draw(st.sampled_from(["1", "2", "none"])), "right": "1"}
        kinds: dict[str, Json] = {
            "wheel": {"python_wheel_task": {"package_name": "p", "entry_point": "e"}, "environment_key": "default"},
            "condition": {"condition_task": compared},
            "job": {"run_job_task": {"job_id": 0, "job_parameters": {"x": "1"} if draw(st.integers(0, 3)) == 0 else {}}},
        }
        if kind == "condition":
            conditions.add(key)
        tasks.append({"task_key": key, "depends_on": depends_on, "run_if": draw(st.sampled_from(RUN_IFS)), **kinds[kind]})
    return tasks


@settings(max_examples=25, deadline=None)
@given(jobs(), st.sets(st.sampled_from([f"t{number}" for number in range(6)])))
def test_every_task_of_every_run_ends_once_and_none_begins_before_those_it_depends_on(tasks: list[Json], failing: set[str]) -> None:
    """Real threads; a condition may be wrong, a job refuse its parameters, a wheel fail."""
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder)).make()
        store = Store(layout.database)
        upstream = {str(task["task_key"]): _before(task) for task in tasks}
        runner = Fails(failing, Runs(store, layout.logs / "runs"), upstream)
        service = JobService(
            clock=FakeClock(START),
            ids=SeededIds(),
            store=store,
            layout=layout,
            runner=runner,
            files=NoFiles(),
            data=NoData(),
            host_url="http://x",
        )
        inner = service.definitions.create({**INNER, "max_concurrent_runs": 10}, "me")
        environments = [{"environment_key": "default", "spec": {"environment_version": "5"}}]
        job_id = service.definitions.create({"environments": environments, "tasks": [_with_job(task, inner) for task in tasks]}, "me")
        run_id = service.run_now(RunRequest(job_id), "me")
        _wait(service, run_id)
        run = runner.runs.get(run_id)
        service.close()
        store.close()

    assert runner.early == []
    assert sorted(task.task_key for task in run.tasks) == sorted(upstream)
    assert {task.state.result_state for task in run.tasks} <= ENDED
    assert run.state.result_state in ("SUCCESS", "SUCCESS_WITH_FAILURES", "FAILED")
    for task in tasks:
        found = run.latest(str(task["task_key"]))
        succeeded = found.state.result_state == "SUCCESS"
        assert (found.outcome is not None) == (succeeded and "condition_task" in task)
        assert found.triggered_run_id == 0 or "run_job_task" in task
        assert succeeded <= all(_met(each, run.latest(str(each["task_key"])).outcome) for each in _depends_on(task))


def _depends_on(task: Json) -> list[dict[str, str]]:
    return msgspec.convert(task["depends_on"], list[dict[str, str]])


def _before(task: Json) -> set[str]:
    return {each["task_key"] for each in _depends_on(task)}


def _met(dependency: dict[str, str], outcome: str | None) -> bool:
    return dependency.get("outcome") in (None, outcome)


def _with_job(task: Json, job_id: int) -> Json:
    asked = task.get("run_job_task")
    return {**task, "run_job_task": {**asked, "job_id": job_id}} if isinstance(asked, dict) else task


def _wait(service: JobService, run_id: int) -> None:
    deadline = time.monotonic() + 30
    while not service.is_over(run_id):
        assert time.monotonic() < deadline
        time.sleep(0.005)
