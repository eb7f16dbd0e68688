"""Quartz expressions: literal cases of the syntax, and laws against trying every minute."""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.quartz import QuartzProblemError, parse

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


def fires(text: str, start: str, count: int = 3, zone: ZoneInfo = UTC) -> list[str]:
    """Return the next times of an expression, as the clocks of `zone` show them."""
    found: list[str] = []
    moment = dt.datetime.fromisoformat(start).replace(tzinfo=zone).astimezone(dt.UTC)
    while len(found) < count:
        following = parse(text).next_after(moment, zone)
        assert following is not None
        moment = following
        found.append(moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0 0 12 * * ?", ["2026-01-01 12:00:00", "2026-01-02 12:00:00"], id="every noon"),
        pytest.param("0 15 10 ? * *", ["2026-01-01 10:15:00", "2026-01-02 10:15:00"], id="question mark for the day"),
        pytest.param("0 15 10 * * ? 2027", ["2027-01-01 10:15:00", "2027-01-02 10:15:00"], id="seven fields"),
        pytest.param("0 0/5 14,18 * * ?", ["2026-01-01 14:00:00", "2026-01-01 14:05:00"], id="steps in listed hours"),
        pytest.param("0 0-1 14 * * ?", ["2026-01-01 14:00:00", "2026-01-01 14:01:00"], id="range"),
        pytest.param("0 */20 * * * ?", ["2026-01-01 00:20:00", "2026-01-01 00:40:00"], id="star with a step"),
        pytest.param("0 10,44 14 ? 3 WED", ["2026-03-04 14:10:00", "2026-03-04 14:44:00"], id="day by name"),
        pytest.param("0 15 10 ? * mon-fri", ["2026-01-01 10:15:00", "2026-01-02 10:15:00", "2026-01-05 10:15:00"], id="lower case"),
        pytest.param("0 0 0 ? * FRI-MON", ["2026-01-02 00:00:00", "2026-01-03 00:00:00", "2026-01-04 00:00:00"], id="range around"),
        pytest.param("0 0 22-2/2 1 * ?", ["2026-01-01 02:00:00", "2026-01-01 22:00:00", "2026-02-01 00:00:00"], id="hours around"),
        pytest.param("0 0 0 ? NOV-JAN 1", ["2026-01-04 00:00:00", "2026-01-11 00:00:00"], id="months around, sunday is 1"),
        pytest.param("0 0 0 L * ?", ["2026-01-31 00:00:00", "2026-02-28 00:00:00"], id="last day"),
        pytest.param("0 0 0 L-3 * ?", ["2026-01-28 00:00:00", "2026-02-25 00:00:00"], id="third before the last"),
        pytest.param("0 0 0 LW * ?", ["2026-01-30 00:00:00", "2026-02-27 00:00:00"], id="last weekday"),
        pytest.param("0 0 0 15W * ?", ["2026-01-15 00:00:00", "2026-02-16 00:00:00", "2026-03-16 00:00:00"], id="nearest weekday"),
        pytest.param("0 0 0 1W 8 ?", ["2026-08-03 00:00:00"], id="nearest weekday stays in the month, at its start"),
        pytest.param("0 0 0 31W 1,5 ?", ["2026-01-30 00:00:00", "2026-05-29 00:00:00"], id="and at its end"),
        pytest.param("0 0 0 31W * ?", ["2026-01-30 00:00:00", "2026-03-31 00:00:00"], id="no 31st, no weekday near it"),
        pytest.param("0 0 0 ? * L", ["2026-01-03 00:00:00", "2026-01-10 00:00:00"], id="L alone is saturday"),
        pytest.param("0 15 10 ? * 6L", ["2026-01-30 10:15:00", "2026-02-27 10:15:00"], id="last friday"),
        pytest.param("0 15 10 ? * FRI#3", ["2026-01-16 10:15:00", "2026-02-20 10:15:00"], id="third friday"),
        pytest.param("0 0 0 ? * 2#5", ["2026-03-30 00:00:00", "2026-06-29 00:00:00"], id="fifth monday, where there is one"),
        pytest.param("0 0 0 29 2 ?", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"], id="leap years"),
        pytest.param("59 59 23 31 12 ?", ["2026-12-31 23:59:59", "2027-12-31 23:59:59"], id="end of the year"),
    ],
)
def test_an_expression_comes_true_when_quartz_says(text: str, expected: Sequence[str]) -> None:
    """From the first moment of 2026."""
    assert fires(text, "2026-01-01T00:00:00", len(expected)) == list(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("0 8 * * *", "5 fields: expected six or seven", id="unix cron"),
        pytest.param("0 30 2,7,11,15 * * *", "expected '[?]' for one of the two", id="both days"),
        pytest.param("0 0 0 ? * ?", "expected '[?]' for one of the two", id="neither day"),
        pytest.param("60 0 0 * * ?", "second '60': expected 0-59", id="too many seconds"),
        pytest.param("0 0 24 * * ?", "hour '24': expected 0-23", id="24 o'clock"),
        pytest.param("0 0 0 ? * 0", "day of week '0': expected 1-7 or SUN-SAT", id="day 0"),
        pytest.param("0 0 0 ? * MOON", "day of week 'MOON'", id="no such day"),
        pytest.param("0 0 0 1 FOO ?", "month 'FOO': expected 1-12 or JAN-DEC", id="no such month"),
        pytest.param("0 0/0 0 1 * ?", "minute '0/0': expected a step of 1 to 59", id="no step"),
        pytest.param("0 0/ 0 1 * ?", "expected a step of 1 to 59", id="unfinished step"),
        pytest.param("0 0 0 L,15 * ?", "day of month 'L'", id="L in a list"),
        pytest.param("0 0 0 ? * 6#6", "day of week '6#6'", id="sixth friday"),
        pytest.param("0 0 0 L-31 * ?", "expected L-1 to L-30", id="too far before the end"),
        pytest.param("0 0 0 1 * ? 2030-2026", "expected the first year before the last", id="years the wrong way round"),
        pytest.param("0 0 0 1 * ? 1969", "year '1969': expected 1970-2099", id="before the epoch"),
        pytest.param("? 0 0 1 * ?", "second '[?]'", id="question mark elsewhere"),
        pytest.param("", "0 fields", id="empty"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, message: str) -> None:
    """With the part that is wrong."""
    with pytest.raises(QuartzProblemError, match=message):
        parse(text)


@pytest.mark.parametrize("text", ["0 0 0 30 2 ?", "0 0 0 1 1 ? 2020"])
def test_some_never_come_true(text: str) -> None:
    """A day that no February has, a year that is over."""
    assert parse(text).next_after(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), UTC) is None


