"""The checks of one window: what is further off than it may be, and not by chance. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

from harness.monitoring.alert_series import MetricRow, Observed, compared_with, number, pvalue
from harness.monitoring.alert_thresholds import AlertThresholds
from harness.monitoring.schemas import TABLE

# A usual number of rows needs some windows to be known by, and is not what it was long ago.
_FEWEST_WINDOWS, _MOST_WINDOWS = 4, 28
_MAD_OF_A_NORMAL = 1.4826
_WIDE = 4.0


@dataclass(frozen=True, slots=True)
class Found:
    """A figure outside of its usual range, and in words; `excess` is how many times as far off as it may be."""

    column_name: str
    measure: str
    value: float
    low: float | None
    high: float | None
    excess: float
    words: str


@dataclass(frozen=True, slots=True)
class Reference:
    """The quality that a window's is compared with: over so many labelled rows, and what it is of."""

    name: str
    rows: int
    error: float | None
    squared_error: float | None
    accuracy: float | None


def drifted(window: Observed, before: Mapping[object, Observed], baseline: Observed | None, thresholds: AlertThresholds) -> Iterator[Found]:
    """Yield the columns whose distribution differs by more than matters, and by more than chance explains."""
    unlikely = discoveries(
        {column: p for column, row in window.drift.items() if (p := _chance(window, column, row, thresholds)) is not None},
        thresholds.false_alarms,
    )
    for column in sorted(unlikely):
        row = window.drift[column]
        start = compared_with(row)
        effects = _effects(row, baseline if start is None else before.get(start), thresholds)
        far = [(measure, value, limit) for measure, value, limit in effects if value >= limit]
        if far:
            measure, value, limit = far[0]
            words = _drift_words(window, column, row, reference="baseline" if start is None else "window before")
            words += f"; {_MEASURES[measure]} {value:.3g}, usual below {limit:.3g} (p-value {pvalue(row):.1g})"
            yield Found(column, measure, value, 0.0, limit, value / limit if limit else math.inf, words)


_MEASURES = {
    "population_stability_index": "stability index (PSI)",
    "ks_test": "largest gap between the two distributions (KS)",
    "wasserstein_distance": "values lie apart, on average, by (Wasserstein)",
    "tv_distance": "share of rows with another value (TV)",
}


def discoveries(pvalues: Mapping[str, float], share: float) -> frozenset[str]:
    """Return whose p-value is too small for chance, by Benjamini and Hochberg: where nothing is, any is found with at most this share.

    >>> sorted(discoveries({"a": 0.001, "b": 0.02, "c": 0.9}, 0.05))
    ['a', 'b']
    """
    ranked = sorted(pvalues.values())
    limit = max((value for rank, value in enumerate(ranked, 1) if value <= share * rank / len(ranked)), default=-1.0)
    return frozenset(name for name, value in pvalues.items() if value <= limit)


def _chance(window: Observed, column: str, row: MetricRow, thresholds: AlertThresholds) -> float | None:
    rows = window.count(column)
    fewest = min(rows, rows - int(number(row, "count_delta") or 0))
    return pvalue(row) if fewest >= thresholds.rows else None


def _effects(row: MetricRow, reference: Observed | None, thresholds: AlertThresholds) -> Iterator[tuple[str, float, float]]:
    """Yield each measure that the row has, its value, and from where on it matters."""
    test = row.get("ks_test")
    gap = number(test, "statistic") if isinstance(test, Mapping) else None
    spread = _spread(reference.profile.get(str(row["column_name"]))) if reference else None
    limits = {
        "population_stability_index": (number(row, "population_stability_index"), thresholds.stability),
        "ks_test": (gap, thresholds.distance),
        "wasserstein_distance": (number(row, "wasserstein_distance"), thresholds.shift * spread if spread else math.inf),
        "tv_distance": (number(row, "tv_distance"), thresholds.distance),
    }
    yield from ((measure, value, limit) for measure, (value, limit) in limits.items() if value is not None)


def _spread(row: MetricRow | None) -> float | None:
    """Return the standard deviation of a column's middle 98 %: one trip of 46,826 miles must not hide all others."""
    quantiles = None if row is None else row.get("quantiles")
    values = sorted(value for value in quantiles if math.isfinite(value)) if isinstance(quantiles, Sequence) else []
    middle = values[len(values) // 100 : len(values) - len(values) // 100]
    if not middle:
        return None
    mean = math.fsum(middle) / len(middle)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in middle) / len(middle))


def _drift_words(window: Observed, column: str, row: MetricRow, *, reference: str) -> str:
    average, delta = window.figure(column, "avg"), number(row, "avg_delta")
    words = f"{column} is not distributed as in the {reference}"
    if average is None or delta is None:
        return words
    return f"{words}: on average {average:.4g} instead of {average - delta:.4g}"


