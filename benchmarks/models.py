"""Seconds and CPU seconds to log, register and download a large model: the harness beside `mlflow server` that serves artifacts.

usage: python benchmarks/models.py [--quick] [--json FILE] [--mib N]     --quick: one run with 128 MiB, not the median of three with 1024

Both sides have the same mlflow client, unmodified, in a process of its own for each way, and the same bytes, which cannot be compressed. A
plain server's registry only notes where the files lie; Unity Catalog's has a copy, which the client itself downloads and uploads: at
"register" the two do not do the same. `shutil.copy` of the bytes is the least that anything can take.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from harness.app import LOOPBACK, Harness
from harness.cli.connection import Connection
from harness.config import Layout
from harness.engines.tasks import CLIENTS
from harness.parts import build

TOKEN = "dapibenchmark"  # noqa: S105 - of a harness that lives for minutes, on this machine only
MIB = 1024**2
STAGES = ("log", "register", "download")
SECONDS_TO_START = 180.0
PEER = "mlflow server"
_DATABRICKS = {"MLFLOW_TRACKING_URI": "databricks", "MLFLOW_REGISTRY_URI": "databricks-uc", "DATABRICKS_CONFIG_FILE": os.devnull}
# What a client's environment has besides, for each way that files can take.
WAYS: Mapping[str, Mapping[str, str]] = {
    "Files API": _DATABRICKS,
    "Files API, as in a task": {**_DATABRICKS, **CLIENTS},
    "presigned addresses": {**_DATABRICKS, "MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC": "false"},
    "newer dialect": {**_DATABRICKS, "MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY": "true"},
}


@dataclass(frozen=True)
class Server:
    """A started side: what its clients are told, and whose CPU seconds count."""

    process: int
    variables: Mapping[str, str]


class ModelsAlone(Harness):
    """The harness as `harness up` starts it, but for Spark, tasks and model servers."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout, lambda text: print(text, file=sys.stderr), token=TOKEN)

    def _start(self) -> None:
        layout = self._layout.make()
        (layout.warehouse / "main" / "ml").mkdir(parents=True)
        listening = socket.create_server((LOOPBACK, 0))
        self._closing.callback(listening.close)
        self._closing.callback(self._lifeline.close)
        host = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        parts = build(layout, self._lifeline, host=host, token=TOKEN)
        self._closing.callback(parts.close)
        parts.mlflow.start(lambda text: print(text, file=sys.stderr))
        self._serve(parts, listening)
        self._connection = Connection(host, TOKEN, "", str(layout.state), os.getpid())


def serve(folder: Path) -> None:
    """Be the harness until standard input closes."""
    with ModelsAlone(Layout(folder)) as harness:
        print(harness.connection.line(), flush=True)
        sys.stdin.read()


