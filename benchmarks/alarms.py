"""Which windows of a monitor alarm: our alerts beside a KS test on a thousand quantiles a column (p < 0.05), and beside PSI 0.2 alone.

usage: python benchmarks/alarms.py [--quick] [--json FILE]     --quick: few windows, up to 20,000 rows

First windows of a world that stands still, by rows a window; then windows of a world that has changed, and how many windows pass until
the first alarms (1: it alarms at once). All three see the same windows of seven columns. A window alarms when any column does.
"""

import argparse
import datetime as dt
import json
import os
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from harness.monitoring.alerts import find_alerts
from harness.monitoring.compute import Metrics, Source, compute
from harness.monitoring.model import InferenceLogConfig
from harness.monitoring.sample import Sample
from harness.sample_data import World, generate_month
from harness.sample_data import calibration as real

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
APPROACHES = ("ours", "KS on a grid", "PSI alone")
GRID_PVALUE, PSI = 0.05, 0.2
QUIET = {200: 100, 2_000: 100, 20_000: 50, 200_000: 20, 1_000_000: 6}
CHANGES = {
    "fares up 10 %": World(fares=1.1),
    "fares up 3 %": World(fares=1.03),
    "demand down to a quarter": World(demand=0.25),
}
BEFORE, AFTER, BASELINE = 4, 6, 10_000
MOVED = {200: 10, 2_000: 8, 20_000: 3}
CONFIG = InferenceLogConfig(
    problem_type="INFERENCE_PROBLEM_TYPE_REGRESSION",
    timestamp_column="at",
    granularities=("AGGREGATION_GRANULARITY_1_MONTH",),
    prediction_column="prediction",
    model_id_column="model_version",
    label_column="label",
)


@dataclass(frozen=True)
class Alarmed:
    """The starts of the windows in which each approach alarms."""

    windows: Mapping[str, frozenset[dt.datetime]]


