"""What every run under way needs, what it tells, and how long it may go on."""

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.clock import Clock
from harness.ids import Ids
from harness.jobs import nested
from harness.jobs.model import State, Task
from harness.jobs.ports import DependencyFiles, TaskRunner
from harness.jobs.runs import Runs

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Something that happened to a run (`task_key` empty) or to an attempt of one of its tasks."""

    run_id: int
    job_id: int
    state: State
    task_key: str = ""
    task_run_id: int = 0
    attempt_number: int = 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every execution needs."""

    runs: Runs
    jobs: nested.JobRuns
    runner: TaskRunner
    files: DependencyFiles
    clock: Clock
    ids: Ids
    host_url: str
    on_event: Callable[[RunEvent], None]


@dataclass(slots=True)
class Bounds:
    """How long one run may go on, and whether it is cancelled."""

    clock: Clock
    cancelled: threading.Event = field(default_factory=threading.Event)
    deadline: dt.datetime | None = None
    repeated: dict[str, dt.datetime | None] = field(default_factory=dict)
    """Until when the tasks of For each tasks may run, by their keys."""

    def after(self, seconds: float | None) -> dt.datetime | None:
        """Return when so many seconds from now are over."""
        return None if seconds is None else self.clock.now() + dt.timedelta(seconds=seconds)

    @property
    def late(self) -> bool:
        """Whether the run is out of time."""
        return self.deadline is not None and self.clock.now() >= self.deadline

    def seconds(self, task: Task) -> float | None:
        """Return how long a task that begins now may run; None for as long as it wants."""
        own: list[float] = [task.timeout_seconds] if task.timeout_seconds else []
        ends = [until for until in (self.deadline, self.repeated.get(task.task_key)) if until is not None]
        return min([*own, *(max(0.0, (until - self.clock.now()).total_seconds()) for until in ends)], default=None)

    def pause(self, seconds: float) -> None:
        """Return after so many seconds, or soon after the run is cancelled."""
        until = self.clock.now() + dt.timedelta(seconds=seconds)
        while not self.cancelled.is_set() and (left := (until - self.clock.now()).total_seconds()) > 0:
            self.clock.sleep(min(left, _LOOK_SECONDS))
