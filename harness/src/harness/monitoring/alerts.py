"""What a person should look at: alerts over the two metric tables of a monitor. Pure.

An alert needs an effect that matters and one that chance does not explain, so that neither small nor huge windows of a world that
stands still alarm. A window is judged by itself and what was before it: later windows take back no alert, except on a column that
turns out to tell only the time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

from harness.monitoring.alert_checks import Found, Reference, drifted, missing, unusual_volume, worse
from harness.monitoring.alert_series import MetricRow, Observed, Scope, Series, number, series_of
from harness.monitoring.alert_thresholds import AlertThresholds
from harness.monitoring.schemas import ALL_MODELS, TABLE

__all__ = ["Alert", "AlertThresholds", "find_alerts"]

Severity = Literal["warning", "critical"]
# At so many times the effect that matters, a warning is critical.
_CRITICAL = 2.0
# A column that is constant in so many of the windows, but not the same, tells the window's time.
_CLOCK_SHARE, _FEWEST_WINDOWS, _SEVERAL = 2 / 3, 3, 3
# A column of names is one whose values are others in so many comparisons of windows that follow each other.
_APART, _FEWEST_COMPARISONS = 0.999, 2
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Alert:
    """One figure of one window outside of its usual range, from `low` to `high` (None: no bound), and why in a sentence.

    `column_name` and `measure` are names of the metric tables: the same figure is found there, `ks_test` by its statistic.
    """

    window_start: datetime
    window_end: datetime
    granularity: str | None
    slice_key: str | None
    slice_value: str | None
    model_id: str | None
    column_name: str
    measure: str
    value: float
    low: float | None
    high: float | None
    severity: Severity
    reason: str


def find_alerts(
    profile: Iterable[MetricRow],
    drift: Iterable[MetricRow],
    *,
    now: datetime,
    model_id_column: str | None = None,
    label_column: str | None = None,
    thresholds: AlertThresholds | None = None,
) -> list[Alert]:
    """Return the alerts of every finished window, slice and model, oldest first; rows may come in any order.

    `model_id_column` and `label_column` are as in the monitor's configuration.
    """
    limits = thresholds or AlertThresholds()
    alerts: list[Alert] = []
    for series in series_of(profile, drift, now=now, model_id_column=model_id_column):
        ignore = (
            limits.ignore | _clocks(series, limits.rows) | _names(series.windows) | ({model_id_column} if model_id_column else frozenset())
        )
        for number_, window in enumerate(series.windows):
            found = _found(series, number_, label_column, replace(limits, ignore=ignore))
            alerts.extend(_alert(series.scope, window, one) for one in found)
    return sorted(alerts, key=lambda alert: (alert.window_start, alert.window_end))


def _found(series: Series, number_: int, label: str | None, limits: AlertThresholds) -> Iterator[Found]:
    window, earlier = series.windows[number_], series.windows[:number_]
    seen = replace(window, drift={column: row for column, row in window.drift.items() if column not in limits.ignore})
    if series.scope.slice_key is None and series.scope.model_id in (None, ALL_MODELS):
        yield from unusual_volume(window, earlier, limits)
    if not _labels_are_late(window, earlier, label, limits):
        reference = _reference(series.baseline, earlier, label, limits)
        rows = _labelled(window, label)
        if reference is not None and min(rows, reference.rows) >= limits.rows:
            yield from worse(window, reference, rows, limits)
    else:
        seen.drift.pop(label or "", None)
    yield from drifted(seen, {one.start: one for one in earlier}, series.baseline, limits)
    yield from missing(seen, but=label, thresholds=limits)


def _labelled(window: Observed, label: str | None) -> int:
    return window.count(TABLE if label is None or label not in window.profile else label)


def _labels_are_late(window: Observed, earlier: Sequence[Observed], label: str | None, limits: AlertThresholds) -> bool:
    shares = [_labelled(one, label) / one.count() for one in (*earlier, window) if one.count()]
    return len(shares) > 1 and shares[-1] < limits.labelled * median(shares[:-1])


def _reference(baseline: Observed | None, earlier: Sequence[Observed], label: str | None, limits: AlertThresholds) -> Reference | None:
    """Return the baseline's quality or, where it has none, that of all windows before, taken together."""
    if baseline is not None and any(baseline.figure(TABLE, name) is not None for name in ("mean_average_error", "accuracy_score")):
        return _together("the baseline", [baseline], label)
    usable = [one for one in earlier if _labelled(one, label) >= limits.rows]
    return _together("the windows before", usable, label) if usable else None


