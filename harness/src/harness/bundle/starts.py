"""What starts a bundle's jobs by themselves: whether it makes sense, and what of it the harness does not do."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from harness import quartz
from harness.bundle.nodes import Node
from harness.errors import UserError

_WAYS = ("schedule", "trigger", "continuous")
# Keep in step with harness/jobs/trigger_checks.py.
_NO_TRIGGERS = ("model", "sql_condition")


def check_starts(job: Node, path: str) -> None:
    """Raise when a job has two ways to start, or a schedule that is none."""
    given = [way for way in _WAYS if job.child(way) is not None]
    if len(given) > 1:
        raise UserError(f"{job.at}: {path}: {' and '.join(given)}; a job has one of {', '.join(_WAYS[:-1])} and {_WAYS[-1]}")
    schedule = job.child("schedule")
    if schedule is not None:
        _check_schedule(schedule, f"{path}.schedule")


def refused_starts(job: Node, path: str) -> Iterator[tuple[Node, str]]:
    """Yield what would start a job on the platform and does not here, with its path."""
    several = job.child("triggers")
    if several is not None:
        yield several, f"{path}.triggers (supported: one of {', '.join(_WAYS)})"
    for name in _NO_TRIGGERS:
        found = job.find("trigger", name)
        if found is not None:
            yield found, f"{path}.trigger.{name} (supported: periodic, file_arrival, table_update)"
    url = job.find("trigger", "file_arrival", "url")
    text = url.string() if url is not None else None
    if url is not None and text is not None and not text.startswith(("/Volumes/", "${")):
        yield url, f"{path}.trigger.file_arrival.url '{text}' (supported: a folder below /Volumes)"


def _check_schedule(schedule: Node, path: str) -> None:
    found = {}
    for key in ("quartz_cron_expression", "timezone_id"):
        value = schedule.child(key)
        if value is None:
            raise UserError(f"{schedule.at}: {path}: '{key}' is missing; add it")
        found[key] = value
    cron, zone = found["quartz_cron_expression"], found["timezone_id"]
    try:
        quartz.parse(cron.string() or "")
    except quartz.QuartzProblemError as error:
        raise UserError(f"{cron.at}: {path}.quartz_cron_expression: '{cron.string()}' is no Quartz expression ({error})") from error
    try:
        ZoneInfo(zone.string() or "")
    except (KeyError, ValueError, OSError) as error:
        message = f"'{zone.string()}' is no time zone; expected a name such as UTC or Europe/Berlin"
        raise UserError(f"{zone.at}: {path}.timezone_id: {message}") from error
