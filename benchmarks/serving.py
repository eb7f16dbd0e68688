"""Serving beside `mlflow models serve` of the same saved model, in one run: speed, answers, log and memory.

usage: python benchmarks/serving.py [--quick] [--only CASE]… [--rounds N] [--seconds N] [--json FILE]

--quick: about a minute, one short round; all of it: about seven. Every process of a server runs on one core, wrk and this one on another.
Ours is a harness as `harness up` starts it, without Spark, MLflow and tasks: every call goes through its HTTP entry, its token check, its
routing, the model's own process, and (but for "log off") the journal of the inference table. Rounds alternate; medians are shown.
`ratio` says how many times better we are: requests/s ours by peer, milliseconds and megabytes peer by ours. Our requests/s count the time
until the last call is in the inference table: calls wait in the journal for up to ten seconds, and that work is not to fall between rounds.
The run fails, whatever the speed, when an answer differs, is not 2xx, or the inference table does not hold exactly the calls acknowledged.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from serving_bench import Bench, doubles, same, say
from serving_load import BenchmarkError, Load, require_wrk
from serving_sides import HERE, Server

MODELS = {"hist": "HistGradientBoosting", "forest": "RandomForest"}  # beside `boosting`, which the targets speak of


def memory(bench: Bench) -> None:
    """Weigh a second served model on both sides: what the whole gains, after the same calls to it."""
    bodies = bench.bodies(1, 200) + bench.bodies(1000)  # large ones too: what is shared at first stays shared only if nobody writes to it

    def ours(model: str) -> float:
        bench.ask(bench.endpoint(model), bodies)
        bench.ours.flush()
        time.sleep(1)
        return sum(bench.ours.server.memory().values())

    first = ours("boosting")
    gain = ours("second") - first
    bench.peer("boosting")[1].answers(bodies)
    before = sum(bench.peer("boosting")[0].memory().values())
    server, target = bench.peer("second")
    target.answers(bodies)
    time.sleep(1)
    second = server.memory()
    after = sum(bench.peer("boosting")[0].memory().values()) + sum(second.values())
    bench.put("memory of a second served model", gain, after - before, "MB", lower_is_better=True, digits=1)
    worker = after - before - second.get(server.process.pid, 0.0)
    bench.put("memory of a second served model, beside its worker", gain, worker, "MB", lower_is_better=True, digits=1)
    parts = ", ".join(f"{share:.0f}" for share in sorted(bench.ours.server.memory().values(), reverse=True))
    say(f"  ours with one model: {first:.0f} MB in all, with two by process: {parts} MB; the peer with one: {before:.0f} MB")
    bench.closing.callback(server.close)
    server.close()


def bit_equal(bench: Bench) -> None:
    """Compare answers to rows alone, over 32 connections at once, and in bodies of several sizes and shapes."""
    endpoint, (_, peer) = bench.endpoint("boosting"), bench.peer("boosting")
    thousands = bench.bodies(1000)
    reference = peer.answers(thousands)
    same(bench.ask(endpoint, thousands), reference, "bodies of 1000 rows")
    expected = [value for answer in reference for value in doubles(answer)]
    step = 5 if bench.quick else 1
    singles = bench.ask(endpoint, bench.bodies(1)[::step], connections=32)
    differ = sum(doubles(answer) != [value] for answer, value in zip(singles, expected[::step], strict=True))
    if differ:
        raise BenchmarkError(f"{differ} of {len(singles)} rows asked for alone have another answer than the peer gives among 1000")
    alone = slice(0, 100 if bench.quick else None)
    same(singles[alone], peer.answers(bench.bodies(1)[::step][alone], connections=8), "rows alone")
    for size, count in ((7, 50), (100, 100), (2500, 4)):
        bodies = bench.bodies(size, count)
        same(bench.ask(endpoint, bodies, connections=4), peer.answers(bodies), f"bodies of {size} rows")
    for shape in ("records", "inputs", "instances"):
        bodies = bench.bodies(100, 10, shape)
        same(bench.ask(endpoint, bodies, connections=4), peer.answers(bodies), f"bodies of 100 rows as {shape}")
    say(f"  the same bytes: {len(singles[alone])} rows alone; every row in bodies of 1000; bodies of 7, 100 and 2500 rows; four shapes")
    bench.put("rows answered bit-equal", len(expected), len(bench.data), "rows", digits=0)


def one_row_32(bench: Bench) -> None:
    """One row a request, 32 connections."""
    pairs = bench.beside("boosting", 1, 32)
    bench.put_rounds("1 row, 32 connections", pairs, "written_per_second", "requests/s", digits=1)
    bench.put_rounds("1 row, 32 connections, p99", pairs, "p99", "ms", lower_is_better=True)
    bench.put_rounds("1 row, 32 connections, CPU a request", pairs, "cpu_microseconds", "us", lower_is_better=True, digits=1)


def one_row_1(bench: Bench) -> None:
    """One row a request, one connection."""
    pairs = bench.beside("boosting", 1, 1)
    for name in ("p50", "p99"):
        bench.put_rounds(f"1 row, 1 connection, {name}", pairs, name, "ms", lower_is_better=True)


def thousand_rows(bench: Bench) -> None:
    """A thousand rows a request, one connection."""
    pairs = bench.beside("boosting", 1000, 1)
    bench.put_rounds("1,000 rows, 1 connection, p99", pairs, "p99", "ms", lower_is_better=True)
    bench.put_rounds("1,000 rows, 1 connection", pairs, "written_per_second", "requests/s", digits=1)
    bench.put_rounds("1,000 rows, 1 connection, CPU a request", pairs, "cpu_microseconds", "us", lower_is_better=True, digits=1)


def log_on_off(bench: Bench) -> None:
    """One endpoint and its one model process, with its inference table and without."""
    endpoint, bodies = bench.endpoint("boosting"), bench.bodies(1, 64)

    def side(*, logged: bool) -> tuple[Callable[[float], Load], Server]:
        def load(seconds: float) -> Load:
            bench.log_calls(endpoint, logged=logged)
            return bench.load(endpoint, bodies, 32, seconds)

        return load, bench.ours.server

    pairs = bench.alternate(side(logged=True), side(logged=False))
    bench.log_calls(endpoint, logged=True)
    bench.put_rounds("log on, beside log off", pairs, "written_per_second", "requests/s", digits=1)
    bench.put_rounds("log on without the writing left, beside log off", pairs, "per_second", "requests/s", digits=1)
    bench.put_rounds("log on, beside log off, CPU a request", pairs, "cpu_microseconds", "us", lower_is_better=True, digits=1)


def other_model(model: str) -> Callable[[Bench], None]:
    """Return the case of another kind of model; it has no target."""

    def case(bench: Bench) -> None:
        pairs = bench.beside(model, 1, 32)
        bench.put_rounds(f"{MODELS[model]}, 1 row, 32 connections", pairs, "written_per_second", "requests/s", digits=1)

    return case


CASES: dict[str, tuple[Callable[[Bench], None], tuple[str, ...]]] = {  # by name: what to do, and the models it needs
    "memory": (memory, ("boosting", "second")),  # first, before anything has grown
    "bit-equal": (bit_equal, ("boosting",)),
    "1-row-32": (one_row_32, ("boosting",)),
    "1-row-1": (one_row_1, ("boosting",)),
    "1000-rows": (thousand_rows, ("boosting",)),
    "log": (log_on_off, ("boosting",)),
    **{name: (other_model(name), (name,)) for name in MODELS},
}


def main() -> None:
    """Run the cases, print a table, and write it as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of 2 s, and only the model the targets speak of")
    parser.add_argument("--only", action="append", choices=list(CASES), help="only this case; may be given again")
    parser.add_argument("--rounds", type=int, help="how often each side is loaded in a case (3; quick: 1)")
    parser.add_argument("--seconds", type=float, help="for how long; the peer half as long (12; quick: 2)")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    require_wrk()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("two cores are needed: one for the servers, one for the load")
    os.sched_setaffinity(0, {cores[1]})
    names = options.only or [name for name in CASES if not (options.quick and name in MODELS)]
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="serving-benchmark-") as folder, ExitStack() as closing:
        models = sorted({"boosting", *(model for name in names for model in CASES[name][1])})
        say(f"making models: {', '.join(models)}")
        script = [sys.executable, str(HERE / "serving_models.py"), f"{folder}/models", *models]
        made = subprocess.run(script, capture_output=True, text=True, check=False)  # MLflow says much that is of no interest here
        if made.returncode:
            sys.exit(f"{made.stderr[-3000:]}\nFAILED: the models could not be made")
        bench = Bench(
            folder=Path(folder),
            cores=(cores[0], cores[1]),
            quick=options.quick,
            rounds=options.rounds or (1 if options.quick else 3),
            # Longer than calls are held back from their table (HOLD_SECONDS of inference_tables/service.py): p99 is to see the writing.
            seconds=options.seconds or (2 if options.quick else 12),
            closing=closing,
        )
        try:
            for name in names:
                CASES[name][0](bench)
            bench.check_log()
        except BenchmarkError as error:
            for log in sorted(Path(folder).glob("*.log")):
                say(f"--- the end of {log.name}\n{log.read_text(errors='replace')[-2000:]}")
            sys.exit(f"FAILED: {error}")
    print(f"load average before and after: {busy:.1f}, {os.getloadavg()[0]:.1f}; on a busy machine even the ratios are worth little")
    if options.json:
        options.json.write_text(json.dumps({"cases": bench.cases}, indent=2))


if __name__ == "__main__":
    main()
