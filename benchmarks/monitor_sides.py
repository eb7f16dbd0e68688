"""One side of `monitor.py` in a process of its own: `python monitor_sides.py SIDE TABLE OUTPUT SETTINGS` prints what it took as JSON."""

import datetime as dt
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from deltalake import DeltaTable
from scipy import stats

from harness.monitoring.computation import Computation
from harness.monitoring.model import DataProfilingConfig, InferenceLogConfig, Monitor
from harness.monitoring.progress import Progress
from harness.names import FullName

NUMBERS = ("trip_distance", "pickup_hour", "prediction", "fare")


class Folders:
    """The catalog that a monitor asks for its tables: the monitored one, and the metric tables beside each other."""

    def __init__(self, table: Path, output: Path) -> None:
        self.table, self.output = table, output

    def table_path(self, name: FullName) -> Path:
        """Return the folder of a table."""
        return self.table if name.schema == "s" else self.output / name.name

    def table_by_id(self, _: str) -> FullName:
        """Return the one table."""
        return FullName("main", "s", "trips")

    def table_id(self, _: FullName) -> str:
        """Return its id."""
        return "1"

    def schema_id(self, *_: str) -> str:
        """Return the one schema's id."""
        return "1"

    def schema_by_id(self, _: str) -> tuple[str, str]:
        """Return the one schema."""
        return "main", "out"


class NoSpark:
    """No expression is more than a column, and there are no custom metrics: Spark is not asked."""

    def rows(self, *_: object) -> Any:
        """Fail."""
        raise AssertionError

    groups = evaluate = rows


