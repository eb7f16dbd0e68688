"""A drift row's cells: how one column's summary differs from the one before."""

import math

import numpy as np
import numpy.typing as npt

from harness.monitoring.drift import categorical_drift, grid_drift, numeric_drift
from harness.monitoring.profile import Categorical, Numeric, Summary

_DELTAS = ("count", "avg", "percent_null", "percent_zeros", "percent_distinct")


def comparison(current: Summary, base: Summary, *, grid: bool = False) -> dict[str, object]:
    """Return the cells of `current` against `base`: deltas (current minus base) and the distances that fit the type.

    In place of the p-value of `ks_test` stands how many rows it is of.

    With `grid`, numbers are compared by a thousand quantiles of each side.
    """
    cells: dict[str, object] = {"column_name": current.column_name, "data_type": current.data_type}
    cells |= {f"{name}_delta": _delta(current.cells.get(name), base.cells.get(name)) for name in _DELTAS}
    return cells | _distances(current.sample, base.sample, grid=grid)


def _delta(current: object, base: object) -> float | int | None:
    if isinstance(current, int | float) and isinstance(base, int | float):
        delta = current - base
        # Assumption: NULL where there is no difference, which is between two equal infinities.
        return None if math.isnan(delta) else delta
    return None


def _distances(current: Numeric | Categorical | None, base: Numeric | Categorical | None, *, grid: bool) -> dict[str, object]:
    match current, base:
        case Numeric(), Numeric() if len(current.ordered) and len(base.ordered):
            found = (grid_drift if grid else numeric_drift)(current.ordered, base.ordered)
            gap = found.ks_test
            return {
                "ks_test": {"statistic": gap.statistic, "rows": gap.rows},
                "wasserstein_distance": found.wasserstein_distance,
                "population_stability_index": found.population_stability_index,
            }
        case Categorical(), Categorical() if len(current.codes) and len(base.codes):
            # Assumption: every category counts, not only the hundred most frequent.
            codes = np.union1d(current.codes, base.codes)
            apart = categorical_drift(_aligned(current, codes), _aligned(base, codes))
            test = apart.chi_squared_test
            return {
                "js_distance": apart.js_distance,
                "chi_squared_test": test and {"statistic": test.statistic, "pvalue": test.pvalue},
                "tv_distance": apart.tv_distance,
                "l_infinity_distance": apart.l_infinity_distance,
            }
        case _:
            return {}


def _aligned(sample: Categorical, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    counts = np.zeros(len(codes), dtype=np.int64)
    counts[np.searchsorted(codes, sample.codes)] = sample.counts
    return counts
