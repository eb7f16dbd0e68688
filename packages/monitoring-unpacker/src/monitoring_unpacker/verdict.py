"""Is the model still right? Findings over a monitor's metric tables, and what to do about them: pure."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import NormalDist
from typing import Literal

from monitoring_unpacker.thresholds import Thresholds

Check = Literal["error", "accuracy", "drift", "nulls", "unlabelled", "quarantine"]
Outcome = Literal["ok", "alert", "no_data"]

# What a new training can mend; the rest is for those who send requests and deliver data and labels.
_OF_THE_MODEL = frozenset(("error", "accuracy", "drift"))
_OF_THE_REQUESTS = "quarantine"
_NEVER = datetime(1, 1, 1)  # noqa: DTZ001 - compared with nothing: only the baseline has no start


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of one window, or of the baseline (`start` None), over its `rows` that count for it; in the label's unit.

    Of all `total` rows `labelled` have a label, also such as the model was trained on.
    """

    start: datetime | None
    rows: int
    mean_absolute_error: float | None = None
    mean_squared_error: float | None = None
    accuracy: float | None = None
    total: int = 0
    labelled: int = 0


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests of one day: all that are in use, and those of them in quarantine."""

    start: datetime
    logged: int
    quarantined: int


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
        """Whether a new training is worth its price: it mends no data, labels or requests that stay away."""
        return any(finding.check in _OF_THE_MODEL for finding in self.persistent)

    @property
    def reason(self) -> str:
        """One sentence for a person."""
        if self.outcome == "no_data":
            return "no window has enough rows and something to compare with"
        if not self.persistent:
            alerts = sum(finding.alert for finding in self.findings)
            return f"{len(self.findings)} checks, {alerts} of single windows above their limits, none that lasts"
        return "; ".join(finding.reason for finding in self.persistent)


def judge(quality: Iterable[Quality], drift: Iterable[Drift], thresholds: Thresholds, *, requests: Iterable[Requests] = ()) -> Verdict:
    """Return the verdict over one model's windows of one granularity, and the days of its endpoint's requests."""
    windows = list(quality)
    usable = [one for one in windows if one.rows >= thresholds.rows]
    found = (
        *_quality(usable, thresholds),
        *_drift(list(drift), thresholds),
        *_unlabelled(windows, thresholds),
        *_quarantine(requests, thresholds),
    )
    findings = tuple(sorted(found, key=_order))
    persistent = tuple(_persistent(findings, thresholds))
    known = any(finding.check != _OF_THE_REQUESTS for finding in findings)
    return Verdict("alert" if persistent else "ok" if known else "no_data", findings, persistent)


def _order(finding: Finding) -> tuple[datetime, str, str]:
    return finding.start, finding.check, finding.column


def _quality(usable: Sequence[Quality], thresholds: Thresholds) -> Iterator[Finding]:
    baseline = next((one for one in usable if one.start is None), None)
    windows = sorted((one for one in usable if one is not baseline), key=lambda one: one.start or _NEVER)
    for number, window in enumerate(windows):
        # Without a baseline the window is compared with all windows before it, taken together.
        reference = baseline or _together(windows[:number])
        if reference is not None:
            yield from _accuracy(window, reference, thresholds)
        if reference is not None or thresholds.error_limit is not None:
            yield from _error(window, reference or window, thresholds)


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
    spread = _standard_error(window, reference)
    limit = base + max(thresholds.error_rise * base, _normal(thresholds.false_alarms) * spread)
    limit = min(limit, math.inf if thresholds.error_limit is None else thresholds.error_limit)
    rise = f"{value / base - 1:+.0%} against {base:.4g}" if base else f"against {base:.4g}"
    reason = f"{window.start:%Y-%m-%d %H:%M}: mean absolute error {value:.4g} ({rise}, limit {limit:.4g}) over {window.rows} labelled rows"
    yield Finding(window.start, "error", "", value, base, limit, window.rows, value > limit, reason)


def _standard_error(*sides: Quality) -> float:
    """Return the standard error of the difference of mean absolute errors, from the two moments that a monitor keeps.

    It is the larger of two: each side by its own spread, and both by their common one. Few rows of a law with a long tail mostly
    miss the tail; the other side has it.
    """
    spreads = [max((side.mean_squared_error or 0.0) - (side.mean_absolute_error or 0.0) ** 2, 0.0) for side in sides]
    rows = [side.rows for side in sides]
    common = sum(count * spread for count, spread in zip(rows, spreads, strict=True)) / sum(rows)
    apart = sum(spread / count for count, spread in zip(rows, spreads, strict=True))
    return math.sqrt(max(apart, sum(common / count for count in rows)))


def _accuracy(window: Quality, reference: Quality, thresholds: Thresholds) -> Iterator[Finding]:
    if window.start is None or window.accuracy is None or reference.accuracy is None:
        return
    value, base = window.accuracy, reference.accuracy
    spread = math.sqrt(base * (1 - base) * (1 / window.rows + 1 / reference.rows))
    limit = base - max(thresholds.accuracy_drop, _normal(thresholds.false_alarms) * spread)
    reason = f"{window.start:%Y-%m-%d %H:%M}: accuracy {value:.3f} (against {base:.3f}, limit {limit:.3f}) over {window.rows} labelled rows"
    yield Finding(window.start, "accuracy", "", value, base, limit, window.rows, value < limit, reason)


def _unlabelled(windows: Sequence[Quality], thresholds: Thresholds) -> Iterator[Finding]:
    for one in windows:
        if one.start is not None and one.total >= thresholds.rows and thresholds.unlabelled < 1:
            share, limit = 1 - one.labelled / one.total, thresholds.unlabelled
            words = f"{one.start:%Y-%m-%d %H:%M}: {share:.1%} of {one.total} rows have no label (limit {limit:.1%})"
            yield Finding(one.start, "unlabelled", "", share, 0.0, limit, one.total, share > limit, words)


def _quarantine(requests: Iterable[Requests], thresholds: Thresholds) -> Iterator[Finding]:
    for one in requests:
        if one.logged >= thresholds.rows:
            share, limit = one.quarantined / one.logged, thresholds.quarantine
            words = f"{one.start:%Y-%m-%d %H:%M}: {share:.1%} of {one.logged} requests are in quarantine (limit {limit:.1%})"
            yield Finding(one.start, "quarantine", "", share, 0.0, limit, one.logged, share > limit, words)


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
    """Yield the newest alert of each check that alerted in enough of the newest windows that it could judge: labels may come late."""
    for check in sorted({finding.check for finding in findings}):
        mine = [finding for finding in findings if finding.check == check]
        newest = set(sorted({finding.start for finding in mine})[-thresholds.windows :])
        for column in sorted({finding.column for finding in mine}):
            alerts = [finding for finding in mine if finding.column == column and finding.alert and finding.start in newest]
            if len(alerts) >= thresholds.alerts:
                yield alerts[-1]


def _normal(share: float) -> float:
    return NormalDist().inv_cdf(1 - share)


def asked_before(persistent: Sequence[Finding], requests: Mapping[str, datetime], version: str) -> bool:
    """Return whether a training was already asked for because of these windows of this model version.

    `requests` are the newest windows for which a training was asked, by model version: only what a later window shows asks again.
    """
    latest = max((finding.start for finding in persistent), default=None)
    return latest is None or (version in requests and requests[version] >= latest)
