"""What starts a job by itself, and what began a run. Field names are those of the Jobs API 2.2."""

from typing import Literal

import msgspec

Pause = Literal["PAUSED", "UNPAUSED"]
TriggerType = Literal["ONE_TIME", "PERIODIC", "RUN_JOB_TASK", "FILE_ARRIVAL", "TABLE", "CONTINUOUS"]


class Schedule(msgspec.Struct, frozen=True):
    """At which times the job starts by itself."""

    quartz_cron_expression: str
    timezone_id: str
    pause_status: Pause = "UNPAUSED"


class Periodic(msgspec.Struct, frozen=True):
    """How often the job starts by itself."""

    interval: int
    unit: Literal["MINUTES", "HOURS", "DAYS", "WEEKS"]


class FileArrival(msgspec.Struct, frozen=True):
    """The folder in which new files start the job."""

    url: str
    min_time_between_triggers_seconds: int = 0
    wait_after_last_change_seconds: int = 0


class TableUpdate(msgspec.Struct, frozen=True):
    """The tables whose changes start the job."""

    table_names: tuple[str, ...]
    condition: Literal["ANY_UPDATED", "ALL_UPDATED"] = "ANY_UPDATED"
    min_time_between_triggers_seconds: int = 0
    wait_after_last_change_seconds: int = 0


class Trigger(msgspec.Struct, frozen=True):
    """What else starts the job by itself: one of the three."""

    periodic: Periodic | None = None
    file_arrival: FileArrival | None = None
    table_update: TableUpdate | None = None
    pause_status: Pause = "UNPAUSED"


class Continuous(msgspec.Struct, frozen=True):
    """The job starts whenever its run before has ended."""

    pause_status: Pause = "UNPAUSED"


class Fired(msgspec.Struct, frozen=True):
    """What began a run."""

    type: TriggerType = "ONE_TIME"
    time: int = 0
    """The moment it stands for; 0 when a caller began the run."""
    location: str = ""
    """Where files arrived."""


BY_CALLER = Fired()
