"""The dry run itself: start, load, deploy, run three jobs, collect."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from databricks.sdk import WorkspaceClient
from mlflow.tracking import MlflowClient

from dry_run import collect
from dry_run.collect import Names, Warehouse
from dry_run.report import JOBS, Data, JobReport, Report

Progress = Callable[[str], None]


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
class Steps:
    """What a dry run does with the platform, given by whoever starts it: deploy the bundle, run one job of it."""

    deploy: Callable[[], None]
    run_job: Callable[[str], JobReport]


def run_jobs(steps: Steps, phases: Phases) -> list[JobReport]:
    """Deploy and run the jobs in order; stop after the first that fails."""
    with phases.phase("deploy"):
        steps.deploy()
    done: list[JobReport] = []
    for name in JOBS:
        with phases.phase(name):
            done.append(steps.run_job(name))
        if done[-1].result_state != "SUCCESS":
            break
    return done


def report(data: Data, jobs: list[JobReport], phases: Phases, *, names: Names, warehouse: Path) -> Report:
    """Return what there is to tell, asked of the harness that `DATABRICKS_HOST` names."""
    tables = Warehouse(warehouse)
    return Report(
        data=data,
        seconds=phases.total,
        phases=phases.seconds,
        jobs=jobs,
        model=collect.model_report(names, MlflowClient(tracking_uri="databricks", registry_uri="databricks-uc")),
        endpoint=collect.endpoint_report(names, WorkspaceClient()),
        predictions=collect.predictions_report(names, tables),
        payload=collect.payload_report(names, tables),
        processed=collect.processed_report(names, tables),
        monitor=collect.monitor_report(names, tables),
    )


def finished(told: Report, phases: Phases, dashboard: str | None) -> Report:
    """Return the report with its page and the final times."""
    return replace(told, seconds=phases.total, phases=dict(phases.seconds), dashboard=dashboard)


def job_parameters(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the parameters' defaults of a job's settings."""
    parameters = settings.get("parameters")
    assert isinstance(parameters, list)  # noqa: S101 - our own bundle declares them
    return {str(parameter["name"]): str(parameter["default"]) for parameter in parameters}
