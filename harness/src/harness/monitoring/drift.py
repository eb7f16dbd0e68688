"""Distances between two samples: pure functions, exact (no sketch, no quantile grid).

`current` is the window, `base` the one it is compared with. Neither may be empty.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from harness.monitoring.quantiles import quantiles

Numbers = npt.NDArray[np.float64]

PSI_BINS = 10
PSI_FLOOR = 1e-4
_INNER_DECILES = np.arange(1, PSI_BINS) / PSI_BINS


@dataclass(frozen=True, slots=True)
class Test:
    """A test's statistic and p-value, as the metric tables hold them."""

    statistic: float
    pvalue: float


@dataclass(frozen=True, slots=True)
class Gap:
    """A Kolmogorov-Smirnov statistic, and of how many rows its p-value is (`kolmogorov.ks_pvalues`: of many statistics at once)."""

    statistic: float
    rows: int


@dataclass(frozen=True, slots=True)
class NumericDrift:
    """What a numeric column fills of a drift row."""

    ks_test: Gap
    wasserstein_distance: float
    population_stability_index: float


@dataclass(frozen=True, slots=True)
class CategoricalDrift:
    """What a string or boolean column fills of a drift row; the test needs two categories."""

    js_distance: float
    chi_squared_test: Test | None
    tv_distance: float
    l_infinity_distance: float


def numeric_drift(current: Numbers, base: Numbers) -> NumericDrift:
    """Return the three numeric measures of two samples, given in ascending order."""
    statistic, distance = _gap(current, base)
    return NumericDrift(Gap(statistic, effective_rows(len(current), len(base))), distance, stability_index(current, base))


def grid_drift(current: Numbers, base: Numbers) -> NumericDrift:
    """Return the measures as the platform seems to compute them: D and W of a thousand quantiles of each sample, given ascending.

    Published values of D lie on steps of 0.001. On large samples of one law the test then rejects far too often: exact is the default.
    """
    statistic, distance = _gap(quantiles(current), quantiles(base))
    return NumericDrift(Gap(statistic, effective_rows(len(current), len(base))), distance, stability_index(current, base))


def _gap(current: Numbers, base: Numbers) -> tuple[float, float]:
    """Return the largest gap between two distribution functions, and the area between them."""
    size = len(current) + len(base)
    few, many = sorted((current, base), key=len)
    # Both samples merged: a value of the smaller goes to its own rank and its rank in the other; the other's take what is left.
    points, own = np.empty(size), np.zeros(size, dtype=np.bool_)
    own[np.arange(len(few)) + np.searchsorted(many, few, side="left")] = True
    points[own], points[~own] = few, many
    # Step by step, letting go of what is done with: these are the largest arrays of a refresh.
    seen = np.cumsum(own)
    others = np.arange(1, size + 1) - seen
    gap = seen / len(few)
    del seen, own
    gap -= others / len(many)
    del others
    before = np.abs(gap, out=gap)[:-1]  # behind the last of all there is no gap
    with np.errstate(over="ignore"):  # numbers further apart than the largest double
        steps = points[1:] - points[:-1]
        del points
        # Among equal values only the last has seen all of them.
        apart = before > 0
        return float(before[steps > 0].max(initial=0.0)), float(np.sum(before[apart] * steps[apart]))


def effective_rows(rows: int, base_rows: int) -> int:
    """Return of how many rows the statistic of two samples is, as the platform counts.

    With it SciPy's p-value is that of three published rows of a real drift table, to the last bit.
    """
    return max(1, round(rows * base_rows / (rows + base_rows)))


def stability_index(current: Numbers, base: Numbers) -> float:
    """Return the population stability index over the deciles of `base`."""
    # Assumption: the platform's binning is not public. Inner edges are the linear deciles of the comparison (equal ones once), bins are
    # (a, b], shares are floored at 1e-4 and not rescaled.
    with np.errstate(over="ignore", invalid="ignore"):
        edges = _deciles(base)
    if not (edges[1:] > edges[:-1]).all():
        edges = np.unique(edges)
    now, before = (_binned(sample, edges) for sample in (current, base))
    return float(np.sum((now - before) * np.log(now / before)))


def categorical_drift(current: npt.NDArray[np.int64], base: npt.NDArray[np.int64]) -> CategoricalDrift:
    """Return the four categorical measures of two count vectors over the same categories."""
    now, before = current / current.sum(), base / base.sum()
    gap = np.abs(now - before)
    # Assumption: base 2 (a distance from 0 to 1); the platform's base is not documented.
    middle = (now + before) / 2
    divergence = (_relative_entropy(now, middle) + _relative_entropy(before, middle)) / 2
    return CategoricalDrift(
        js_distance=float(np.sqrt(max(divergence, 0.0))),
        chi_squared_test=_two_sample_chi_squared(current, base),
        tv_distance=float(gap.sum() / 2),
        l_infinity_distance=float(gap.max()),
    )


def _deciles(ordered: Numbers) -> Numbers:
    """Return the inner deciles of a sample given in ascending order: those of `numpy.quantile`, without sorting again."""
    ranks = _INNER_DECILES * (len(ordered) - 1)
    below = ranks.astype(np.int64)
    low, high = ordered[below], ordered[np.minimum(below + 1, len(ordered) - 1)]
    share, step = ranks - below, high - low
    return np.where(share < 0.5, low + step * share, high - step * (1 - share))


def _binned(sample: Numbers, edges: Numbers) -> Numbers:
    # The sample ascends: how many lie at or below each edge is where the edge belongs.
    ends = np.empty(len(edges) + 2, np.int64)
    ends[0], ends[1:-1], ends[-1] = 0, sample.searchsorted(edges, side="right"), len(sample)
    return np.maximum((ends[1:] - ends[:-1]) / len(sample), PSI_FLOOR)


def _relative_entropy(share: Numbers, reference: Numbers) -> float:
    held = share > 0
    return float(np.sum(share[held] * np.log2(share[held] / reference[held])))


def _two_sample_chi_squared(current: npt.NDArray[np.int64], base: npt.NDArray[np.int64]) -> Test | None:
    # Assumption: Pearson on the 2 x k table of both samples, no continuity correction; a goodness-of-fit form breaks on new categories.
    table = np.stack((current, base))
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return None
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = float(np.sum((table - expected) ** 2 / expected))
    return Test(statistic, float(chi2.sf(statistic, table.shape[1] - 1)))
