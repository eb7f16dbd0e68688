"""What one column says in one window: the cells of its profile row, and the sample that the drift row compares."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.monitoring.columns import CategoryColumn, Column, NumberColumn, OpaqueColumn, Rows, TimeColumn

QUANTILES = 1000
FREQUENT_ITEMS = 100
MICROS = 1_000_000

Cells = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Numeric:
    """The finite values of a numeric column, ascending."""

    ordered: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Categorical:
    """The codes of a categorical column that occur, ascending, and how often."""

    codes: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Summary:
    """One column in one window; `sample` is None where drift has no measure for the type."""

    column_name: str
    data_type: str
    cells: Cells
    sample: Numeric | Categorical | None = field(default=None)

    @property
    def has_values(self) -> bool:
        """Whether any value is not NULL."""
        return bool(self.cells["count"])


def summarize(column: Column, rows: Rows) -> Summary:
    """Return the summary of `column` over the rows at the given positions."""
    held = rows[column.valid[rows]]
    match column:
        case NumberColumn():
            ordered = np.sort(column.values[held])
            usable = ordered[np.isfinite(ordered)]
            return Summary(column.name, column.data_type, _base(rows, held) | _number_cells(ordered), Numeric(usable))
        case TimeColumn():
            return Summary(column.name, column.data_type, _base(rows, held) | _time_cells(column.values[held]))
        case CategoryColumn():
            codes, counts = np.unique(column.codes[held], return_counts=True)
            cells = _base(rows, held) | _category_cells(column, codes, counts)
            return Summary(column.name, column.data_type, cells, Categorical(codes, counts))
        case OpaqueColumn():
            return Summary(column.name, column.data_type, _base(rows, held))


def _base(rows: Rows, held: Rows) -> dict[str, object]:
    # Assumption: on a column's row `count` is the number of values that are not NULL (the documentation; no published sample has NULLs).
    nulls = len(rows) - len(held)
    return {"count": len(held), "num_nulls": nulls, "percent_null": percent(nulls, len(rows))}


def _number_cells(ordered: npt.NDArray[np.float64]) -> dict[str, object]:
    # Assumption: NaN counts as a value and is left out of every figure but `count`, `num_nan` and `percent_nan`.
    total = len(ordered)
    values = ordered[~np.isnan(ordered)]
    nans, zeros = total - len(values), int(np.count_nonzero(values == 0))
    distinct = int(np.count_nonzero(np.diff(values)) + 1) if len(values) else 0
    cells: dict[str, object] = {
        "num_nan": nans,
        "percent_nan": percent(nans, total),
        "num_zeros": zeros,
        "percent_zeros": percent(zeros, total),
        **_distinct(distinct, total),
    }
    return cells | _moments_of(values) if len(values) else cells


def _moments_of(values: npt.NDArray[np.float64]) -> dict[str, object]:
    # Assumption: 1000 values at the ranks (i + ½)/1000, so that neither end weighs more than its rows do.
    ranks = ((np.arange(QUANTILES) + 0.5) / QUANTILES * len(values)).astype(np.int64)
    return {
        "avg": float(values.mean()),
        "quantiles": values[ranks],
        "min": float(values[0]),
        "max": float(values[-1]),
        # Assumption: the sample's standard deviation, as Spark's `stddev`; NULL for one value.
        "stddev": float(values.std(ddof=1)) if len(values) > 1 else None,
        "median": float(np.median(values)),
    }


def _time_cells(values: npt.NDArray[np.int64]) -> dict[str, object]:
    cells = _distinct(len(np.unique(values)), len(values))
    if not len(values):
        return cells
    seconds = values / MICROS
    return cells | {"min": float(seconds.min()), "max": float(seconds.max()), "median": float(np.median(seconds))}


def _category_cells(column: CategoryColumn, codes: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> dict[str, object]:
    cells = _distinct(len(codes), int(counts.sum()))
    named = sorted(((-int(count), column.categories[code]) for code, count in zip(codes, counts, strict=True)))
    cells["frequent_items"] = [{"item": item, "count": -count} for count, item in named[:FREQUENT_ITEMS]]
    if column.lengths is not None and len(codes):
        lengths = column.lengths[codes]
        cells["min_length"] = float(lengths.min())
        cells["max_length"] = float(lengths.max())
        cells["avg_length"] = float(np.average(lengths, weights=counts))
    return cells


def _distinct(distinct: int, total: int) -> dict[str, object]:
    # The platform's count is approximate; ours is exact.
    return {"distinct_count": distinct, "percent_distinct": percent(distinct, total)}


def percent(part: int, whole: int) -> float | None:
    """Return `part` in `whole` from 0 to 100, None of nothing."""
    return 100.0 * part / whole if whole else None
