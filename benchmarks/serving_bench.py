"""What the cases of the serving benchmark share: the servers of one run, loads in turn, and the count of what was acknowledged."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from serving_load import BenchmarkError, Load, Target
from serving_sides import Ours, Server, start_peer

TARGETS = {
    "1 row, 32 connections": 60,
    "1 row, 1 connection, p50": 10,
    "1 row, 1 connection, p99": 10,
    "1,000 rows, 1 connection, p99": 40,
    "1,000 rows, 1 connection": 5,
    "log on, beside log off": 0.9,
    "memory of a second served model": 2,
}
MANY_ROUNDS = 3  # with fewer, nothing is said about targets
Row = dict[str, Any]


@dataclass
class Bench:
    """The servers of one run, started when a case first needs them, and what it found."""

    folder: Path
    cores: tuple[int, int]
    quick: bool
    rounds: int
    seconds: float
    closing: ExitStack
    cases: dict[str, Row] = field(default_factory=dict)
    _ours: Ours | None = None
    _targets: dict[str, Target] = field(default_factory=dict)
    _peers: dict[str, tuple[Server, Target]] = field(default_factory=dict)
    _tables: dict[str, str] = field(default_factory=dict)  # by endpoint: where its calls are logged now
    _acknowledged: dict[str, int] = field(default_factory=dict)  # by table
    _in_flight: dict[str, int] = field(default_factory=dict)  # by table

    def __post_init__(self) -> None:
        """Read the rows."""
        told = json.loads((self.folder / "models" / "rows.json").read_text())
        self.columns, self.data = told["columns"], told["data"]

    @property
    def ours(self) -> Ours:
        """The harness."""
        if self._ours is None:
            say("starting the harness")
            log = self.folder / "harness.log"
            self._ours = Ours.start(self.folder / "models", state=self.folder / "state", core=self.cores[0], log=log)
            self.closing.callback(self._ours.server.close)
        return self._ours

    def endpoint(self, model: str) -> str:
        """Return the name of an endpoint that serves `model` and logs its calls."""
        name = f"bench-{model}"
        if name not in self._targets:
            say(f"starting endpoint {name}")
            self._targets[name] = self.ours.endpoint(name, model)
            self.log_calls(name, logged=True)
        return name

    def log_calls(self, endpoint: str, *, logged: bool) -> None:
        """Have the endpoint's calls logged from now on, in a new table, or not."""
        time.sleep(0.2)  # what the last load left in flight belongs to what was before
        table = f"{endpoint}_{len(self._acknowledged)}" if logged else None
        self.ours.log_calls(endpoint, table)
        if table is None:
            self._tables.pop(endpoint, None)
        else:
            self._tables[endpoint] = table
            self._acknowledged[table] = self._in_flight[table] = 0

    def peer(self, model: str) -> tuple[Server, Target]:
        """Return a `mlflow models serve` of `model`."""
        if model not in self._peers:
            say(f"starting mlflow models serve of {model}")
            self._peers[model] = start_peer(self.folder / "models" / model, core=self.cores[0], log=self.folder / f"peer-{model}.log")
            self.closing.callback(self._peers[model][0].close)
        return self._peers[model]

    def bodies(self, size: int, count: int | None = None, shape: str = "split", start: int = 0) -> list[bytes]:
        """Return the rows from `start` on in bodies of `size` rows; the first `count` of them."""
        starts = range(start, len(self.data), size)[:count]
        return [_body(self.columns, self.data[start : start + size], shape) for start in starts]

    def ask(self, endpoint: str, bodies: Sequence[bytes], connections: int = 1) -> list[bytes]:
        """Return our answers."""
        answers = self._targets[endpoint].answers(bodies, connections=connections)
        self._count(endpoint, len(answers))
        return answers

    def load(self, endpoint: str, bodies: Sequence[bytes], connections: int, seconds: float) -> Load:
        """Load ours, and keep count."""
        self.ours.server.check_pinned()
        seen = self._targets[endpoint].load(bodies, connections=connections, seconds=seconds)
        self._count(endpoint, seen.requests, in_flight=connections)  # wrk ends with a request on each that it does not wait for
        return seen

    def _count(self, endpoint: str, acknowledged: int, in_flight: int = 0) -> None:
        table = self._tables.get(endpoint)
        if table is not None:
            self._acknowledged[table] += acknowledged
            self._in_flight[table] += in_flight

    def beside(self, model: str, size: int, connections: int) -> list[tuple[Load, Load]]:
        """Return the loads of ours and the peer's in each round; both must answer alike, before and after."""
        endpoint, (server, peer) = self.endpoint(model), self.peer(model)
        server.check_pinned()
        # Ordinary rows: the first half lies where shortcuts go wrong (numbers of 300 digits take parsers long), which is for `bit_equal`.
        bodies = self.bodies(size, 64 if size == 1 else 5, start=len(self.data) // 2)
        same(self.ask(endpoint, bodies), peer.answers(bodies), f"{size} rows of {model}, before the load")

        def ours(seconds: float) -> Load:
            return self.load(endpoint, bodies, connections, seconds)

        def theirs(seconds: float) -> Load:
            return peer.load(bodies, connections=connections, seconds=max(2, seconds / 2))  # it is the same from its first second on

        pairs = self.alternate((ours, self.ours.server), (theirs, server))
        same(self.ask(endpoint, bodies), peer.answers(bodies), f"{size} rows of {model}, after the load")
        return pairs

    def alternate(self, *sides: tuple[Callable[[float], Load], Server]) -> list[tuple[Load, Load]]:
        """Warm both sides up, then load them in turn; who begins changes with the round. What one leaves to be logged is its own time."""
        for load, _ in sides:
            load(1 if self.quick else 2)
            self.ours.flush()
        pairs = []
        for number in range(self.rounds):
            seen: dict[int, Load] = {}
            for index in (0, 1) if number % 2 == 0 else (1, 0):
                load, server = sides[index]
                before = server.cpu_seconds()
                seen[index] = replace(load(self.seconds), left=self.ours.flush())
                seen[index] = replace(seen[index], cpu_seconds=server.cpu_seconds() - before)
            pairs.append((seen[0], seen[1]))
            told = [
                f"{one.per_second:.0f} requests/s, {one.cpu_microseconds:.0f} us CPU, {one.left:.1f} s of writing left" for one in pairs[-1]
            ]
            say(f"  round {number + 1}: {' | '.join(told)}")
        return pairs

    def put(self, name: str, ours: float, peer: float, unit: str, *, lower_is_better: bool = False, digits: int = 3) -> None:
        """Note a case that was measured once, and say it."""
        self._note(name, (ours, peer), peer / ours if lower_is_better else ours / peer, unit, digits)

    def put_rounds(
        self, name: str, pairs: Sequence[tuple[Load, Load]], figure: str, unit: str, *, lower_is_better: bool = False, digits: int = 3
    ) -> None:
        """Note the medians of one figure of the loads; the ratio is the median of the rounds' own, which drift disturbs less."""
        values = [(float(getattr(mine, figure)), float(getattr(other, figure))) for mine, other in pairs]
        ratio = statistics.median((other / mine if lower_is_better else mine / other) for mine, other in values)
        mine, other = (statistics.median(side) for side in zip(*values, strict=True))
        self._note(name, (mine, other), ratio, unit, digits)

    def _note(self, name: str, values: tuple[float, float], ratio: float, unit: str, digits: int) -> None:
        ours, peer = (round(value, digits) for value in values)
        self.cases[name] = {"ours": ours, "peer": peer, "ratio": round(ratio, 3), "unit": unit}
        verdict = ""
        if name in TARGETS:
            reached = "" if self.rounds < MANY_ROUNDS else ": reached" if ratio >= TARGETS[name] else ": missed"
            verdict = f"   target {TARGETS[name]:g}{reached}"
        print(f"{name:55} ours {ours:10.2f}   peer {peer:10.2f} {unit:11} ratio {ratio:7.2f}{verdict}", flush=True)

    def check_log(self) -> None:
        """Raise unless each inference table holds every call that was acknowledged, once, and no more than wrk can have left in flight."""
        self.ours.flush()
        rows = acknowledged = 0
        for table, calls in self._acknowledged.items():
            if not calls and not self._in_flight[table]:
                continue  # made by its first call
            held, different = self.ours.rows_logged(table)
            most = calls + self._in_flight[table]
            if held != different or not calls <= held <= most:
                message = f"{table}: {held} rows of {different} calls are in the inference table, {calls} to {most} were acknowledged"
                raise BenchmarkError(message)
            rows, acknowledged = rows + held, acknowledged + calls
        if acknowledged:
            self.put("rows in the inference table, beside calls acknowledged", rows, acknowledged, "rows", digits=0)


def doubles(answer: bytes) -> list[str]:
    """Return the predictions of an answer, every bit of them."""
    return [float(value).hex() for value in json.loads(answer)["predictions"]]


def same(ours: Sequence[bytes], theirs: Sequence[bytes], what: str) -> None:
    """Raise unless the answers are the same bytes."""
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        if mine != other:
            kind = "other bytes for the same doubles" if doubles(mine) == doubles(other) else "other doubles"
            raise BenchmarkError(f"{what}: answer {number} has {kind}: ours {mine[:200]!r}, the peer's {other[:200]!r}")


def say(text: str) -> None:
    """Tell whoever watches."""
    print(text, file=sys.stderr, flush=True)


def _body(columns: Sequence[str], rows: Sequence[Sequence[float]], shape: str) -> bytes:
    if shape == "split":
        return json.dumps({"dataframe_split": {"columns": columns, "data": rows}}).encode()
    if shape == "inputs":
        return json.dumps({"inputs": {name: [row[at] for row in rows] for at, name in enumerate(columns)}}).encode()
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    return json.dumps({"dataframe_records" if shape == "records" else "instances": records}).encode()