def ours(table: Path, output: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Refresh a monitor as the harness does: read the table, compute, write both metric tables; then again after each change `again`."""
    names = settings.get("granularities", ["1_DAY"])
    log = InferenceLogConfig(
        problem_type="INFERENCE_PROBLEM_TYPE_REGRESSION",
        timestamp_column="at",
        granularities=tuple(f"AGGREGATION_GRANULARITY_{name}" for name in names),  # type: ignore[misc]  # names of the API's
        prediction_column="prediction",
        model_id_column="model_version",
        label_column="fare",
    )
    kind: dict[str, Any] = {"snapshot": {}} if settings.get("snapshot") else {"inference_log": log}
    config = DataProfilingConfig(output_schema_id="1", slicing_exprs=tuple(settings.get("slicing", ())), **kind)
    monitor = Monitor(
        table_id="1", table="main.s.trips", output_schema="main.out", config=config, version=0,
        status="DATA_PROFILING_STATUS_ACTIVE", created_ms=0,
    )  # fmt: skip
    computation = Computation(Folders(table, output), NoSpark(), None, quantile_grid=False)
    saved: Progress | None = None
    saved, taken = _refreshed(computation, monitor, saved)
    found = {"seconds": taken[0], "cpu": taken[1], "again": {}}
    for what in settings.get("again", ()):
        _change(table, what, settings)
        saved, taken = _refreshed(computation, monitor, saved)
        found["again"][what] = {"seconds": taken[0], "cpu": taken[1]}
    return found


def _refreshed(computation: Computation, monitor: Monitor, saved: Progress | None) -> tuple[Progress, tuple[float, float]]:
    began = time.perf_counter(), time.process_time()
    work = computation.work(monitor, saved, dt.datetime.now(dt.UTC), lambda: None)
    saved = computation.write(work, monitor)
    return saved, (time.perf_counter() - began[0], time.process_time() - began[1])


def _change(table: Path, what: str, settings: dict[str, Any]) -> None:
    from monitor_data import append_day

    if what == "a day more":
        append_day(table, rows=settings["rows"] // 30, day=30)
    elif what == "late labels of a day":
        first = "at >= arrow_cast('2026-01-10T00:00:00Z', 'Timestamp(Microsecond, Some(\"UTC\"))')"
        last = "at < arrow_cast('2026-01-10T01:00:00Z', 'Timestamp(Microsecond, Some(\"UTC\"))')"
        DeltaTable(table).update(updates={"fare": "fare + 1"}, predicate=f"{first} AND {last}")


def script(table: Path, output: Path, _: dict[str, Any]) -> dict[str, Any]:
    """Compute the same figures with pandas, numpy and scipy, as one would write it: the table as a frame, window by window."""
    began = time.perf_counter(), time.process_time()
    frame = DeltaTable(table).to_pandas()
    frame["day"] = frame["at"].dt.floor("D")
    profiles: list[dict[str, Any]] = []
    drifts: list[dict[str, Any]] = []
    for model in ("*", *sorted(frame["model_version"].unique())):
        rows = frame if model == "*" else frame[frame["model_version"] == model]
        before: pd.DataFrame | None = None
        for day, window in rows.groupby("day"):
            head = {"model": model, "day": day}
            profiles.extend(head | row for row in _profile(window))
            if before is not None:
                drifts.extend(head | row for row in _drift(window, before))
            before = window
    output.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(profiles).to_parquet(output / "profile.parquet")
    pd.DataFrame(drifts).to_parquet(output / "drift.parquet")
    return {"seconds": time.perf_counter() - began[0], "cpu": time.process_time() - began[1], "rows": len(profiles)}


def _profile(window: pd.DataFrame) -> Iterator[dict[str, Any]]:
    error = window["prediction"] - window["fare"]
    yield {
        "column": ":table", "count": len(window), "mse": float((error**2).mean()), "rmse": float(np.sqrt((error**2).mean())),
        "mae": float(error.abs().mean()), "mape": float((error / window["fare"]).abs().mean()),
        "r2": float(1 - (error**2).sum() / ((window["fare"] - window["fare"].mean()) ** 2).sum()),
    }  # fmt: skip
    for name in NUMBERS:
        values = window[name].to_numpy(np.float64)
        yield {
            "column": name, "count": int(window[name].count()), "nulls": int(window[name].isna().sum()), "avg": float(values.mean()),
            "stddev": float(values.std(ddof=1)), "min": float(values.min()), "max": float(values.max()), "median": float(np.median(values)),
            "zeros": int((values == 0).sum()), "nan": int(np.isnan(values).sum()), "distinct": len(np.unique(values)),
            "quantiles": np.quantile(values, (np.arange(1000) + 0.5) / 1000).tolist(),
        }  # fmt: skip
    moments = window["at"].astype(np.int64) / 1e6
    yield {
        "column": "at", "count": len(window), "min": moments.min(), "max": moments.max(), "median": moments.median(),
        "distinct": window["at"].nunique(),
    }  # fmt: skip
    counts, lengths = window["zone"].value_counts(), window["zone"].str.len()
    yield {
        "column": "zone", "count": int(counts.sum()), "nulls": int(window["zone"].isna().sum()), "distinct": len(counts),
        "top": json.dumps(counts.head(100).to_dict()), "shortest": lengths.min(), "longest": lengths.max(), "length": lengths.mean(),
    }  # fmt: skip


def _drift(window: pd.DataFrame, before: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for name in NUMBERS:
        now, then = window[name].to_numpy(np.float64), before[name].to_numpy(np.float64)
        test = stats.ks_2samp(now, then, method="asymp")
        edges = np.unique(np.quantile(then, np.arange(1, 10) / 10))
        shares = [np.maximum(np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1) / len(side), 1e-4) for side in (now, then)]
        yield {
            "column": name, "ks": float(test.statistic), "p": float(test.pvalue),
            "wasserstein": float(stats.wasserstein_distance(now, then)),
            "psi": float(np.sum((shares[0] - shares[1]) * np.log(shares[0] / shares[1]))),
        }  # fmt: skip
    both = pd.concat([window["zone"].value_counts(), before["zone"].value_counts()], axis=1).fillna(0).to_numpy().T
    p, q = both[0] / both[0].sum(), both[1] / both[1].sum()
    middle = (p + q) / 2
    chi = stats.chi2_contingency(both, correction=False)
    divergence = (stats.entropy(p, middle, base=2) + stats.entropy(q, middle, base=2)) / 2
    yield {
        "column": "zone", "chi": float(chi.statistic), "p": float(chi.pvalue), "js": float(np.sqrt(divergence)),
        "tv": float(np.abs(p - q).sum() / 2), "l_infinity": float(np.abs(p - q).max()),
    }  # fmt: skip


def main() -> None:
    """Let the side do its work, and print how long it took and the most memory that the process ever held."""
    side, table, output, settings = sys.argv[1:]
    found = {"ours": ours, "script": script}[side](Path(table), Path(output), json.loads(settings))
    print(json.dumps(found | {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}))


if __name__ == "__main__":
    main()
