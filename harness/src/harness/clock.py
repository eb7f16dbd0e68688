"""The only module that reads the real time. Services take a `Clock`."""

import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time in UTC, and sleeping."""

    def now(self) -> dt.datetime:
        """Return the time now, in UTC, with its time zone."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> dt.datetime:
        """Return the time now, in UTC."""
        return dt.datetime.now(dt.UTC)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        time.sleep(seconds)


class FakeClock:
    """A clock that stands still until it is told to sleep."""

    def __init__(self, now: dt.datetime) -> None:
        self._now = now

    def now(self) -> dt.datetime:
        """Return the time last set."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the time on by `seconds`, at once."""
        self._now += dt.timedelta(seconds=seconds)


class MovingClock:
    """A clock that goes as the machine's does, from the time that it was last set to."""

    def __init__(self, now: dt.datetime) -> None:
        self.set(now)

    def set(self, now: dt.datetime) -> None:
        """Go on from `now`."""
        self._set = (now, time.monotonic())  # one assignment: others read it meanwhile

    def now(self) -> dt.datetime:
        """Return the time set, and what has passed since."""
        now, since = self._set
        return now + dt.timedelta(seconds=time.monotonic() - since)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        time.sleep(seconds)

    def time_ns(self) -> int:
        """Return the time as nanoseconds since 1970."""
        return int(self.now().timestamp() * 1_000_000) * 1_000


def millis(moment: dt.datetime) -> int:
    """Return `moment` as milliseconds since 1970, the platform's unit for times in JSON."""
    return int(moment.timestamp() * 1000)


def moment(millis: int) -> dt.datetime:
    """Return the moment that the platform writes as `millis`."""
    return dt.datetime.fromtimestamp(millis / 1000, dt.UTC)
