"""Quality over time: each measure of a group by window, beside the band that sampling alone explains. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from harness.dashboard.monitor.bands import (
    Band,
    Reference,
    accuracy_band,
    counts,
    mae_band,
    r2_band,
    rmse_band,
)
from harness.dashboard.monitor.facts import Axis, Facts, Flags, Group, Numbers, series, single
from harness.dashboard.monitor.subject import Subject

_FIRST = 3  # windows that stand for "before" where there is no baseline with labels
_MODELS = 5  # lines of single models in one chart: more cannot be told apart


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of the profile table; `rises` says that more is better."""

    column: str
    title: str
    rises: bool = False
    share: bool = False


REGRESSION = (
    Measure("mean_average_error", "Mean absolute error"),
    Measure("root_mean_squared_error", "Root mean squared error"),
    Measure("r2_score", "R²", rises=True),
    Measure("mean_absolute_percentage_error", "Mean absolute percentage error"),
)
CLASSIFICATION = (
    Measure("accuracy_score", "Accuracy", rises=True, share=True),
    Measure("f1_score_weighted", "F1 score (weighted)", rises=True, share=True),
    Measure("precision_weighted", "Precision (weighted)", rises=True, share=True),
    Measure("f1_score_macro", "F1 score (macro)", rises=True, share=True),
    Measure("log_loss", "Log loss"),
)


@dataclass(frozen=True, eq=False)
class Judged:
    """One measure by window; `worse` marks windows worse than sampling alone explains, at 5 % false marks over all of them."""

    measure: Measure
    values: Numbers
    band: Band | None = None
    worse: Flags | None = None
    models: tuple[tuple[str, Numbers], ...] = ()

    @property
    def extent(self) -> list[Numbers]:
        """What a chart must have room for: all but the upper limits of windows with so few rows that they would flatten the rest."""
        found = [self.values, *(values for _, values in self.models)]
        if self.band is None:
            return found
        seen = np.concatenate((self.values, self.band.level))
        most = np.nanmax(seen, initial=0.0) * 1.25
        return [*found, self.band.level, self.band.low, np.minimum(self.band.high, most)]


@dataclass(frozen=True, eq=False)
class Quality:
    """Every measure of a group; `rows` are those with a label and a prediction. `reference` is None when nothing is known of before."""

    rows: Numbers
    judged: tuple[Judged, ...]
    reference: Reference | None

    @property
    def main(self) -> Judged:
        """The measure that stands for all."""
        return self.judged[0]


def quality(facts: Facts, subject: Subject, group: Group) -> Quality | None:
    """Return the quality of a group; None without labels, or where no window has one yet."""
    measures = measures_of(subject)
    axis, rows = facts.axis(group.granularity), facts.windows(group)
    found = {one.column: series(rows, one.column, axis=axis) for one in measures}
    if not any(np.isfinite(values).any() for values in found.values()):
        return None
    found["mean_squared_error"] = series(rows, "mean_squared_error", axis=axis)
    labelled = labelled_rows(rows, subject, axis)
    reference = _reference(facts.baseline(group), subject, found, labelled)
    bands = _bands(reference, found, labelled) if reference else {}
    models = _models(facts, group)
    return Quality(
        labelled,
        tuple(
            _judged(one, found[one.column], bands.get(one.column), _lines(models, one.column, axis))
            for one in measures
            if np.isfinite(found[one.column]).any()
        ),
        reference,
    )


def measures_of(subject: Subject) -> Sequence[Measure]:
    """Return the measures that a monitor of this problem has."""
    return {"regression": REGRESSION, "classification": CLASSIFICATION}.get(subject.problem or "", ())


def labelled_rows(rows: pa.Table, subject: Subject, axis: Axis) -> Numbers:
    """Return how many rows of each window were judged: those that have a label and a prediction.

    The tables count each of both; where some rows lack one and other rows the other, there are fewer, and the band is a little too narrow.
    """
    values = [
        series(rows, "count", column=column, axis=axis) - np.nan_to_num(series(rows, "num_nan", column=column, axis=axis))
        for column in (subject.label, subject.prediction)
        if column is not None
    ]
    return np.nan_to_num(np.min(values, axis=0)) if values else np.zeros(len(axis))


def _models(facts: Facts, group: Group) -> list[tuple[str, pa.Table]]:
    if group.model != "*":
        return []
    names = [name for name in facts.groups["model"].unique().to_pylist() if name not in {"*", None}]
    newest = sorted(names, key=lambda name: (len(name), name))[-_MODELS:]
    if len(names) < 2:
        return []
    return [(name, facts.windows(Group(group.granularity, name, group.slice_key, group.slice_value))) for name in newest]


def _lines(models: Sequence[tuple[str, pa.Table]], column: str, axis: Axis) -> tuple[tuple[str, Numbers], ...]:
    return tuple((name, series(rows, column, axis=axis)) for name, rows in models)


def _judged(measure: Measure, values: Numbers, band: Band | None, models: tuple[tuple[str, Numbers], ...]) -> Judged:
    if band is None:
        return Judged(measure, values, models=models)
    with np.errstate(invalid="ignore"):
        wrong = values < band.level if measure.rises else values > band.level
    return Judged(measure, values, band, counts(band.pvalue) & wrong, models)


def _reference(base: pa.Table, subject: Subject, found: Mapping[str, Numbers], labelled: Numbers) -> Reference | None:
    mae, mse, accuracy = (single(base, name) for name in ("mean_average_error", "mean_squared_error", "accuracy_score"))
    counted = [single(base, "count", column=column) for column in (subject.label, subject.prediction) if column is not None]
    if counted and np.isfinite([mae, accuracy]).any() and min(counted) > 0:
        return Reference("the baseline", min(counted), mae, mse, accuracy)
    seen = found.get("mean_average_error", found.get("accuracy_score", np.array([])))
    first = np.flatnonzero(np.isfinite(seen) & (labelled > 0))[:_FIRST]
    if len(first) < 1 or np.isfinite(seen).sum() < 2:
        return None
    words = "the first window" if len(first) == 1 else f"the first {len(first)} windows with labels"
    pooled = {
        name: float(np.average(found[name][first], weights=labelled[first])) if name in found else float("nan")
        for name in ("mean_average_error", "mean_squared_error", "accuracy_score")
    }
    return Reference(words, float(labelled[first].sum()), *pooled.values())


def _bands(reference: Reference, found: Mapping[str, Numbers], labelled: Numbers) -> dict[str, Band]:
    rows, mse = labelled, found["mean_squared_error"]
    makers: dict[str, Callable[[Numbers], Band]] = {
        "mean_average_error": lambda seen: mae_band(reference, rows, seen),
        "root_mean_squared_error": lambda seen: rmse_band(reference, rows, seen),
        "r2_score": lambda seen: r2_band(reference, rows, mse, seen),
        "accuracy_score": lambda seen: accuracy_band(reference, rows, seen),
    }
    return {name: make(found[name]) for name, make in makers.items() if name in found}
