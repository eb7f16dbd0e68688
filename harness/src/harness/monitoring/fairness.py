"""How differently a classification treats a group and all others: the documentation's four measures, one class against all. Pure."""

import numpy as np
import numpy.typing as npt

from harness.monitoring.classification import Classes
from harness.monitoring.columns import Mask, Rows

Numbers = npt.NDArray[np.float64]


def fairness(classes: Classes, group: Rows, others: Rows) -> dict[str, object]:
    """Return the four measures of `group` against `others`, over rows that have both label and prediction; nothing if either has none."""
    inside, outside = _rates(classes, group), _rates(classes, others)
    if inside is None or outside is None:
        return {}
    (seen_inside, rates), (seen_outside, other_rates) = inside, outside
    seen = seen_inside | seen_outside
    return {name: _difference(classes.names, np.where(seen, rates[name] - other_rates[name], np.nan)) for name in rates}


def _difference(names: tuple[str, ...], gap: Numbers) -> list[tuple[str, float]]:
    # Assumption: the protected group's rate minus that of all others; a class for which either has no rate, or that neither has seen, is
    # left out.
    return [(names[code], float(gap[code])) for code in np.flatnonzero(~np.isnan(gap))]


def _rates(classes: Classes, rows: Rows) -> tuple[Mask, dict[str, Numbers]] | None:
    """Return which classes the rows have, as labels or predictions, and each class's four rates."""
    label, prediction = classes.label[rows], classes.prediction[rows]
    both = (label >= 0) & (prediction >= 0)
    label, prediction = label[both], prediction[both]
    if not len(label):
        return None
    size = len(classes.names)
    labelled, predicted = np.bincount(label, minlength=size), np.bincount(prediction, minlength=size)
    hits = np.bincount(label[label == prediction], minlength=size)
    return labelled + predicted > 0, {
        "predictive_parity": _share(hits, predicted),
        "predictive_equality": _share(predicted - hits, len(label) - labelled),
        "equal_opportunity": _share(hits, labelled),
        "statistical_parity": predicted / len(label),
    }


def _share(part: Rows, whole: Rows) -> Numbers:
    shares: Numbers = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return shares
