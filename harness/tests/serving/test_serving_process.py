"""Keeping a model server alive, with tiny processes in place of models."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from harness.clock import SystemClock
from harness.engines.processes import Lifeline, guest_path
from harness.errors import ApiError
from harness.serving.served_process import MAX_RESTARTS, ServedProcess

# Answers probes, and ends when it was probed once and its life is over.
SHORT_LIVED = """
import sys, time
from socket import AF_UNIX, socket
from harness_guest.model_frames import Answer, packed, requests
listener = socket(AF_UNIX); listener.bind(sys.argv[1]); listener.listen()
client, _ = listener.accept()
for request in requests(client):
    client.sendall(packed(request.id, Answer(200, "", b"")))
    break
time.sleep(float(sys.argv[2]))
sys.exit(7)
"""


class Workspace(Protocol):
    """What conftest.py starts."""

    http: httpx.Client


@pytest.fixture
def lifeline() -> Iterator[Lifeline]:
    lifeline = Lifeline()
    yield lifeline
    lifeline.close()


@pytest.fixture
def make_process(lifeline: Lifeline, tmp_path: Path) -> Iterator[Callable[[float], tuple[ServedProcess, list[Path]]]]:
    """Make a process whose incarnations each live for some seconds; with it comes the list of those started."""
    made: list[ServedProcess] = []

    def make(seconds: float) -> tuple[ServedProcess, list[Path]]:
        started: list[Path] = []

        def spawn(socket: Path) -> subprocess.Popen[bytes]:
            started.append(socket)
            command = [sys.executable, "-S", "-c", SHORT_LIVED, str(socket), str(seconds)]
            return lifeline.spawn(command, log=tmp_path / "log", environment={"PYTHONPATH": guest_path()})

        process = ServedProcess("m-1", spawn=spawn, sockets=tmp_path, clock=SystemClock(), start_seconds=20)
        made.append(process)
        return process, started

    yield make
    for process in made:
        process.retire(0)


def test_process_that_keeps_dying_is_given_up(make_process: Callable[[float], tuple[ServedProcess, list[Path]]]) -> None:
    """It is started again a bounded number of times; then the state says why it stays down."""
    process, started = make_process(0)
    process.start()
    process._thread.join(30)
    assert len(started) == 1 + MAX_RESTARTS
    assert process.state.deployment == "DEPLOYMENT_FAILED"
    assert "exit status 7" in process.state.deployment_state_message


def test_retired_process_ends_and_takes_no_calls(make_process: Callable[[float], tuple[ServedProcess, list[Path]]]) -> None:
    """Retiring is not a crash: nothing is started again."""
    process, started = make_process(60)
    process.start()
    assert process.settled().deployment == "DEPLOYMENT_READY"
    assert process.enter()
    process.leave()
    process.retire(5)
    assert not process.enter()
    assert len(started) == 1
    assert process._process is not None
    assert process._process.poll() is not None


def test_environment_that_cannot_be_made_is_the_deployments_failure(tmp_path: Path) -> None:
    """What the environment says stands in the served entity's state."""

    def spawn(_: Path) -> subprocess.Popen[bytes]:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", "no such package: nonsense==1")

    process = ServedProcess("m-1", spawn=spawn, sockets=tmp_path, clock=SystemClock(), start_seconds=1)
    process.start()
    state = process.settled()
    assert (state.deployment, state.deployment_state_message) == ("DEPLOYMENT_FAILED", "no such package: nonsense==1")


def test_endpoint_without_configuration_is_not_ready(workspace: Workspace) -> None:
    """It can be created; it settles at once, stays NOT_READY, and a call is a 503."""
    made = workspace.http.post("/api/2.0/serving-endpoints", json={"name": "empty"}).json()
    assert made["state"] == {"ready": "NOT_READY", "config_update": "NOT_UPDATING"}
    assert (made["description"], made["permission_level"], made["route_optimized"]) == ("", "CAN_MANAGE", False)
    answer = workspace.http.post("/serving-endpoints/empty/invocations", json={})
    assert (answer.status_code, answer.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    again = workspace.http.post("/api/2.0/serving-endpoints", json={"name": "empty"})
    expected = {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "Serving endpoint with name empty already exists"}
    assert (again.status_code, again.json()) == (409, expected)


def test_body_over_16_mib_is_refused(workspace: Workspace) -> None:
    """Before the model sees it."""
    answer = workspace.http.post("/serving-endpoints/empty/invocations", content=b"x" * ((16 << 20) + 1))
    assert (answer.status_code, answer.json()["error_code"]) == (413, "REQUEST_ENTITY_TOO_LARGE")
