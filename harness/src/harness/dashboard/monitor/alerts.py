"""Alerts as the dashboard shows them. Which there are is decided elsewhere: `harness.monitoring.alerts` fits."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.dashboard.monitor.facts import Group

_SHOWN = 60


class Alert(Protocol):
    """Something in one window that a person should look at, with the reason in a sentence."""

    @property
    def window_start(self) -> dt.datetime: ...  # noqa: D102 - what the name says, here and below
    @property
    def column_name(self) -> str: ...  # noqa: D102
    @property
    def measure(self) -> str: ...  # noqa: D102
    @property
    def severity(self) -> Literal["warning", "critical"]: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102


AlertsOf = Callable[[Group], Sequence[Alert]]
"""The alerts of one group, by whoever decides."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Alerts in the order of the page, newest first and among equals the critical ones; `hidden` older ones are only counted."""

    alerts: tuple[Alert, ...]
    critical: int
    hidden: int = 0


def shown(alerts: Sequence[Alert], *, since: dt.datetime, until: dt.datetime) -> Shown:
    """Return the alerts of windows that start between two moments, both included."""
    here = [one for one in alerts if since <= one.window_start <= until]
    ranked = sorted(here, key=lambda one: (-one.window_start.timestamp(), one.severity != "critical", one.column_name, one.measure))
    return Shown(tuple(ranked[:_SHOWN]), sum(one.severity == "critical" for one in here), max(len(ranked) - _SHOWN, 0))
