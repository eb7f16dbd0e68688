"""What the product's verdict says of a month: read from the table it keeps, or asked again of its own rules."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitoring_unpacker import Drift, Quality, Thresholds, judge
from monitoring_unpacker.verdict import asked_before


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


def one_by_one(figures: tuple[Sequence[Quality], Sequence[Drift]], version: str, begins: Sequence[dt.datetime]) -> Iterator[Judged]:
    """Yield the verdict of each month in turn, by the windows that there were when it was over."""
    quality, drift = figures
    asked: dict[str, dt.datetime] = {}
    for begin in begins:
        found = judge(
            [one for one in quality if one.start is None or one.start <= begin], [one for one in drift if one.start <= begin], Thresholds()
        )
        retrain = found.retrain and not asked_before(found.persistent, asked, version)
        if retrain:
            asked[version] = max(finding.start for finding in found.persistent)
        error = next((finding for finding in found.findings if (finding.check, finding.start) == ("error", begin)), None)
        if error is None:
            yield Judged(found.outcome, found.reason, retrain)
        else:
            yield Judged(found.outcome, found.reason, retrain, error.rows, error.value, error.reference, error.limit)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
