"""Is the model still right? Findings over a monitor's metric tables, and what to do about them: pure."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist
from typing import Literal

from monitoring_unpacker.thresholds import Thresholds

Check = Literal["error", "accuracy", "drift", "nulls"]
Outcome = Literal["ok", "alert", "no_data"]

_NEVER = datetime(1, 1, 1)  # noqa: DTZ001 - compared with nothing: only the baseline has no start


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of one window, or of the baseline (`start` None), over its labelled rows; in the label's unit."""

    start: datetime | None
    rows: int
    mean_absolute_error: float | None = None
    mean_squared_error: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """How one column of one window differs from the reference.

    Attributes:
        start: where the window begins.
        column: the column's name.
        total: rows of the window.
        rows: those of them with a value; `reference_rows` the same of the reference.
        distance: Kolmogorov-Smirnov statistic, or total variation distance of categories, from 0 to 1; None where there is none.
        categories: how many there are; None for numbers.
        nulls: share of rows without a value, from 0 to 1; `null_rise` by how much more than in the reference.
    """

    start: datetime
    column: str
    total: int
    rows: int
    reference_rows: int
    distance: float | None
    categories: int | None = None
    nulls: float = 0.0
    null_rise: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one window: `value` alerts from `limit` on, and why in one sentence."""

    start: datetime
    check: Check
    column: str
    value: float
    reference: float
    limit: float
    rows: int
    alert: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all findings come to. `retrain` is true when quality fell or a watched column drifted, in enough of the newest windows."""

    outcome: Outcome
    findings: tuple[Finding, ...]
    persistent: tuple[Finding, ...]

    @property
    def retrain(self) -> bool:
        """Whether a new training is worth its price: NULLs alone are for those who deliver the data."""
        return any(finding.check != "nulls" for finding in self.persistent)

    @property
    def reason(self) -> str:
        """One sentence for a person."""
        if self.outcome == "no_data":
            return "no window has enough rows and something to compare with"
        if not self.persistent:
            alerts = sum(finding.alert for finding in self.findings)
            return f"{len(self.findings)} checks, {alerts} of single windows above their limits, none that lasts"
        return "; ".join(finding.reason for finding in self.persistent)


def judge(quality: Iterable[Quality], drift: Iterable[Drift], thresholds: Thresholds) -> Verdict:
    """Return the verdict over one model's windows of one granularity."""
    usable = [one for one in quality if one.rows >= thresholds.rows]
    findings = tuple(sorted((*_quality(usable, thresholds), *_drift(list(drift), thresholds)), key=_order))
    persistent = tuple(_persistent(findings, thresholds))
    outcome: Outcome = "no_data" if not findings else "alert" if persistent else "ok"
    return Verdict(outcome, findings, persistent)


def _order(finding: Finding) -> tuple[datetime, str, str]:
    return finding.start, finding.check, finding.column


def _quality(usable: Sequence[Quality], thresholds: Thresholds) -> Iterator[Finding]:
    baseline = next((one for one in usable if one.start is None), None)
    windows = sorted((one for one in usable if one is not baseline), key=lambda one: one.start or _NEVER)
    for number, window in enumerate(windows):
        # Without a baseline the window is compared with all windows before it, taken together.
        reference = baseline or _together(windows[:number])
        if reference is not None:
            yield from _error(window, reference, thresholds)
            yield from _accuracy(window, reference, thresholds)


def _together(windows: Sequence[Quality]) -> Quality | None:
    if not windows:
        return None
    return Quality(
        None,
        sum(window.rows for window in windows),
        _mean(windows, [window.mean_absolute_error for window in windows]),
        _mean(windows, [window.mean_squared_error for window in windows]),
        _mean(windows, [window.accuracy for window in windows]),
    )


def _mean(windows: Sequence[Quality], values: Sequence[float | None]) -> float | None:
    known = [(window.rows, value) for window, value in zip(windows, values, strict=True) if value is not None]
    return sum(rows * value for rows, value in known) / sum(rows for rows, _ in known) if known else None


