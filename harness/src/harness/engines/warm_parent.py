"""Warm parents, seen from the harness: processes that have imported what tasks and model servers need, and fork them."""

import contextlib
import itertools
import json
import os
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from harness.engines.children import ForkedChild, FreshChild
from harness.engines.processes import GRACE_SECONDS, Lifeline, end, guest_path
from harness.errors import UserError

# One thread for linear algebra while it is only imported: threads do not survive a fork. Each child takes as many as there are cores.
_PARENT_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_ATTEMPTS = 3


class WarmParent:
    """A process that has imported what tasks and model servers need, and forks them."""

    def __init__(self, python: Path, *, lifeline: Lifeline, log: Path) -> None:
        """Start it; it is ready some seconds later."""
        self._log = log
        self._talk, theirs = socket.socketpair()
        with theirs:
            self._process = lifeline.spawn(
                [str(python), "-m", "harness_guest.warm"],
                log=log,
                environment={**_PARENT_ENVIRONMENT, **environment_without_habits(), "PYTHONPATH": guest_path()},
                stdin=theirs.fileno(),
            )
        self._ready: Future[None] = Future()
        self._numbers = itertools.count(1)
        self._children: dict[int, ForkedChild] = {}
        self._lock = threading.Lock()
        self._gone = False
        threading.Thread(target=self._listen, name="warm-parent", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked for a child, now or when it is ready."""
        return not self._gone and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Return when it has imported everything; `UserError` when it ended instead."""
        self._ready.result()

    def fork(self, spec: Mapping[str, object]) -> ForkedChild:
        """Begin a task (`harness_guest.entry.Spec`); it ends with this parent."""
        return self._begin("start", spec, outlives=False)

    def call(
        self, function: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str], path: Sequence[str] = ()
    ) -> ForkedChild:
        """Begin a process that calls `function` ("module:name") with `arguments`; it goes on when this parent dies by accident.

        It appends what it prints to `log`, has `environment` and nothing else, and `path` first on its `sys.path`.
        """
        spec = {"function": function, "arguments": arguments, "log": str(log), "environment": environment, "path": path}
        return self._begin("call", spec, outlives=True)

    def say(self, message: Mapping[str, object]) -> None:
        """Tell the parent something; when it is gone, the reader has noticed or will."""
        with self._lock, contextlib.suppress(OSError):
            self._talk.sendall(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        """End it and its children; twice without harm."""
        with contextlib.suppress(OSError):
            self._talk.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        end(self._process)

    def _begin(self, kind: str, spec: Mapping[str, object], *, outlives: bool) -> ForkedChild:
        child = ForkedChild(next(self._numbers), self.say, outlives=outlives)
        with self._lock:
            gone = self._gone
            if not gone:
                self._children[child.id] = child
        if gone:
            child.lost()
        else:
            self.say({"id": child.id, kind: spec})
        return child

    def _listen(self) -> None:
        with contextlib.suppress(OSError), self._talk.makefile("rb") as lines:
            for line in lines:
                self._heard(json.loads(line))
        with self._lock:
            self._gone = True
            lost = list(self._children.values())
        for child in lost:
            child.lost()
        if not self._ready.done():
            self._ready.set_exception(UserError(f"the warm parent process ended before it was ready; its log: {self._log}"))
        self._talk.close()

    def _heard(self, message: Mapping[str, int]) -> None:
        if "ready" in message:
            self._ready.set_result(None)
            return
        child = self._children[message["id"]]
        if "pid" in message:
            child.runs_as(message["pid"])
        else:
            child.status.set_result(os.waitstatus_to_exitcode(message["status"]))
            with self._lock:
                del self._children[child.id]


class WarmParents:
    """One warm parent for each interpreter, for tasks and model servers alike: imported once, and in memory once."""

    def __init__(self, *, lifeline: Lifeline, log: Path) -> None:
        self._lifeline = lifeline
        self._log = log
        self._lock = threading.Lock()
        self._parents: dict[Path, WarmParent] = {}
        self._closed = False

    def parent(self, python: Path) -> WarmParent:
        """Return the parent on `python`, started if there is none or it has died; `UserError` after `close`."""
        with self._lock:
            if self._closed:
                raise UserError("the harness is ending; no process is started any more")
            found = self._parents.get(python)
            if found is None or not found.alive:
                if found is not None:
                    found.close()
                found = self._parents[python] = WarmParent(python, lifeline=self._lifeline, log=self._log)
            return found

    def call(
        self, python: Path, function: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str], path: Sequence[str] = ()
    ) -> ForkedChild:
        """Return a process that calls `function` (see `WarmParent.call`), forked from the parent on `python`; may wait until that is ready.

        A parent that dies while it is asked is replaced; `UserError` when that does not help.
        """
        for _ in range(_ATTEMPTS):
            parent = self.parent(python)
            parent.wait_ready()
            child = parent.call(function, arguments, log=log, environment=environment, path=path)
            if child.begun.result():
                return child
        raise UserError(f"the warm parent process ended {_ATTEMPTS} times while it was asked for a child; its log: {self._log}")

    def alive(self) -> bool:
        """Return whether there is a parent and all of them run."""
        with self._lock:
            return bool(self._parents) and all(parent.alive for parent in self._parents.values())

    def pids(self) -> list[int]:
        """Return the process ids of the parents."""
        with self._lock:
            return [parent.pid for parent in self._parents.values()]

    def close(self) -> None:
        """End the parents and their children; twice without harm."""
        with self._lock:
            self._closed = True
            parents = list(self._parents.values())
            self._parents.clear()
        for parent in parents:
            parent.close()


def fresh_task(python: Path, spec: Mapping[str, object], *, lifeline: Lifeline, folder: Path) -> FreshChild:
    """Begin a task in an interpreter of its own."""
    file = folder / "spec.json"
    file.touch(mode=0o600)  # the token is in it
    file.write_text(json.dumps(spec))
    command = [str(python), "-m", "harness_guest.warm", str(file)]
    environment = {**environment_without_habits(), "PYTHONPATH": guest_path()}
    return FreshChild(lifeline.spawn(command, log=folder / "stderr", environment=environment))


def environment_without_habits() -> dict[str, str]:
    """Return what keeps third parties from calling home and the user's own packages from getting in."""
    return {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "PYTHONNOUSERSITE": "1"}
