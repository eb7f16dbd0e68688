"""Time windows: tumbling, UTC, half-open; each one's end is the next one's start.

Moments are numpy int64 microseconds since 1970.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Moments = npt.NDArray[np.int64]

_MINUTE = 60_000_000
_DAY = 24 * 60 * _MINUTE
_MONDAY = 4 * _DAY  # 1970-01-05 was a Monday


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end) in microseconds since 1970."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Granularity:
    """One width of windows. `label` is the text the metric tables show."""

    label: str
    micros: int | None = None
    months: int | None = None
    anchor: int = 0

    def starts(self, moments: Moments) -> Moments:
        """Return the start of the window of each moment."""
        if self.micros is not None:
            return (moments - self.anchor) // self.micros * self.micros + self.anchor
        unit = "datetime64[M]" if self.months == 1 else "datetime64[Y]"
        return moments.astype("datetime64[us]").astype(unit).astype("datetime64[us]").astype(np.int64)

    def window(self, start: int) -> Window:
        """Return the window that starts at `start`."""
        if self.micros is not None:
            return Window(start, start + self.micros)
        month = np.datetime64(start, "us").astype("datetime64[M]") + np.timedelta64(self.months or 1, "M")
        return Window(start, int(month.astype("datetime64[us]").astype(np.int64)))

    def before(self, start: int) -> int:
        """Return the start of the window that ends where the one at `start` begins."""
        return start - self.micros if self.micros is not None else int(self.starts(np.array([start - 1]))[0])


def _weeks(count: int) -> Granularity:
    # Assumption: weeks start on Mondays (several weeks: counted from 1970-01-05); the platform's anchor is not documented.
    return Granularity("1 week" if count == 1 else f"{count} weeks", micros=7 * count * _DAY, anchor=_MONDAY)


# Names: databricks-sdk `AggregationGranularity`; labels: what `granularity` of published metric tables shows ("1 hour").
GRANULARITIES = {
    "AGGREGATION_GRANULARITY_5_MINUTES": Granularity("5 minutes", micros=5 * _MINUTE),
    "AGGREGATION_GRANULARITY_30_MINUTES": Granularity("30 minutes", micros=30 * _MINUTE),
    "AGGREGATION_GRANULARITY_1_HOUR": Granularity("1 hour", micros=60 * _MINUTE),
    "AGGREGATION_GRANULARITY_1_DAY": Granularity("1 day", micros=_DAY),
    "AGGREGATION_GRANULARITY_1_WEEK": _weeks(1),
    "AGGREGATION_GRANULARITY_2_WEEKS": _weeks(2),
    "AGGREGATION_GRANULARITY_3_WEEKS": _weeks(3),
    "AGGREGATION_GRANULARITY_4_WEEKS": _weeks(4),
    "AGGREGATION_GRANULARITY_1_MONTH": Granularity("1 month", months=1),
    "AGGREGATION_GRANULARITY_1_YEAR": Granularity("1 year", months=12),
}