def rows(month: dt.date, count: int, seed: int, world: World | None = None) -> pa.Table:
    """Return monitored rows of one month: five inputs, the answer of a model that knows the meter but not the traffic, the truth."""
    trips = generate_month(month, count, seed=seed, world=world)
    distance, fare = trips["trip_distance"].to_numpy(), trips["fare_amount"].to_numpy()
    usable = (distance > 0) & (fare > 0) & (fare < 200)
    distance, fare = distance[usable], fare[usable]
    begun = trips["tpep_pickup_datetime"].to_numpy()[usable].astype("datetime64[h]").astype(np.int64)
    hour, day = begun % 24, (begun // 24 + 4) % 7 + 1
    minutes = 60 * distance / np.exp(np.interp(np.log(distance), np.log(real.SPEED_DISTANCES), np.log(real.SPEEDS)))
    steps = real.STEPS_A_MILE * distance + real.STEPS_A_MINUTE * minutes
    when = dt.datetime.combine(month, dt.time(), dt.UTC)
    columns: dict[str, Any] = {
        "at": pa.array([when] * len(distance), pa.timestamp("us", tz="UTC")),
        "model_version": pa.array(["1"] * len(distance)),
        "trip_distance": distance,
        "pickup_hour": hour.astype(np.float64),
        "pickup_dayofweek": day.astype(np.float64),
        "is_weekend": np.isin(day, (1, 7)).astype(np.float64),
        "is_rush_hour": np.isin(hour, (7, 8, 9, 16, 17, 18, 19)).astype(np.float64),
        "prediction": real.START + real.STEP * steps,
        "label": fare,
    }
    return pa.table(columns)


def alarms(windows: pa.Table, baseline: pa.Table) -> Alarmed:
    """Return which windows alarm, by each approach."""
    exact, grid = (_metrics(windows, baseline, grid=grid) for grid in (False, True))
    told = find_alerts(exact.profile.to_pylist(), exact.drift.to_pylist(), now=NOW, model_id_column="model_version", label_column="label")
    ours = frozenset(alert.window_start for alert in told if alert.model_id == "*")
    tested = [row for row in grid.drift.to_pylist() if _counts(row)]
    by_test = frozenset(row["window"]["start"] for row in tested if row["ks_test"]["pvalue"] < GRID_PVALUE)
    by_psi = frozenset(row["window"]["start"] for row in tested if row["population_stability_index"] >= PSI)
    return Alarmed(dict(zip(APPROACHES, (ours, by_test, by_psi), strict=True)))


def _counts(row: Mapping[str, Any]) -> bool:
    return (row["model_version"], row["drift_type"]) == ("*", "BASELINE") and row["ks_test"] is not None


def _metrics(windows: pa.Table, baseline: pa.Table, *, grid: bool) -> Metrics:
    base = Sample("main.s.baseline", baseline.drop_columns(["at"]))
    return compute(
        Source(sample=Sample("main.s.trips", windows), version=1, config=CONFIG, monitor_version=0, baseline=base, grid=grid),
    )


def quiet(count: int, repetitions: int) -> dict[str, float]:
    """Return the share of windows that alarm although nothing changed, in percent; window and baseline have as many rows."""
    month = dt.date(2020, 1, 1)
    found = [alarms(rows(month, count, 2 * seed), rows(month, count, 2 * seed + 1)).windows for seed in range(repetitions)]
    return {approach: 100 * statistics.mean(bool(each[approach]) for each in found) for approach in APPROACHES}


def moved(world: World, count: int, repetitions: int) -> dict[str, tuple[float, float | None]]:
    """Return the share of windows that alarm after the change, in percent, and the median number of windows until the first does."""
    months = [dt.date(2020, number, 1) for number in range(1, BEFORE + AFTER + 1)]
    shares: dict[str, list[float]] = {approach: [] for approach in APPROACHES}
    delays: dict[str, list[float]] = {approach: [] for approach in APPROACHES}
    for seed in range(repetitions):
        tables = [rows(month, count, 1000 * seed + place, None if place < BEFORE else world) for place, month in enumerate(months)]
        found = alarms(pa.concat_tables(tables), rows(months[0], BASELINE, 1000 * seed + 999)).windows
        for approach in APPROACHES:
            hits = [dt.datetime.combine(month, dt.time(), dt.UTC) in found[approach] for month in months[BEFORE:]]
            shares[approach].append(100 * statistics.mean(hits))
            delays[approach].append(hits.index(True) + 1 if any(hits) else float("inf"))
    return {name: (statistics.mean(shares[name]), _finite(statistics.median(delays[name]))) for name in APPROACHES}


def _finite(value: float) -> float | None:
    return None if value == float("inf") else value


def main() -> None:
    """Print both tables, and write them as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cases: dict[str, dict[str, Any]] = {}
    for count, repetitions in QUIET.items():
        if options.quick and count > 20_000:
            continue
        found = quiet(count, repetitions // 10 if options.quick else repetitions)
        print(f"nothing changed, {count:9,} rows: " + ", ".join(f"{name} {share:.1f} %" for name, share in found.items()), flush=True)
        cases[f"windows that stay quiet, nothing changed, {count:,} rows"] = _case({name: 100 - share for name, share in found.items()})
    for change, world in CHANGES.items():
        for count, repetitions in MOVED.items():
            after = moved(world, count, max(1, repetitions // 10) if options.quick else repetitions)
            words = ", ".join(f"{name} {share:.0f} % (first after {delay or 'more'})" for name, (share, delay) in after.items())
            print(f"{change}, {count:6,} rows: {words}", flush=True)
            cases[f"windows that alarm, {change}, {count:,} rows"] = _case({name: share for name, (share, _) in after.items()})
    print(f"load average: {os.getloadavg()[0]:.1f}; the figures do not depend on it")
    if options.json:
        options.json.write_text(json.dumps({"cases": cases}, indent=2) + "\n")


def _case(shares: Mapping[str, float]) -> dict[str, Any]:
    ours, peer, psi = (round(shares[name], 1) for name in APPROACHES)
    return {"ours": ours, "peer": peer, "ratio": round(ours / peer, 2) if peer else 0.0, "unit": "%", "psi": psi}


if __name__ == "__main__":
    main()
