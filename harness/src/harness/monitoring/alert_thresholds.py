"""From when on a figure of the metric tables is worth an alert. Pure."""

import math
from dataclasses import dataclass

from harness.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertThresholds:
    """Effects that matter, each only where chance does not explain it. Twice the effect is critical.

    Attributes:
        stability: population stability index; the platform's documentation calls less than 0.1 no change and 0.2 a significant one.
        distance: Kolmogorov-Smirnov statistic of numbers, total variation distance of categories, from 0 to 1.
        shift: Wasserstein distance, as a share of the spread that the reference's middle 98 % have.
        error_rise: rise of the mean absolute error, as a share of the reference's.
        accuracy_drop: fall of the accuracy, in points from 0 to 1.
        null_rise: rise of a column's share of NULLs, in points from 0 to 1.
        volume: change of the number of rows of a window, as a share of the usual one.
        false_alarms: how often chance alone may raise one kind of alert in one window, over all columns taken together.
        rows: fewest rows of a window, and of what it is compared with.
        labelled: with less than this part of the usual share of labels, a window's quality is not judged: its labels are still to come.
        ignore: columns that are not judged.
    """

    stability: float = 0.1
    distance: float = 0.1
    shift: float = 0.1
    error_rise: float = 0.1
    accuracy_drop: float = 0.03
    null_rise: float = 0.05
    volume: float = 0.5
    false_alarms: float = 0.01
    rows: int = 30
    labelled: float = 0.5
    ignore: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("stability", "distance", "shift", "error_rise", "accuracy_drop", "null_rise", "volume"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"alert thresholds: {name} is {getattr(self, name)}; expected a number above 0")
        if not 0 < self.false_alarms < 1:
            raise UserError(f"alert thresholds: false_alarms is {self.false_alarms}; expected a share between 0 and 1")
        if not 0 <= self.labelled <= 1:
            raise UserError(f"alert thresholds: labelled is {self.labelled}; expected a share from 0 to 1")
        if self.rows < 2:
            raise UserError(f"alert thresholds: rows is {self.rows}; expected at least 2")
