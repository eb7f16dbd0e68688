"""Task processes, seen from the harness: forked from a warm parent, or started fresh."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from harness.engines.processes import GRACE_SECONDS, Lifeline, end, guest_path
from harness.errors import UserError

# One thread for linear algebra while it is only imported: threads do not survive a fork. Each child takes as many as there are cores.
_PARENT_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class RunningTask(Protocol):
    """A task's process."""

    def wait(self, seconds: float) -> int | None:
        """Return the exit status (negative: the signal that ended it), or None when it still runs after `seconds`."""
        ...

    def end(self) -> None:
        """Begin to end its process group: politely, and for good after a grace."""
        ...


class WarmParent:
    """A process that has imported what tasks need, and forks them."""

    def __init__(self, python: Path, *, lifeline: Lifeline, log: Path) -> None:
        """Start it; it is ready some seconds later."""
        self._log = log
        self._talk, theirs = socket.socketpair()
        with theirs:
            self._process = lifeline.spawn(
                [str(python), "-m", "harness_guest.tasks"],
                log=log,
                environment={**_PARENT_ENVIRONMENT, **environment_without_habits(), "PYTHONPATH": guest_path()},
                stdin=theirs.fileno(),
            )
        self._ready: Future[None] = Future()
        self._numbers = itertools.count(1)
        self._tasks: dict[int, ForkedTask] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, name="warm-parent", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked for a task, now or when it is ready."""
        return self._process.poll() is None

    def wait_ready(self) -> None:
        """Return when it has imported everything; `UserError` when it ended instead."""
        self._ready.result()

    def fork(self, spec: Mapping[str, object]) -> "ForkedTask":
        """Begin a task."""
        task = ForkedTask(next(self._numbers), self)
        with self._lock:
            self._tasks[task.id] = task
        self.say({"id": task.id, "start": spec})
        return task

    def say(self, message: Mapping[str, object]) -> None:
        """Tell the parent something; when it is gone, the reader has noticed or will."""
        with self._lock, contextlib.suppress(OSError):
            self._talk.sendall(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        """End it and its tasks; twice without harm."""
        with contextlib.suppress(OSError):
            self._talk.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        end(self._process)

    def _listen(self) -> None:
        with contextlib.suppress(OSError), self._talk.makefile("rb") as lines:
            for line in lines:
                self._heard(json.loads(line))
        with self._lock:
            lost = list(self._tasks.values())
        for task in lost:
            task.lost()
        if not self._ready.done():
            self._ready.set_exception(UserError(f"the parent process of tasks ended before it was ready; its log: {self._log}"))
        self._talk.close()

    def _heard(self, message: Mapping[str, int]) -> None:
        if "ready" in message:
            self._ready.set_result(None)
            return
        task = self._tasks[message["id"]]
        if "pid" in message:
            task.pid = message["pid"]
        else:
            task.status.set_result(os.waitstatus_to_exitcode(message["status"]))
            with self._lock:
                del self._tasks[task.id]


class ForkedTask:
    """A child of a warm parent."""

    def __init__(self, id_: int, parent: WarmParent) -> None:
        self.id = id_
        self.pid = 0
        self.status: Future[int] = Future()
        self._parent = parent

    def wait(self, seconds: float) -> int | None:
        """Return the exit status, or None when it still runs."""
        try:
            return self.status.result(seconds)
        except TimeoutError:
            return None

    def end(self) -> None:
        """Have its parent end it."""
        self._parent.say({"id": self.id, "end": GRACE_SECONDS})

    def lost(self) -> None:
        """Its parent is gone: end it from here."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.status.set_result(-signal.SIGKILL)


class FreshTask:
    """A task in an interpreter of its own."""

    def __init__(self, python: Path, spec: Mapping[str, object], *, lifeline: Lifeline, folder: Path) -> None:
        file = folder / "spec.json"
        file.touch(mode=0o600)  # the token is in it
        file.write_text(json.dumps(spec))
        command = [str(python), "-m", "harness_guest.tasks", str(file)]
        environment = {**environment_without_habits(), "PYTHONPATH": guest_path()}
        self._process = lifeline.spawn(command, log=folder / "stderr", environment=environment)

    def wait(self, seconds: float) -> int | None:
        """Return the exit status, or None when it still runs."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return end(self._process)  # and what it left behind

    def end(self) -> None:
        """End it, waiting for that in the background."""
        threading.Thread(target=end, args=(self._process,), name="end-task", daemon=True).start()


def environment_without_habits() -> dict[str, str]:
    """Return what keeps third parties from calling home and the user's own packages from getting in."""
    return {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "PYTHONNOUSERSITE": "1"}
