"""What the page of one run shows: pure data. Whatever is not known yet is None or empty, and the page says so in a sentence."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

PSI_MODERATE = 0.1  # below it: no drift (docs.databricks.com, data profiling, footnote on the population stability index)
PSI_SIGNIFICANT = 0.2


@dataclass(frozen=True, slots=True)
class Task:
    """One task run; `offset` is seconds from the start of the page's first job, None when it never began."""

    task_key: str
    result_state: str
    seconds: float
    offset: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One job run and its tasks, in order."""

    name: str
    run_id: int
    result_state: str
    seconds: float
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """The registered version that this run is about; `gate` is the decision in a sentence."""

    name: str
    version: str
    aliases: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    gate: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The serving endpoint after the run."""

    name: str
    ready: str
    served_version: str | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """One square of the density chart: its column, its row and how many predictions lie in it."""

    column: int
    row: int
    count: int


@dataclass(frozen=True, slots=True)
class Density:
    """Predictions against actual values, binned; both axes go from `low` to `high` in `bins` steps."""

    low: float
    high: float
    bins: int
    filled: tuple[Bin, ...]
    pairs: int
    outside: int = 0


@dataclass(frozen=True, slots=True)
class DayError:
    """The error of one day's predictions; no label yet, no error."""

    day: dt.date
    rows: int
    mae: float | None = None
    rmse: float | None = None


@dataclass(frozen=True, slots=True)
class DriftCell:
    """One feature in one window against the window before."""

    column: str
    day: dt.date
    psi: float
    ks: float
    pvalue: float


@dataclass(frozen=True, slots=True)
class Payload:
    """What the inference table holds, by status code."""

    table: str
    requests: int
    by_status: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataTable:
    """A table that the run wrote or read."""

    name: str
    rows: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page of one run."""

    title: str
    source: str
    started: dt.datetime
    seconds: float
    jobs: tuple[Job, ...] = ()
    model: Model | None = None
    endpoint: Endpoint | None = None
    density: Density | None = None
    days: tuple[DayError, ...] = ()
    drift: tuple[DriftCell, ...] = ()
    payload: Payload | None = None
    tables: tuple[DataTable, ...] = ()
    monitor: str | None = None
    """The table whose monitor the figures are of."""
    board: str | None = None
    """The file beside this one that holds the monitor's dashboard."""
    not_emulated: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether there are jobs and every one succeeded."""
        return bool(self.jobs) and all(job.result_state == "SUCCESS" for job in self.jobs)


def significant(cells: tuple[DriftCell, ...], rate: float = 0.05) -> frozenset[tuple[str, dt.date]]:
    """Return the cells whose KS test still counts after Benjamini-Hochberg over all of them.

    Many tests at 5 % each would mark some of them by chance; this keeps the share of false marks under `rate`.
    """
    ranked = sorted(cells, key=lambda cell: cell.pvalue)
    kept = max((rank for rank, cell in enumerate(ranked, 1) if cell.pvalue <= rate * rank / len(ranked)), default=0)
    return frozenset((cell.column, cell.day) for cell in ranked[:kept])


def psi_noise(days: tuple[DayError, ...], bins: int = 10) -> float | None:
    """Return the stability index that two typical days show by chance alone; None without days.

    Two samples of one law give about (bins - 1)(1/n + 1/m).
    """
    counts = sorted(one.rows for one in days if one.rows)
    return (bins - 1) * 2 / counts[len(counts) // 2] if counts else None
