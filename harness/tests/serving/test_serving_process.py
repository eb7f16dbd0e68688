"""Keeping a model server alive, with tiny processes in place of models."""

import datetime as dt
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import AF_UNIX, socket
from typing import Protocol

import httpx
import pytest

from harness.clock import FakeClock, SystemClock
from harness.engines.children import FreshChild
from harness.engines.processes import Lifeline, guest_path
from harness.errors import ApiError
from harness.serving.launch import MAX_RESTARTS
from harness.serving.model import EntityState
from harness.serving.process_settings import ProcessSettings
from harness.serving.served_process import ServedProcess

# Answers probes, and ends when it was probed once and its life is over.
SHORT_LIVED = """
import sys, time
from socket import AF_UNIX, socket
from harness_guest.model_frames import Answer, Requests, packed
listener = socket(AF_UNIX); listener.bind(sys.argv[1]); listener.listen()
client, _ = listener.accept()
for request in Requests().fed(client.recv(4096)):
    client.sendall(packed(request.id, Answer(200, "", b"")))
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

        def spawn(socket: Path) -> FreshChild:
            started.append(socket)
            command = [sys.executable, "-S", "-c", SHORT_LIVED, str(socket), str(seconds)]
            return FreshChild(lifeline.spawn(command, log=tmp_path / "log", environment={"PYTHONPATH": guest_path()}))

        process = ServedProcess("m-1", spawn=spawn, sockets=tmp_path, clock=SystemClock(), settings=ProcessSettings(start_seconds=20))
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
    assert not listens(started[0])


def listens(path: Path) -> bool:
    """Whether there is anybody behind the socket."""
    with socket(AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def test_process_that_never_listens_is_given_up(lifeline: Lifeline, tmp_path: Path) -> None:
    """After the time a model may take to load it is ended, and the state says so."""
    process, children = make_deaf(lifeline, tmp_path, "pass", settings=ProcessSettings(start_seconds=0.3))
    assert process.settled() == EntityState("DEPLOYMENT_FAILED", "The model was not loaded within 0.3 s.")
    assert children[0].wait(30) is not None


def test_process_that_never_answers_its_probe_is_given_up(lifeline: Lifeline, tmp_path: Path) -> None:
    """Listening is not enough."""
    code = "from socket import AF_UNIX, socket; listener = socket(AF_UNIX); listener.bind(sys.argv[1]); listener.listen()"
    process, children = make_deaf(lifeline, tmp_path, code, settings=ProcessSettings(start_seconds=2))
    assert process.settled() == EntityState("DEPLOYMENT_FAILED", "The model was not loaded within 2 s.")
    assert children[0].wait(30) is not None


def test_process_that_still_starts_ends_at_once_when_it_is_retired(lifeline: Lifeline, tmp_path: Path) -> None:
    """Nobody waits for it to be ready."""
    process, children = make_deaf(lifeline, tmp_path, "pass", settings=ProcessSettings())
    wait_until(lambda: bool(children))
    process.retire(0)
    assert children[0].wait(30) is not None
    assert process.settled() == EntityState("DEPLOYMENT_ABORTED", "The served entity was removed.")


def test_entity_is_scaled_to_zero_after_thirty_minutes_without_a_call(lifeline: Lifeline, tmp_path: Path) -> None:
    """A call inside, or one since the last look, keeps it up; the first wish wakes it."""
    clock = FakeClock(dt.datetime(2026, 11, 23, tzinfo=dt.UTC))

    def spawn(path: Path) -> FreshChild:
        command = [sys.executable, "-S", "-c", SHORT_LIVED, str(path), "60"]
        return FreshChild(lifeline.spawn(command, log=tmp_path / "log", environment={"PYTHONPATH": guest_path()}))

    def after(minutes: float) -> EntityState:
        clock.sleep(60 * minutes)
        process.look()
        return process.state

    process = ServedProcess("m-1", spawn=spawn, sockets=tmp_path, clock=clock, settings=ProcessSettings(), scale_to_zero=True)
    process.start()
    up, down = EntityState("DEPLOYMENT_READY"), EntityState("DEPLOYMENT_READY", "Scaled to zero")
    assert process.settled() == up
    process.look()
    assert after(29.9) == up
    process.enter()
    assert after(60) == up
    process.leave()
    assert after(29.9) == up
    assert after(0.2) == down
    process.wake()
    assert process.state == EntityState("DEPLOYMENT_READY", "Scaling from zero")
    wait_until(lambda: process.state == up)
    process.scale_to_zero = False
    assert after(600) == up
    process.retire(0)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds."""
    for _ in range(3000):
        if condition():
            return
        SystemClock().sleep(0.01)
    raise AssertionError


def make_deaf(lifeline: Lifeline, tmp_path: Path, code: str, *, settings: ProcessSettings) -> tuple[ServedProcess, list[FreshChild]]:
    """Start a process that does `code` and then nothing; with it comes the list of its incarnations."""
    children: list[FreshChild] = []

    def spawn(path: Path) -> FreshChild:
        command = [sys.executable, "-S", "-c", f"import sys, time; {code}; time.sleep(600)", str(path)]
        children.append(FreshChild(lifeline.spawn(command, log=tmp_path / "log")))
        return children[-1]

    process = ServedProcess("m-1", spawn=spawn, sockets=tmp_path, clock=SystemClock(), settings=settings)
    process.start()
    return process, children


def test_environment_that_cannot_be_made_is_the_deployments_failure(tmp_path: Path) -> None:
    """What the environment says stands in the served entity's state."""

    def spawn(_: Path) -> FreshChild:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", "no such package: nonsense==1")

    process = ServedProcess("m-1", spawn=spawn, sockets=tmp_path, clock=SystemClock(), settings=ProcessSettings())
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
    assert (again.status_code, {key: again.json()[key] for key in expected}) == (409, expected)


def test_body_over_16_mib_is_refused(workspace: Workspace) -> None:
    """Before the model sees it."""
    answer = workspace.http.post("/serving-endpoints/empty/invocations", content=b"x" * ((16 << 20) + 1))
    assert (answer.status_code, answer.json()["error_code"]) == (413, "REQUEST_ENTITY_TOO_LARGE")
