"""evidently's side of `monitor.py`, in an environment of its own: `python monitor_peer.py TABLE DAYS` prints what it took as JSON.

Its quickest settings that give the figures: no tests, no pictures, no HTML; one report for each window and model, of the window against
the one before. Total variation and the largest gap of categories are left out (evidently has the one as a permutation test, which takes
minutes, and not the other), so are quantiles and the distinct values of numbers (which it refuses to count): it does less than ours.
"""

import json
import resource
import sys
import time
import warnings

import pandas as pd
from deltalake import DeltaTable
from evidently import DataDefinition, Dataset, Regression, Report
from evidently.metrics import (
    MAE,
    MAPE,
    RMSE,
    MaxValue,
    MeanValue,
    MedianValue,
    MinValue,
    MissingValueCount,
    R2Score,
    RowCount,
    StdValue,
    UniqueValueCount,
    ValueDrift,
)

NUMBERS = ("trip_distance", "pickup_hour", "prediction", "fare")
DEFINITION = DataDefinition(
    numerical_columns=list(NUMBERS),
    categorical_columns=["zone"],
    datetime_columns=["at"],
    regression=[Regression(target="fare", prediction="prediction")],
)


def main() -> None:
    """Profile every window of every model, and compare it with the one before."""
    warnings.simplefilter("ignore")
    frame = DeltaTable(sys.argv[1]).to_pandas()
    day = frame["at"].dt.floor("D")
    first = day.min() + pd.Timedelta(days=int(sys.argv[2]))
    frame, day = frame[day < first], day[day < first]
    began = time.perf_counter(), time.process_time()
    reports = 0
    for model in ("*", *sorted(frame["model_version"].unique())):
        held = frame["model_version"].notna() if model == "*" else frame["model_version"] == model
        before: pd.DataFrame | None = None
        for _, window in frame[held].groupby(day[held]):
            metrics = [figure(column=name) for name in NUMBERS for figure in (MinValue, MaxValue, MeanValue, StdValue, MedianValue)]
            metrics += [MissingValueCount(column=name) for name in (*NUMBERS, "zone")]
            metrics += [UniqueValueCount(column="zone"), RowCount(), MAE(), MAPE(), RMSE(), R2Score()]
            if before is not None:
                metrics += [ValueDrift(column=name, method=method) for name in NUMBERS for method in ("ks", "wasserstein", "psi")]
                metrics += [ValueDrift(column="zone", method=method) for method in ("chisquare", "jensenshannon")]
            now, then = (None if each is None else Dataset.from_pandas(each, data_definition=DEFINITION) for each in (window, before))
            Report(metrics, include_tests=False).run(now, then).dict()
            reports += 1
            before = window
    found = {"seconds": time.perf_counter() - began[0], "cpu": time.process_time() - began[1], "reports": reports}
    print(json.dumps(found | {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}))


if __name__ == "__main__":
    main()
