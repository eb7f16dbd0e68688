"""How a column is distributed now and how it was: from the quantiles or the frequent items that its profile rows hold. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from harness.dashboard.monitor.drifting import CONSECUTIVE
from harness.dashboard.monitor.facts import TABLE, Axis, Group, Numbers

_BINS = 32
_ITEMS = 10
_CELLS = 12  # classes in one confusion matrix
_Key = tuple[str | None, str | None, str | None, str | None, str, int | None]
Cells = Mapping[str, object]


@dataclass(frozen=True, eq=False)
class Densities:
    """Shares of a numeric column's values in bins of one width, now and before (None: nothing to compare), and both as quantiles."""

    edges: Numbers
    now: Numbers
    before: Numbers | None
    now_quantiles: Numbers
    before_quantiles: Numbers | None


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a categorical column and its share of the values, now and before; `value` None: all others."""

    value: str | None
    now: float
    before: float | None


@dataclass(frozen=True, eq=False)
class Distribution:
    """A column in the window that starts at `start`, and what it is compared with: the window at `before`, or the baseline."""

    column: str
    start: int
    against: str | None
    before: int | None = None
    numeric: Densities | None = None
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows by label (down) and prediction (across) in one window; rare classes are taken together."""

    start: int
    classes: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]


class Details:
    """Wide cells by group, column and window (None: the baseline), from the table that `reading.read_details` returns."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows
        names = ("granularity", "model", "slice_key", "slice_value", "column", "start")
        keys = zip(*(rows[name].to_pylist() for name in names), strict=True)
        logs = rows["log"].to_pylist()
        self._at: dict[_Key, int] = {
            (key if log == "INPUT" else (None, *key[1:5], None)): at for at, (key, log) in enumerate(zip(keys, logs, strict=True))
        }

    def cells(self, group: Group, column: str, start: int | None) -> Cells | None:
        """Return the wide cells of one row, None where there is none."""
        granularity = group.granularity if start is not None else None
        at = self._at.get((granularity, group.model, group.slice_key, group.slice_value, column, start))
        if at is None:
            return None
        wide = [name for name in ("quantiles", "frequent_items", "confusion_matrix", "count") if name in self._rows.column_names]
        return {name: self._rows[name][at].as_py() for name in wide}


def distribution(details: Details, group: Group, column: str, *, axis: Axis, window: int, drift_type: str) -> Distribution | None:
    """Return how `column` is distributed in the window at position `window`; None where it has no values that could be drawn."""
    start = int(axis.starts[window])
    now = details.cells(group, column, start)
    if now is None:
        return None
    before = int(axis.starts[window - 1]) if drift_type == CONSECUTIVE and window > 0 else None
    base = details.cells(group, column, before) if before is not None or drift_type != CONSECUTIVE else None
    against = None if base is None else ("the window before" if before is not None else "the baseline")
    if now.get("quantiles"):
        quantiles = _numbers(base, "quantiles") if base else None
        numeric = _densities(_numbers(now, "quantiles"), quantiles)
        return Distribution(column, start, against if numeric.before is not None else None, before, numeric=numeric)
    if now.get("frequent_items"):
        return Distribution(column, start, against, before, items=_items(now, base))
    return None


def confusion(details: Details, group: Group, start: int) -> Confusion | None:
    """Return the confusion matrix of the window that starts at `start`; None where it has none."""
    cells = details.cells(group, TABLE, start)
    pairs = cells.get("confusion_matrix") if cells else None
    return _confusion(start, pairs) if isinstance(pairs, list) and pairs else None


def _numbers(cells: Cells, name: str) -> Numbers:
    return np.asarray(cells[name] or [], dtype=np.float64)


def _densities(now: Numbers, before: Numbers | None) -> Densities:
    before = before[np.isfinite(before)] if before is not None else None
    before = before if before is not None and len(before) else None
    now = now[np.isfinite(now)]
    both = [sample for sample in (now, before) if sample is not None and len(sample)]
    # The middle 99 % of both: a single wild value would squeeze all others into one bin.
    low = min((float(np.quantile(sample, 0.005)) for sample in both), default=0.0)
    high = max((float(np.quantile(sample, 0.995)) for sample in both), default=1.0)
    if not high > low:
        low, high = low - 0.5, low + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    return Densities(edges, _shares(now, edges), None if before is None else _shares(before, edges), now, before)


def _shares(sample: Numbers, edges: Numbers) -> Numbers:
    found: Numbers = np.histogram(sample, bins=edges)[0] / max(len(sample), 1)
    return found


def _items(now: Cells, base: Cells | None) -> tuple[Item, ...]:
    ours, theirs = _shares_of_items(now), _shares_of_items(base) if base else None
    names = set(ours) | set(theirs or {})
    ranked = sorted(names, key=lambda name: (-max(ours.get(name, 0.0), (theirs or {}).get(name, 0.0)), name))
    shown = [Item(name, ours.get(name, 0.0), None if theirs is None else theirs.get(name, 0.0)) for name in ranked[:_ITEMS]]
    rest = (1 - sum(item.now for item in shown), None if theirs is None else 1 - sum(item.before or 0.0 for item in shown))
    if max(rest[0], rest[1] or 0.0) > 1e-9:
        shown.append(Item(None, max(rest[0], 0.0), None if rest[1] is None else max(rest[1], 0.0)))
    return tuple(shown)


def _shares_of_items(cells: Cells) -> dict[str, float]:
    items, count = cells.get("frequent_items"), cells.get("count")
    if not isinstance(items, list) or not isinstance(count, int) or not count:
        return {}
    return {str(item["item"]): item["count"] / count for item in items}


def _confusion(start: int, pairs: Sequence[Mapping[str, object]]) -> Confusion:
    totals: dict[str, int] = {}
    cells: dict[tuple[str, str], int] = {}
    for pair in pairs:
        label, prediction, count = str(pair["label"]), str(pair["prediction"]), int(str(pair["count"]))
        cells[label, prediction] = count
        for name in (label, prediction):
            totals[name] = totals.get(name, 0) + count
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    kept = sorted(ranked[: _CELLS - 1] if len(ranked) > _CELLS else ranked)
    rare = set(ranked) - set(kept)
    names = (*kept, *(["(others)"] if rare else []))
    sums = dict.fromkeys(((a, b) for a in names for b in names), 0)
    for (label, prediction), count in cells.items():
        sums["(others)" if label in rare else label, "(others)" if prediction in rare else prediction] += count
    return Confusion(start, names, tuple(tuple(sums[label, prediction] for prediction in names) for label in names))
