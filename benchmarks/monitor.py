"""A monitor's refresh beside evidently and beside a plain numpy and scipy script, in one run: speed, memory, exactness, growth.

usage: python benchmarks/monitor.py [--quick] [--no-peer] [--json FILE]

The table: 1,000,000 rows of 7 columns, 30 daily windows, 2 models, as Delta; --quick: a tenth of the rows, and no growth. Each side
reads it in a process of its own, and writes or returns what it found. Ours is the refresh that the harness carries out: both metric
tables, written as Delta. The peer is evidently 0.7.23 at its quickest (see `monitor_peer.py`), on the same table; it is no dependency of
the project: uv makes an environment that is thrown away. It takes seconds for each window of each model, so it gets the first three days
only, read for it beforehand: what is compared is windows a second of processor time. `script` is what one would write oneself
(`monitor_sides.py`).

Ratios are of processor time, theirs by ours, which other work on the machine disturbs less than seconds of a clock do.
The run fails when D or W of a column is another number than SciPy's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from deltalake import DeltaTable
from monitor_data import write_table
from uv import find_uv_bin

HERE = Path(__file__).parent
PEER = ("evidently==0.7.23", "pandas<3", "deltalake", "pyarrow")
PEER_DAYS, WINDOWS = 3, 30 * 3  # of two models, and of all models together
Case = dict[str, Any]


def run(side: str, table: Path, output: Path, **settings: Any) -> Case:
    """Return what a side says of itself."""
    command = [sys.executable, str(HERE / "monitor_sides.py"), side, str(table), str(output), json.dumps(settings)]
    return _said(subprocess.run(command, capture_output=True, text=True, check=False))


def peer(table: Path, folder: Path) -> Case:
    """Return what evidently says of itself, in an environment made for it."""
    python = folder / "peer" / "bin" / "python"
    for command in (
        [find_uv_bin(), "venv", "-q", "--python", "3.11", str(folder / "peer")],
        [find_uv_bin(), "pip", "install", "-q", "--python", str(python), *PEER],
    ):
        subprocess.run(command, check=True)
    return _said(subprocess.run([python, HERE / "monitor_peer.py", table, str(PEER_DAYS)], capture_output=True, text=True, check=False))


def _said(ended: subprocess.CompletedProcess[str]) -> Case:
    if ended.returncode:
        raise SystemExit(ended.stderr)
    found: Case = json.loads(ended.stdout.splitlines()[-1])
    return found


def put(cases: dict[str, Case], name: str, *, mine: float, theirs: float, unit: str, more_is_better: bool = False) -> None:
    """Keep a figure and show it."""
    ratio = mine / theirs if more_is_better else theirs / mine
    cases[name] = {"ours": round(mine, 2), "peer": round(theirs, 2), "ratio": round(ratio, 2), "unit": unit}
    print(f"{name:60} ours {mine:9.2f} {unit}   peer {theirs:9.2f} {unit}   ratio {ratio:.2f}", flush=True)


def check_distances(ours: Path, script: Path) -> None:
    """Fail unless D and W of all windows are SciPy's."""
    # Version 0 is what the first refresh wrote, of the table that the script saw.
    rows = DeltaTable(ours / "trips_drift_metrics", version=0).to_pyarrow_table().to_pylist()
    mine = {(row["model_version"], row["column_name"], row["window"]["start"]): row for row in rows if row["ks_test"]}
    found = pd.read_parquet(script / "drift.parquet").dropna(subset=["ks"])
    for row in found.itertuples():
        own = mine[row.model, row.column, row.day.to_pydatetime()]
        for own_value, value in ((own["ks_test"]["statistic"], row.ks), (own["wasserstein_distance"], row.wasserstein)):
            if abs(own_value - value) > 1e-9 * max(1.0, abs(value)):
                raise SystemExit(f"{row.column} of {row.day}, model {row.model}: {own_value} instead of {value}")
    print(f"D and W of {len(found)} comparisons are SciPy's")


def growth(folder: Path, rows: int) -> None:
    """Show what a refresh takes with more rows, columns, windows and slices."""
    print("\nours, growing" + " " * 26 + "processor s     clock s       MB")
    zones = {"slicing": ["zone"]}
    for name, size, columns, values, settings in (
        ("as measured above: 7 columns", rows, 7, 200, {}),
        ("ten times the rows", 10 * rows, 7, 200, {}),
        ("a snapshot of ten times the rows", 10 * rows, 7, 200, {"snapshot": True}),
        ("that and another, compared with it", 10 * rows, 7, 200, {"snapshot": True, "again": ["nothing"]}),
        ("20 columns", rows, 20, 200, {}),
        ("50 columns", rows, 50, 200, {}),
        ("hours instead of days", rows, 7, 200, {"granularities": ["1_HOUR"]}),
        ("hours, days, weeks and months", rows, 7, 200, {"granularities": ["1_HOUR", "1_DAY", "1_WEEK", "1_MONTH"]}),
        ("10 slices: of 10 zones", rows, 7, 10, zones),
        ("100 slices: of 200 zones", rows, 7, 200, zones),
    ):
        table = folder / f"table {size} {columns} {values}"
        if not table.exists():
            write_table(table, rows=size, columns=columns, zones=values)
        found = run("ours", table, folder / name, **settings)
        cpu = found["cpu"] + sum(each["cpu"] for each in found["again"].values())
        print(f"{name:40}{cpu:10.1f}  {found['seconds']:10.1f}  {found['megabytes']:8.0f}", flush=True)


def main() -> None:
    """Measure, and write the figures as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-peer", action="store_true", help="leave out evidently, which is brought from the package index")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows, cases, load = (100_000 if options.quick else 1_000_000), dict[str, Case](), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = folder / f"table {rows} 7 200"
        write_table(table, rows=rows)
        script = run("script", table, folder / "script")
        theirs = None if options.no_peer else peer(table, folder)  # before ours changes the table, to refresh again
        mine = run("ours", table, folder / "ours", rows=rows, again=["nothing", "a day more", "late labels of a day"])
        check_distances(folder / "ours", folder / "script")
        put(cases, "refresh of all windows, beside a numpy and scipy script", mine=mine["cpu"], theirs=script["cpu"], unit="CPU s")
        put(cases, "memory, beside the script", mine=mine["megabytes"], theirs=script["megabytes"], unit="MB")
        if theirs is not None:
            rates = {"mine": WINDOWS / mine["cpu"], "theirs": theirs["reports"] / theirs["cpu"]}
            put(cases, "windows of a model, beside evidently", **rates, unit="a CPU s", more_is_better=True)
        for what, taken in mine["again"].items():
            put(cases, f"refresh after: {what}, beside one of all windows", mine=taken["cpu"], theirs=mine["cpu"], unit="CPU s")
        if not options.quick:
            growth(folder, rows)
    print(f"load average before and after: {load:.1f}, {os.getloadavg()[0]:.1f}; on a busy machine the ratios are worth little")
    if options.json:
        options.json.write_text(json.dumps({"cases": cases}, indent=2))


if __name__ == "__main__":
    main()
