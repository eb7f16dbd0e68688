"""A workspace per test: what one costs on a warm harness, beside starting what a test needs anew; and what 200 of them leave behind.

usage: python benchmarks/isolation.py [--quick] [--json FILE]     --quick: 60 workspaces, not 200; the peer starts once, not twice

A workspace is made, its Spark session answers `SELECT current_catalog()`, and it is deleted: a token, a catalog and a session each time.
Its peers are a whole new harness that answers the same, and a bare Spark Connect session on the same server that does so: no token, no
catalog, nothing to clean up. Growth compares what is held after 20 workspaces with what is held at the end; memory of Java is what is
still in use after a full collection.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.engines.java import java
from harness.testing import Platform, platform

FEW, MANY = 20, 200
WARM = 10
QUERY = "SELECT current_catalog()"


def workspace(running: Platform) -> float:
    """Return the seconds of one workspace, from asking for it to its end."""
    began = time.monotonic()
    with running.workspace() as made:
        assert made.spark.sql(QUERY).collect()[0][0] == made.catalog
    return time.monotonic() - began


def bare_session(remote: str) -> float:
    """Return the seconds of a session that shares everything else."""
    from pyspark.sql import SparkSession

    began = time.monotonic()
    session = SparkSession.builder.remote(remote).create()
    session.sql(QUERY).collect()
    session.stop()
    return time.monotonic() - began


def new_harness() -> float:
    """Return the seconds of a harness that is started, asked and ended."""
    began = time.monotonic()
    with platform() as running:
        workspace(running)
    return time.monotonic() - began


def with_a_table(running: Platform) -> None:
    """Use a workspace as a test does: a table, a query over it, a call of the client."""
    with running.workspace() as made:
        made.spark.sql("CREATE TABLE t AS SELECT 1 AS x")
        made.spark.sql("SELECT * FROM t").collect()
        made.client.current_user.me()


def processes(state: Path) -> Mapping[str, str]:
    """Return the processes of the harness of `state`, and this one."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    engine, driver = next(line.split()[:2] for line in listed.splitlines() if "PythonGatewayServer" in line and f"{state}/" in line)
    harness = str(json.loads((state / "harness.json").read_text())["pid"])
    return {"Spark's JVM": engine, "Spark's driver": driver, "harness": harness, "test process": str(os.getpid())}


def held(state: Path) -> dict[str, float]:
    """Return what is held now."""
    gc.collect()
    found: dict[str, float] = {}
    running = processes(state)
    for name, pid in running.items():
        status = Path(f"/proc/{pid}/status").read_text()
        if "JVM" not in name:
            found[f"{name}: memory (MB)"] = int(status.split("VmRSS:")[1].split()[0]) / 1024
        found[f"{name}: descriptors"] = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        found[f"{name}: threads"] = int(status.split("Threads:")[1].split()[0])
    command = [str(java().with_name("jcmd")), running["Spark's JVM"], "GC.class_histogram"]  # collects first
    rows = [line.split() for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()]
    found["Spark's JVM: heap in use (MB)"] = next(int(row[2]) for row in rows if row[:1] == ["Total"]) / 1e6
    found["Spark's sessions"] = sum(int(row[1]) for row in rows if row[3:4] == ["org.apache.spark.sql.classic.SparkSession"])
    files = [Path(folder) / name for folder, _, names in os.walk(state) if Path(folder).name != "logs" for name in names]
    found["disk: files"] = len(files)
    found["disk: state.db (kB)"] = (state / "state.db").stat().st_size / 1024
    return found


def growth(running: Platform, state: Path, many: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return what is held after a few workspaces and after many."""
    after: list[dict[str, float]] = []
    for number in range(1, many + 1):
        with_a_table(running)
        if number in (FEW, many):
            after.append(held(state))
    return after[0], after[1]


def measure(*, quick: bool) -> dict[str, dict[str, Any]]:
    """Measure all cases."""
    many = 60 if quick else MANY
    with tempfile.TemporaryDirectory(prefix="isolation-") as folder:
        state = Path(folder) / "state"
        with platform(state) as running:
            remote = json.loads((state / "harness.json").read_text())["spark_remote"]
            sides: list[tuple[Callable[[], float], list[float]]] = [(lambda: workspace(running), []), (lambda: bare_session(remote), [])]
            for number in range(WARM + many // 4):
                for side, seconds in sides:
                    taken = side()
                    if number >= WARM:
                        seconds.append(taken)
            few, last = growth(running, state, many)
    mine, bare = (statistics.median(seconds) for _, seconds in sides)
    started = statistics.median(new_harness() for _ in range(1 if quick else 2))
    ninety = statistics.quantiles(sides[0][1], n=10)[-1]
    return {
        "a workspace, beside a new harness": row(mine * 1000, started * 1000, started / mine, "ms"),
        "a workspace, beside a bare Spark session": row(mine * 1000, bare * 1000, bare / mine, "ms"),
        "a workspace, the slowest tenth, beside a new harness": row(ninety * 1000, started * 1000, started / ninety, "ms"),
        "workspaces in a second, beside new harnesses": row(1 / mine, 1 / started, started / mine, "1/s"),
        **{f"after {many}, beside after {FEW}: {name}": row(last[name], few[name], last[name] / few[name], "") for name in few},
    }


def row(ours: float, peer: float, ratio: float, unit: str) -> dict[str, Any]:
    """Return a case."""
    return {"ours": round(ours, 1), "peer": round(peer, 1), "ratio": round(ratio, 2), "unit": unit}


def main() -> None:
    """Measure, print a table, and write it as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for name in ("HARNESS_STATE", "DATABRICKS_HOST"):
        if os.environ.pop(name, None):
            print(f"{name} is not heeded: the benchmark starts its own harness", file=sys.stderr)
    load = os.getloadavg()[0]
    cases = measure(quick=options.quick)
    for name, values in cases.items():
        print(f"{name:75} ours {values['ours']:8.1f} {values['unit']:4} peer {values['peer']:9.1f}   ratio {values['ratio']:6.2f}")
    print(f"load average before and after: {load:.1f}, {os.getloadavg()[0]:.1f}; on a busy machine read the ratios")
    if options.json:
        options.json.write_text(json.dumps({"cases": cases}, indent=2))


if __name__ == "__main__":
    main()
