"""The MLflow server's process: starts on its port, ends with its parent."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.config import Layout
from harness.engines.mlflow import MlflowServer
from harness.engines.mlflow_child import configure
from harness.engines.processes import Lifeline
from harness.errors import UserError

# A harness that starts the server and then waits to be killed.
PARENT = """
import sys, time
from pathlib import Path
from harness.config import Layout
from harness.engines.mlflow import MlflowServer
from harness.engines.processes import Lifeline
server = MlflowServer(layout=Layout(Path(sys.argv[1])).make(), lifeline=Lifeline())
server.start(lambda line: None)
print(server.url, server._process.pid, flush=True)
time.sleep(600)
"""


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.platform
def test_killed_harness_leaves_no_server(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline().split()[1])
    assert runs(pid)

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    assert wait_until(lambda: not runs(pid), timeout=10)


def test_port_in_use_is_said_before_anything_starts(tmp_path: Path) -> None:
    lifeline = Lifeline()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = MlflowServer(layout=Layout(tmp_path).make(), lifeline=lifeline, port=port)

        with pytest.raises(UserError, match=f"port {port} on 127.0.0.1 cannot be used"):
            server.start(print)

    assert not server.alive()
    server.close()
    server.close()
    lifeline.close()


def test_server_is_nobodys_client(tmp_path: Path) -> None:
    environment = {"MLFLOW_TRACKING_URI": "databricks", "DATABRICKS_TOKEN": "secret", "PATH": "/bin"}

    configure(environment, tmp_path)

    assert {"MLFLOW_TRACKING_URI", "DATABRICKS_TOKEN"}.isdisjoint(environment)
    assert environment["_MLFLOW_SERVER_FILE_STORE"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert environment["PATH"] == "/bin"