@contextmanager
def ours(folder: Path) -> Iterator[Server]:
    """Start the harness in a process of its own."""
    command = [sys.executable, __file__, "--serve", str(folder / "state")]
    with (folder / "harness.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = json.loads(process.stdout.readline())
        yield Server(process.pid, {"DATABRICKS_HOST": line["host"], "DATABRICKS_TOKEN": line["token"]})
    finally:
        process.stdin.close()
        process.wait(60)


@contextmanager
def peer(folder: Path) -> Iterator[Server]:
    """Start `mlflow server`, which passes artifacts on to a folder, with one worker and without its job runner, as the harness does."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        address = f"http://{LOOPBACK}:{probe.getsockname()[1]}"
    options = ["--workers", "1", "--host", LOOPBACK, "--port", address.rpartition(":")[2], "--serve-artifacts"]
    stores = ["--backend-store-uri", f"sqlite:///{folder}/peer.db", "--artifacts-destination", str(folder / "peer-artifacts")]
    with (folder / "peer.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options, *stores],
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await(f"{address}/health", process)
        yield Server(process.pid, {"MLFLOW_TRACKING_URI": address, "MLFLOW_REGISTRY_URI": address})
    finally:
        os.killpg(process.pid, 15)
        process.wait(60)


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit(f"{url} did not answer within {SECONDS_TO_START:.0f} s")


def cpu_seconds(process: int) -> float:
    """Return the CPU seconds of a process and of all that it has started."""
    parents: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        used[int(stat.parent.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    wanted, total = [process], 0.0
    while wanted:
        one = wanted.pop()
        total += used.get(one, 0.0)
        wanted += parents.get(one, [])
    return total


def client(weights: Path, server: int) -> None:
    """Log, register and download once with this process's environment, and print what each took."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature

    class Model(mlflow.pyfunc.PythonModel):
        """Is asked nothing."""

        def predict(self, model_input: pd.DataFrame) -> list[float]:
            return [0.0] * len(model_input)

    frame = pd.DataFrame({"a": [1.0]})
    mlflow.set_experiment(f"/Shared/models-{os.getpid()}")
    name, taken = f"main.ml.large_{os.getpid()}", dict[str, dict[str, float]]()

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        began, own, served = time.monotonic(), cpu_seconds(os.getpid()), cpu_seconds(server)
        result = work()
        used = {"client": cpu_seconds(os.getpid()) - own, "server": cpu_seconds(server) - served}
        taken[stage] = {"seconds": time.monotonic() - began, **used}
        return result

    with mlflow.start_run(), tempfile.TemporaryDirectory(dir=weights.parent) as folder:
        options = {"signature": infer_signature(frame, [1.0]), "pip_requirements": ["pandas"]}
        logged = timed(
            "log", lambda: mlflow.pyfunc.log_model(name="large", python_model=Model(), artifacts={"weights": str(weights)}, **options)
        )
        version = timed("register", lambda: mlflow.register_model(logged.model_uri, name)).version
        read = timed("download", lambda: mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=folder))
        assert (Path(read) / "artifacts" / weights.name).stat().st_size == weights.stat().st_size
    mlflow.MlflowClient().delete_registered_model(name)
    print(json.dumps(taken))


def measured(weights: Path, server: Server, variables: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Return what each stage took a client in a process of its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DATABRICKS_", "MLFLOW_"))}
    command = [sys.executable, __file__, "--client", str(weights), str(server.process)]
    done = subprocess.run(command, env={**kept, **variables, **server.variables}, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"the client failed:\n{done.stderr.decode()[-4000:]}")
    taken: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return taken


def one_run(mib: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return what each way took, the peer's and that of a mere copy among them."""
    with tempfile.TemporaryDirectory() as name:
        folder, weights = Path(name), Path(name) / "weights.bin"
        with weights.open("wb") as file:
            for _ in range(mib):
                file.write(os.urandom(MIB))
        began = time.monotonic()
        shutil.copy(weights, folder / "copy.bin")
        copied = {"seconds": time.monotonic() - began, "client": 0.0, "server": 0.0}
        (folder / "copy.bin").unlink()
        taken = {"shutil.copy": dict.fromkeys(STAGES, copied)}
        with peer(folder) as server:
            taken[PEER] = measured(weights, server, {})
        with ours(folder) as server:
            taken |= {way: measured(weights, server, variables) for way, variables in WAYS.items()}
        return taken


def main() -> None:
    """Measure, print a table, and write it as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--mib", type=int)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--client", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    if options.client:
        client(Path(options.client[0]), int(options.client[1]))
        return
    mib, load = options.mib or (128 if options.quick else 1024), os.getloadavg()[0]
    runs = [one_run(mib) for _ in range(1 if options.quick else 3)]

    def median(way: str, stage: str, what: str) -> float:
        return statistics.median(run[way][stage][what] for run in runs)

    cases = {}
    for stage in STAGES:
        print(f"{stage} a model of {mib} MiB")
        for way in ("shutil.copy", PEER, *WAYS):
            seconds, client_cpu, server_cpu = (median(way, stage, what) for what in ("seconds", "client", "server"))
            ratio = median(PEER, stage, "seconds") / seconds
            used = f"CPU: client {client_cpu:6.2f} s, server {server_cpu:6.2f} s"
            print(f"  {way:26} {seconds:7.2f} s  {used}  {ratio:6.2f} times as fast as {PEER}")
            if way in WAYS:
                peers = {"peer": median(PEER, stage, "seconds"), "ratio": ratio, "unit": "s"}
                cases[f"{stage} a model of {mib} MiB, {way}"] = {"ours": seconds, **peers}
    print(f"load average before and after: {load:.1f}, {os.getloadavg()[0]:.1f}; on a busy machine the ratio is worth little")
    if options.json:
        options.json.write_text(json.dumps({"cases": cases}, indent=2))


if __name__ == "__main__":
    main()
