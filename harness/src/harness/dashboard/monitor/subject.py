"""What the dashboard is about: one monitor, in plain words. Pure data."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["snapshot", "time series", "inference log"]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """One refresh of the monitor; `state` as the API has it, without the prefix."""

    state: str
    trigger: str
    started: dt.datetime
    ended: dt.datetime | None = None
    message: str | None = None

    @property
    def failed(self) -> bool:
        """Whether it ended without metrics."""
        return self.state == "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One monitor: its tables, its columns with a meaning, how it is.

    `granularities` are labels as in the metric tables, empty for a snapshot. `refreshes` are newest first.
    """

    table: str
    profile_table: str
    drift_table: str
    kind: Kind
    granularities: tuple[str, ...] = ()
    problem: Literal["regression", "classification"] | None = None
    timestamp: str | None = None
    prediction: str | None = None
    label: str | None = None
    model_id: str | None = None
    baseline: str | None = None
    status: str = "ACTIVE"
    version: int = 0
    failure: str | None = None
    dashboard_id: str | None = None
    deleted: bool = False
    refreshes: tuple[Refreshed, ...] = ()


class Subjects(Protocol):
    """The monitors that there are, and those that were deleted and left their dashboards."""

    def all(self) -> Sequence[Subject]:
        """Return them by table."""
        ...
