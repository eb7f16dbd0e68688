"""Model quality of a regression: pure."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RegressionQuality:
    """The five error measures, under the metric table's column names."""

    mean_squared_error: float
    root_mean_squared_error: float
    mean_average_error: float
    mean_absolute_percentage_error: float | None
    r2_score: float | None


def regression_quality(label: Numbers, prediction: Numbers) -> RegressionQuality | None:
    """Return the errors over the rows that have both values; None when no row has."""
    # Assumption: a NaN label or prediction is left out like a NULL.
    both = ~(np.isnan(label) | np.isnan(prediction))
    truth, error = label[both], prediction[both] - label[both]
    if not len(truth):
        return None
    squared = float(np.mean(error**2))
    return RegressionQuality(
        mean_squared_error=squared,
        root_mean_squared_error=float(np.sqrt(squared)),
        mean_average_error=float(np.mean(np.abs(error))),
        mean_absolute_percentage_error=_relative(truth, error),
        r2_score=_explained(truth, error),
    )


def _relative(truth: Numbers, error: Numbers) -> float | None:
    # Assumption: rows whose label is zero are left out (they have no relative error); NULL when no other is there.
    usable = truth != 0
    return float(np.mean(np.abs(error[usable] / truth[usable]))) if usable.any() else None


def _explained(truth: Numbers, error: Numbers) -> float | None:
    # Assumption: NULL when every label is the same, where R² has no meaning.
    if np.all(truth == truth[0]):
        return None
    return float(1 - np.sum(error**2) / np.sum((truth - truth.mean()) ** 2))