def test_an_hour_that_the_clocks_leave_out_is_left_out() -> None:
    """Berlin, 29 March 2026: 2 o'clock becomes 3 o'clock."""
    assert fires("0 30 2 * * ?", "2026-03-28T12:00:00", 2, BERLIN) == ["2026-03-30 02:30:00", "2026-03-31 02:30:00"]


def test_an_hour_that_the_clocks_show_twice_counts_once() -> None:
    """Berlin, 25 October 2026: 3 o'clock becomes 2 o'clock."""
    found = parse("0 30 2 * * ?").next_after(dt.datetime(2026, 10, 24, 12, tzinfo=dt.UTC), BERLIN)
    assert found == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)
    assert parse("0 30 2 * * ?").next_after(found, BERLIN) == dt.datetime(2026, 10, 26, 1, 30, tzinfo=dt.UTC)


def numbers(low: int, high: int) -> st.SearchStrategy[list[int]]:
    """A few numbers."""
    return st.lists(st.integers(low, high), min_size=1, max_size=3, unique=True)


def written(values: Sequence[int] | None) -> str:
    """Return them as a field."""
    return "*" if values is None else ",".join(str(value) for value in values)


@given(
    st.none() | numbers(0, 59),
    st.none() | numbers(0, 23),
    st.none() | numbers(1, 28),
    st.none() | numbers(1, 7),
    st.integers(0, 230 * 24 * 60 * 60),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_the_next_time_is_the_one_that_trying_every_minute_finds(
    minutes: list[int] | None, hours: list[int] | None, days: list[int] | None, weekdays: list[int] | None, later: int, zone: str
) -> None:
    """Whatever the fields and the zone, daylight saving included; within the next three days."""
    there = ZoneInfo(zone)
    by_week = weekdays is not None
    text = f"0 {written(minutes)} {written(hours)} {'?' if by_week else written(days)} * {written(weekdays) if by_week else '?'}"
    moment = dt.datetime(2026, 3, 20, tzinfo=dt.UTC) + dt.timedelta(seconds=later)

    def true_at(each: dt.datetime) -> bool:
        shown = each.astimezone(there)
        day = (shown.isoweekday() % 7 + 1) in weekdays if weekdays is not None else days is None or shown.day in days
        return day and (hours is None or shown.hour in hours) and (minutes is None or shown.minute in minutes) and shown.fold == 0

    first = moment.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
    tried = (first + dt.timedelta(minutes=minute) for minute in range(3 * 24 * 60))
    expected = next((each for each in tried if true_at(each)), None)
    found = parse(text).next_after(moment, there)

    assert found == expected if expected is not None else found is None or found >= first + dt.timedelta(days=3)
