"""Quartz cron expressions: which they are, and when they next come true. Pure.

The syntax is that of quartz-scheduler.org, CronTrigger tutorial. No library on PyPI that is kept reads it: the three that say so date from
2016, 2019, or check without computing a time.
"""

import calendar
import datetime as dt
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

MAX_YEAR = 2099
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SATURDAY = 7
_FROM_THE_END = re.compile(r"L(?:-(?P<before>\d{1,2}))?(?P<weekday>W)?")
_NEAREST = re.compile(r"(?P<day>\d{1,2})W")
_LAST = re.compile(r"(?P<day>[1-7]|[A-Z]{3})L")
_NTH = re.compile(r"(?P<day>[1-7]|[A-Z]{3})#(?P<nth>[1-5])")
_LEAST_FIELDS, _MOST_FIELDS = 6, 7


class QuartzProblemError(ValueError):
    """Text that is no Quartz expression; the message says which part, and what is expected."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: Sequence[str] = ()

    def number(self, text: str) -> int:
        if text in self.names:
            return self.names.index(text) + self.low
        if not text.isdecimal() or not self.low <= int(text) <= self.high:
            named = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
            raise QuartzProblemError(f"{self.name} '{text}': expected {self.low}-{self.high}{named}")
        return int(text)


_SECOND, _MINUTE, _HOUR = _Field("second", 0, 59), _Field("minute", 0, 59), _Field("hour", 0, 23)
_DAY, _MONTH = _Field("day of month", 1, 31), _Field("month", 1, 12, _MONTHS)
_WEEKDAY, _YEAR = _Field("day of week", 1, 7, _DAYS), _Field("year", 1970, MAX_YEAR)


@dataclass(frozen=True, slots=True)
class _DaysOfMonth:
    days: Collection[int]

    def within(self, _: int, __: int, last: int) -> list[int]:
        return [day for day in sorted(self.days) if day <= last]


@dataclass(frozen=True, slots=True)
class _FromTheEnd:
    before: int
    weekday: bool

    def within(self, year: int, month: int, last: int) -> list[int]:
        day = last - self.before
        if day < 1:
            return []
        return [_nearest_weekday(year, month, day, last)] if self.weekday else [day]


@dataclass(frozen=True, slots=True)
class _NearestWeekday:
    day: int

    def within(self, year: int, month: int, last: int) -> list[int]:
        """Assumption: a month that has no such day has none near it either."""
        return [_nearest_weekday(year, month, self.day, last)] if self.day <= last else []


@dataclass(frozen=True, slots=True)
class _DaysOfWeek:
    days: Collection[int]
    nth: int = 0
    """The first to fifth of the month, -1 for its last, 0 for all."""

    def within(self, year: int, month: int, last: int) -> list[int]:
        found = [day for day in range(1, last + 1) if _day_of_week(year, month, day) in self.days]
        if self.nth == 0:
            return found
        return found[-1:] if self.nth < 0 else found[self.nth - 1 : self.nth]


_Days = _DaysOfMonth | _FromTheEnd | _NearestWeekday | _DaysOfWeek


@dataclass(frozen=True, slots=True)
class Quartz:
    """An expression that has been read."""

    text: str
    seconds: Sequence[int]
    minutes: Sequence[int]
    hours: Sequence[int]
    days: _Days
    months: Sequence[int]
    years: Sequence[int]

    def next_after(self, moment: dt.datetime, zone: ZoneInfo) -> dt.datetime | None:
        """Return the first time after `moment`, in UTC, at which the clocks of `zone` show what the expression says; None for never.

        Assumption: an hour that the clocks leave out is left out (docs.databricks.com/jobs/scheduled: "skipped"), and one that they
        show twice counts the first time only.
        """
        wall = moment.astimezone(zone).replace(tzinfo=None, fold=0)
        while (found := self._next_wall(wall)) is not None:
            wall = found
            there = found.replace(tzinfo=zone).astimezone(dt.UTC)
            if there > moment and there.astimezone(zone).replace(tzinfo=None, fold=0) == found:
                return there
        return None

    def _next_wall(self, after: dt.datetime) -> dt.datetime | None:
        start = after.replace(microsecond=0) + dt.timedelta(seconds=1)
        for year in (year for year in self.years if year >= start.year):
            for month in (month for month in self.months if (year, month) >= (start.year, start.month)):
                last = calendar.monthrange(year, month)[1]
                for day in self.days.within(year, month, last):
                    date = dt.date(year, month, day)
                    time = self._time(start.time() if date == start.date() else dt.time()) if date >= start.date() else None
                    if time is not None:
                        return dt.datetime.combine(date, time)
        return None

    def _time(self, earliest: dt.time) -> dt.time | None:
        """Return the first time of day that is not before `earliest`."""
        for hour in (hour for hour in self.hours if hour >= earliest.hour):
            for minute in (minute for minute in self.minutes if (hour, minute) >= (earliest.hour, earliest.minute)):
                for second in self.seconds:
                    if (hour, minute, second) >= (earliest.hour, earliest.minute, earliest.second):
                        return dt.time(hour, minute, second)
        return None


def parse(text: str) -> Quartz:
    """Return the expression in `text`, or raise `QuartzProblemError`."""
    fields = text.upper().split()
    if not _LEAST_FIELDS <= len(fields) <= _MOST_FIELDS:
        raise QuartzProblemError(f"{len(fields)} fields: expected six or seven (second minute hour day-of-month month day-of-week [year])")
    second, minute, hour, day, month, weekday = fields[:_LEAST_FIELDS]
    if (day == "?") == (weekday == "?"):
        raise QuartzProblemError(f"day of month '{day}' with day of week '{weekday}': expected '?' for one of the two")
    return Quartz(
        text=text,
        seconds=_values(second, _SECOND),
        minutes=_values(minute, _MINUTE),
        hours=_values(hour, _HOUR),
        days=_days_of_month(day) if weekday == "?" else _days_of_week(weekday),
        months=_values(month, _MONTH),
        years=_values(fields[-1] if len(fields) == _MOST_FIELDS else "*", _YEAR),
    )


def _days_of_month(text: str) -> _Days:
    if found := _FROM_THE_END.fullmatch(text):
        before = int(found["before"] or 0)
        if before >= _DAY.high:
            raise QuartzProblemError(f"day of month '{text}': expected L-1 to L-{_DAY.high - 1}")
        return _FromTheEnd(before, found["weekday"] is not None)
    if found := _NEAREST.fullmatch(text):
        return _NearestWeekday(_DAY.number(found["day"]))
    return _DaysOfMonth(_values(text, _DAY))


def _days_of_week(text: str) -> _Days:
    if text == "L":
        return _DaysOfWeek([_SATURDAY])
    if found := _LAST.fullmatch(text):
        return _DaysOfWeek([_WEEKDAY.number(found["day"])], nth=-1)
    if found := _NTH.fullmatch(text):
        return _DaysOfWeek([_WEEKDAY.number(found["day"])], nth=int(found["nth"]))
    return _DaysOfWeek(_values(text, _WEEKDAY))


def _values(text: str, field: _Field) -> list[int]:
    return sorted({value for part in text.split(",") for value in _part(part, field)})


def _part(text: str, field: _Field) -> list[int]:
    span, slash, step = text.partition("/")
    start, dash, stop = span.partition("-")
    if slash and (not step.isdecimal() or not 1 <= int(step) <= field.high):
        raise QuartzProblemError(f"{field.name} '{text}': expected a step of 1 to {field.high} after '/'")
    if span == "*" or (not span and slash):
        first, last = field.low, field.high
    elif dash:
        first, last = field.number(start), field.number(stop)
    else:
        first = field.number(start)
        last = field.high if slash else first
    size = field.high - field.low + 1
    if last < first and field is _YEAR:
        raise QuartzProblemError(f"year '{text}': expected the first year before the last")
    # A range may go round the end: 22-2 o'clock, FRI-MON.
    around = last + size if last < first else last
    return [(value - field.low) % size + field.low for value in range(first, around + 1, int(step or 1))]


def _day_of_week(year: int, month: int, day: int) -> int:
    """Return 1 for Sunday to 7 for Saturday."""
    return (calendar.weekday(year, month, day) + 1) % 7 + 1


def _nearest_weekday(year: int, month: int, day: int, last: int) -> int:
    """Return the nearest Monday to Friday of the same month."""
    match _day_of_week(year, month, day):
        case 7:
            return day + 2 if day == 1 else day - 1
        case 1:
            return day - 2 if day == last else day + 1
        case _:
            return day
