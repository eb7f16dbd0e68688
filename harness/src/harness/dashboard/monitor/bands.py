"""What sampling alone does to a quality measure: where it would lie, in a window of n rows, if nothing had changed. Pure.

A metric table holds means, no single errors. What follows from them:

* The mean absolute error is a mean of |e|, whose variance is E[e²] - E[|e|]² = MSE - MAE²: exact, from two cells of the same row.
* The mean squared error is a mean of e², whose variance is (κ - 1)·MSE², κ = E[e⁴]/MSE² being the kurtosis, which no cell holds.
  Assumption: errors have the shape of a generalised normal law, whose κ follows from MAE/RMSE (0.798: normal, κ = 3; 0.707: Laplace,
  κ = 6). Whatever the law, κ is at least MSE/MAE².
* A mean of n such values, none of them negative, is taken to follow the gamma law of that mean and variance: for squared normal errors
  that is exact (χ² with n degrees), and it never goes below zero.
* R² is 1 - MSE/V, V being the variance of the window's own labels: its band is that of the MSE, on these labels.
* Of n rows, the number that are right is beta-binomial, given how many of the reference's m rows were (Jeffreys' prior): exact up to 500
  rows; beyond, a beta law of the same mean and variance.

The reference is itself a sample: its m rows add their part, 1/n + 1/m instead of 1/n.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.dashboard.monitor.facts import Flags, Numbers

SHARE = 0.95
_EXACT = 500  # rows up to which accuracy's law is summed up and not approximated
_UNIFORM = float(np.sqrt(3) / 2)  # MAE/RMSE of errors that are uniform, the flattest generalised normal law
_STEEPEST, _FLATTEST = 0.25, 60.0  # shapes between which the law is looked for


@dataclass(frozen=True, slots=True)
class Reference:
    """What windows are compared with: means over `rows` rows. `words` say where from."""

    words: str
    rows: float
    mae: float = float("nan")
    mse: float = float("nan")
    accuracy: float = float("nan")


@dataclass(frozen=True, eq=False)
class Band:
    """By window: what to expect, the limits that hold 95 % of what sampling alone gives, and how rare what was seen is (two-sided)."""

    level: Numbers
    low: Numbers
    high: Numbers
    pvalue: Numbers

    def through(self, function: Callable[[Numbers], Numbers]) -> "Band":
        """Return the band of a growing function of the measure."""
        return Band(function(self.level), function(self.low), function(self.high), self.pvalue)


def mae_band(reference: Reference, rows: Numbers, seen: Numbers) -> Band:
    """Return the band of the mean absolute error in windows of `rows` labelled rows."""
    variance = max(reference.mse - reference.mae**2, 0.0)
    return _gamma_band(reference.mae, variance * _parts(reference, rows), seen)


def mse_band(reference: Reference, rows: Numbers, seen: Numbers) -> Band:
    """Return the band of the mean squared error."""
    variance = (kurtosis(reference.mae, reference.mse) - 1) * reference.mse**2
    return _gamma_band(reference.mse, variance * _parts(reference, rows), seen)


def rmse_band(reference: Reference, rows: Numbers, seen: Numbers) -> Band:
    """Return the band of the root mean squared error."""
    return mse_band(reference, rows, seen**2).through(np.sqrt)


def r2_band(reference: Reference, rows: Numbers, mse: Numbers, r2: Numbers) -> Band:
    """Return the band of R² on the labels of each window; none where R² says nothing of their spread."""
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(r2 < 1, mse / (1 - r2), np.nan)
        found = mse_band(reference, rows, mse)
        return Band(1 - found.level / spread, 1 - found.high / spread, 1 - found.low / spread, found.pvalue)


def accuracy_band(reference: Reference, rows: Numbers, seen: Numbers) -> Band:
    """Return the band of the share of rows that are right."""
    low, high, rare = (np.full(len(rows), np.nan) for _ in range(3))
    for size in np.unique(rows[rows > 0]):
        at = rows == size
        low[at], high[at], rare[at] = (_exact if size <= _EXACT else _smooth)(reference, int(size), seen[at])
    level = np.where(rows > 0, reference.accuracy, np.nan)
    return Band(level, low, high, rare)


def kurtosis(mae: float, mse: float) -> float:
    """Return the kurtosis of generalised normal errors with these means; 1.8, the least, where they are as flat as uniform ones."""
    from scipy import optimize, special

    ratio = mae / np.sqrt(mse) if mse > 0 else 1.0
    if not ratio < _ratio(_FLATTEST):
        return 1.8
    shape = _STEEPEST if ratio <= _ratio(_STEEPEST) else optimize.brentq(lambda b: _ratio(b) - ratio, _STEEPEST, _FLATTEST)
    log = special.gammaln
    return float(np.exp(log(5 / shape) + log(1 / shape) - 2 * log(3 / shape)))


def counts(pvalues: Numbers, rate: float = 0.05) -> Flags:
    """Return which of many tests still count when at most `rate` of those that do may be chance (Benjamini-Hochberg); NaN is no test."""
    tested = np.sort(pvalues[~np.isnan(pvalues)])
    passed = np.flatnonzero(tested <= rate * np.arange(1, len(tested) + 1) / max(len(tested), 1))
    limit = tested[passed[-1]] if len(passed) else -1.0
    with np.errstate(invalid="ignore"):
        found: Flags = pvalues <= limit
    return found


def _ratio(shape: float) -> float:
    from scipy import special

    log = special.gammaln
    return float(np.exp(log(2 / shape) - (log(1 / shape) + log(3 / shape)) / 2))


def _parts(reference: Reference, rows: Numbers) -> Numbers:
    with np.errstate(divide="ignore"):
        found: Numbers = np.where(rows > 0, 1 / rows + 1 / reference.rows, np.nan)
    return found


def _gamma_band(mean: float, variance: Numbers, seen: Numbers) -> Band:
    from scipy import stats

    level = np.where(np.isnan(variance), np.nan, mean)
    if not mean > 0 or not np.nanmax(variance, initial=0.0) > 0:
        # A reference whose errors are all alike leaves nothing to chance.
        return Band(level, level, level, np.where(np.isclose(seen, level), 1.0, np.where(np.isnan(seen + level), np.nan, 0.0)))
    law = stats.gamma(mean**2 / variance, scale=variance / mean)
    tail = (1 - SHARE) / 2
    rare = np.minimum(2 * np.minimum(law.cdf(seen), law.sf(seen)), 1.0)
    return Band(level, law.ppf(tail), law.ppf(1 - tail), rare)


def _exact(reference: Reference, size: int, seen: Numbers) -> tuple[float, float, Numbers]:
    from scipy import stats

    right = reference.accuracy * reference.rows
    weights = stats.betabinom.pmf(np.arange(size + 1), size, right + 0.5, reference.rows - right + 0.5)
    up_to = np.cumsum(weights)
    tail = (1 - SHARE) / 2
    low, high = np.searchsorted(up_to, [tail, 1 - tail])
    hits = np.rint(np.nan_to_num(seen) * size).astype(np.int64)
    least = np.minimum(up_to[hits], 1 - up_to[hits] + weights[hits])
    return low / size, min(high, size) / size, np.where(np.isnan(seen), np.nan, np.minimum(2 * least, 1.0))


def _smooth(reference: Reference, size: int, seen: Numbers) -> tuple[float, float, Numbers]:
    from scipy import stats

    right, wrong = reference.accuracy * reference.rows + 0.5, (1 - reference.accuracy) * reference.rows + 0.5
    share, known = right / (right + wrong), right + wrong
    variance = share * (1 - share) * (known + size) / (size * (known + 1))  # of the beta-binomial, over size²
    weight = share * (1 - share) / variance - 1
    law = stats.beta(share * weight, (1 - share) * weight)
    tail = (1 - SHARE) / 2
    return float(law.ppf(tail)), float(law.ppf(1 - tail)), np.minimum(2 * np.minimum(law.cdf(seen), law.sf(seen)), 1.0)
