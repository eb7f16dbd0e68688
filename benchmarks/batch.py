"""`ai_query` over a Delta table beside MLflow's pyfunc `predict` in one process on the same rows: speed, answers, log and memory.

usage: python benchmarks/batch.py [--quick] [--rows N] [--rounds N] [--only CASE]… [--json FILE]

--quick: about a minute, one round. All of it: three rounds, and memory at 1 and 5 million rows beside each other.
Ours is the harness with Spark, the way a task meets it: SQL over Spark Connect, every call through its HTTP entry, its token check, its
routing, the model's own process and the journal of the inference table. The peer has the rows in memory, in chunks of the size it is
fastest with. Both may use every core. The run fails when an answer differs in one bit, or when the inference table does not hold every row.
"flushed" counts the time until the inference table itself holds every call; calls are durable in its journal before they are answered.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import batch_sides as sides
import msgspec
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake
from serving_load import BenchmarkError
from serving_models import COLUMNS
from serving_sides import HERE, Ours

from serving_client import ScoringSql

TARGET = 0.6
MILLION = 1_000_000


class _Split(msgspec.Struct):
    data: list[msgspec.Raw]


class _Request(msgspec.Struct):
    dataframe_split: _Split


class _Response(msgspec.Struct):
    predictions: list[msgspec.Raw]


@dataclass
class Bench:
    """One run: the harness, a session, and what was found."""

    folder: Path
    rows: int
    rounds: int
    ours: Ours
    spark: Any
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)  # rows by model, over all statements

    def table(self, name: str) -> Path:
        """Return the folder of a table."""
        folder: Path = self.ours.state / "warehouse" / "main" / "ml" / name
        return folder

    def make_table(self, model: str, rows: int) -> str:
        """Return the name of a table of the first `rows` rows of `model`."""
        name = f"{model}_{rows}"
        if not self.table(name).exists():
            write_deltalake(self.table(name), pq.read_table(self.folder / f"{model}.parquet").slice(0, rows))
        return name

    def run(self, statement: Callable[[], None], model: str, rows: int, said: str) -> tuple[float, float]:
        """Return the seconds that the statement takes, and those until all its calls are in the inference table."""
        self.ours.flush()
        before, began = sides.cpu_seconds(self.ours.server), time.perf_counter()
        statement()
        seconds = time.perf_counter() - began
        used = sides.cpu_seconds(self.ours.server)
        self.ours.flush()
        flushed = time.perf_counter() - began
        writing = sides.cpu_seconds(self.ours.server)["table writer"] - before.get("table writer", 0.0)
        self.sent[model] = self.sent.get(model, 0) + rows
        cpu = {role: (spent - before.get(role, 0.0)) / rows * 1e6 for role, spent in sorted(used.items())}
        told = ", ".join(f"{role} {spent:.2f}" for role, spent in cpu.items() if spent >= 0.005)
        rates = f"{rows / seconds:.0f} rows/s, flushed {rows / flushed:.0f}"
        say(f"  {said}: {rates}; us CPU a row: {told}; writer in all {writing / rows * 1e6:.2f}")
        return seconds, flushed

    def put(self, name: str, pairs: list[tuple[float, float]], unit: str, *, lower_is_better: bool = False) -> None:
        """Note the medians of pairs of ours and the peer's."""
        ratio = statistics.median((peer / mine if lower_is_better else mine / peer) for mine, peer in pairs)
        mine, peer = (statistics.median(side) for side in zip(*pairs, strict=True))
        self.cases[name] = {"ours": round(mine, 1), "peer": round(peer, 1), "ratio": round(ratio, 3), "unit": unit}
        print(f"{name:55} ours {mine:12.1f}   peer {peer:12.1f} {unit:7} ratio {ratio:5.2f}", flush=True)


