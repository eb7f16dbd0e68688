"""What Spark's workers begin a task without: models that may no longer be what their names say, and those of workers that have ended."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.engines.processes import GUEST


@pytest.fixture
def before_each_task(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[socket.socket, bool], int]]:
    """What the daemon does to pyspark's worker."""
    monkeypatch.syspath_prepend(str(GUEST))
    from harness_guest.udf_daemon import before_each_task

    return before_each_task


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def kept(folder: Path, process: int) -> Path:
    """Return a model that a process has kept."""
    model = folder / "0a1b" / str(process) / "MLmodel"
    model.parent.mkdir(parents=True)
    model.touch()
    return model


def test_worker_keeps_models_until_some_change(before_each_task: Any, tmp_path: Path, ends: tuple[socket.socket, socket.socket]) -> None:
    """Its first task finds none; later ones find what it has loaded, until the registry has changed."""
    ours, theirs = ends
    ours.send(b"a task")
    changed, found = tmp_path / "changed", list[bool]()
    model = kept(tmp_path / "kept", os.getpid())

    def work(sock: socket.socket, authenticated: bool) -> int:  # noqa: FBT001 - pyspark's own
        assert (sock, authenticated) == (theirs, True)
        found.append(model.exists())
        model.parent.mkdir(parents=True, exist_ok=True)
        model.touch()
        return 0

    worker = before_each_task(work, changed, tmp_path / "kept")
    for touched in (False, False, True, False):
        if touched:
            changed.touch()
        assert worker(theirs, True) == 0

    assert found == [False, True, False, True]


def test_models_of_workers_that_have_ended_go(before_each_task: Any, tmp_path: Path, ends: tuple[socket.socket, socket.socket]) -> None:
    """Those of a worker that lives stay."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    ours, theirs = ends
    ours.send(b"a task")
    gone, stays = kept(tmp_path, ended.pid), tmp_path / "2c3d" / str(os.getppid()) / "MLmodel"
    stays.parent.mkdir(parents=True)
    stays.touch()

    before_each_task(lambda _sock, _authenticated: 0, tmp_path / "changed", tmp_path)(theirs, True)

    assert (gone.exists(), stays.exists()) == (False, True)
