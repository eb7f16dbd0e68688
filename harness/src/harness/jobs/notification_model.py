"""Who wants to be told what of a run. Field names are those of the Jobs API 2.2."""

from typing import Literal

import msgspec

Event = Literal["on_start", "on_success", "on_failure", "on_duration_warning_threshold_exceeded"]


class EmailNotifications(msgspec.Struct, frozen=True):
    """Addresses by event; the events that no run here has are kept unread."""

    on_start: tuple[str, ...] | None = None
    on_success: tuple[str, ...] | None = None
    on_failure: tuple[str, ...] | None = None
    on_duration_warning_threshold_exceeded: tuple[str, ...] | None = None
    no_alert_for_skipped_runs: bool | None = None


class Webhook(msgspec.Struct, frozen=True):
    """A notification destination."""

    id: str


class WebhookNotifications(msgspec.Struct, frozen=True):
    """Notification destinations by event."""

    on_start: tuple[Webhook, ...] | None = None
    on_success: tuple[Webhook, ...] | None = None
    on_failure: tuple[Webhook, ...] | None = None
    on_duration_warning_threshold_exceeded: tuple[Webhook, ...] | None = None


class NotificationSettings(msgspec.Struct, frozen=True):
    """What is not told."""

    no_alert_for_skipped_runs: bool | None = None
    no_alert_for_canceled_runs: bool | None = None
    alert_on_last_attempt: bool | None = None


class HealthRule(msgspec.Struct, frozen=True):
    """A limit; only that of duration can be exceeded here, for nothing streams."""

    metric: Literal[
        "RUN_DURATION_SECONDS",
        "STREAMING_BACKLOG_BYTES",
        "STREAMING_BACKLOG_RECORDS",
        "STREAMING_BACKLOG_SECONDS",
        "STREAMING_BACKLOG_FILES",
    ]
    op: Literal["GREATER_THAN"]
    value: int


class Health(msgspec.Struct, frozen=True):
    """What is expected of a run."""

    rules: tuple[HealthRule, ...] | None = None

    @property
    def most_seconds(self) -> int | None:
        """How long a run may take before people are told."""
        return next((rule.value for rule in self.rules or () if rule.metric == "RUN_DURATION_SECONDS"), None)


class Alerts(msgspec.Struct, frozen=True):
    """All of it, of a job or of one of its tasks."""

    email_notifications: EmailNotifications | None = None
    webhook_notifications: WebhookNotifications | None = None
    notification_settings: NotificationSettings | None = None
    health: Health | None = None

    @property
    def settings(self) -> NotificationSettings:
        """What is not told."""
        return self.notification_settings or NotificationSettings()

    def people(self, event: Event) -> tuple[str, ...]:
        """Return the addresses to tell of an event."""
        return (getattr(self.email_notifications, event) if self.email_notifications is not None else None) or ()

    def destinations(self, event: Event) -> tuple[str, ...]:
        """Return the ids of the destinations to tell of an event."""
        hooks = (getattr(self.webhook_notifications, event) if self.webhook_notifications is not None else None) or ()
        return tuple(hook.id for hook in hooks)


class TaskAlerts(Alerts, frozen=True):
    """Those of a task."""

    task_key: str = ""


class JobAlerts(Alerts, frozen=True):
    """Those of a job and its tasks."""

    tasks: tuple[TaskAlerts, ...] = ()

    def of(self, task_key: str) -> Alerts:
        """Return those of a task, or for an empty key those of the job itself; none for a task that the job has not."""
        return next((task for task in self.tasks if task.task_key == task_key), Alerts()) if task_key else self
