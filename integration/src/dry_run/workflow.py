"""The dry run itself: check, start, load, deploy, run three jobs, collect, draw."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
from databricks.sdk import WorkspaceClient

from dry_run import collect
from dry_run.collect import Names, Warehouse
from dry_run.report import JOBS, Data, JobReport, Report, TaskReport
from harness import sample_data
from harness.app import Harness
from harness.bundle import Bundle, Choice, Identity, RunResult, deploy, find_bundle, read_bundle, read_sources, resolve, run_job
from harness.cli.bundle import explain
from harness.cli.lifecycle import keep_log
from harness.cli.opening import pairs
from harness.cli.pages import write_page
from harness.clock import SystemClock
from harness.config import USER_NAME, Layout
from harness.engines.spark_aot import is_trained, start_training

Progress = Callable[[str], None]
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. `variables` are `name=value`."""

    state: Path
    data: Path | None = None
    target: str | None = None
    variables: tuple[str, ...] = ()


@dataclass(slots=True)
class Phases:
    """Seconds of each phase, in order; `progress` hears of each as it begins."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what is done inside, also when it fails."""
        self.progress(f"── {name}")
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - start, 2)

    @property
    def total(self) -> float:
        """Seconds since the beginning."""
        return round(time.monotonic() - self.begun, 2)


@dataclass(frozen=True, slots=True)
class Lines:
    """A running job as lines of the dry run's own progress."""

    progress: Progress

    def task(self, task_key: str, state: str, seconds: float) -> None:
        """Say how a task stands."""
        self.progress(f"{task_key} {state}" + (f" in {seconds:.1f} s" if seconds else ""))

    def output(self, task_key: str, text: str) -> None:
        """Say what a task has printed."""
        for line in text.splitlines():
            self.progress(f"{task_key} │ {line}")


class Workflow:
    """One dry run: `with Workflow(options, progress) as workflow: workflow.run()`.

    Entering checks all input and starts nothing; leaving ends everything that was started.
    """

    def __init__(self, options: Options, progress: Progress) -> None:
        self._options = options
        self._progress = progress
        self._layout = Layout(options.state)
        self._started = SystemClock().now()
        self._phases = Phases(progress)
        self._closing = ExitStack()
        self._harness: Harness | None = None
        self._train = False

    def __enter__(self) -> Self:
        self._folder = find_bundle(ROOT)
        self._choice = Choice(self._options.target, pairs(self._options.variables, "--var"), dict(os.environ))
        resolve(read_sources(self._folder), choice=self._choice, identity=Identity(USER_NAME, "http://127.0.0.1"))
        self._trips: pa.Table = sample_data.load_parquet(self._options.data) if self._options.data else sample_data.generate()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.close()
        if self._train:
            start_training()

    def environment(self) -> Mapping[str, str]:
        """Return what unchanged clients read, while the workspace runs."""
        return self._harness.connection.environment() if self._harness is not None else {}

    def run(self) -> Report:
        """Do all of it, up to the first task that fails, and return what there is to tell."""
        with self._phases.phase("start"):
            workspace = self._start()
        data = self._load()
        with self._phases.phase("deploy"):
            bundle = read_bundle(self._folder, workspace, self._choice)
            deploy(bundle, workspace, folder=self._folder, progress=self._progress)
        jobs = self._run_jobs(bundle, workspace)
        with self._phases.phase("report"):
            told = self._report(data, jobs, names=names_of(bundle), workspace=workspace)
            page = self._draw(told)
        if told.succeeded and not is_trained():
            self._progress("Spark's start-up cache is being made in the background for the next run: about a minute, once")
            self._train = True
        return replace(told, seconds=self._phases.total, phases=dict(self._phases.seconds), dashboard=page)

    def _start(self) -> WorkspaceClient:
        keep_log(self._layout)
        harness = self._closing.enter_context(Harness(self._layout, self._progress))
        self._harness = harness
        os.environ.update(harness.connection.environment())  # mlflow's client reads nothing else
        return WorkspaceClient(host=harness.connection.host, token=harness.connection.token)

    def _load(self) -> Data:
        with self._phases.phase("data"):
            sample_data.write_table(self._trips, self._layout.warehouse)
        source = str(self._options.data) if self._options.data else "synthetic trips"
        self._progress(f"samples.nyctaxi.trips: {self._trips.num_rows:,} trips, {source}")
        return Data(source, self._trips.num_rows)

    def _run_jobs(self, bundle: Bundle, workspace: WorkspaceClient) -> list[JobReport]:
        done: list[JobReport] = []
        for name in JOBS:
            with self._phases.phase(name):
                result = run_job(bundle, workspace, name, display=Lines(self._progress))
            done.append(_job(result))
            if not result.succeeded:
                explain(result, self._layout.logs)
                break
        return done

    def _report(self, data: Data, jobs: list[JobReport], *, names: Names, workspace: WorkspaceClient) -> Report:
        tables = Warehouse(self._layout.warehouse)
        endpoint = collect.endpoint_report(names, workspace)
        return Report(
            data=data,
            seconds=self._phases.total,
            phases=self._phases.seconds,
            jobs=jobs,
            model=collect.model_report(names),
            endpoint=endpoint,
            predictions=collect.predictions_report(names, tables),
            payload=collect.payload_report(names, tables),
            processed=collect.processed_report(names, tables),
            monitor=collect.monitor_report(names, tables),
            verdict=collect.verdict_report(names, tables, version=endpoint.served_version if endpoint else "", retrain=_retrained(jobs)),
        )

    def _draw(self, told: Report) -> str:
        path = (self._layout.state / "dashboard.html").resolve()
        assert self._harness is not None  # noqa: S101 - `run` has started it
        run_ids = [job.run_id for job in told.jobs]
        seconds = self._phases.total
        write_page(self._harness.connection, path, source=told.data.source, started=self._started, seconds=seconds, run_ids=run_ids)
        return str(path)


def _retrained(jobs: list[JobReport]) -> bool:
    """Return whether the verdict's condition let the training start."""
    return any(task.task_key == "retrain" and task.result_state != "EXCLUDED" for job in jobs for task in job.tasks)


def _job(result: RunResult) -> JobReport:
    tasks = [TaskReport(task.task_key, task.result_state, task.seconds) for task in result.tasks]
    return JobReport(result.job, result.run_id, result.result_state, tasks)


def names_of(bundle: Bundle) -> Names:
    """Return the workflow's names, which the resolved bundle gives its jobs as parameters."""
    parameters = bundle.of_kind("jobs")[JOBS[0]].body["parameters"]
    assert isinstance(parameters, list)  # noqa: S101 - our own bundle declares them
    values = {str(each["name"]): str(each["default"]) for each in parameters if isinstance(each, dict)}
    return Names(values["catalog"], values["schema"], values["model_name"], values["endpoint_name"])
