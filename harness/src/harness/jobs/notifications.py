"""What runs would tell people. Nothing is sent: each notification is recorded, and said in the log."""

import logging
from dataclasses import dataclass
from typing import Literal

import msgspec

from harness.clock import Clock, millis
from harness.jobs import graph
from harness.jobs.model import Run, Settings, State
from harness.jobs.notification_model import Alerts, Event, JobAlerts, NotificationSettings
from harness.jobs.runs import Runs
from harness.jobs.surroundings import RunEvent
from harness.state import Documents, Store

log = logging.getLogger(__name__)
Channel = Literal["email", "webhook"]
_SLOW: Event = "on_duration_warning_threshold_exceeded"


class Notification(msgspec.Struct, frozen=True):
    """One message to some people, or to some webhooks. `task_key` is empty for what is of the whole run."""

    time: int
    job_id: int
    run_id: int
    task_key: str
    task_run_id: int
    event: Event
    channel: Channel
    to: tuple[str, ...]
    result: str


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a run, or an attempt of a task, has come to."""

    state: State
    attempt: int
    last: bool
    """Whether no attempt follows."""


def happened(moment: Moment, settings: NotificationSettings) -> Event | None:
    """Return the event that `notification_settings` let be told, if any.

    docs.databricks.com/api/workspace/jobs/create: email_notifications, notification_settings. Assumption: SUCCESS_WITH_FAILURES is told as
    a success, and a task that was excluded or disabled is not told of.
    """
    once = settings.alert_on_last_attempt
    if moment.state.life_cycle_state == "RUNNING":
        return "on_start" if moment.attempt == 0 or not once else None
    match moment.state.result_state:
        case "SUCCESS" | "SUCCESS_WITH_FAILURES":
            return "on_success"
        case None | "EXCLUDED" | "DISABLED":
            return None
        case "CANCELED" | "UPSTREAM_CANCELED":
            quiet = settings.no_alert_for_canceled_runs
        case _:
            quiet = moment.state.life_cycle_state == "SKIPPED" and settings.no_alert_for_skipped_runs
    return None if quiet or (once and not moment.last) else "on_failure"


@dataclass(frozen=True, slots=True)
class _About:
    """A run, or an attempt of one of its tasks."""

    run: Run
    task_key: str
    task_run_id: int
    of_job: JobAlerts

    @property
    def alerts(self) -> Alerts:
        return self.of_job.of(self.task_key)

    @property
    def span(self) -> tuple[int, int]:
        """When it began and ended; 0 for not yet."""
        found = next((task for task in self.run.tasks if task.run_id == self.task_run_id), self.run)
        return found.start_time, found.end_time

    @property
    def where(self) -> str:
        return f"task {self.task_key} of run {self.run.run_id}" if self.task_key else f"run {self.run.run_id}"


class Notifications:
    """The notifications of all runs."""

    def __init__(self, *, clock: Clock, store: Store, runs: Runs) -> None:
        self._clock = clock
        self._notifications = Documents(store, "job_notification", Notification)
        self._runs = runs
        self._known: dict[int, JobAlerts] = {}  # of active runs

    def all(self, *, job_id: int | None = None, run_id: int | None = None) -> list[Notification]:
        """Return what was recorded, of one job or one run, first to last."""
        found = self._notifications.list("" if run_id is None else f"{run_id:020d}/")
        return sorted((one for one in found if job_id is None or one.job_id == job_id), key=lambda one: one.time)

    def record(self, event: RunEvent) -> None:
        """Record what an event of a run would tell."""
        run = self._runs.get(event.run_id)
        about = _About(run, event.task_key, event.task_run_id, self._alerts(run))
        if event.state.ended:
            self._warn_of(about)
        found = happened(Moment(event.state, event.attempt_number, last=not _again(run, event)), about.alerts.settings)
        if found is not None:
            self._put(about, found, event.state)
        if event.state.ended and not event.task_key:
            self._known.pop(run.run_id, None)

    def check_durations(self, run_id: int) -> None:
        """Record of an active run, and its tasks, that they take longer than expected, once each."""
        run = self._runs.get(run_id)
        alerts = self._alerts(run)
        self._warn_of(_About(run, "", 0, alerts))
        for task in run.tasks:
            if task.state.life_cycle_state == "RUNNING":
                self._warn_of(_About(run, task.task_key, task.run_id, alerts))

    def _alerts(self, run: Run) -> JobAlerts:
        if run.run_id not in self._known:
            self._known[run.run_id] = msgspec.json.decode(run.settings, type=JobAlerts, strict=False)
        return self._known[run.run_id]

    def _warn_of(self, about: _About) -> None:
        most = about.alerts.health.most_seconds if about.alerts.health is not None else None
        if most is None:
            return
        began, ended = about.span
        late = began and (ended or millis(self._clock.now())) - began > most * 1000
        known = self.all(run_id=about.run.run_id)
        if late and not any(one.event == _SLOW and one.task_run_id == about.task_run_id for one in known):
            self._put(about, _SLOW, about.run.state)

    def _put(self, about: _About, event: Event, state: State) -> None:
        alerts = about.alerts
        quiet = state.life_cycle_state == "SKIPPED" and alerts.email_notifications and alerts.email_notifications.no_alert_for_skipped_runs
        if not quiet:
            self._keep(about, event, state, "email", alerts.people(event))
        self._keep(about, event, state, "webhook", alerts.destinations(event))

    def _keep(self, about: _About, event: Event, state: State, channel: Channel, to: tuple[str, ...]) -> None:
        if not to:
            return
        run, result = about.run, state.result_state or state.life_cycle_state
        now = millis(self._clock.now())
        one = Notification(now, run.job_id, run.run_id, about.task_key, about.task_run_id, event, channel, to, result)
        with self._notifications.transaction():
            prefix = f"{run.run_id:020d}/"
            self._notifications.put(f"{prefix}{len(self._notifications.list(prefix)):06d}", one)
        log.info("%s: %s (%s) would be sent by %s to %s", about.where, event, result, channel, ", ".join(to))


def _again(run: Run, event: RunEvent) -> bool:
    """Return whether the attempt that has ended is tried again."""
    if not event.task_key or event.state.result_state is None:
        return False
    tasks = msgspec.json.decode(run.settings, type=Settings, strict=False).tasks
    task = next((task for task in tasks if task.task_key == event.task_key), None)
    return task is not None and graph.should_retry(task, event.state.result_state, event.attempt_number)
