"""Months of real trips judged by the product's own features, model and verdict, without a platform: seconds instead of an hour.

usage: python benchmarks/real_months.py FILE.parquet [--from YYYY-MM] [--months N] [--fare-column NAME]

What `harness replay drift --data FILE` would print of errors and verdicts, but for the random draw of rows; nothing is served or logged.
"""

import argparse
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd

from harness.monitoring.drift import numeric_drift
from monitoring_unpacker import Drift, Quality, Thresholds, judge
from replay.months import real
from taxi_fare_features import feature_frame
from taxi_fare_training.model import fit, model_inputs

GRID = {"n_estimators": [100], "max_depth": [4], "learning_rate": [0.1]}
LEARNED, ROWS = 3, 2_500


def main() -> None:
    """Print a line for each month after those that the model learns from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--from", dest="begin", type=lambda text: dt.date.fromisoformat(f"{text}-01"))
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--fare-column", default="fare_amount")
    options = parser.parse_args()
    months = real(options.data, options.begin, options.months, rows=ROWS, fare=options.fare_column)
    frames = [feature_frame(month.trips.to_pandas()) for month in months]
    learned = pd.concat(frames[:LEARNED])
    evaluation = learned[learned.split == "test"]
    model = fit(learned[learned.split == "train"], GRID, report=lambda _: None, seed=42).model

    def quality(rows: pd.DataFrame, begin: dt.datetime | None) -> Quality:
        judged = rows[rows.split == "test"]
        errors = model.predict(model_inputs(judged)) - judged.fare_amount.to_numpy()
        return Quality(begin, len(judged), float(np.abs(errors).mean()), float((errors**2).mean()), None, len(rows), len(rows))

    def columns(rows: pd.DataFrame) -> dict[str, np.ndarray]:
        return {"trip_distance": np.sort(rows.trip_distance.to_numpy()), "prediction": np.sort(model.predict(model_inputs(rows)))}

    base, windows, drifts = columns(evaluation), [quality(evaluation, None)], []
    for month, rows in zip(months[LEARNED:], frames[LEARNED:], strict=True):
        windows.append(quality(rows, month.begin))
        found = {name: numeric_drift(values, base[name]) for name, values in columns(rows).items()}
        for name, one in found.items():
            drifts.append(Drift(month.begin, name, len(rows), len(rows), len(evaluation), one.ks_test.statistic))
        verdict = judge(windows, drifts, Thresholds())
        error = next(finding for finding in verdict.findings if (finding.check, finding.start) == ("error", month.begin))
        alerts = [finding.check for finding in verdict.findings if finding.alert and finding.start == month.begin]
        psi = ", ".join(f"{name} {one.population_stability_index:.3f}" for name, one in found.items())
        print(f"{month.label} | {error.value:.2f} | {error.limit:.2f} | {psi} | {', '.join(alerts) or '–'} | {verdict.outcome}")


if __name__ == "__main__":
    main()
