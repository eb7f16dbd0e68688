"""Whether what starts a job by itself makes sense, and when that is. Pure."""

import datetime as dt
from collections.abc import Mapping

from harness import quartz
from harness.jobs.model import Settings
from harness.jobs.occasions import by_schedule
from harness.jobs.settings import invalid, not_emulated
from harness.jobs.trigger_model import Continuous, FileArrival, Periodic, Schedule, TableUpdate, Trigger
from harness.zones import UnknownZoneError, zone

Live = Schedule | Periodic | FileArrival | TableUpdate | Continuous
_OTHERS = ("model", "sql_condition")
_KINDS = ("periodic", "file_arrival", "table_update")
_HELP = "http://www.quartz-scheduler.org/documentation/quartz-2.1.x/tutorials/crontrigger.html"
_PARTS_OF_A_TABLE = 3


def check(settings: Settings, raw: Mapping[str, object], now: dt.datetime) -> None:
    """Raise the platform's 400 for a schedule, a trigger or a continuous job that cannot be."""
    if raw.get("triggers"):
        raise not_emulated("'triggers' (supported: one 'schedule', 'trigger' or 'continuous'). It")
    given = [name for name in ("schedule", "trigger", "continuous") if raw.get(name) is not None]
    if len(given) > 1:  # Assumption: the wording.
        raise invalid(f"{' and '.join(given)}: a job has one of schedule, trigger and continuous")
    if settings.schedule is not None:
        _check_schedule(settings.schedule, now)
    if settings.trigger is not None:
        _check_trigger(settings.trigger, raw["trigger"])
    if settings.continuous is not None and settings.max_concurrent_runs > 1:
        raise invalid("continuous: max_concurrent_runs must be 1")  # docs.databricks.com/jobs/continuous: one run at a time


def live(settings: Settings) -> Live | None:
    """Return what starts the job by itself and is not paused."""
    schedule, trigger, continuous = settings.schedule, settings.trigger, settings.continuous
    if schedule is not None and schedule.pause_status != "PAUSED":
        return schedule
    if trigger is not None and trigger.pause_status != "PAUSED":
        return trigger.periodic or trigger.file_arrival or trigger.table_update
    return continuous if continuous is not None and continuous.pause_status != "PAUSED" else None


def told(found: Live) -> str:
    """Return in words what starts the job."""
    match found:
        case Schedule():
            return f"schedule '{found.quartz_cron_expression}' ({found.timezone_id})"
        case Periodic():
            return f"trigger every {found.interval} {found.unit.lower()}"
        case FileArrival():
            return f"trigger on files in {found.url}"
        case TableUpdate():
            return f"trigger on updates of {', '.join(found.table_names)}"
        case Continuous():
            return "continuous runs"


def _check_schedule(schedule: Schedule, now: dt.datetime) -> None:
    text = schedule.quartz_cron_expression
    try:
        quartz.parse(text)
    except quartz.QuartzProblemError as error:
        # The platform's words, but for the part in brackets: github.com/MicrosoftDocs/azure-docs/issues/44131
        message = f"Invalid quartz_cron_expression: {text}. Databricks uses Quartz cron syntax, which is different from the standard cron"
        raise invalid(f"{message} syntax. See {_HELP} for more details. ({error})") from error
    try:
        zone(schedule.timezone_id)
    except UnknownZoneError as error:
        raise invalid(f"Invalid timezone_id: {error}") from error
    if by_schedule(schedule)(now) is None:
        # The platform's words, as users report them: github.com/databrickslabs/migrate/issues/167
        raise invalid(f"The provided cron expression: {text} will never fire.")


def _check_trigger(trigger: Trigger, raw: object) -> None:
    for name in _OTHERS:
        if isinstance(raw, Mapping) and raw.get(name) is not None:
            raise not_emulated(f"'trigger.{name}' (supported: {', '.join(_KINDS)})")
    found = [name for name in _KINDS if getattr(trigger, name) is not None]
    if len(found) != 1:
        raise invalid(f"trigger: {' and '.join(found) or 'nothing'}; expected one of {', '.join(_KINDS)}")
    if trigger.periodic is not None and trigger.periodic.interval < 1:
        raise invalid(f"trigger.periodic.interval must be 1 or more; got {trigger.periodic.interval}")
    if trigger.file_arrival is not None and not trigger.file_arrival.url.startswith("/Volumes/"):
        raise not_emulated(f"'trigger.file_arrival.url: {trigger.file_arrival.url}' (supported: /Volumes/<catalog>/<schema>/<volume>/…)")
    for name in trigger.table_update.table_names if trigger.table_update is not None else ():
        if len(name.split(".")) != _PARTS_OF_A_TABLE:
            raise invalid(f"trigger.table_update.table_names '{name}': expected catalog.schema.table")
