"""What the batch benchmark runs: the harness with Spark, whose processes are weighed and timed by what they are for, and the peer."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving_load import BenchmarkError
from serving_sides import HERE, ONE_THREAD, Ours, Server

# By a part of the command line; the first that is in it says what a process is for.
ROLES = {
    "harness_guest": "model",
    "pyspark.daemon": "Python workers",
    "java": "JVM",
    "inference_tables.mover": "table writer",
    "spark_driver": "Spark driver",
    "batch_harness": "harness",
}
WEIGH_SECONDS = 0.3


def start(folder: Path) -> tuple[Ours, str]:
    """Start the harness with the models in `folder`; return it and what `SPARK_REMOTE` must be."""
    command = [sys.executable, str(HERE / "batch_harness.py"), str(folder / "state"), str(folder / "models")]
    everywhere = os.sched_getaffinity(0)
    server = Server(command, folder / "harness.log", min(everywhere), speaks=True)
    os.sched_setaffinity(server.process.pid, everywhere)  # before it has started any other: this benchmark is about using them all
    assert server.process.stdout is not None
    line = server.process.stdout.readline()
    if not line:
        server.close()
        raise server.failed("did not start")
    told = json.loads(line)
    return Ours(server, folder / "state", told["host"], told["token"]), told["remote"]


def cpu_seconds(server: Server) -> dict[str, float]:
    """Return the processor time used so far, by role; what a process's ended children used is its own."""
    used: dict[str, float] = defaultdict(float)
    for pid in server.processes():
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used[_role(pid)] += sum(int(text) for text in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return used


def _role(pid: int) -> str:
    line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return next((role for part, role in ROLES.items() if part in line), "others")


@dataclass
class Weights:
    """The most memory that each role had at once, in MB (PSS)."""

    most: dict[str, float] = field(default_factory=dict)

    def look(self, server: Server) -> None:
        """Weigh every process now."""
        now: dict[str, float] = defaultdict(float)
        for pid, share in server.memory().items():
            with contextlib.suppress(OSError):
                now[_role(pid)] += share
        for role, share in now.items():
            self.most[role] = max(share, self.most.get(role, 0.0))


@contextmanager
def weighed(server: Server) -> Iterator[Weights]:
    """Weigh again and again what runs inside."""
    weights, ended = Weights(), threading.Event()

    def watch() -> None:
        while not ended.wait(WEIGH_SECONDS):
            weights.look(server)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield weights
    finally:
        ended.set()
        thread.join()
        weights.look(server)


def peer(folder: Path, model: str, rows: int) -> Mapping[str, Any]:
    """Return what the peer measures of the first `rows` rows; its predictions are in `FOLDER/{model}.npy`."""
    script = [sys.executable, str(HERE / "batch_peer.py"), str(folder / "models" / model), str(folder / f"{model}.parquet")]
    script += [str(folder / f"{model}.npy"), str(rows)]
    done = subprocess.run(script, capture_output=True, text=True, check=False, env={**os.environ, **ONE_THREAD})
    if done.returncode:
        raise BenchmarkError(f"the peer failed: {done.stderr[-2000:]}")
    told: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
