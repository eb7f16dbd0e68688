"""The rows of the two metric tables: what one group in one window says, and how it differs from what it is compared with."""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.monitoring.columns import Rows
from harness.monitoring.comparison import comparison
from harness.monitoring.kind import KindConfig, kind_of
from harness.monitoring.model import GranularityName
from harness.monitoring.profile import Summary
from harness.monitoring.sample import EMPTY, Group, Prepared, Sample
from harness.monitoring.schemas import TABLE
from harness.monitoring.windows import Window

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Source:
    """What a refresh reads: the table's rows at a version, the baseline's if there is one, and for which configuration.

    A snapshot (`config` None) is of one `instant` in microseconds since 1970, and compared with `previous`, which an earlier refresh saw
    at `previous_instant`. `grid` compares numbers as the platform seems to: by a thousand quantiles, not exactly.
    """

    version: int
    config: KindConfig
    monitor_version: int
    sample: Sample = EMPTY
    baseline: Sample | None = None
    slicing: tuple[str, ...] = ()
    not_before: dt.datetime | None = None
    instant: int = 0
    previous: Sample | None = None
    previous_instant: int = 0
    grid: bool = False

    def at(self, instant: int, previous: Sample | None, previous_instant: int) -> "Source":
        """Return this source of a snapshot at an instant, to be compared with another, if its rows are known."""
        return replace(self, instant=instant, previous=previous, previous_instant=previous_instant)

    @property
    def granularities(self) -> tuple[GranularityName, ...]:
        """The widths of windows; none of a snapshot."""
        return kind_of(self.config).granularities


@dataclass(frozen=True, slots=True)
class Cell:
    """The rows of one group in one window, or in the baseline, which has no window; and what each column says there.

    `opposite` are the rows there where a predicate is false, if the group is where it is true.
    """

    group: Group
    rows: Rows
    summaries: Sequence[Summary]
    window: Window | None = None
    granularity: str | None = None
    opposite: Rows | None = None

    @property
    def slice(self) -> Row:
        """The cells that say which slice it is."""
        return {"slice_key": self.group.slice.key, "slice_value": self.group.slice.value}


def profile_rows(source: Source, data: Prepared, cell: Cell) -> Iterator[Row]:
    """Yield the rows of `cell` in the profile table: the `:table` row, then one of each column."""
    head = {
        "window": bounds(cell.window),
        "log_type": "INPUT" if cell.window else "BASELINE",
        "logging_table_commit_version": source.version,
        "monitor_version": source.monitor_version,
        "granularity": cell.granularity,
    } | cell.slice
    non_null = [summary.column_name for summary in cell.summaries if summary.has_values]
    whole: Row = {"column_name": TABLE, "count": len(cell.rows), "non_null_columns": non_null}
    yield head | whole | _quality(data, cell)
    for summary in cell.summaries:
        yield head | {"column_name": summary.column_name, "data_type": summary.data_type} | dict(summary.cells)


def drift_rows(source: Source, cell: Cell, base: Cell, only: Collection[str] | None = None) -> Iterator[Row]:
    """Yield the rows of `cell` against `base`; against another table or version, of the columns that `only` names."""
    head = {
        "window": bounds(cell.window),
        "granularity": cell.granularity,
        "monitor_version": source.monitor_version,
        "window_cmp": bounds(base.window),
        "drift_type": "CONSECUTIVE" if base.window else "BASELINE",
    } | cell.slice
    summaries = [summary for summary in cell.summaries if only is None or summary.column_name in only]
    pairs = list(zip(summaries, base.summaries, strict=True))
    yield head | {
        "column_name": TABLE,
        "count_delta": len(cell.rows) - len(base.rows),
        "non_null_columns_delta": {
            "added": sum(now.has_values and not then.has_values for now, then in pairs),
            "missing": sum(then.has_values and not now.has_values for now, then in pairs),
        },
    }
    for now, then in pairs:
        yield head | comparison(now, then, grid=source.grid)


def bounds(window: Window | None) -> dict[str, dt.datetime] | None:
    """Return the struct that the metric tables hold for `window`; None for the baseline, which has none."""
    return {"start": moment(window.start), "end": moment(window.end)} if window else None


def moment(micros: int) -> dt.datetime:
    """Return the UTC time `micros` after 1970."""
    return EPOCH + dt.timedelta(microseconds=micros)


def _quality(data: Prepared, cell: Cell) -> Row:
    if data.quality is None:
        return {}
    judged = dict(data.quality.of(cell.rows))
    if data.quality.fairness is None or cell.opposite is None:
        return judged
    return judged | dict(data.quality.fairness(cell.rows, cell.opposite))
