"""The payload log outlives the harness: a real server under load is killed, and no acknowledged call is missing or twice."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from deltalake import DeltaTable

pytestmark = pytest.mark.platform
CONFTEST = Path(__file__).with_name("conftest.py")
CALLERS = 4
FLUSH = "/__harness__/inference-tables/flush"
ENDPOINT = "/api/2.0/serving-endpoints/survives"
# The workspace of conftest.py in a process of its own, its tables written by another, as `harness up` has it.
SERVER = """
import functools, importlib.util, json, sys
from pathlib import Path
from harness.inference_tables import InferenceTables, MoverProcess

path, state, found = sys.argv[1:]
spec = importlib.util.spec_from_file_location("serving_conftest", path)
conftest = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = conftest
spec.loader.exec_module(conftest)
conftest.InferenceTables = functools.partial(InferenceTables, mover=MoverProcess(Path(state) / "mover.log"))
models = conftest.Models({(name, version): Path(folder) for name, version, folder in json.loads(found)})
workspace, stop = conftest._start(Path(state), models)
print(json.dumps([workspace.host, conftest.TOKEN]), flush=True)
sys.stdin.read()
stop()
"""


class Models(Protocol):
    """What conftest.py saved."""

    folders: dict[tuple[str, str], Path]


@dataclass
class Callers:
    """Threads that call the endpoint, and one that has its log flushed, until the server is gone."""

    http: httpx.Client
    acknowledged: list[str] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def call(self) -> None:
        """Call, and keep the id of every answer."""
        with suppress(httpx.TransportError):
            while True:
                answer = self.http.post("/serving-endpoints/survives/invocations", json={"dataframe_records": [{"a": 1.5, "b": 2}]})
                assert answer.status_code == 200, answer.text
                self.acknowledged.append(answer.headers["x-databricks-request-id"])
                if len(self.acknowledged) >= 300:
                    self.enough.set()

    def flush(self) -> None:
        """Have rows committed all the time, so that the end comes in the middle of it."""
        with suppress(httpx.TransportError):
            while True:
                assert self.http.post(FLUSH).status_code == 200


@contextmanager
def server(state: Path, models: Models) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Run a server on a state folder; whoever has not killed it ends it in order."""
    found = json.dumps([[name, version, str(folder)] for (name, version), folder in models.folders.items()])
    command = [sys.executable, "-c", SERVER, str(CONFTEST), str(state), found]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        host, token = json.loads(process.stdout.readline())
        with httpx.Client(base_url=host, headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
            yield process, http
        assert process.stdin is not None
        process.stdin.close()


def create(http: httpx.Client) -> None:
    """Create the endpoint with its inference table."""
    entity = {"entity_name": "main.ml.adds", "entity_version": "1", "workload_size": "Small", "scale_to_zero_enabled": False}
    gateway = {"inference_table_config": {"enabled": True, "catalog_name": "main", "schema_name": "logs"}}
    body = {"name": "survives", "config": {"served_entities": [entity]}, "ai_gateway": gateway}
    answer = http.post("/api/2.0/serving-endpoints", json=body)
    assert answer.status_code == 200, answer.text
    while http.get(ENDPOINT).json()["state"]["ready"] != "READY":
        time.sleep(0.1)


def test_killed_under_load_every_acknowledged_call_is_in_the_table_once(tmp_path: Path, models: Models) -> None:
    """`kill -9` in the middle, twice; then the table holds each acknowledged id once, and of the others at most what was in flight."""
    acknowledged: list[str] = []
    for life in range(2):
        with server(tmp_path, models) as (process, http):
            if life == 0:
                create(http)
            callers = Callers(http)
            threads = [threading.Thread(target=callers.call) for _ in range(CALLERS)] + [threading.Thread(target=callers.flush)]
            for thread in threads:
                thread.start()
            assert callers.enough.wait(120)
            os.kill(process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join()
            acknowledged += callers.acknowledged
    with server(tmp_path, models) as (_, http):
        assert http.post(FLUSH).status_code == 200
        rows = DeltaTable(tmp_path / "warehouse" / "main" / "logs" / "survives_payload").to_pyarrow_table()
    counts = Counter(rows["databricks_request_id"].to_pylist())
    assert len(acknowledged) >= 600
    assert {request_id: counts[request_id] for request_id in acknowledged if counts[request_id] != 1} == {}
    assert set(counts.values()) == {1}
    assert len(counts) <= len(acknowledged) + 2 * CALLERS
