"""The keeper of tasks, with plain Python programs that misbehave for real: no environment, no warm parent."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.engines.processes import GUEST

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is daemonised can be followed on Linux only")

START = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
sys.path[:0] = [{guest!r}]
from harness_guest import keeper
folder = Path({folder!r})
keeper.keep(folder, keeper.Limits(**{limits!r}))
for number, name in ((1, "stdout"), (2, "stderr")):
    os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
def daemon():
    '''Leave a process behind that has left the group, the session and the pipes; say its number.'''
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            Path(folder, "daemon").write_text(str(os.getpid()))
            time.sleep(600)
        os._exit(0)
    while not Path(folder, "daemon").exists() or not Path(folder, "daemon").read_text():
        time.sleep(0.01)
"""

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return a function that starts a kept program."""

    def begin(program: str, **limits: int) -> "subprocess.Popen[bytes]":
        script = tmp_path / "task.py"
        script.write_text(START.format(guest=str(GUEST), folder=str(tmp_path / "task"), limits=limits) + program)
        return subprocess.Popen([sys.executable, str(script)], start_new_session=True)

    return begin


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the task's streams are."""
    return tmp_path / "task"


def reason(folder: Path) -> str:
    """Return why the keeper ended the task."""
    return str(json.loads((folder / "ended.json").read_text())["reason"])


def runs(pid: int) -> bool:
    """Return whether a process runs."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("program", "status"),
    [
        pytest.param("print('done')", 0, id="returns"),
        pytest.param("sys.exit(3)", 3, id="sys.exit"),
        pytest.param("os._exit(7)", 7, id="os._exit"),
        pytest.param("os.kill(os.getpid(), 9)", -signal.SIGKILL, id="kill -9 itself"),
        pytest.param("os.kill(0, 9)", -signal.SIGKILL, id="kill -9 0"),
        pytest.param("os.abort()", -signal.SIGABRT, id="abort"),
        pytest.param("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV, id="segmentation fault"),
        pytest.param("os.close(0); os.close(1); os.close(2); os.closerange(3, 100)", 0, id="closes everything"),
    ],
)
def test_the_keeper_leaves_as_its_task_does(start: Start, program: str, status: int) -> None:
    """So whoever waits for it learns how the task ended."""
    assert start(program).wait(30) == status


@pytest.mark.parametrize("end", ["", "os._exit(1)", "os.kill(0, 9)"], ids=["returns", "os._exit", "kill -9 0"])
def test_what_a_task_daemonises_ends_with_it(start: Start, folder: Path, end: str) -> None:
    """Though it has left the task's group and session."""
    start(f"daemon()\n{end}").wait(30)

    assert not runs(int((folder / "daemon").read_text()))


def test_polite_requests_reach_the_task_and_others_end_it_at_once(start: Start, folder: Path) -> None:
    """SIGTERM is the task's to handle, SIGUSR1 the keeper's."""
    kept = start("signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True))\ndaemon()\nwhile True: time.sleep(1)")
    wait_for(folder / "daemon")
    kept.send_signal(signal.SIGTERM)
    wait_for(folder / "stdout")

    assert kept.poll() is None
    kept.send_signal(signal.SIGUSR1)
    assert kept.wait(30) == -signal.SIGKILL
    assert (folder / "stdout").read_text() == "asked\n"
    assert not runs(int((folder / "daemon").read_text()))


def test_a_task_that_kills_its_parent_ends_with_it(start: Start, folder: Path) -> None:
    """The keeper is its parent; whoever started the keeper is not reached."""
    kept = start("Path(folder, 'me').write_text(str(os.getpid()))\nos.kill(os.getppid(), 9)\ntime.sleep(600)")

    assert kept.wait(30) == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while runs(int((folder / "me").read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_fork_bomb_is_ended_and_says_so(start: Start, folder: Path) -> None:
    """All of it."""
    kept = start("while True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n    time.sleep(0.02)", processes=40)

    assert kept.wait(60) == -signal.SIGKILL
    assert reason(folder).startswith("The task was ended: it had ")
    assert reason(folder).endswith(" processes, more than the 40 it may have.")
    me = str(folder.parent / "task.py").encode()
    assert not [process for process in Path("/proc").iterdir() if process.name.isdigit() and me in command(process)]


def command(process: Path) -> bytes:
    """Return the command line of a process, empty when it is gone."""
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_task_that_eats_memory_is_ended_and_says_so(start: Start, folder: Path) -> None:
    """Its children's counts too."""
    program = "if os.fork() == 0:\n    eaten = []\n    while True:\n        eaten.append(b'x' * (8 << 20))\ntime.sleep(600)"
    kept = start(program, memory_bytes=200 << 20)

    assert kept.wait(60) == -signal.SIGKILL
    assert reason(folder).endswith(" of memory, more than the 200 MB it may have.")


def test_memory_that_processes_share_counts_once(start: Start, folder: Path) -> None:
    """Ten forks of a process with 100 MB have 100 MB."""
    program = "held = b'x' * (100 << 20)\nfor _ in range(10):\n    if os.fork() == 0:\n        time.sleep(600)\ntime.sleep(0.5)"

    assert start(program, memory_bytes=400 << 20).wait(60) == 0
    assert not (folder / "ended.json").exists()


def test_of_endless_output_the_end_is_kept(start: Start, folder: Path) -> None:
    """The disk holds little more than that, the end of the log says so, and the last lines are whole."""
    program = (
        "line = b'0123456789abcde\\n' * 65536\nfor _ in range(200):\n    os.write(1, line)\n    time.sleep(0.002)\nprint('the last line')"
    )
    kept = start(program, output_bytes=1 << 20)

    assert kept.wait(60) == 0
    found = (folder / "stdout").stat()
    assert found.st_size > 200 << 20
    assert found.st_blocks * 512 < 4 << 20
    with (folder / "stdout").open("rb") as file:
        file.seek(-200, os.SEEK_END)
        end = file.read().decode().splitlines()
    assert end[-3] == "the last line"
    assert end[-1] == "[harness] stdout was 200 MB long; only its last 1 MB are kept"


def wait_for(path: Path) -> None:
    """Wait until a file has something in it."""
    deadline = time.monotonic() + 30
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.01)