def query(model: str, table: str) -> str:
    """Return the SELECT that scores a table."""
    fields = ", ".join(f"'{name}', {name}" for name in COLUMNS)
    call = f"ai_query('bench-{model}', named_struct({fields}), returnType => 'DOUBLE', failOnError => false)"
    return f"SELECT id, {call} AS answer FROM main.ml.{table}"  # noqa: S608 - names of our own


def to_noop(bench: Bench, model: str, rows: int) -> Callable[[], None]:
    """Return the statement whose answers go nowhere."""
    text = query(model, bench.make_table(model, rows))
    return lambda: bench.spark.sql(text).write.format("noop").mode("overwrite").save()


def to_delta(bench: Bench, model: str, rows: int) -> Callable[[], None]:
    """Return the statement whose answers go to a new table."""
    text = f"CREATE OR REPLACE TABLE main.ml.answers USING DELTA AS {query(model, bench.make_table(model, rows))}"
    return lambda: bench.spark.sql(text).collect()


def as_score_table(bench: Bench, model: str, rows: int) -> Callable[[], None]:
    """Return the statement of `serving_client.score_table`: the key travels with every row."""
    source = f"main.ml.{bench.make_table(model, rows)}"
    sql = ScoringSql(
        endpoint=f"bench-{model}", version="1", source=source, predictions="main.ml.scored", key="id", request_columns=tuple(COLUMNS)
    )

    def statement() -> None:
        bench.spark.sql(sql.create("BIGINT")).collect()
        bench.spark.sql(sql.drop_staging()).collect()
        bench.spark.sql(sql.score()).collect()

    return statement


CASES = {"noop": to_noop, "delta": to_delta, "score_table": as_score_table}
ANSWERS = {"delta": "answers", "score_table": "scored_staging"}


def speed(bench: Bench, case: str, model: str) -> None:
    """Score all rows and have the peer predict them, in turn."""
    statement = CASES[case](bench, model, bench.rows)
    bench.run(statement, model, bench.rows, f"{model}, {case}, warming up")
    runs, flushes = [], []
    for _ in range(bench.rounds):
        told = sides.peer(bench.folder, model, bench.rows)
        best = max(told["chunks"].values())
        chunks = ", ".join(f"{size} {rate:.0f}" for size, rate in told["chunks"].items())
        say(f"  {model}, peer: rows/s by chunk {chunks}; us CPU a row {told['cpu']:.2f}")
        seconds, flushed = bench.run(statement, model, bench.rows, f"{model}, {case}")
        runs.append((bench.rows / seconds, best))
        flushes.append((bench.rows / flushed, best))
    if case in ANSWERS:
        check_answers(bench, ANSWERS[case], model)
    bench.put(f"{model}, {case}", runs, "rows/s")
    bench.put(f"{model}, {case}, flushed", flushes, "rows/s")


def check_answers(bench: Bench, table: str, model: str) -> None:
    """Raise unless the answers are the peer's, bit by bit, each once, without an error."""
    found = DeltaTable(bench.table(table)).to_pyarrow_table(columns=["id", "answer"]).sort_by("id")
    errors = pc.struct_field(found["answer"].combine_chunks(), "errorMessage")
    ours = pc.struct_field(found["answer"].combine_chunks(), "result").to_numpy(zero_copy_only=False)
    theirs = np.load(bench.folder / f"{model}.npy")
    if errors.null_count != len(errors) or found["id"].to_pylist() != list(range(len(theirs))):
        raise BenchmarkError(f"{table}: {len(errors) - errors.null_count} errors in {len(found)} rows; expected {len(theirs)} answers")
    if ours.tobytes() != theirs.tobytes():
        raise BenchmarkError(f"{table}: {int((ours != theirs).sum())} of {len(theirs)} answers differ from the peer's")


