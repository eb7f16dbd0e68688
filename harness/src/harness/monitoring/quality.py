"""Model quality: what the `:table` row of a group of rows holds besides its counts. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from harness.monitoring.classification import Classes, classification_quality
from harness.monitoring.columns import Rows

Numbers = npt.NDArray[np.float64]
Quality = Callable[[Rows], Mapping[str, object]]
"""From positions of rows to the cells of their quality; empty when no row has both label and prediction."""


@dataclass(frozen=True, slots=True)
class RegressionQuality:
    """The five error measures, under the metric table's column names."""

    mean_squared_error: float
    root_mean_squared_error: float
    mean_average_error: float
    mean_absolute_percentage_error: float | None
    r2_score: float | None


def regression(label: Numbers, prediction: Numbers) -> Quality:
    """Return the quality of a regression, NaN being a value that is not there."""

    def quality(rows: Rows) -> Mapping[str, object]:
        errors = regression_quality(label[rows], prediction[rows])
        return asdict(errors) | {"mean_absolute_error": errors.mean_average_error} if errors else {}

    return quality


def classification(classes: Classes) -> Quality:
    """Return the quality of a classification."""

    def quality(rows: Rows) -> Mapping[str, object]:
        return classification_quality(classes, rows) or {}

    return quality


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
