"""Pieces of a `Page` from what a run leaves: Arrow tables and the Jobs API's run objects."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.dashboard.model import Bin, DayError, Density, DriftCell, Job, Payload, Task

BINS = 48
INNER = 99.5  # per cent of the values that the density chart's axes must hold; a single wild fare would squeeze all others into a corner

Run = Mapping[str, object]


def jobs(runs: Sequence[Run]) -> tuple[Job, ...]:
    """Return job runs (`w.jobs.get_run(id).as_dict()`), timed from the first one's start."""
    origin = min((_millis(run, "start_time") for run in runs), default=0)
    return tuple(_job(run, origin) for run in runs)


def density(processed: pa.Table, *, prediction: str, label: str) -> Density | None:
    """Return predictions against labels in squares; None when no row has both."""
    actual, predicted = (processed[name].cast(pa.float64()).to_numpy() for name in (label, prediction))
    both = np.isfinite(actual) & np.isfinite(predicted)
    actual, predicted = actual[both], predicted[both]
    if not len(actual):
        return None
    values = np.concatenate((actual, predicted))
    low, high = (float(edge) for edge in np.percentile(values, [100 - INNER, INNER]))
    low, high = min(low, 0.0) if low < high / 4 else low, high if high > low else low + 1
    counts, _, _ = np.histogram2d(actual, predicted, bins=BINS, range=((low, high), (low, high)))
    filled = tuple(Bin(int(column), int(row), int(counts[column, row])) for column, row in np.argwhere(counts))
    return Density(low=low, high=high, bins=BINS, filled=filled, pairs=len(actual), outside=int(len(actual) - counts.sum()))


def days(profile: pa.Table, *, model_id_column: str) -> tuple[DayError, ...]:
    """Return the error of each day from a profile metrics table: all models, whole table."""
    chosen = profile.filter(
        (pc.field("granularity") == "1 day")
        & (pc.field("column_name") == ":table")
        & (pc.field(model_id_column) == "*")
        & pc.field("slice_key").is_null()
        & (pc.field("log_type") == "INPUT")
    ).select(["window", "count", "mean_average_error", "root_mean_squared_error"])
    found = [
        DayError(row["window"]["start"].date(), row["count"], row["mean_average_error"], row["root_mean_squared_error"])
        for row in chosen.to_pylist()
    ]
    return tuple(sorted(found, key=lambda one: one.day))


def drift(table: pa.Table, *, model_id_column: str) -> tuple[DriftCell, ...]:
    """Return each numeric column's drift from day to day, from a drift metrics table: all models, whole table."""
    chosen = table.filter(
        (pc.field("granularity") == "1 day")
        & (pc.field("drift_type") == "CONSECUTIVE")
        & (pc.field(model_id_column) == "*")
        & pc.field("slice_key").is_null()
        & pc.field("ks_test").is_valid()
    ).select(["column_name", "window", "population_stability_index", "ks_test"])
    return tuple(
        DriftCell(
            column=row["column_name"],
            day=row["window"]["start"].date(),
            psi=row["population_stability_index"],
            ks=row["ks_test"]["statistic"],
            pvalue=row["ks_test"]["pvalue"],
        )
        for row in chosen.to_pylist()
    )


def payload(name: str, table: pa.Table) -> Payload:
    """Return how many requests the inference table `name` holds, by status code."""
    counted = table.group_by("status_code").aggregate([([], "count_all")]).to_pylist()
    by_status = {int(row["status_code"]): int(row["count_all"]) for row in counted if row["status_code"] is not None}
    return Payload(name, table.num_rows, dict(sorted(by_status.items())))


def _job(run: Run, origin: int) -> Job:
    tasks = run.get("tasks")
    return Job(
        name=str(run.get("run_name") or run.get("job_id") or ""),
        run_id=_millis(run, "run_id"),
        result_state=_state(run),
        seconds=_seconds(run),
        tasks=tuple(_task(task, origin) for task in tasks) if isinstance(tasks, list) else (),
    )


def _task(task: Run, origin: int) -> Task:
    start, state = _millis(task, "start_time"), task.get("state")
    message = state.get("state_message") if isinstance(state, Mapping) else None
    result = _state(task)
    return Task(
        task_key=str(task.get("task_key", "")),
        result_state=result,
        seconds=_seconds(task),
        offset=(start - origin) / 1000 if start else None,
        error=str(message) if message and result not in ("SUCCESS", "EXCLUDED") else None,  # left out by a condition: nothing went wrong
    )


def _state(run: Run) -> str:
    state = run.get("state")
    if not isinstance(state, Mapping):
        return "UNKNOWN"
    return str(state.get("result_state") or state.get("life_cycle_state") or "UNKNOWN")


def _seconds(run: Run) -> float:
    start, end = _millis(run, "start_time"), _millis(run, "end_time")
    return (end - start) / 1000 if start and end else 0.0


def _millis(run: Run, name: str) -> int:
    value = run.get(name)
    return value if isinstance(value, int) else 0
