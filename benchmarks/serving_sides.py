"""The two servers of the serving benchmark: ours and `mlflow models serve`, each started, pinned, weighed and ended alike."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving_load import BenchmarkError, Target

HERE = Path(__file__).resolve().parent
SECONDS_TO_START = 120.0
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Let what is started inside, and what that starts, run on `core` only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass
class Server:
    """A started command with all its descendants, told by a variable that they inherit.

    `speaks`: it says on its standard output how to reach it, and ends when its standard input closes; else all it says goes to the log.
    """

    command: list[str]
    log: Path
    core: int
    speaks: bool = False
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """Start it."""
        variables = {**os.environ, **ONE_THREAD, "SERVING_BENCHMARK": self.mark}
        with on_core(self.core), self.log.open("ab") as log:
            stdout = subprocess.PIPE if self.speaks else log
            self.process = subprocess.Popen(
                self.command, env=variables, stdin=subprocess.PIPE, stdout=stdout, stderr=log, start_new_session=True
            )

    def processes(self) -> list[int]:
        """Return the ids of the command and its descendants, whatever sessions they made and whatever became of their parents."""
        wanted, marked, parents = f"SERVING_BENCHMARK={self.mark}".encode(), set[int](), dict[int, int]()
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    marked.add(int(path.name))
        found = set[int]()
        while marked - found:
            found |= marked
            marked = {pid for pid, parent in parents.items() if parent in found}
        return sorted(found)

    def memory(self) -> dict[int, float]:
        """Return the PSS of each process in MB: its own pages, and its share of those it shares."""
        shares = {}
        for pid in self.processes():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                shares[pid] = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
        return shares

    def cpu_seconds(self) -> float:
        """Return the processor time that all of it has used so far."""
        ticks = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                ticks += sum(int(text) for text in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")

    def check_pinned(self) -> None:
        """Raise unless every process runs on the core it was given, and nowhere else."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                cores = os.sched_getaffinity(pid)
                if cores != {self.core}:
                    raise BenchmarkError(f"process {pid} of {self.command[:4]} runs on cores {sorted(cores)}, not on {self.core}")

    def failed(self, why: str) -> BenchmarkError:
        """Return an error that says whose it is."""
        return BenchmarkError(f"{' '.join(self.command[:6])}: {why}")

    def close(self) -> None:
        """End it and whatever it left behind."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        if self.process.poll() is None:
            if not self.speaks:
                self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def start_peer(model: Path, *, core: int, log: Path) -> tuple[Server, Target]:
    """Start `mlflow models serve` with its defaults, in this interpreter's environment, and return when it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "--env-manager",
        "local",
        "-m",
        str(model),
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    server = Server(command, log, core)
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
            return server, Target(f"http://127.0.0.1:{port}/invocations")
        time.sleep(0.1)
    server.close()
    raise server.failed("did not start")


@dataclass
class Ours:
    """A running harness, and its endpoints."""

    server: Server
    state: Path
    host: str
    token: str

    @classmethod
    def start(cls, models: Path, *, state: Path, core: int, log: Path) -> "Ours":
        """Start it with the saved models in its registry."""
        server = Server([sys.executable, str(HERE / "serving_harness.py"), str(state), str(models)], log, core, speaks=True)
        assert server.process.stdout is not None
        line = server.process.stdout.readline()
        if not line:
            server.close()
            raise server.failed("did not start")
        told = json.loads(line)
        return cls(server, state, told["host"], told["token"])

    def endpoint(self, name: str, model: str) -> Target:
        """Create an endpoint whose calls are not logged yet, and return when its model answers."""
        # Large: a smaller endpoint may refuse 32 calls at once (429), as the platform does.
        entity = {"name": "it", "entity_name": f"main.ml.{model}", "entity_version": "1", "workload_size": "Large"}
        self.api("POST", "/api/2.0/serving-endpoints", {"name": name, "config": {"served_entities": [entity]}})
        deadline = time.monotonic() + SECONDS_TO_START
        while (state := self.api("GET", f"/api/2.0/serving-endpoints/{name}")["state"])["config_update"] == "IN_PROGRESS":
            if time.monotonic() > deadline:
                raise self.server.failed(f"endpoint {name} is not ready: {state}")
            time.sleep(0.05)
        if state["ready"] != "READY":
            logs = self.api("GET", f"/api/2.0/serving-endpoints/{name}/served-models/it/logs")
            raise self.server.failed(f"endpoint {name}: {state} {logs}")
        return Target(f"{self.host}/serving-endpoints/{name}/invocations", f"Bearer {self.token}")

    def log_calls(self, endpoint: str, table: str | None) -> None:
        """Log the endpoint's calls into `{table}_payload` from now on, or nowhere."""
        where = {"enabled": table is not None, "catalog_name": "main", "schema_name": "ml", "table_name_prefix": table or "none"}
        self.api("PUT", f"/api/2.0/serving-endpoints/{endpoint}/ai-gateway", {"inference_table_config": where})

    def flush(self) -> float:
        """Have everything that was logged in its table, and return the seconds that took."""
        began = time.monotonic()
        self.api("POST", "/__harness__/inference-tables/flush?timeout=600", {})
        return time.monotonic() - began

    def rows_logged(self, table: str) -> tuple[int, int]:
        """Return how many rows an inference table has, and how many different calls they are of."""
        from deltalake import DeltaTable

        folder = self.state / "warehouse" / "main" / "ml" / f"{table}_payload"
        ids = DeltaTable(folder).to_pyarrow_table(columns=["databricks_request_id"])["databricks_request_id"]
        return len(ids), len(ids.unique())

    def api(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Call the harness."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.host}{path}", data, headers, method=method)  # noqa: S310 - our own http address
        try:
            with urllib.request.urlopen(request, timeout=660) as answer:  # noqa: S310 - as above
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise self.server.failed(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error