def _together(name: str, windows: Sequence[Observed], label: str | None) -> Reference:
    figures = [
        _mean([(_labelled(one, label), one.figure(TABLE, measure)) for one in windows])
        for measure in ("mean_average_error", "mean_squared_error", "accuracy_score")
    ]
    return Reference(name, sum(_labelled(one, label) for one in windows), *figures)


def _mean(weighted: Iterable[tuple[int, float | None]]) -> float | None:
    known = [(weight, value) for weight, value in weighted if value is not None and weight]
    return sum(weight * value for weight, value in known) / sum(weight for weight, _ in known) if known else None


def _clocks(series: Series, fewest: int) -> frozenset[str]:
    """Return the columns that only tell which window it is, as the month does in windows of a day: they differ from any reference.

    A constant that changes once, and is one in the baseline too, is another thing: a change.
    """
    constants: dict[str, list[object]] = {}
    for window in series.windows:
        for column, row in window.profile.items():
            if column != TABLE and window.count(column) >= fewest:
                constants.setdefault(column, []).append(_constant(row))
    return frozenset(
        column
        for column, values in constants.items()
        if len(values) >= _FEWEST_WINDOWS
        and sum(value is not None for value in values) >= _CLOCK_SHARE * len(values)
        and len({value for value in values if value is not None}) >= (2 if _varies(series.baseline, column) else _SEVERAL)
    )


def _varies(baseline: Observed | None, column: str) -> bool:
    return baseline is not None and (baseline.figure(column, "distinct_count") or 0) > 1


def _names(windows: Sequence[Observed]) -> frozenset[str]:
    """Return the columns of names that no window shares with the one before: of requests, of rows."""
    distances: dict[str, list[float]] = {}
    for window in windows:
        for column, distance in window.apart.items():
            distances.setdefault(column, []).append(distance)
    return frozenset(
        column
        for column, values in distances.items()
        if len(values) >= _FEWEST_COMPARISONS and sum(value >= _APART for value in values) >= _CLOCK_SHARE * len(values)
    )


def _constant(row: MetricRow) -> object:
    if number(row, "distinct_count") != 1:
        return None
    items = row.get("frequent_items")
    if isinstance(items, Sequence) and items and isinstance(items[0], Mapping):
        return items[0].get("item")
    return number(row, "min")


def _alert(scope: Scope, window: Observed, found: Found) -> Alert:
    severity: Severity = "critical" if found.excess >= _CRITICAL else "warning"
    reason = f"{_when(scope, window)}, {_who(scope)}: {found.words}."
    return Alert(
        window_start=window.start,
        window_end=window.end,
        granularity=scope.granularity,
        slice_key=scope.slice_key,
        slice_value=scope.slice_value,
        model_id=scope.model_id,
        column_name=found.column_name,
        measure=found.measure,
        value=found.value,
        low=found.low,
        high=found.high,
        severity=severity,
        reason=reason,
    )


def _when(scope: Scope, window: Observed) -> str:
    if scope.granularity is None:
        return f"{window.start:%Y-%m-%d %H:%M:%S}"
    start = f"{window.start:%Y-%m-%d}" if window.end - window.start >= _DAY else f"{window.start:%Y-%m-%d %H:%M}"
    return f"{start} ({scope.granularity})"


def _who(scope: Scope) -> str:
    model = {None: "all rows", ALL_MODELS: "all models"}.get(scope.model_id, f"model {scope.model_id}")
    return model if scope.slice_key is None else f"{model}, {scope.slice_key} = {scope.slice_value}"
