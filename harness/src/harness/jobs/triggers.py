"""Jobs that start by themselves while the harness is up.

Assumption: what would have started while it was down is not made up for. The platform tells of no such thing, and a laptop that wakes up
should not begin with a night's work.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from harness.clock import Clock, moment
from harness.errors import ApiError
from harness.jobs import occasions
from harness.jobs.definitions import Definitions, decoded
from harness.jobs.model import Job, RunRequest, Settings
from harness.jobs.occasions import Occasion
from harness.jobs.runs import Runs
from harness.jobs.settings import Json, parse
from harness.jobs.trigger_checks import Live, live, told
from harness.jobs.trigger_model import Continuous, FileArrival, Fired, Periodic, Schedule, TableUpdate

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.25


class WatchedData(Protocol):
    """Data whose changes start jobs."""

    def files(self, folder: str) -> Mapping[str, int]:
        """Return the size of every file under `/Volumes/…`, by path; none when there is no such folder."""
        ...

    def version(self, table: str) -> int | None:
        """Return the version of a Delta table; None when there is no such table."""
        ...


class Starter(Protocol):
    """Whoever begins runs of jobs."""

    def run_now(self, request: RunRequest, user: str, *, fired: Fired) -> int:
        """Begin a run and return its id."""
        ...


@dataclass(frozen=True, slots=True)
class _Watched:
    job: Job
    settings: Settings
    by: Live
    occasion: Occasion


class Triggers:
    """Watches every job with a live schedule or trigger; one thread between `start` and `close`."""

    def __init__(
        self, *, clock: Clock, definitions: Definitions, runs: Runs, starter: Starter, data: WatchedData, on_look: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._definitions = definitions
        self._runs = runs
        self._starter = starter
        self._data = data
        self._on_look = on_look
        self._watched: dict[int, _Watched] = {}
        self._version = -1
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(target=self._watch, name="triggers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no more; twice without harm."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Begin the runs that are due."""
        with self._lock:
            self._reload()
            for one in self._watched.values():
                self._look_at(one)
        self._on_look()

    def upcoming(self) -> list[Json]:
        """Return the jobs that start by themselves, and when, where that is known."""
        with self._lock:
            self._reload()
            found = list(self._watched.values())
        return [_shown(one) for one in found]

    def _watch(self) -> None:
        while not self._closing.wait(_LOOK_SECONDS):
            try:
                self.look()
            except Exception:  # a bug of ours, or a table half written: the other jobs still have their times
                log.exception("the triggers of jobs could not be looked at")

    def _look_at(self, one: _Watched) -> None:
        fired = one.occasion.due(self._clock.now())
        if fired is None:
            return
        try:
            run_id = self._starter.run_now(RunRequest(one.job.job_id), one.job.creator, fired=fired)
        except ApiError as error:
            log.warning("job %d ('%s') could not be started by its %s: %s", one.job.job_id, one.settings.name, told(one.by), error.message)
        else:
            log.info("run %d of job %d ('%s') was started by its %s", run_id, one.job.job_id, one.settings.name, told(one.by))

    def _reload(self) -> None:
        version = self._definitions.version
        if version == self._version:
            return
        before, self._watched = self._watched, {}
        for job in self._definitions.all():
            known = before.get(job.job_id)
            if known is not None and bytes(known.job.settings) == bytes(job.settings):
                self._watched[job.job_id] = known
            elif (found := self._watching(job)) is not None:
                self._watched[job.job_id] = found
        self._version = version

    def _watching(self, job: Job) -> _Watched | None:
        settings = parse(decoded(job.settings))
        by = live(settings)
        if by is None:
            return None
        one = _Watched(job, settings, by, self._occasion(job, by))
        when = one.occasion.next_time
        log.info(
            "job %d ('%s') starts by itself: %s%s",
            job.job_id,
            settings.name,
            told(by),
            f", next at {when:%Y-%m-%d %H:%M:%S} UTC" if when else "",
        )
        return one

    def _occasion(self, job: Job, by: Live) -> Occasion:
        match by:
            case Schedule():
                return self._timed(occasions.by_schedule(by))
            case Periodic():
                return self._timed(occasions.by_period(by, moment(job.created_time)))
            case FileArrival():
                return occasions.Arrivals(by, lambda: self._data.files(by.url))
            case TableUpdate():
                return occasions.Updates(by, self._data.version)
            case Continuous():
                return occasions.Always(lambda: self._runs.all(job.job_id))

    def _timed(self, following: occasions.Following) -> occasions.Timed:
        return occasions.Timed(following, following(self._clock.now()))


def _shown(one: _Watched) -> Json:
    when = one.occasion.next_time
    return {
        "job_id": one.job.job_id,
        "name": one.settings.name,
        "starts_by": told(one.by),
        "next_time": when.isoformat() if when is not None else None,
    }
