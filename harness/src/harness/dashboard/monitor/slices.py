"""Slices side by side in one window: where quality and drift are worst. Pure."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.dashboard.monitor.bands import Reference, accuracy_band, counts, mae_band
from harness.dashboard.monitor.facts import TABLE, Axis, Facts, Group, series
from harness.dashboard.monitor.quality import Measure, labelled_rows, measures_of
from harness.dashboard.monitor.subject import Subject

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class SliceRow:
    """One slice in the window: rows, the main measure, whether it is worse than sampling explains, its most drifted column."""

    group: Group
    rows: int
    value: float | None
    worse: bool
    drift: float | None
    drift_column: str | None


@dataclass(frozen=True, slots=True)
class Slices:
    """The slices of one window, worst first; `whole` is the value of all rows. `hidden` ones are not shown."""

    start: int
    measure: Measure | None
    whole: float | None
    rows: tuple[SliceRow, ...]
    hidden: int = 0


def slices(facts: Facts, subject: Subject, group: Group, *, first: int, last: int, drift_type: str) -> Slices | None:
    """Return the slices of `group`'s model in one of the windows from position `first` to `last`; None when there are none.

    It is the newest of them whose quality is known, or the newest of all: labels come late.
    """
    axis = facts.axis(group.granularity)
    measure = next(iter(measures_of(subject)), None)
    window = _window(facts, Group(group.granularity, group.model), measure, (first, last))
    one = Axis(axis.starts[window : window + 1], axis.ends[window : window + 1])
    start = int(one.starts[0])
    same = (pc.field("start") == start) & _same_width(group)
    profile = facts.profile.filter(same & (pc.field("log") == "INPUT"))
    drift = facts.drift.filter(same & (pc.field("drift_type") == drift_type))
    keys = profile.filter((pc.field("column") == TABLE) & pc.field("slice_key").is_valid())
    groups = [
        Group(group.granularity, group.model, key, value)
        for key, value in zip(keys["slice_key"].to_pylist(), keys["slice_value"].to_pylist(), strict=True)
    ]
    if not groups:
        return None
    here = Facts(profile, drift)
    whole = _judge(here, subject, Group(group.granularity, group.model), one, measure)
    judged = [(each, _judge(here, subject, each, one, measure)) for each in groups]
    worst = _worst_drift(drift)
    marks = _worse(judged, whole, measure)
    rows = [
        SliceRow(each, int(found[0]), _none(found[2]), bool(mark), *worst.get((each.slice_key, each.slice_value), (None, None)))
        for (each, found), mark in zip(judged, marks, strict=True)
    ]
    ranked = sorted(rows, key=lambda row: (not row.worse, _badness(row, measure), -row.rows))
    return Slices(start, measure, _none(whole[2]), tuple(ranked[:_SHOWN]), max(len(ranked) - _SHOWN, 0))


def _window(facts: Facts, whole: Group, measure: Measure | None, shown: tuple[int, int]) -> int:
    first, last = shown
    if measure is None:
        return last
    known = series(facts.windows(whole), measure.column, axis=facts.axis(whole.granularity))[first : last + 1]
    there = np.flatnonzero(np.isfinite(known))
    return first + int(there[-1]) if len(there) else last


_Found = tuple[float, float, float, float]


def _judge(facts: Facts, subject: Subject, group: Group, axis: Axis, measure: Measure | None) -> _Found:
    """Return rows, labelled rows, the main measure and the mean squared error of one group in the window."""
    rows = facts.windows(group)
    values = _values(rows)
    labelled = float(labelled_rows(rows, subject, axis)[0])
    return (
        values.get("count") or 0.0,
        labelled,
        values.get(measure.column, np.nan) if measure else np.nan,
        values.get("mean_squared_error", np.nan),
    )


def _values(rows: pa.Table) -> dict[str, float]:
    found = rows.filter(pc.field("column") == TABLE)
    names = ("count", "mean_average_error", "mean_squared_error", "accuracy_score")
    first = {name: found[name][0].as_py() for name in names if name in found.column_names and found.num_rows}
    return {name: float(value) for name, value in first.items() if value is not None}


def _worse(judged: list[tuple[Group, _Found]], whole: _Found, measure: Measure | None) -> list[bool]:
    if measure is None or not whole[1] or np.isnan(whole[2]):
        return [False] * len(judged)
    rows, seen = (np.array([found[at] for _, found in judged]) for at in (1, 2))
    # Against a law whose mean is the whole's: of the whole the slice is a part, so that nothing is added for the whole being a sample.
    if measure.rises:
        band = accuracy_band(Reference("the whole", 1e9, accuracy=whole[2]), rows, seen)
    else:
        band = mae_band(Reference("the whole", np.inf, mae=whole[2], mse=whole[3]), rows, seen)
    with np.errstate(invalid="ignore"):
        wrong = seen < band.level if measure.rises else seen > band.level
    return list(counts(band.pvalue) & wrong)


def _worst_drift(drift: pa.Table) -> dict[tuple[str | None, str | None], tuple[float, str]]:
    found: dict[tuple[str | None, str | None], tuple[float, str]] = {}
    names = ("slice_key", "slice_value", "column", "population_stability_index", "js_distance")
    for key, value, column, psi, js in zip(*(drift[name].to_pylist() for name in names), strict=True):
        size = psi if psi is not None else js
        if size is not None and size > found.get((key, value), (-1.0, ""))[0]:
            found[key, value] = (size, column)
    return found


def _badness(row: SliceRow, measure: Measure | None) -> float:
    if row.value is not None and measure is not None:
        return row.value if measure.rises else -row.value
    return -(row.drift or 0.0)


def _none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _same_width(group: Group) -> pc.Expression:
    width = pc.field("granularity").is_null() if group.granularity is None else pc.field("granularity") == group.granularity
    model = pc.field("model").is_null() if group.model is None else pc.field("model") == group.model
    return width & model