def missing(window: Observed, *, but: str | None, thresholds: AlertThresholds) -> Iterator[Found]:
    """Yield the columns with more NULLs than usual; labels come late, they are not among them."""
    columns = sorted(column for column in window.drift if column not in (TABLE, but))
    rows = window.count()
    others = rows - int(number(window.drift.get(TABLE, {}), "count_delta") or 0)
    if min(rows, others) < thresholds.rows:
        return
    for column in columns:
        now, delta = window.figure(column, "percent_null"), number(window.drift[column], "percent_null_delta")
        if now is None or delta is None:
            continue
        usual = min(max(now - delta, 0.0), 100.0) / 100
        variance = usual * (1 - usual)
        chance = _normal(thresholds.false_alarms / len(columns)) * _standard_error((rows, variance), (others, variance))
        rise, allowed = now / 100 - usual, max(thresholds.null_rise, chance)
        if rise >= allowed:
            high = 100 * (usual + allowed)
            words = f"{now:.3g} % of {column} are NULL, usual are {100 * usual:.3g} %, up to {high:.3g} %"
            yield Found(column, "percent_null", now, 0.0, high, rise / thresholds.null_rise, words)


def worse(window: Observed, reference: Reference, rows: int, thresholds: AlertThresholds) -> Iterator[Found]:
    """Yield the quality measures that are worse than the reference by more than matters, and than its rows and the window's explain."""
    yield from _error(window, reference, rows, thresholds)
    yield from _accuracy(window, reference, rows, thresholds)


def _error(window: Observed, reference: Reference, rows: int, thresholds: AlertThresholds) -> Iterator[Found]:
    error, squared = window.figure(TABLE, "mean_average_error"), window.figure(TABLE, "mean_squared_error")
    if error is None or squared is None or reference.error is None or reference.squared_error is None:
        return
    sides = ((rows, squared - error**2), (reference.rows, reference.squared_error - reference.error**2))
    band, matters = _normal(thresholds.false_alarms) * _standard_error(*sides), thresholds.error_rise * reference.error
    rise, allowed = error - reference.error, max(matters, band)
    if rise >= allowed > 0:
        low, high = max(reference.error - band, 0.0), reference.error + allowed
        words = f"the mean absolute error is {error:.4g} over {rows} labelled rows, in {reference.name} it is {reference.error:.4g}"
        excess = rise / matters if matters else math.inf
        yield Found(TABLE, "mean_average_error", error, low, high, excess, f"{words}, usual up to {high:.4g}")


def _accuracy(window: Observed, reference: Reference, rows: int, thresholds: AlertThresholds) -> Iterator[Found]:
    accuracy = window.figure(TABLE, "accuracy_score")
    if accuracy is None or reference.accuracy is None:
        return
    variance = reference.accuracy * (1 - reference.accuracy)
    band = _normal(thresholds.false_alarms) * _standard_error((rows, variance), (reference.rows, variance))
    fall, allowed = reference.accuracy - accuracy, max(thresholds.accuracy_drop, band)
    if fall >= allowed:
        low, high = reference.accuracy - allowed, min(reference.accuracy + band, 1.0)
        words = f"the accuracy is {accuracy:.3f} over {rows} labelled rows, in {reference.name} it is {reference.accuracy:.3f}"
        yield Found(TABLE, "accuracy_score", accuracy, low, high, fall / thresholds.accuracy_drop, f"{words}, usual from {low:.3f} on")


def _standard_error(*sides: tuple[int, float]) -> float:
    """Return the standard error of the difference of two means, given rows and variance of each.

    A few rows of a law with a long tail often miss the tail, and seem surer than they are: the common variance is the other estimate.
    """
    common = sum(rows * max(variance, 0.0) for rows, variance in sides) / sum(rows for rows, _ in sides)
    return math.sqrt(max(sum(max(variance, 0.0) / rows for rows, variance in sides), sum(common / rows for rows, _ in sides)))


def unusual_volume(window: Observed, earlier: Sequence[Observed], thresholds: AlertThresholds) -> Iterator[Found]:
    """Yield the number of rows where it is far from that of the windows before."""
    counts = [one.count() for one in earlier[-_MOST_WINDOWS:]]
    if len(counts) < _FEWEST_WINDOWS:
        return
    usual, value = median(counts), window.count()
    usually_off = _MAD_OF_A_NORMAL * median(abs(count - usual) for count in counts)
    chance = _normal(thresholds.false_alarms / 2) * math.sqrt(usual)
    allowed = max(thresholds.volume * usual, _WIDE * usually_off, chance)
    if abs(value - usual) > allowed:
        low, high = max(usual - allowed, 0.0), usual + allowed
        words = f"{value} rows came, usual are {usual:.0f}, from {low:.0f} to {high:.0f}"
        excess = abs(value - usual) / (thresholds.volume * usual) if usual else math.inf
        yield Found(TABLE, "count", float(value), low, high, excess, words)


def _normal(share: float) -> float:
    return NormalDist().inv_cdf(1 - share)
