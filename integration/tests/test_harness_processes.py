"""Starting and ending a harness, as a user does."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.platform


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder of the test's own."""
    return tmp_path / "state"


@pytest.fixture
def harness(state: Path) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """`harness up --json` in a state folder named by a relative path, as by default, and the line it printed."""
    command = [sys.executable, "-m", "harness", "up", "--json", "--state", state.name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=state.parent)
    assert process.stdout is not None
    yield process, json.loads(process.stdout.readline())
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_down_ends_everything_that_up_started(harness: tuple["subprocess.Popen[str]", dict[str, str]], state: Path) -> None:
    """`harness down` leaves no process of the state folder and no note of it."""
    process, line = harness
    assert set(line) == {"host", "token", "spark_remote", "state", "client_id", "client_secret"}
    assert httpx.get(f"{line['host']}/__harness__/health").status_code == 200

    subprocess.run([sys.executable, "-m", "harness", "down", "--state", str(state)], check=True)

    assert process.wait(30) == 0
    assert not (state / "harness.json").exists()
    assert eventually_none_of(state) == []


def test_killed_harness_leaves_no_process(harness: tuple["subprocess.Popen[str]", dict[str, str]], state: Path) -> None:
    """`kill -9` of the harness ends Spark's JVM, MLflow and the tasks' parent too."""
    process, _ = harness
    assert len(of_state(state)) > 1

    process.kill()
    process.wait(30)

    assert eventually_none_of(state) == []


def test_interrupted_dry_run_ends_what_it_started(state: Path) -> None:
    """Ctrl-C while the engines start: status 130, and no process is left."""
    # A shell that runs the tests in the background has them ignore SIGINT, which children inherit: not what a terminal does.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([sys.executable, "-m", "dry_run", "--state", str(state)], stdout=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    while "starting Spark" not in process.stdout.readline():
        assert process.poll() is None

    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "interrupted" in told
    assert eventually_none_of(state) == []


def of_state(state: Path) -> list[str]:
    """Return the command lines of the processes that mention `state` or were started with it, read from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                folder = str((entry / "cwd").readlink())
                zombie = "(zombie)" in (entry / "status").read_text()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if not zombie and (str(state) in command or folder.startswith(str(state))):
                found.append(command)
    return found


def eventually_none_of(state: Path) -> list[str]:
    """Return what is left of `state` after at most ten seconds."""
    deadline = time.monotonic() + 10
    while (left := of_state(state)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
