"""From when on a figure of a monitor is worth an alert."""

import json
import math
from dataclasses import dataclass, fields

from monitoring_unpacker.errors import MonitoringError


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Effects that matter, each only where chance does not explain it; p-values alone would alarm on every large window.

    Attributes:
        error_rise: rise of the mean absolute error against the reference, as a share of it.
        accuracy_drop: fall of the accuracy against the reference, in points from 0 to 1.
        drift: distance of a column's distribution from the reference's: Kolmogorov-Smirnov statistic of numbers, total variation
            distance of categories, from 0 to 1.
        null_rise: rise of a column's share of NULLs against the reference, in points from 0 to 1.
        error_limit: mean absolute error that no window may exceed, whatever the reference's is; None for none.
        quarantine: share of a day's requests that may be in quarantine, from 0 to 1.
        unlabelled: share of a window's rows that may be without a label, from 0 to 1; 1 where labels may come late.
        false_alarms: how often chance alone may raise one check of one window; shared among the columns of a window.
        rows: fewest rows of a window, and of what it is compared with, for a check.
        windows: how many of the newest windows count.
        alerts: in how many of them a check must alert for a verdict.
    """

    error_rise: float = 0.1
    accuracy_drop: float = 0.03
    drift: float = 0.1
    null_rise: float = 0.05
    error_limit: float | None = None
    quarantine: float = 0.05
    unlabelled: float = 1.0
    false_alarms: float = 0.01
    rows: int = 30
    windows: int = 3
    alerts: int = 2

    def __post_init__(self) -> None:
        for name in ("error_rise", "accuracy_drop", "drift", "null_rise"):
            if not 0 <= getattr(self, name) < math.inf:
                raise MonitoringError(f"thresholds: {name} is {getattr(self, name)}; expected a number from 0 on")
        for name in ("quarantine", "unlabelled"):
            if not 0 <= getattr(self, name) <= 1:
                raise MonitoringError(f"thresholds: {name} is {getattr(self, name)}; expected a share from 0 to 1")
        if self.error_limit is not None and not 0 < self.error_limit < math.inf:
            raise MonitoringError(f"thresholds: error_limit is {self.error_limit}; expected a number above 0, or null")
        if not 0 < self.false_alarms < 1:
            raise MonitoringError(f"thresholds: false_alarms is {self.false_alarms}; expected a share between 0 and 1")
        if not 1 <= self.alerts <= self.windows or self.rows < 2:
            found = f"alerts {self.alerts}, windows {self.windows}, rows {self.rows}"
            raise MonitoringError(f"thresholds: {found}; expected 1 <= alerts <= windows, and at least 2 rows")


def read_thresholds(text: str) -> Thresholds:
    """Return the thresholds that a JSON object gives; those it leaves out are the defaults.

    >>> read_thresholds('{"error_rise": 0.2}').error_rise
    0.2
    """
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise MonitoringError(f"thresholds: is not JSON ({error}); expected an object such as {_example()}") from error
    if not isinstance(given, dict):
        raise MonitoringError(f"thresholds: is {text}; expected an object such as {_example()}")
    defaults = {field.name: field.default for field in fields(Thresholds)}
    for name, value in given.items():
        if name not in defaults:
            raise MonitoringError(f"thresholds: unknown key '{name}'; known: {', '.join(defaults)}")
        _check_kind(name, value, defaults[name])
    return Thresholds(**given)


def _check_kind(name: str, value: object, default: object) -> None:
    whole = type(default) is int
    if value is None and default is None:
        return
    if type(value) not in ((int,) if whole else (int, float)):
        raise MonitoringError(f"thresholds: {name} is {value!r}; expected {'a whole number' if whole else 'a number'}")


def _example() -> str:
    return '{"error_rise": 0.1, "drift": 0.1}'
