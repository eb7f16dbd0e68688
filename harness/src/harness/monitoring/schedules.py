"""Refreshes that start by themselves.

Assumption: as with jobs, what would have started while the harness was down is not made up for.
"""

import datetime as dt
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness import quartz
from harness.clock import Clock
from harness.monitoring.model import CronSchedule, Monitor
from harness.zones import zone

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _Due:
    schedule: CronSchedule
    time: dt.datetime | None


class Schedules:
    """Begins the refreshes of monitors with a live schedule; one thread between `start` and `close`."""

    def __init__(self, *, clock: Clock, monitors: Callable[[], Iterable[Monitor]], begin: Callable[[str], None]) -> None:
        self._clock = clock
        self._monitors = monitors
        self._begin = begin
        self._due: dict[str, _Due] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        if self._thread is None:
            self._closing.clear()
            self._thread = threading.Thread(target=self._watch, name="monitoring schedules", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Watch no more; twice without harm."""
        if self._thread is not None:
            self._closing.set()
            self._thread.join()
            self._thread = None

    def look(self) -> None:
        """Begin the refreshes that are due; times that passed while nobody looked count once."""
        now, before = self._clock.now(), self._due
        self._due = {}
        for monitor in self._monitors():
            schedule = monitor.config.schedule
            if schedule is None or schedule.pause_status == "CRON_SCHEDULE_PAUSE_STATUS_PAUSED":
                continue
            known = before.get(monitor.table_id)
            if known is None or known.schedule != schedule:
                known = _Due(schedule, next_time(schedule, now))
            elif known.time is not None and known.time <= now:
                self._begin(monitor.table_id)
                known = _Due(schedule, next_time(schedule, now))
            self._due[monitor.table_id] = known

    def _watch(self) -> None:
        while not self._closing.wait(_LOOK_SECONDS):
            try:
                self.look()
            except Exception:  # a bug of ours: the other monitors still have their times
                log.exception("the schedules of monitors could not be looked at")


def next_time(schedule: CronSchedule, after: dt.datetime) -> dt.datetime | None:
    """Return when a schedule that makes sense comes to pass next, None for never."""
    return quartz.parse(schedule.quartz_cron_expression).next_after(after, zone(schedule.timezone_id))
