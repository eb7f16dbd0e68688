"""The keeper of a task: the process between the task and whoever started it, which sees to it that nothing of the task survives.

It forks the task into a session of its own, so that signals the task sends to its parent or to its whole group go no further. As the
subreaper of everything the task starts it also inherits what the task has daemonised, and ends that with the task. It looks at the task ten
times a second: too much memory or too many processes end it, and what it printed keeps only its end on disk.

SIGTERM asks the task to end, SIGUSR1 ends it at once. Where the kernel is not Linux only the task's process group is ended.
"""

import contextlib
import json
import os
import resource
import select
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Never

from harness_guest import kernel, lifeline

REASON = "ended.json"
END_NOW = signal.SIGUSR1
_STREAMS = ("stdout", "stderr")
_LOOK_SECONDS = 0.1
_SWEEP_SECONDS = 20.0  # a process that hangs in the kernel is not waited for any longer
_HELD_OUTPUT = 64  # times what is kept: how much a task may print where the file system cannot forget
_OOM_SCORE = "500"  # when the machine's memory runs out, the kernel ends a task rather than the harness


@dataclass(frozen=True)
class Limits:
    """What a task may take; 0 is no limit."""

    memory_bytes: int = 0
    processes: int = 0
    output_bytes: int = 0
    """Of each stream, how much of its end stays on disk."""


class TooMuchError(Exception):
    """A task took more than it may; the message is for its owner."""


def keep(folder: Path, limits: Limits) -> None:
    """Return in a new process, the task's, and keep it from this one, which never returns."""
    folder.mkdir(parents=True, exist_ok=True)
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    asked: list[int] = []
    for number in (signal.SIGTERM, END_NOW, signal.SIGCHLD):
        signal.signal(number, lambda received, _: asked.append(received))
    kernel.signal_when_parent_ends(END_NOW)
    kernel.become_subreaper()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    keeper = os.getpid()
    task = os.fork()
    if task == 0:
        _become_the_task(keeper, (wake, wake_write))
        return
    Keeper(task, folder, limits, asked=asked, wake=wake).stand()


class Keeper:
    """Stands over one task until it has ended."""

    def __init__(self, task: int, folder: Path, limits: Limits, *, asked: list[int], wake: int) -> None:
        self._task = task
        self._folder = folder
        self._limits = limits
        self._asked = asked
        self._wake = wake
        self._line = lifeline.descriptor()
        self._outputs = {name: os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600) for name in _STREAMS}
        self._forgotten: set[str] = set()

    def stand(self) -> Never:
        """Wait for the task's end, end all that it left, and leave as it did."""
        try:
            self._wait()
        except TooMuchError as much:
            (self._folder / REASON).write_text(json.dumps({"reason": str(much)}))
        self._sweep()
        self._forget_output()
        self._tell_what_was_forgotten()
        _, status = os.waitpid(self._task, 0)
        _leave_like(status)

    def _wait(self) -> None:
        watched = [self._wake] if self._line is None else [self._wake, self._line]
        look_at = time.monotonic() + _LOOK_SECONDS
        while not self._ended():
            ready, _, _ = select.select(watched, [], [], max(0.0, look_at - time.monotonic()))
            if self._wake in ready:
                os.read(self._wake, 4096)
            if self._line in ready or END_NOW in self._asked:
                return
            if signal.SIGTERM in self._asked:
                self._asked.remove(signal.SIGTERM)
                _signal_group(self._task, signal.SIGTERM)
            if time.monotonic() >= look_at:
                self._look()
                look_at = time.monotonic() + _LOOK_SECONDS

    def _ended(self) -> bool:
        """Return whether the task has ended; reaps whatever else has. The task stays a zombie, so that its group's number stays its own."""
        while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if found.si_pid == self._task:
                return True
            os.waitpid(found.si_pid, 0)
        return False

    def _look(self) -> None:
        family = list(kernel.descendants(os.getpid()))
        if self._limits.processes and len(family) > self._limits.processes:
            raise TooMuchError(f"The task was ended: it had {len(family)} processes, more than the {self._limits.processes} it may have.")
        most = self._limits.memory_bytes
        # What is shared counts once a process at first, and only when that is too much in its parts.
        if most and kernel.resident_bytes(family) > most and (taken := kernel.proportional_bytes(family)) > most:
            raise TooMuchError(f"The task was ended: it took {_size(taken)} of memory, more than the {_size(most)} it may have.")
        self._forget_output()

    def _forget_output(self) -> None:
        """Give the beginning of a long output back to the file system; what is left stays where it was in the file."""
        kept = self._limits.output_bytes
        for name, file in self._outputs.items() if kept else ():
            found = os.fstat(file)
            if found.st_blocks * 512 <= 2 * kept:
                continue
            if kernel.punch_hole(file, found.st_size - kept):
                self._forgotten.add(name)
            elif found.st_size > _HELD_OUTPUT * kept:
                raise TooMuchError(
                    f"The task was ended: it printed more than {_size(_HELD_OUTPUT * kept)}, which this file system must keep."
                )

    def _tell_what_was_forgotten(self) -> None:
        for name in sorted(self._forgotten):
            size = os.fstat(self._outputs[name]).st_size
            line = f"\n[harness] {name} was {_size(size)} long; only its last {_size(self._limits.output_bytes)} are kept\n"
            os.write(self._outputs["stdout"], line.encode())

    def _sweep(self) -> None:
        """End the task's group, and whatever is still there of what it started."""
        until = time.monotonic() + _SWEEP_SECONDS
        while time.monotonic() < until:
            _signal_group(self._task, signal.SIGKILL)
            if not (left := self._kill_descendants()) and self._ended():
                return
            if left:
                time.sleep(0.001)
            else:
                select.select([self._wake], [], [], _LOOK_SECONDS)

    def _kill_descendants(self) -> bool:
        """Kill all that runs, and return whether there was anything besides the task."""
        others = [pid for pid in kernel.descendants(os.getpid()) if pid != self._task]
        for pid in others:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):  # a grandchild, which becomes a child when its parent is gone
                os.waitpid(pid, os.WNOHANG)
        return bool(others)


def _become_the_task(keeper: int, pipe: tuple[int, int]) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for descriptor in pipe:
        os.close(descriptor)
    for number in (signal.SIGTERM, END_NOW, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    kernel.signal_when_parent_ends(signal.SIGKILL)
    if os.getppid() != keeper:  # it ended before it could be followed
        os._exit(1)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)


def _leave_like(status: int) -> Never:
    """End this process as the one with `status` has ended."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no handler to reset
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
        os.kill(os.getpid(), -code)
    os._exit(code)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or (macOS) nothing but zombies in the group
        os.killpg(group, number)


def _size(count: int) -> str:
    """Return a number of bytes as people read it."""
    return next(_sizes(count))


def _sizes(count: int) -> Iterator[str]:
    size = float(count)
    for unit in ("bytes", "KB", "MB"):
        if size < 1024:
            yield f"{size:.0f} {unit}"
        size /= 1024
    yield f"{size:.1f} GB"
