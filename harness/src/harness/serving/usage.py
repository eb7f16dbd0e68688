"""How much of the machine a served entity's process uses, for its endpoint's metrics."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.serving.metrics import Usage

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SHORT = 1.0  # seconds: less says nothing about a load


@dataclass(frozen=True, slots=True)
class Reading:
    """What the operating system says about a process now."""

    age_seconds: float
    cpu_seconds: float
    resident_bytes: int


def read(pid: int) -> Reading | None:
    """Return the reading of a process, None when it is gone or this is no Linux."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # the name before may contain anything
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return None
    user, system, started, pages = (int(fields[place]) for place in (11, 12, 19, 21))  # man 5 proc: 14, 15, 22, 24
    return Reading(uptime - started / _TICKS, (user + system) / _TICKS, pages * _PAGE)


class UsageMeter:
    """Turns readings into percent: of all processors since the last look (at first since the start), and of the memory there is."""

    def __init__(self, reading: Callable[[int], Reading | None] = read, processors: int = os.cpu_count() or 1) -> None:
        self._reading = reading
        self._processors = processors
        self._last: dict[int, tuple[Reading, float]] = {}

    def usage(self, pid: int, memory_bytes: int) -> Usage | None:
        """Return what the process uses, None when it is not known."""
        now = self._reading(pid)
        if now is None:
            self._last.pop(pid, None)
            return None
        before, percent = self._last.get(pid, (Reading(0.0, 0.0, 0), 0.0))
        if now.age_seconds < before.age_seconds:  # another process of the same number
            before, percent = Reading(0.0, 0.0, 0), 0.0
        seconds = now.age_seconds - before.age_seconds
        if seconds >= _SHORT:
            percent = 100 * (now.cpu_seconds - before.cpu_seconds) / seconds / self._processors
            self._last[pid] = (now, percent)
        return Usage(round(percent, 3), round(100 * now.resident_bytes / memory_bytes, 3))
