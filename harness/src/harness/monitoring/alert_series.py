"""The rows of the two metric tables, put together by what they are about: one series of windows each. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from harness.monitoring.schemas import TABLE

MetricRow = Mapping[str, object]


class Scope(NamedTuple):
    """What a series is about; `granularity` is None of a snapshot, `slice_key` of the whole table, `model_id` where there are no models."""

    granularity: str | None
    slice_key: str | None
    slice_value: str | None
    model_id: str | None


@dataclass(slots=True)
class Observed:
    """One window, or the baseline: its profile rows by column, and its drift rows by column against what they are to be judged by.

    `apart` is the total variation distance of categories from the window before, by column.
    """

    start: datetime
    end: datetime
    profile: dict[str, MetricRow] = field(default_factory=dict)
    drift: dict[str, MetricRow] = field(default_factory=dict)
    apart: dict[str, float] = field(default_factory=dict)

    def figure(self, column: str, name: str) -> float | None:
        """Return a figure of a column's profile row."""
        row = self.profile.get(column)
        return None if row is None else number(row, name)

    def count(self, column: str = TABLE) -> int:
        """Return how many rows, or of a column how many values, there are."""
        return int(self.figure(column, "count") or 0)


@dataclass(frozen=True, slots=True)
class Series:
    """The finished windows of one scope in order, and its baseline if it has one."""

    scope: Scope
    windows: Sequence[Observed]
    baseline: Observed | None


def series_of(profile: Iterable[MetricRow], drift: Iterable[MetricRow], *, now: datetime, model_id_column: str | None) -> list[Series]:
    """Return what the rows tell, in whatever order they come; windows that end after `now` are unfinished and left out."""
    found: dict[Scope, dict[datetime, Observed]] = {}
    baselines: dict[Scope, Observed] = {}
    for row in profile:
        scope, window = _scope(row, model_id_column), _window(row, "window")
        if window is None:
            baselines.setdefault(scope._replace(granularity=None), Observed(now, now)).profile[text(row, "column_name") or ""] = row
        elif window[1] <= now:
            windows = found.setdefault(scope, {})
            windows.setdefault(window[0], Observed(*window)).profile[text(row, "column_name") or ""] = row
    for row in drift:
        window = _window(row, "window")
        observed = found.get(_scope(row, model_id_column), {}).get(window[0]) if window else None
        if observed is not None:
            _keep(observed, row, baselines.get(_scope(row, model_id_column)._replace(granularity=None)))
    return [
        Series(scope, [windows[start] for start in sorted(windows)], baselines.get(scope._replace(granularity=None)))
        for scope, windows in sorted(found.items(), key=lambda item: [(part is not None, part or "") for part in item[0]])
    ]


def _keep(observed: Observed, row: MetricRow, baseline: Observed | None) -> None:
    # A window is judged by the baseline where there is one: after a lasting change, consecutive windows are alike again. A column that
    # the baseline lacks is none of the model's.
    column, distance = text(row, "column_name") or "", number(row, "tv_distance")
    if row["drift_type"] != "BASELINE" and distance is not None:
        observed.apart[column] = distance
    if (row["drift_type"] == "BASELINE") == (baseline is not None):
        observed.drift[column] = row


def _scope(row: MetricRow, model_id_column: str | None) -> Scope:
    model = None if model_id_column is None else text(row, model_id_column)
    return Scope(text(row, "granularity"), text(row, "slice_key"), text(row, "slice_value"), model)


def _window(row: MetricRow, name: str) -> tuple[datetime, datetime] | None:
    window = row.get(name)
    if not isinstance(window, Mapping):
        return None
    start, end = (_utc(window[bound]) for bound in ("start", "end"))
    return start, end


def compared_with(row: MetricRow) -> datetime | None:
    """Return the start of the window that a drift row compares with; None of the baseline."""
    window = _window(row, "window_cmp")
    return None if window is None else window[0]


def _utc(moment: object) -> datetime:
    assert isinstance(moment, datetime)  # noqa: S101 - the tables' schema
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def number(row: MetricRow, name: str) -> float | None:
    """Return a figure of a row; None where it is NULL or not a finite number."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def text(row: MetricRow, name: str) -> str | None:
    """Return a word of a row; None where it is NULL."""
    value = row.get(name)
    return None if value is None else str(value)


def pvalue(row: MetricRow) -> float | None:
    """Return the p-value of the test that fits the column's type; None where it has none."""
    for name in ("ks_test", "chi_squared_test"):
        test = row.get(name)
        if isinstance(test, Mapping):
            return number(test, "pvalue")
    return None
