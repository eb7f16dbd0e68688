"""What a replay tells: one frozen tree, the same on the screen, on the page and in `--report FILE.json`."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlertReport:
    """One alert of a month, of all models."""

    column: str
    measure: str
    value: float
    severity: str
    reason: str


@dataclass(frozen=True, slots=True)
class MonthReport:
    """One month, as the monitor saw it when it was over.

    `error` is the mean absolute error over `judged` rows, `usual` the baseline's and `limit` the verdict's; `drift` are the stability
    indices of the columns that drifted most, against the baseline.
    """

    month: str
    note: str
    rows: int
    labelled: int
    judged: int
    error: float | None
    usual: float | None
    limit: float | None
    drift: Sequence[tuple[str, float]]
    alerts: Sequence[AlertReport]
    verdict: str
    reason: str
    retrain: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Story:
    """All of it: what the model learned from, then the months it never saw."""

    source: str
    trained_on: Sequence[str]
    months: Sequence[MonthReport]
    seconds: float
    page: str = ""

    @property
    def flipped(self) -> MonthReport | None:
        """The first month whose verdict is an alert."""
        return next((month for month in self.months if month.verdict == "alert"), None)

    @property
    def first_alarm(self) -> MonthReport | None:
        """The first month with an alert of the monitor's figures, before the verdict waits for a second."""
        return next((month for month in self.months if month.alerts), None)

    @property
    def ending(self) -> str:
        """One sentence: whether and when the verdict flipped, and why."""
        if self.flipped is None:
            return f"The verdict stayed {self.months[-1].verdict if self.months else 'no_data'} in all {len(self.months)} months."
        asked = ", and asked for a training" if self.flipped.retrain else ""
        reason = self.flipped.reason.removeprefix(f"{self.flipped.month}-01 00:00: ")  # the month is named already
        return f"The verdict flipped in {self.flipped.month}{asked}: {reason}."
