"""What a dry run says at the end: one frozen tree, the same on the screen and in `--report FILE.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Data:
    """Where the trips came from, and how many there are."""

    source: str
    rows: int


@dataclass(frozen=True, slots=True)
class TaskReport:
    """One task of one run, its last attempt."""

    task_key: str
    result_state: str
    seconds: float


@dataclass(frozen=True, slots=True)
class JobReport:
    """One run of one job."""

    name: str
    run_id: int
    result_state: str
    tasks: Sequence[TaskReport]

    @property
    def seconds(self) -> float:
        """Seconds of all tasks together (they run one after another here)."""
        return sum(task.seconds for task in self.tasks)


@dataclass(frozen=True, slots=True)
class ModelReport:
    """The registered model: `version` is the one this run registered, `metrics` are of that version's run."""

    name: str
    version: str
    aliases: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """The endpoint after the run."""

    name: str
    ready: str
    served_version: str


@dataclass(frozen=True, slots=True)
class PredictionsReport:
    """Rows of the predictions table, and how many of them carry an error instead of a prediction."""

    table: str
    rows: int
    errors: int


@dataclass(frozen=True, slots=True)
class PayloadReport:
    """Rows (one a request) of the inference table."""

    table: str
    rows: int


@dataclass(frozen=True, slots=True)
class ProcessedReport:
    """Rows unpacked from the inference table; `quarantined` counts logged rows that could not be."""

    table: str
    rows: int
    labelled: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class MonitorReport:
    """What the quality monitor wrote; the two figures are means over its whole-table, all-models windows, weighted by rows."""

    profile_table: str
    drift_table: str
    profile_rows: int
    drift_rows: int
    mean_absolute_error: float | None
    r2_score: float | None


@dataclass(frozen=True, slots=True)
class VerdictReport:
    """The verdict on the served version: `verdict` (ok, alert, no_data) and why, of how many checks of single windows.

    `retrain` says whether this run's monitoring job started a training.
    """

    table: str
    verdict: str
    reason: str
    checks: int
    alerts: int
    retrain: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Everything `--report` writes; parts are None when the run ended before them."""

    data: Data
    seconds: float
    phases: Mapping[str, float]
    jobs: Sequence[JobReport]
    model: ModelReport | None = None
    endpoint: EndpointReport | None = None
    predictions: PredictionsReport | None = None
    payload: PayloadReport | None = None
    processed: ProcessedReport | None = None
    monitor: MonitorReport | None = None
    verdict: VerdictReport | None = None
    dashboard: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether every task of every job succeeded or was left out by a condition, and every job ran."""
        return (
            len(self.jobs) == len(JOBS)
            and all(task.result_state in ("SUCCESS", "EXCLUDED") for job in self.jobs for task in job.tasks)
            and all(job.result_state == "SUCCESS" for job in self.jobs)
        )


JOBS = ("ml_training_pipeline", "ml_batch_inference", "ml_monitoring")
