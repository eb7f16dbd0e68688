"""Refreshes that start by themselves, by a clock that the test moves."""

import datetime as dt
from dataclasses import dataclass, field

import pytest

from harness.clock import FakeClock
from harness.monitoring.model import CronSchedule, DataProfilingConfig, Monitor
from harness.monitoring.schedules import Schedules

BEGIN = dt.datetime(2026, 3, 1, 7, 59, tzinfo=dt.UTC)
HOUR = 3600


@dataclass
class Watched:
    """Monitors whose refreshes are only counted."""

    monitors: list[Monitor] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=lambda: FakeClock(BEGIN))

    def __post_init__(self) -> None:
        self.schedules = Schedules(clock=self.clock, monitors=lambda: self.monitors, begin=self.begun.append)

    def after(self, seconds: float) -> list[str]:
        self.clock.sleep(seconds)
        self.schedules.look()
        return self.begun


def monitor(cron: str = "0 0 8 * * ?", zone: str = "UTC", *, paused: bool = False) -> Monitor:
    status = "CRON_SCHEDULE_PAUSE_STATUS_PAUSED" if paused else "CRON_SCHEDULE_PAUSE_STATUS_UNPAUSED"
    schedule = CronSchedule(quartz_cron_expression=cron, timezone_id=zone, pause_status=status)
    config = DataProfilingConfig(output_schema_id="s", schedule=schedule)
    return Monitor(
        table_id="t", table="m.s.t", output_schema="m.o", config=config, version=0, status="DATA_PROFILING_STATUS_ACTIVE", created_ms=0
    )


@pytest.fixture
def watched() -> Watched:
    found = Watched([monitor()])
    found.schedules.look()
    return found


def test_a_refresh_begins_when_its_time_comes(watched: Watched) -> None:
    """Not before, once, and again the next day."""
    assert watched.after(59) == []
    assert watched.after(2) == ["t"]
    assert watched.after(HOUR) == ["t"]
    assert watched.after(24 * HOUR) == ["t", "t"]


def test_times_that_passed_unseen_count_once(watched: Watched) -> None:
    """A laptop that slept for three days makes one refresh."""
    assert watched.after(72 * HOUR) == ["t"]


def test_a_paused_schedule_begins_nothing(watched: Watched) -> None:
    """And nothing is made up for when it goes on."""
    watched.monitors = [monitor(paused=True)]
    watched.after(24 * HOUR)
    watched.monitors = [monitor()]

    assert watched.after(0) == []


def test_another_schedule_counts_from_now(watched: Watched) -> None:
    """By the clock of its own zone: 01:00 in Los Angeles is 09:00 UTC in winter."""
    watched.monitors = [monitor("0 0 1 * * ?", "PST")]
    watched.after(0)

    assert watched.after(HOUR) == []
    assert watched.after(120) == ["t"]


def test_a_deleted_monitor_is_forgotten(watched: Watched) -> None:
    """One made later under the same id starts anew."""
    watched.monitors = []

    assert watched.after(24 * HOUR) == []
