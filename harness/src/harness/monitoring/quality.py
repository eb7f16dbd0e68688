"""Model quality: what the `:table` row of a group of rows holds besides its counts. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from harness.monitoring.classification import Classes, classification_quality
from harness.monitoring.columns import Rows
from harness.monitoring.fairness import fairness
from harness.monitoring.probabilities import Probabilities, probability_quality

Numbers = npt.NDArray[np.float64]
Cells = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Quality:
    """How to judge rows, by their positions; `fairness` judges the rows of a group (first) against those outside of it."""

    of: Callable[[Rows], Cells]
    fairness: Callable[[Rows, Rows], Cells] | None = None


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

    def quality(rows: Rows) -> Cells:
        errors = regression_quality(label[rows], prediction[rows])
        return asdict(errors) | {"mean_absolute_error": errors.mean_average_error} if errors else {}

    return Quality(quality)


def classification(classes: Classes, probabilities: Probabilities | None = None) -> Quality:
    """Return the quality of a classification."""

    def quality(rows: Rows) -> Cells:
        scores = classification_quality(classes, rows) or {}
        return scores if probabilities is None else scores | probability_quality(probabilities, classes, rows)

    return Quality(quality, lambda group, others: fairness(classes, group, others))


def regression_quality(label: Numbers, prediction: Numbers) -> RegressionQuality | None:
    """Return the errors over the rows that have both values; None when no row has."""
    # Assumption: a NaN label or prediction is left out like a NULL.
    both = ~(np.isnan(label) | np.isnan(prediction))
    with np.errstate(invalid="ignore"):
        truth, error = label[both], prediction[both] - label[both]
    if not len(truth):
        return None
    # Infinities count, as they would in Spark: the errors are infinite or, where infinity was right, NaN.
    with np.errstate(invalid="ignore", over="ignore"):
        # In ascending order of the errors: sums do not depend on where the rows lie in the table's files.
        ordered = np.sort(error)
        squared = float(np.mean(ordered**2))
        return RegressionQuality(
            mean_squared_error=squared,
            root_mean_squared_error=float(np.sqrt(squared)),
            mean_average_error=float(np.mean(np.abs(ordered))),
            mean_absolute_percentage_error=_relative(truth, error),
            r2_score=_explained(np.sort(truth), ordered),
        )


def _relative(truth: Numbers, error: Numbers) -> float | None:
    # Assumption: rows whose label is zero are left out (they have no relative error); NULL when no other is there.
    usable = truth != 0
    return float(np.mean(np.sort(np.abs(error[usable] / truth[usable])))) if usable.any() else None


def _explained(truth: Numbers, error: Numbers) -> float | None:
    """Return R² of labels and of errors, each given in ascending order."""
    # Assumption: NULL when every label is the same, where R² has no meaning.
    if truth[0] == truth[-1]:
        return None
    return float(1 - np.sum(error**2) / np.sum((truth - truth.mean()) ** 2))
