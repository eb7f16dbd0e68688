"""What one column says in one window: the cells of its profile row, and the sample that the drift row compares."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.monitoring.columns import BytesColumn, CategoryColumn, Column, NumberColumn, OpaqueColumn, Rows, TimeColumn
from harness.monitoring.quantiles import quantiles

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
    valid = column.valid[rows]
    held = rows if valid.all() else rows[valid]
    match column:
        case NumberColumn():
            ordered = column.values[held]
            ordered += 0.0  # no value is -0.0: which of equal zeros a sort puts first would show
            ordered.sort()
            finite = np.isfinite(ordered)
            usable = ordered if finite.all() else ordered[finite]
            distinct = None if column.codes is None else len(np.unique(column.codes[held]))
            return Summary(column.name, column.data_type, _base(rows, held) | _number_cells(ordered, distinct), Numeric(usable))
        case TimeColumn():
            return Summary(column.name, column.data_type, _base(rows, held) | _time_cells(np.sort(column.values[held])))
        case CategoryColumn():
            codes, counts = _counted(column.codes[held], len(column.categories))
            cells = _base(rows, held) | _category_cells(column, codes, counts)
            return Summary(column.name, column.data_type, cells, Categorical(codes, counts))
        case BytesColumn():
            # Assumption: bytes have lengths and a number of distinct values as text has, but no frequent items, which are text.
            cells = _base(rows, held) | _lengths(column.lengths[held]) | _distinct(len(np.unique(column.codes[held])), len(held))
            return Summary(column.name, column.data_type, cells)
        case OpaqueColumn():
            return Summary(column.name, column.data_type, _base(rows, held))


def _base(rows: Rows, held: Rows) -> dict[str, object]:
    # Assumption: on a column's row `count` is the number of values that are not NULL (the documentation; no published sample has NULLs).
    nulls = len(rows) - len(held)
    return {"count": len(held), "num_nulls": nulls, "percent_null": percent(nulls, len(rows))}


def _number_cells(ordered: npt.NDArray[np.float64], distinct: int | None) -> dict[str, object]:
    # Assumption: NaN counts as a value and is left out of every figure but `count`, `num_nan` and `percent_nan`.
    total = len(ordered)
    # NaN is sorted to the end.
    values = ordered[: len(ordered) - int(np.count_nonzero(np.isnan(ordered)))]
    nans, zeros = total - len(values), int(np.count_nonzero(values == 0))
    if distinct is None:
        distinct = _different(values)
    cells: dict[str, object] = {
        "num_nan": nans,
        "percent_nan": percent(nans, total),
        "num_zeros": zeros,
        "percent_zeros": percent(zeros, total),
        **_distinct(distinct, total),
    }
    return cells | _moments_of(values) if len(values) else cells


def _moments_of(values: npt.NDArray[np.float64]) -> dict[str, object]:
    # Infinities count, as in Spark: their mean is infinite or, of both signs, NaN.
    with np.errstate(invalid="ignore", over="ignore"):
        average = values.mean()
        return {
            "avg": float(average),
            "quantiles": quantiles(values),
            "min": float(values[0]),
            "max": float(values[-1]),
            # Assumption: the sample's standard deviation, as Spark's `stddev`; NULL for one value.
            "stddev": float(np.sqrt(np.sum((values - average) ** 2) / (len(values) - 1))) if len(values) > 1 else None,
            "median": _median(values),
        }


def _median(ordered: npt.NDArray[np.float64]) -> float:
    middle = len(ordered) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def _time_cells(ordered: npt.NDArray[np.int64]) -> dict[str, object]:
    cells = _distinct(_different(ordered), len(ordered))
    if not len(ordered):
        return cells
    seconds = ordered / MICROS
    return cells | {"min": float(seconds[0]), "max": float(seconds[-1]), "median": _median(seconds)}


def _different(ordered: npt.NDArray[np.float64] | npt.NDArray[np.int64]) -> int:
    return int(np.count_nonzero(ordered[1:] != ordered[:-1]) + 1) if len(ordered) else 0


def _counted(codes: npt.NDArray[np.int64], size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the codes below `size` that occur, ascending, and how often."""
    if size > 4 * len(codes):  # few rows of a column with many values: looking at all of them would cost more than sorting
        return np.unique(codes, return_counts=True)
    counts = np.bincount(codes, minlength=size)
    present = np.flatnonzero(counts)
    return present, counts[present]


def _category_cells(column: CategoryColumn, codes: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> dict[str, object]:
    cells = _distinct(len(codes), int(counts.sum()))
    # The most frequent first, then by name: codes ascend with names.
    ranked = np.argsort(-counts, kind="stable")[:FREQUENT_ITEMS]
    items = column.categories.take(codes[ranked]).to_pylist()
    cells["frequent_items"] = [{"item": item, "count": int(count)} for item, count in zip(items, counts[ranked], strict=True)]
    return cells if column.lengths is None else cells | _lengths(column.lengths[codes], counts)


def _lengths(lengths: npt.NDArray[np.int64], counts: npt.NDArray[np.int64] | None = None) -> dict[str, object]:
    if not len(lengths):
        return {}
    average = float(np.average(lengths, weights=counts))
    return {"min_length": float(lengths.min()), "max_length": float(lengths.max()), "avg_length": average}


def _distinct(distinct: int, total: int) -> dict[str, object]:
    # The platform's count is approximate; ours is exact.
    return {"distinct_count": distinct, "percent_distinct": percent(distinct, total)}


def percent(part: int, whole: int) -> float | None:
    """Return `part` in `whole` from 0 to 100, None of nothing."""
    return 100.0 * part / whole if whole else None