def check_log(bench: Bench) -> None:
    """Raise unless the inference tables hold every row that was sent, with its answer, in calls that are whole."""
    bench.ours.flush()
    for model, sent in bench.sent.items():
        requests = responses = 0
        table = DeltaTable(bench.table(f"{model}_payload")).to_pyarrow_dataset()
        for batch in table.to_batches(columns=["request", "response", "status_code"], batch_size=64):
            for request, response, status in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if status != 200 or request is None or response is None:
                    raise BenchmarkError(f"{model}_payload: a call of status {status} without its text")
                requests += len(msgspec.json.decode(request, type=_Request).dataframe_split.data)
                responses += len(msgspec.json.decode(response, type=_Response).predictions)
        if not requests == responses == sent:
            raise BenchmarkError(f"{model}_payload holds {requests} rows and {responses} predictions; {sent} were sent")
        held, different = bench.ours.rows_logged(model)
        if held != different:
            raise BenchmarkError(f"{model}_payload holds {held} rows of {different} calls")
        bench.put(f"{model}, rows in the inference table", [(requests, sent)], "rows")


def memory(bench: Bench, sizes: tuple[int, ...]) -> None:
    """Weigh every process while tables of growing size are scored; the "peer" is the smallest of them."""
    found = []
    for rows in sizes:
        statement = to_delta(bench, "doubles", rows)
        with sides.weighed(bench.ours.server) as weights:
            bench.run(statement, "doubles", rows, f"{rows} rows, weighed")
        say("  MB: " + ", ".join(f"{role} {share:.0f}" for role, share in sorted(weights.most.items())))
        found.append(weights.most)
    for role in ("harness", "model", "Python workers", "JVM", "table writer"):
        pair = (found[-1].get(role, 0.0), found[0].get(role, 0.0))
        name = f"memory of {role}, {sizes[-1] // MILLION}M rows beside {sizes[0] // MILLION}M"
        bench.put(name, [pair], "MB", lower_is_better=True)


def say(text: str) -> None:
    """Tell whoever watches."""
    print(text, file=sys.stderr, flush=True)


def session(remote: str) -> Any:
    """Return a Spark Connect session."""
    from pyspark.sql import SparkSession

    return SparkSession.builder.remote(remote).getOrCreate()


def main() -> None:
    """Run the cases, print a table, and write it as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round, and no memory")
    parser.add_argument("--rows", type=int, default=MILLION)
    parser.add_argument("--rounds", type=int, help="how often each side runs (3; quick: 1)")
    parser.add_argument("--only", action="append", choices=[*CASES, "memory"], help="only this case; may be given again")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    names = options.only or [*CASES, *([] if options.quick else ["memory"])]
    sizes = (MILLION, 5 * MILLION)
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="batch-benchmark-") as scratch, ExitStack() as closing:
        folder = Path(scratch)
        say("making models and rows")
        most = max(options.rows, *sizes) if "memory" in names else options.rows
        made = subprocess.run(
            [sys.executable, str(HERE / "batch_models.py"), scratch, str(most)], capture_output=True, text=True, check=False
        )
        if made.returncode:
            sys.exit(f"{made.stderr[-3000:]}\nFAILED: the models could not be made")
        say("starting the harness")
        ours, remote = sides.start(folder)
        closing.callback(ours.server.close)
        spark = session(remote)
        closing.callback(spark.stop)
        bench = Bench(folder, options.rows, options.rounds or (1 if options.quick else 3), ours, spark)
        try:
            for model in ("doubles", "mixed"):
                ours.endpoint(f"bench-{model}", model)
                ours.log_calls(f"bench-{model}", model)
            for name in names:
                if name == "memory":
                    memory(bench, sizes)
                else:
                    for model in ("doubles", "mixed"):
                        speed(bench, name, model)
            check_log(bench)
        except BenchmarkError as error:
            say(f"--- the end of harness.log\n{(folder / 'harness.log').read_text(errors='replace')[-3000:]}")
            sys.exit(f"FAILED: {error}")
    print(
        f"target {TARGET}; load average before and after: {busy:.1f}, {os.getloadavg()[0]:.1f}; on a busy machine ratios are worth little"
    )
    if options.json:
        options.json.write_text(json.dumps({"cases": bench.cases}, indent=2))


if __name__ == "__main__":
    main()