def _error(window: Quality, reference: Quality, thresholds: Thresholds) -> Iterator[Finding]:
    if window.start is None or window.mean_absolute_error is None or reference.mean_absolute_error is None:
        return
    value, base = window.mean_absolute_error, reference.mean_absolute_error
    spread = math.hypot(*(_standard_error(one) for one in (window, reference)))
    limit = base + max(thresholds.error_rise * base, _normal(thresholds.false_alarms) * spread)
    rise = f"{value / base - 1:+.0%} against {base:.4g}" if base else f"against {base:.4g}"
    reason = f"{window.start:%Y-%m-%d %H:%M}: mean absolute error {value:.4g} ({rise}, limit {limit:.4g}) over {window.rows} labelled rows"
    yield Finding(window.start, "error", "", value, base, limit, window.rows, value > limit, reason)


def _standard_error(quality: Quality) -> float:
    """Return the standard error of a mean absolute error, from the two moments that a monitor keeps."""
    error, squared = quality.mean_absolute_error or 0.0, quality.mean_squared_error or 0.0
    return math.sqrt(max(squared - error**2, 0.0) / quality.rows)


def _accuracy(window: Quality, reference: Quality, thresholds: Thresholds) -> Iterator[Finding]:
    if window.start is None or window.accuracy is None or reference.accuracy is None:
        return
    value, base = window.accuracy, reference.accuracy
    spread = math.sqrt(base * (1 - base) * (1 / window.rows + 1 / reference.rows))
    limit = base - max(thresholds.accuracy_drop, _normal(thresholds.false_alarms) * spread)
    reason = f"{window.start:%Y-%m-%d %H:%M}: accuracy {value:.3f} (against {base:.3f}, limit {limit:.3f}) over {window.rows} labelled rows"
    yield Finding(window.start, "accuracy", "", value, base, limit, window.rows, value < limit, reason)


def _drift(drift: Sequence[Drift], thresholds: Thresholds) -> Iterator[Finding]:
    share = thresholds.false_alarms / (len({one.column for one in drift}) or 1)
    for one in drift:
        if one.distance is not None and min(one.rows, one.reference_rows) >= thresholds.rows:
            limit = max(thresholds.drift, _chance(one, share))
            words = f"{one.start:%Y-%m-%d %H:%M}: {one.column} drifted by {one.distance:.3f} (limit {limit:.3f}) over {one.rows} rows"
            yield Finding(one.start, "drift", one.column, one.distance, 0.0, limit, one.rows, one.distance > limit, words)
        if one.total >= thresholds.rows:
            yield _nulls(one, thresholds, share)


def _nulls(one: Drift, thresholds: Thresholds, share: float) -> Finding:
    base = min(max(one.nulls - one.null_rise, 0.0), 1.0)
    limit = base + max(thresholds.null_rise, _normal(share) * math.sqrt(base * (1 - base) / one.total))
    words = (
        f"{one.start:%Y-%m-%d %H:%M}: {one.column} is NULL in {one.nulls:.1%} (against {base:.1%}, limit {limit:.1%}) of {one.total} rows"
    )
    return Finding(one.start, "nulls", one.column, one.nulls, base, limit, one.total, one.nulls > limit, words)


def _chance(one: Drift, share: float) -> float:
    """Return a distance that two samples of one distribution exceed with at most this probability.

    Numbers: Kolmogorov's limit for two samples. Categories: the inequality of Bretagnolle, Huber and Carol for each sample.
    """
    if one.categories is None:
        return math.sqrt(-math.log(share / 2) / 2 * (1 / one.rows + 1 / one.reference_rows))
    exponent = one.categories * math.log(2) + math.log(2 / share)
    return sum(math.sqrt(exponent / (2 * rows)) for rows in (one.rows, one.reference_rows))


def _persistent(findings: Sequence[Finding], thresholds: Thresholds) -> Iterator[Finding]:
    """Yield the newest alert of each check that alerted in enough of the newest windows."""
    newest = set(sorted({finding.start for finding in findings})[-thresholds.windows :])
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.start in newest and finding.alert:
            grouped.setdefault((finding.check, finding.column), []).append(finding)
    yield from (alerts[-1] for alerts in grouped.values() if len(alerts) >= thresholds.alerts)


def _normal(share: float) -> float:
    return NormalDist().inv_cdf(1 - share)


def asked_before(persistent: Sequence[Finding], requests: Mapping[str, datetime], version: str) -> bool:
    """Return whether a training was already asked for because of these windows of this model version.

    `requests` are the newest windows for which a training was asked, by model version: only what a later window shows asks again.
    """
    latest = max((finding.start for finding in persistent), default=None)
    return latest is None or (version in requests and requests[version] >= latest)
