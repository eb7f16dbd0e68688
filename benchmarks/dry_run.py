"""The dry run's wall time beside its own arithmetic: grid search, refit and scoring of the same rows in one process, in the same run.

`python benchmarks/dry_run.py [--data FILE.parquet] [--quick] [--json FILE]`. `--quick` takes a grid of one combination.
The target is: cold <= 1.25 x arithmetic + 20 s. "Cold" is a fresh state folder with warm per-user caches, as on a second checkout.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from harness import sample_data
from taxi_fare_features import feature_frame
from taxi_fare_training.grid import DEFAULT_GRID
from taxi_fare_training.model import fit_and_measure, model_inputs

QUICK_GRID = {"n_estimators": [20], "max_depth": [3], "learning_rate": [0.1]}


def arithmetic(data: Path | None, grid: dict[str, list[float]]) -> float:
    """Return the seconds that fitting and scoring the trips take when nothing else is done."""
    table = sample_data.load_parquet(data) if data else sample_data.generate()
    rows: pd.DataFrame = feature_frame(table.to_pandas())
    start = time.perf_counter()
    fitted, _ = fit_and_measure(rows[rows["split"] == "train"], rows[rows["split"] == "test"], grid, report=lambda _: None)
    fitted.model.predict(model_inputs(rows))
    return time.perf_counter() - start


def dry_run(data: Path | None, grid: dict[str, list[float]]) -> dict[str, object]:
    """Return the report of a dry run in a fresh state folder, with the wall time of the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "dry_run", "--state", f"{folder}/state", "--report", str(report)]
        command += ["--data", str(data)] if data else []
        command += ["--var", f"parameter_grid={json.dumps(grid)}"]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        wall = time.perf_counter() - start
        told: dict[str, object] = json.loads(report.read_text())
        return told | {"wall": wall}


def main() -> None:
    """Measure, print the ratio and the phases, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="real trips; without it, synthetic ones")
    parser.add_argument("--quick", action="store_true", help="a grid of one combination")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    grid = QUICK_GRID if options.quick else {name: list(values) for name, values in DEFAULT_GRID.items()}

    before = arithmetic(options.data, grid)
    told = dry_run(options.data, grid)
    after = arithmetic(options.data, grid)
    peer, ours = (before + after) / 2, float(str(told["wall"]))

    print(f"dry run {ours:.1f} s, its arithmetic {peer:.1f} s: {ours / peer:.2f} x; target {1.25 * peer + 20:.1f} s")
    phases = told["phases"]
    assert isinstance(phases, dict)
    for name, seconds in phases.items():
        print(f"  {name:<22}{seconds:>7.1f} s")
    print(f"  {'outside the phases':<22}{ours - sum(phases.values()):>7.1f} s")
    if options.json:
        case = {"ours": ours, "peer": peer, "ratio": ours / peer, "unit": "s"}
        options.json.write_text(json.dumps({"cases": {"dry run, cold": case}, "phases": phases}, indent=2))


if __name__ == "__main__":
    main()
