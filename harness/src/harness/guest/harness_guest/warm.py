"""The warm parent of tasks and model servers: imports once what takes seconds, then forks each process in milliseconds.

`python -m harness_guest.warm` talks in lines of JSON over its standard input, which is a socket. It is told `{"id", "start": spec}` (a
task), `{"id", "call": spec}` (a function of this package) and `{"id", "end": seconds}`; it tells `{"ready": true}`, `{"id", "pid"}` and
`{"id", "status"}`. `python -m harness_guest.warm SPEC` runs one task without forking, for environments that replace what the parent has
imported.

It has one thread and opens no connection, so that nothing is lost or shared when it forks; it ends when the harness hangs up.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness_guest import keeper, kernel, lifeline
from harness_guest.calls import Call
from harness_guest.entry import Spec, run

PRELOADED = (
    "pandas",
    "sklearn.ensemble",
    "sklearn.model_selection",
    "mlflow.pyfunc",
    "mlflow.sklearn",
    "mlflow.pyfunc.scoring_server",
    "orjson",
    "databricks.sdk",
    "pyspark.sql.connect.session",
    "pyspark.sql.connect.functions",
    "pyspark.sql.connect.streaming.readwriter",
    "harness_guest.serverless",
)


@dataclass(frozen=True)
class Work:
    """What a forked child is to do, and the environment variables it does it with."""

    run: Callable[[], int]
    environment: Mapping[str, str]
    keep: Callable[[], None] = lambda: None
    """Returns in the process that does the work."""


@dataclass
class Child:
    """A process under way."""

    id: int
    end_now: int
    """The signal that ends it and all that it has started."""
    kill_at: float | None = None


class Leaving:
    """Ends a forked child after all threads and exit handlers of its work, but before the interpreter is taken apart.

    That would touch, and so copy, every page that the child shares with its parent: 0.6 s for nothing. Exit handlers run last come first,
    so this one, the first of all, runs last.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        atexit.register(self._leave)

    def _leave(self) -> None:
        if self.status is not None:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError, AttributeError):  # the work has closed it, or put something else in its place
                    stream.flush()
            os._exit(self.status)


class Parent:
    """Forks processes and reports their ends."""

    def __init__(self, talk: socket.socket) -> None:
        self._talk = talk
        self._heard = b""
        self._children: dict[int, Child] = {}
        kernel.become_subreaper()  # of what a keeper leaves when a task has killed it
        self._wake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # with a handler, the end of a child writes to `wake`
        self._wake_write = wake

    def serve(self) -> Work | None:
        """Fork as told until the harness hangs up. In a forked child, return its work at once; in the parent, None at the end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._talk, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(self._patience()):
                    if key.fileobj == self._wake:
                        os.read(self._wake, 4096)
                        continue
                    said = self._talk.recv(1 << 16)
                    if not said:
                        self._end_all()
                        return None
                    self._heard += said
                work = self._obey()
                if work is not None:
                    return work
                self._reap()
                self._kill_the_late()

    def tell(self, **message: object) -> None:
        """Say something to the harness."""
        self._talk.sendall(json.dumps(message).encode() + b"\n")

    def _obey(self) -> Work | None:
        """Do what was said; return the work in the child that was forked for it."""
        while b"\n" in self._heard:
            line, _, self._heard = self._heard.partition(b"\n")
            message = json.loads(line)
            if "end" in message:
                self._end(message["id"], message["end"])
                continue
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
            if pid == 0:
                self._leave()
                return _work(message)
            self._children[pid] = Child(message["id"], keeper.END_NOW if "start" in message else signal.SIGKILL)
            self.tell(id=message["id"], pid=pid)
        return None

    def _leave(self) -> None:
        """In the child: keep nothing of the parent's conversation."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (self._wake, self._wake_write):
            os.close(descriptor)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def _end(self, id_: int, grace: float) -> None:
        for pid, child in self._children.items():
            if child.id == id_ and child.kill_at is None:
                _signal(pid, signal.SIGTERM)
                child.kill_at = time.monotonic() + grace

    def _end_all(self) -> None:
        for pid, child in self._children.items():
            _signal(pid, child.end_now)
        for pid in self._children:
            os.waitpid(pid, 0)

    def _reap(self) -> None:
        for pid in list(self._children):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                _signal(pid, signal.SIGKILL)  # whatever it left behind in its group, which exists as long as its leader is a zombie
                self.tell(id=self._children.pop(pid).id, status=os.waitpid(pid, 0)[1])
        self._end_strays()

    def _end_strays(self) -> None:
        """End what has lost its keeper: only a task that kills its parent leaves that behind."""
        for pid in set(kernel.children(os.getpid())) - self._children.keys():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)  # when it takes longer, its end wakes this process again

    def _kill_the_late(self) -> None:
        for pid, child in self._children.items():
            if child.kill_at is not None and time.monotonic() >= child.kill_at:
                _signal(pid, child.end_now)

    def _patience(self) -> float | None:
        moments = [child.kill_at for child in self._children.values() if child.kill_at is not None]
        return max(0.01, min(moments) - time.monotonic()) if moments else None


def main() -> None:
    """Be the warm parent, or one task when its file is named."""
    if len(sys.argv) > 1:
        alone = _work({"start": json.loads(Path(sys.argv[1]).read_text())})
        alone.keep()
        lifeline.follow()
        sys.exit(alone.run())
    leaving = Leaving()
    talk = socket.socket(fileno=os.dup(0))
    os.set_inheritable(talk.fileno(), False)
    for name in PRELOADED:
        with contextlib.suppress(ModuleNotFoundError):  # an environment without it is only less warm
            importlib.import_module(name)
    linear_algebra = _LinearAlgebra()
    gc.collect()
    gc.freeze()  # what is imported stays shared between parent and children
    parent = Parent(talk)
    parent.tell(ready=True)
    work = parent.serve()
    if work is not None:
        talk.close()
        work.keep()
        lifeline.follow()
        linear_algebra.as_many_threads_as(work.environment)
        leaving.status = work.run()


def _work(message: Mapping[str, Any]) -> Work:
    if "start" in message:
        spec = Spec(**message["start"])
        limits = keeper.Limits(**spec.limits)
        return Work(partial(run, spec), spec.environment, partial(keeper.keep, Path(spec.folder), limits))
    call = Call(**message["call"])
    return Work(call.run, call.environment)


class _LinearAlgebra:
    """The libraries that the parent has loaded, with one thread for its own sake. Found once: that would take each child 20 ms."""

    def __init__(self) -> None:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # publishes no types

        self._libraries = ThreadpoolController()

    def as_many_threads_as(self, environment: Mapping[str, str]) -> None:
        """In a child: give it the threads that its variables ask for, and a state of its own of numpy's generator."""
        import numpy as np

        np.random.seed()  # noqa: NPY002 - the old generator is the one that every child would share
        openmp = int(environment.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        self._libraries.limit(limits={"openmp": openmp, "blas": int(environment.get("OPENBLAS_NUM_THREADS") or openmp)})


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return  # gone, or (macOS) nothing but zombies in the group


if __name__ == "__main__":
    main()
