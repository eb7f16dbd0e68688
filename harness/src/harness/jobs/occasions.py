"""What starts a job by itself: times, arriving files, changed tables, the end of the run before."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness import quartz
from harness.clock import millis
from harness.jobs.model import Run
from harness.jobs.trigger_model import FileArrival, Fired, Periodic, Schedule, TableUpdate
from harness.zones import zone

Following = Callable[[dt.datetime], dt.datetime | None]
_UNITS: Mapping[str, dt.timedelta] = {
    "MINUTES": dt.timedelta(minutes=1),
    "HOURS": dt.timedelta(hours=1),
    "DAYS": dt.timedelta(days=1),
    "WEEKS": dt.timedelta(weeks=1),
}
_LOOK = dt.timedelta(seconds=2)  # The platform looks about every minute (docs.databricks.com/jobs/file-arrival-triggers).
# Assumption: docs.databricks.com/jobs/continuous tells of a new run soon after the last and of exponential back-off, not of figures.
_REST = dt.timedelta(seconds=5)
_LONGEST_REST = dt.timedelta(minutes=10)


class Occasion(Protocol):
    """Something that may come to pass."""

    @property
    def next_time(self) -> dt.datetime | None:
        """When it comes to pass next, where that is known."""
        ...

    def due(self, now: dt.datetime) -> Fired | None:
        """Return what begins a run now, once for each time that it comes to pass."""
        ...


def by_schedule(schedule: Schedule) -> Following:
    """Return the times of a schedule that has been checked."""
    expression, where = quartz.parse(schedule.quartz_cron_expression), zone(schedule.timezone_id)
    return lambda after: expression.next_after(after, where)


def by_period(periodic: Periodic, since: dt.datetime) -> Following:
    """Return every `interval` units after `since`. Assumption: since the job was made."""
    step = _UNITS[periodic.unit] * periodic.interval
    return lambda after: since + step * max(1, (after - since) // step + 1)


@dataclass(slots=True)
class Timed:
    """Times. Those that passed while nobody looked come to pass once, not each."""

    following: Following
    next_time: dt.datetime | None

    def due(self, now: dt.datetime) -> Fired | None:
        """Return the time that has come."""
        reached = self.next_time
        if reached is None or now < reached:
            return None
        self.next_time = self.following(now)
        return Fired("PERIODIC", millis(reached))


@dataclass(slots=True)
class _Pace:
    """When a change is told: not while it goes on, not too soon after the one before, and looked for now and then."""

    between: dt.timedelta
    settling: dt.timedelta
    looked: dt.datetime | None = None
    changed: dt.datetime | None = None
    told: dt.datetime | None = None

    def looks(self, now: dt.datetime) -> bool:
        """Return whether it is time to look again."""
        if self.looked is not None and now - self.looked < _LOOK:
            return False
        self.looked = now
        return True

    def tells(self, now: dt.datetime) -> bool:
        """Return whether what has changed is told now."""
        if self.changed is None or now - self.changed < self.settling or (self.told is not None and now - self.told < self.between):
            return False
        self.changed, self.told = None, now
        return True


def _pace(trigger: FileArrival | TableUpdate) -> _Pace:
    between, settling = trigger.min_time_between_triggers_seconds, trigger.wait_after_last_change_seconds
    return _Pace(dt.timedelta(seconds=between), dt.timedelta(seconds=settling))


class Arrivals:
    """Files that were not there before. Assumption: those there at the first look, and those written over, are not new."""

    next_time: dt.datetime | None = None

    def __init__(self, trigger: FileArrival, listing: Callable[[], Mapping[str, int]]) -> None:
        self._url = trigger.url
        self._listing = listing  # sizes by path
        self._pace = _pace(trigger)
        self._seen: Mapping[str, int] | None = None
        self._told: set[str] = set()

    def due(self, now: dt.datetime) -> Fired | None:
        """Return the folder when files have come, and no more are coming."""
        if not self._pace.looks(now):
            return None
        found = self._listing()
        if self._seen is None:
            self._told = set(found)
        elif found != self._seen and found.keys() - self._told:
            self._pace.changed = now
        self._seen = found
        if not self._pace.tells(now):
            return None
        self._told = set(found)
        return Fired("FILE_ARRIVAL", millis(now), self._url)


class Updates:
    """Tables with a new version; one that is made counts."""

    next_time: dt.datetime | None = None

    def __init__(self, trigger: TableUpdate, version: Callable[[str], int | None]) -> None:
        self._trigger = trigger
        self._version = version
        self._pace = _pace(trigger)
        self._seen: dict[str, int | None] | None = None
        self._updated: set[str] = set()

    def due(self, now: dt.datetime) -> Fired | None:
        """Return the moment when any, or all, tables have changed."""
        if not self._pace.looks(now):
            return None
        found = {name: self._version(name) for name in self._trigger.table_names}
        before = self._seen if self._seen is not None else found
        self._seen = found
        changed = {name for name, version in found.items() if version is not None and version != before[name]}
        self._updated |= changed
        if changed:
            self._pace.changed = now
        enough = len(self._updated) == len(found) or (self._updated and self._trigger.condition == "ANY_UPDATED")
        if not enough or not self._pace.tells(now):
            return None
        self._updated.clear()
        return Fired("TABLE", millis(now))


@dataclass(slots=True)
class Always:
    """The end of the run before; after failures in a row, the longer the more there were."""

    runs: Callable[[], Sequence[Run]]
    """The job's runs, latest first."""
    next_time: dt.datetime | None = None
    looked: dt.datetime | None = None

    def due(self, now: dt.datetime) -> Fired | None:
        """Return the moment when nothing runs and the rest is over."""
        if (self.next_time and now < self.next_time) or (self.looked and now - self.looked < dt.timedelta(seconds=1)):
            return None
        self.next_time, self.looked = None, now
        runs = self.runs()
        if any(not run.state.ended for run in runs):
            return None
        if runs:
            failures = next((index for index, run in enumerate(runs) if run.state.result_state != "FAILED"), len(runs))
            rest = min(_REST * 2 ** min(failures, 10), _LONGEST_REST)
            self.next_time = dt.datetime.fromtimestamp(max(run.end_time for run in runs) / 1000, dt.UTC) + rest
            if now < self.next_time:
                return None
        return Fired("CONTINUOUS", millis(now))
