"""Times of windows as the dashboard writes them: UTC, as short as the window's width allows. Pure."""

import datetime as dt

from harness.dashboard.monitor.facts import Axis
from harness.dashboard.monitor.selection import moment

_DAY = 86_400_000_000


def is_daily(axis: Axis) -> bool:
    """Whether windows are whole days or longer, so that no time of day need be told."""
    return bool(len(axis)) and bool(((axis.ends - axis.starts) >= _DAY).all())


def short(micros: int, *, daily: bool) -> str:
    """Return a window's start as under a chart: 5 Jan 2026, or 5 Jan 10:00."""
    at = moment(micros)
    return f"{at.day} {at:%b %Y}" if daily else f"{at.day} {at:%b %H:%M}"


def full(micros: int, *, daily: bool) -> str:
    """Return a window's start as in a table: 2026-01-05, or 2026-01-05 10:00."""
    return f"{moment(micros):%Y-%m-%d}" if daily else f"{moment(micros):%Y-%m-%d %H:%M}"


def field(micros: int) -> str:
    """Return a moment as a control of the type datetime-local has it."""
    return f"{moment(micros):%Y-%m-%dT%H:%M}"


def at(when: dt.datetime) -> str:
    """Return when a refresh began or ended."""
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"
