"""Rows unpacked from an inference table a second: our wheel beside a pandas-UDF unpacker like the platform's example notebook, in one run.

usage: python benchmarks/unpack.py [--quick] [--rounds N] [--json FILE]

--quick: a hundredth of the rows, one round (rates then measure Spark's start of jobs more than the unpacking). Both sides read the same
Delta payload tables with the same Spark (the harness's engine, two cores, with code generation and adaptive plans as on the platform) and
write Delta tables, in turn; medians are shown, the ratio is how many times as fast we are.

- unpack: read the payload table, unpack it, write the rows. Ours keeps faults with their reasons; the notebook's drops them.
- whole job: that, the labels joined by key, MERGE into the processed table. Ours also checks the counts and remembers how far it came.
- memory: the highest sum of proportional set sizes of Spark's Python workers while ours unpacks, with the rows of the first case as `peer`
  and ten times as many as `ours`; the ratio is 1 when memory does not follow the rows.

The run fails when a side has not one row for each row that was logged.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unpack_data import write_labels, write_payloads
from unpack_sides import our_job, ours, peer, peer_job, tables

from harness.config import Layout
from harness.engines.processes import Lifeline
from harness.engines.spark import SparkEngine

# As on the platform; the harness switches them off, because small data is quicker without.
SETTINGS = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.sql.adaptive.enabled": "true",
}
CASES = {"one-row payloads": (1_000_000, 1), "payloads of 1,000 rows": (10_000, 1_000)}
MEGABYTE = 1_000_000


@dataclass
class Bench:
    """What is measured with, and what came out."""

    spark: Any
    folder: Path
    rounds: int
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)

    def put(self, name: str, *, ours: float, peer: float, ratio: float, unit: str) -> None:
        """Keep a figure and show it."""
        self.cases[name] = {"ours": round(ours, 2), "peer": round(peer, 2), "ratio": round(ratio, 2), "unit": unit}
        print(f"{name:45} ours {ours:12.1f} {unit}   peer {peer:12.1f} {unit}   ratio {ratio:.2f}", flush=True)


def compare(bench: Bench, name: str, payload: str, sides: Mapping[str, tuple[Callable[..., None], str]], *, rows: int) -> None:
    """Let both sides unpack a payload table in turn, and put rows a second and their ratio."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(bench.rounds):
        for side, (run, result) in sides.items():
            _drop(bench.spark, payload)
            began = time.monotonic()
            run(bench.spark, payload, f"{payload}_{side}")
            seconds[side].append(time.monotonic() - began)
            _check(bench.spark, result, rows)
    rates = {side: rows / statistics.median(found) for side, found in seconds.items()}
    ratio = statistics.median(theirs / mine for mine, theirs in zip(seconds["ours"], seconds["peer"], strict=True))
    bench.put(name, ours=rates["ours"], peer=rates["peer"], ratio=ratio, unit="rows/s")


def _drop(spark: Any, payload: str) -> None:
    found = tables(payload)
    for table in (found.processed, found.quarantine, found.staging, f"{payload}_ours", f"{payload}_peer", f"{payload}_peer_processed"):
        spark.sql(f"DROP TABLE IF EXISTS {table}").collect()


def _check(spark: Any, table: str, rows: int) -> None:
    row = spark.sql(f"SELECT COUNT(*) AS n, COUNT(trip_id) AS trips, COUNT(prediction) AS answers FROM {table}").first()  # noqa: S608 - ours
    if tuple(row) != (rows, rows, rows):
        raise SystemExit(f"{table}: {tuple(row)} rows, trips and predictions instead of {rows} each")


@contextmanager
def peak_of_workers() -> Iterator[list[float]]:
    """Give a list that gets the highest sum of proportional set sizes of Spark's Python workers, in megabytes."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], _workers())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peak
    finally:
        done.set()
        watching.join()


def _workers() -> float:
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"pyspark.daemon" in (process / "cmdline").read_bytes():
                lines = (process / "smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue  # it has ended meanwhile
    return total * 1024 / MEGABYTE


def memory(bench: Bench, *, requests: int) -> None:
    """Put the peak of the workers' memory with ten times as many requests, beside the peak with as many."""
    peaks = []
    for times in (1, 10):
        payload = f"main.bench.weighed_{times}"
        write_payloads(bench.folder / f"weighed_{times}", requests=requests * times, rows=1, files=8 * times)
        with peak_of_workers() as peak:
            ours(bench.spark, payload, f"{payload}_ours")
        peaks.append(peak[0])
        _drop(bench.spark, payload)
    name = f"memory of workers, {10 * requests} beside {requests} rows"
    bench.put(name, ours=peaks[1], peer=peaks[0], ratio=peaks[0] / peaks[1], unit="MB")


def measure(bench: Bench, *, divisor: int) -> None:
    """Measure every case."""
    write_labels(bench.folder / "labels", trips=max(requests // divisor * rows for requests, rows in CASES.values()))
    for number, (name, (requests, rows)) in enumerate(CASES.items()):
        payload = f"main.bench.payload_{number}"
        write_payloads(bench.folder / f"payload_{number}", requests=requests // divisor, rows=rows)
        total = requests // divisor * rows
        unpacking = {"ours": (ours, f"{payload}_ours"), "peer": (peer, f"{payload}_peer")}
        compare(bench, f"unpack, {name}", payload, unpacking, rows=total)
        jobs = {"ours": (our_job, tables(payload).processed), "peer": (peer_job, f"{payload}_peer_processed")}
        compare(bench, f"whole job, {name}", payload, jobs, rows=total)
    memory(bench, requests=CASES["one-row payloads"][0] // divisor)


def main() -> None:
    """Start the engine, measure, and write the figures as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, help="how often each side runs (default: 3, with --quick 1)")
    parser.add_argument("--divisor", type=int, help="measure this part of the rows only (default: 1, with --quick 100)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        lifeline = Lifeline()
        layout = Layout(Path(folder) / "state").make()
        tables_folder = layout.warehouse / "main" / "bench"
        tables_folder.mkdir(parents=True)
        engine = SparkEngine(layout=layout, lifeline=lifeline, harness_url="http://127.0.0.1:9", token="", catalogs=("main",))
        try:
            engine.start(lambda _: None)
            from pyspark.sql import SparkSession

            spark = SparkSession.builder.remote(engine.remote).getOrCreate()
            for key, value in SETTINGS.items():
                spark.conf.set(key, value)
            bench = Bench(spark, tables_folder, options.rounds or (1 if options.quick else 3))
            measure(bench, divisor=options.divisor or (100 if options.quick else 1))
            spark.stop()
        finally:
            engine.close()
            lifeline.close()
    print(f"load average before and after: {load:.1f}, {os.getloadavg()[0]:.1f}; on a busy machine the ratios are worth little")
    if options.json:
        options.json.write_text(json.dumps({"cases": bench.cases}, indent=2))


if __name__ == "__main__":
    main()
