"""evidently's side of `monitor.py`, in an environment of its own: `python monitor_peer.py TABLE` prints what it took as JSON.

Its quickest settings that give the figures: no tests, no pictures, no HTML; one report for each window and model, of the window against
the one before. Total variation and the largest gap of categories are left out (evidently has the one as a permutation test, which takes
minutes, and not the other), so are a thousand quantiles: it does less than ours.
"""

import json
import resource
import sys
import time
import warnings

import pandas as pd
from deltalake import DeltaTable
from evidently import DataDefinition, Dataset, Regression, Report
from evidently.metrics import ValueDrift
from evidently.presets import RegressionQuality, ValueStats

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
    began = time.perf_counter(), time.process_time()
    frame = DeltaTable(sys.argv[1]).to_pandas()
    day = frame["at"].dt.floor("D")
    reports = 0
    for model in ("*", *sorted(frame["model_version"].unique())):
        held = frame["model_version"].notna() if model == "*" else frame["model_version"] == model
        before: pd.DataFrame | None = None
        for _, window in frame[held].groupby(day[held]):
            stats = [ValueStats(column=name, include_tests=False) for name in (*NUMBERS, "zone", "at")]
            metrics = [*stats, RegressionQuality(include_tests=False)]
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
