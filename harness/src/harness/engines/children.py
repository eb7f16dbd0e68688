"""Processes of tasks and model servers, seen from the harness: forked from a warm parent, or started fresh."""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Protocol

from harness.engines.processes import GRACE_SECONDS, end

UNKNOWN_STATUS = 255  # of a process that outlived its parent: the kernel tells nobody else
END_NOW = signal.SIGUSR1  # what guest/harness_guest/keeper.py ends a task at once for
_LOOK_SECONDS = 0.2

Say = Callable[[Mapping[str, object]], None]


class Child(Protocol):
    """A process that the harness had started."""

    @property
    def pid(self) -> int:
        """Its id, 0 as long as that is not known."""
        ...

    def wait(self, seconds: float | None = None) -> int | None:
        """Return the exit status (negative: the signal that ended it), or None when it still runs after `seconds`."""
        ...

    def end(self, grace: float = GRACE_SECONDS) -> None:
        """Begin to end its process group: politely, and for good after `grace` seconds."""
        ...


class FreshChild:
    """A process with an interpreter of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def wait(self, seconds: float | None = None) -> int | None:
        """Return the exit status, or None when it still runs."""
        try:
            return self._process.wait(seconds)  # a keeper (harness_guest.keeper), which leaves last
        except subprocess.TimeoutExpired:
            return None

    def end(self, grace: float = GRACE_SECONDS) -> None:
        """End it, waiting for that in the background."""
        threading.Thread(target=self._end, args=(grace,), name="end-child", daemon=True).start()

    def _end(self, grace: float) -> None:
        for number in (signal.SIGTERM, END_NOW):
            _signal(self._process.pid, number)
            if self.wait(grace) is not None:
                return
        end(self._process)


class ForkedChild:
    """A process forked by a warm parent, which alone can wait for it."""

    def __init__(self, id_: int, say: Say, *, outlives: bool) -> None:
        """`outlives`: it goes on when its parent dies."""
        self.id = id_
        self.pid = 0
        self.begun: Future[bool] = Future()
        """Whether it was forked at all: its parent may have been dying when it was asked."""
        self.status: Future[int] = Future()
        self._say = say
        self._outlives = outlives
        self._orphan = False

    def runs_as(self, pid: int) -> None:
        """Its parent has forked it."""
        self.pid = pid
        self.begun.set_result(True)

    def wait(self, seconds: float | None = None) -> int | None:
        """Return the exit status, or None when it still runs."""
        try:
            return self.status.result(seconds)
        except TimeoutError:
            return None

    def end(self, grace: float = GRACE_SECONDS) -> None:
        """Have its parent end it, or end it from here when that is gone."""
        if self._orphan:
            threading.Thread(target=self._end_orphan, args=(grace,), name="end-orphan", daemon=True).start()
        else:
            self._say({"id": self.id, "end": grace})

    def lost(self) -> None:
        """Its parent is gone: follow it from here, or end it."""
        if not self.begun.done():
            self.begun.set_result(False)
        if self._outlives and self.pid:
            self._orphan = True
            threading.Thread(target=self._follow, name="follow-orphan", daemon=True).start()
            return
        if self.pid:
            _signal(self.pid, END_NOW)
        self.status.set_result(-signal.SIGKILL)

    def _follow(self) -> None:
        _wait_for_stranger(self.pid)
        _signal(self.pid, signal.SIGKILL)  # whatever it left behind in its group
        self.status.set_result(UNKNOWN_STATUS)

    def _end_orphan(self, grace: float) -> None:
        _signal(self.pid, signal.SIGTERM)
        if self.wait(grace) is None:
            _signal(self.pid, signal.SIGKILL)


def _wait_for_stranger(pid: int) -> None:
    """Return when `pid`, which is no child of this process, has ended."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            try:
                select.select([descriptor], [], [])
            finally:
                os.close(descriptor)
        return
    with contextlib.suppress(ProcessLookupError):  # macOS
        while True:
            os.kill(pid, 0)
            time.sleep(_LOOK_SECONDS)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or (macOS) nothing but zombies in the group
        os.killpg(group, number)
