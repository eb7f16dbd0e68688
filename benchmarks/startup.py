"""Seconds from nothing to Spark's answers: the harness's engine beside `spark-submit` with its defaults, in one run.

usage: python benchmarks/startup.py [--quick] [--json FILE]     --quick: one run of each instead of three; medians are shown

Both sides use the same pyspark and the same Delta jars (fetched beforehand). The peer needs a `java` on PATH.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.config import Layout
from harness.engines.jars import resolve_jars
from harness.engines.processes import Lifeline
from harness.engines.spark import SparkEngine, engine_jars
from harness.engines.spark_aot import aot_file, train_aot_cache
from harness.engines.spark_conf import spark_conf

# Two peers, since one ratio would mix two things: how Spark is started, and Delta's defaults for big data (50 snapshot partitions).
PEERS = {"peer": "spark-submit with its defaults", "tuned": "spark-submit with our settings"}
CASES = ("session", "first answer", "six Delta statements")
STATEMENTS = (
    "CREATE TABLE {t} (id INT, x DOUBLE)",
    "INSERT INTO {t} VALUES (1, 2.0), (2, 3.0)",
    "SELECT count(*) FROM {t}",
    "INSERT INTO {t} VALUES (3, 4.0)",
    "MERGE INTO {t} t USING (SELECT 2 id, 9.0D x) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
    "SELECT sum(x) FROM {t}",
)


def timed(connect: Callable[[], Any], table: str, began: float) -> dict[str, float]:
    """Return seconds since `began` to a session, to its first answer, and to the last of the statements."""
    session = connect()
    seconds = {CASES[0]: time.monotonic() - began}
    assert session.sql("SELECT 1").collect()[0][0] == 1
    seconds[CASES[1]] = time.monotonic() - began
    for statement in STATEMENTS:
        rows = session.sql(statement.replace("{t}", table)).collect()
    assert rows[0][0] == 15.0
    seconds[CASES[2]] = time.monotonic() - began
    session.stop()  # before the engine ends: at its exit a client would try for ten minutes to reach an engine that is gone
    return seconds


def ours(folder: Path) -> dict[str, float]:
    """Start the engine, connect as a task does, and measure."""
    began = time.monotonic()
    lifeline = Lifeline()
    layout = Layout(folder / "state").make()
    (layout.warehouse / "main" / "s").mkdir(parents=True)
    engine = SparkEngine(layout=layout, lifeline=lifeline, harness_url="http://127.0.0.1:9", token="", catalogs=("main",))

    def connect() -> Any:
        from pyspark.sql import SparkSession

        engine.start(lambda _: None)
        return SparkSession.builder.remote(engine.remote).getOrCreate()

    try:
        return timed(connect, "main.s.t", began)
    finally:
        engine.close()
        lifeline.close()


def peer(folder: Path, settings: Mapping[str, str]) -> dict[str, float]:
    """Let pyspark start its JVM through spark-submit, with Delta switched on, `settings`, and all else as it comes."""
    began = time.monotonic()

    def connect() -> Any:
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.appName("peer").config("spark.jars", ",".join(map(str, resolve_jars(lambda _: None).delta)))
        builder = builder.config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        builder = builder.config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        builder = builder.config("spark.sql.sources.default", "delta")
        for key, value in settings.items():
            builder = builder.config(key, value)
        return builder.config("spark.sql.warehouse.dir", str(folder / "warehouse")).getOrCreate()

    return timed(connect, "t", began)


def small_data_settings(folder: Path) -> dict[str, str]:
    """Return what of the engine's settings makes small data quick, without its catalogs and its server."""
    wanted = ("spark.ui", "spark.default", "spark.sql.shuffle", "spark.databricks", "spark.sql.adaptive", "spark.sql.codegen")
    conf = spark_conf(port=0, warehouse=folder, scratch=folder, files=folder, pythons=folder)
    return {key: value for key, value in conf.items() if key.startswith(wanted)}


def measure(side: str, folder: Path) -> dict[str, float]:
    """Measure one side, in this process."""
    if side == "ours":
        return ours(folder)
    return peer(folder, small_data_settings(folder) if side == "tuned" else {})


def in_process(side: str) -> dict[str, float]:
    """Measure one side in a process and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_"))}
        done = subprocess.run(
            [sys.executable, str(Path(__file__).resolve()), "--side", side, "--folder", folder],
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            check=True,
        )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Measure both sides in turn, print a table, and write it as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", choices=["ours", *PEERS], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side, options.folder)))
        return
    if not aot_file(engine_jars(print)).exists():
        print("making the AOT cache (once, about a minute)")
        train_aot_cache()
    has_java = shutil.which("java") is not None
    if not has_java:
        print("skipped: spark-submit, because there is no `java` on PATH (the harness brings its own)")
    load = os.getloadavg()[0]
    sides = ("ours", *(PEERS if has_java else ()))
    runs = [{side: in_process(side) for side in sides} for _ in range(1 if options.quick else 3)]
    cases = {f"{case}, beside {what}": row(case, side, runs) for side, what in PEERS.items() for case in CASES}
    for case, values in cases.items():
        beside = f"peer {values['peer']:6.1f} s   {values['ratio']:.1f} times as long" if values["peer"] else ""
        print(f"{case:55} ours {values['ours']:6.1f} s   {beside}")
    print(f"load average before and after: {load:.1f}, {os.getloadavg()[0]:.1f}; on a busy machine the ratio is worth little")
    if options.json:
        options.json.write_text(json.dumps({"cases": cases}, indent=2))


def row(case: str, side: str, runs: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Return the medians of one case; `ratio` is how many times as long the peer takes."""
    mine = statistics.median(run["ours"][case] for run in runs)
    theirs = statistics.median(run[side][case] for run in runs) if side in runs[0] else None
    return {"ours": round(mine, 2), "peer": theirs and round(theirs, 2), "ratio": theirs and round(theirs / mine, 2), "unit": "s"}


if __name__ == "__main__":
    main()
