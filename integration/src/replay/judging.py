"""What the product's verdict said of a month, read from the table that it keeps."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Judged:
    """A month's error beside the baseline's and the limit, over so many rows; and the verdict when it was over."""

    verdict: str
    reason: str
    retrain: bool
    rows: int = 0
    error: float | None = None
    usual: float | None = None
    limit: float | None = None


def from_table(verdicts: Sequence[Mapping[str, object]], begin: dt.datetime) -> Judged:
    """Return what the table of verdicts holds of the month that begins then."""
    mine = {str(row["check"]): row for row in verdicts if row["window_start"] == begin}
    outcome, error = mine.get("verdict"), mine.get("error", {})
    return Judged(
        verdict="no_data" if outcome is None else "alert" if outcome["alert"] else "ok",
        reason="" if outcome is None else str(outcome["reason"]),
        retrain="retrain" in mine,
        rows=int(str(error.get("rows") or 0)),
        error=_number(error.get("value")),
        usual=_number(error.get("reference")),
        limit=_number(error.get("limit")),
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
