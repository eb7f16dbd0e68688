"""Where a replay plays: a harness whose served models date their calls by the play's own clock, with the workflow deployed and trained."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pyarrow as pa
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import Task

from dry_run.collect import Names, Warehouse
from dry_run.report import JOBS
from dry_run.workflow import ROOT, names_of
from harness import sample_data
from harness.app import Harness
from harness.bundle import Choice, RunResult, deploy, find_bundle, follow, read_bundle, run_job
from harness.cli.bundle import explain
from harness.cli.lifecycle import keep_log
from harness.clock import MovingClock
from harness.config import Layout

Progress = Callable[[str], None]
GRANULARITY = "1 month"
# A replay is about the months after; a search over a grid would not change its story.
GRID = '{"n_estimators":[100],"max_depth":[4],"learning_rate":[0.1]}'
_TASKS = ("monitoring", "verdict")
_DROPPED = ("--monitor-granularity", "--slice", "--granularity")


class TaskFailedError(Exception):
    """A job did not succeed; why was told already."""


@dataclass(frozen=True, slots=True)
class _Ends:
    """A running job of which only the ends of tasks are told."""

    progress: Progress

    def task(self, task_key: str, state: str, seconds: float) -> None:
        if seconds:
            self.progress(f"{task_key} {state} in {seconds:.1f} s")

    def output(self, task_key: str, text: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Silent:
    """A running job of which nothing is told."""

    def task(self, task_key: str, state: str, seconds: float) -> None:
        pass

    def output(self, task_key: str, text: str) -> None:
        pass


class Stage:
    """`with Stage(folder, clock, progress) as stage: stage.train(trips); stage.monitor()`. Leaving ends everything that was started."""

    def __init__(self, state: Path, clock: MovingClock, progress: Progress) -> None:
        self._layout = Layout(state)
        self._clock = clock
        self._progress = progress
        self._closing = ExitStack()
        self.warehouse = Warehouse(self._layout.warehouse)
        self.names = Names("", "", "", "")
        self._job_id = 0

    def __enter__(self) -> Self:
        keep_log(self._layout)
        harness = self._closing.enter_context(Harness(self._layout, self._progress, time_ns=self._clock.time_ns))
        self.environment: Mapping[str, str] = harness.connection.environment()
        os.environ.update(self.environment)  # mlflow's client reads nothing else
        self.workspace = WorkspaceClient(host=harness.connection.host, token=harness.connection.token)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def folder(self, full_name: str) -> Path:
        """Return where a table lies."""
        return self._layout.warehouse.joinpath(*full_name.split("."))

    def train(self, trips: pa.Table) -> None:
        """Deploy the bundle, train, validate and serve a model of these trips, and make the job that judges months."""
        sample_data.write_table(trips, self._layout.warehouse)
        folder = find_bundle(ROOT)
        bundle = read_bundle(folder, self.workspace, Choice(None, {"parameter_grid": GRID}, dict(os.environ)))
        deployed = deploy(bundle, self.workspace, folder=folder, progress=lambda _: None)
        self.names = names_of(bundle)
        self._succeeded(run_job(bundle, self.workspace, JOBS[0], display=_Ends(self._progress)))
        self._job_id = self._judging_job(int(deployed.ids[f"resources.jobs.{JOBS[-1]}"]))

    def monitor(self) -> None:
        """Unpack what was logged, attach labels, refresh the monitor, judge: the deployed tasks, with windows of a month."""
        run = self.workspace.jobs.run_now(self._job_id)
        self._succeeded(follow(self.workspace, "replay", run.run_id, display=_Silent()))

    def _judging_job(self, deployed: int) -> int:
        settings = self.workspace.jobs.get(deployed).settings
        assert settings is not None  # noqa: S101 - what the API documents
        tasks = [_monthly(task) for task in settings.tasks or () if task.task_key in _TASKS]
        made = self.workspace.jobs.create(
            name="replay", tasks=tasks, environments=settings.environments, parameters=settings.parameters, max_concurrent_runs=1
        )
        return made.job_id or 0

    def _succeeded(self, result: RunResult) -> None:
        if not result.succeeded:
            explain(result, self._layout.logs)
            raise TaskFailedError(result.job)


def _monthly(task: Task) -> Task:
    """Return a deployed task with windows of a month instead of its own, and without slices, which only cost time here."""
    wheel = task.python_wheel_task
    assert wheel is not None  # noqa: S101 - our own bundle
    option = "--monitor-granularity" if task.task_key == _TASKS[0] else "--granularity"
    wheel.parameters = [*without(wheel.parameters or (), _DROPPED), option, GRANULARITY]
    return task


def without(arguments: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return the arguments of a command line without these options and the value that follows each.

    >>> without(["--slice", "a", "--key", "b"], ["--slice"])
    ['--key', 'b']
    """
    dropped = {place + ahead for place, word in enumerate(arguments) if word in options for ahead in (0, 1)}
    return [word for place, word in enumerate(arguments) if place not in dropped]
