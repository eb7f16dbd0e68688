"""The clocks that services are given."""

import datetime as dt

from harness.clock import MovingClock


def test_a_moving_clock_goes_on_from_where_it_is_set() -> None:
    """It tells the time it was set to and what has passed since, as a moment and in nanoseconds; it can be set again."""
    clock = MovingClock(dt.datetime(2018, 1, 31, tzinfo=dt.UTC))
    first = clock.now()
    clock.set(dt.datetime(2018, 2, 28, tzinfo=dt.UTC))
    second, third = clock.now(), clock.time_ns()

    assert dt.datetime(2018, 1, 31, tzinfo=dt.UTC) <= first < dt.datetime(2018, 2, 1, tzinfo=dt.UTC)
    assert dt.datetime(2018, 2, 28, tzinfo=dt.UTC) <= second < dt.datetime(2018, 3, 1, tzinfo=dt.UTC)
    assert second.timestamp() <= third / 1e9 < second.timestamp() + 3600
