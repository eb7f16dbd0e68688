"""Drift of every column in every window, as heat maps show it: worst columns first, few enough to be read. Pure."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from harness.dashboard.model import PSI_MODERATE, PSI_SIGNIFICANT
from harness.dashboard.monitor.bands import counts
from harness.dashboard.monitor.facts import TABLE, Axis, Facts, Flags, Group, Numbers, matrix

MODERATE, SIGNIFICANT = PSI_MODERATE, PSI_SIGNIFICANT  # Assumption: the same steps for the other measures, which nobody published any for
BASELINE, CONSECUTIVE = "BASELINE", "CONSECUTIVE"
DRIFT_TYPES = {BASELINE: "the baseline", CONSECUTIVE: "the window before"}
_ROWS = 40  # columns in one heat map


@dataclass(frozen=True, slots=True)
class Distance:
    """One measure of drift; `test` is the column of the p-value that goes with it."""

    column: str
    title: str
    test: str
    numeric: bool


DISTANCES = {
    "psi": Distance("population_stability_index", "Population stability index", "ks_test_pvalue", numeric=True),
    "ks": Distance("ks_test", "Kolmogorov-Smirnov D", "ks_test_pvalue", numeric=True),
    "wasserstein": Distance("wasserstein_distance", "Wasserstein distance in standard deviations", "ks_test_pvalue", numeric=True),
    "js": Distance("js_distance", "Jensen-Shannon distance", "chi_squared_test_pvalue", numeric=False),
    "tv": Distance("tv_distance", "Total variation distance", "chi_squared_test_pvalue", numeric=False),
}


@dataclass(frozen=True, eq=False)
class HeatRow:
    """One column's drift by window; `sure` marks the windows whose test counts, at 5 % false marks over the whole map."""

    column: str
    values: Numbers
    sure: Flags

    @property
    def worst(self) -> float:
        """The largest value."""
        return float(np.nanmax(self.values))


@dataclass(frozen=True, eq=False)
class HeatMap:
    """One measure for all columns that have it; `hidden` calmer ones have no row. `chance`: what a typical window shows without drift."""

    distance: Distance
    rows: tuple[HeatRow, ...]
    hidden: int = 0
    chance: float | None = None


def heat_maps(facts: Facts, group: Group, *, drift_type: str, measure: str) -> tuple[HeatMap, ...]:
    """Return the map of the measure that was asked for and, where that is one of numbers only, of categories by Jensen-Shannon."""
    asked = DISTANCES[measure]
    wanted = [asked, DISTANCES["js"]] if asked.numeric else [asked]
    found = [_heat_map(facts, group, drift_type, one) for one in wanted]
    return tuple(one for one in found if one.rows)


def latest_drifted(maps: tuple[HeatMap, ...]) -> int:
    """Return how many columns have drifted in the newest window that has any drift: by size and by test."""
    return sum(int(_last(row.values) >= SIGNIFICANT and bool(row.sure[_at(row.values)])) for one in maps for row in one.rows)


def _at(values: Numbers) -> int:
    there = np.flatnonzero(~np.isnan(values))
    return int(there[-1]) if len(there) else 0


def _last(values: Numbers) -> float:
    return float(np.nan_to_num(values[_at(values)]))


def _heat_map(facts: Facts, group: Group, drift_type: str, distance: Distance) -> HeatMap:
    axis, rows = facts.axis(group.granularity), facts.drifted(group, drift_type)
    names = [name for name in pc.unique(rows["column"]).to_pylist() if name != TABLE]
    values = matrix(rows, distance.column, columns=names, axis=axis)
    if distance.column == "wasserstein_distance":
        values = values / _spread(facts, group, drift_type, names, axis)
    pvalues = np.where(np.isnan(values), np.nan, matrix(rows, distance.test, columns=names, axis=axis))
    sure = counts(pvalues)
    there = [position for position in range(len(names)) if np.isfinite(values[position]).any()]
    ranked = sorted(there, key=lambda position: (-float(np.nanmax(values[position])), names[position]))
    shown = tuple(HeatRow(names[position], values[position], sure[position]) for position in ranked[:_ROWS])
    chance = _chance(facts, group, drift_type) if distance.column == "population_stability_index" else None
    return HeatMap(distance, shown, len(ranked) - len(shown), chance)


def _spread(facts: Facts, group: Group, drift_type: str, names: list[str], axis: Axis) -> Numbers:
    """Return the standard deviation of what each cell is compared with; NaN where it is none or zero."""
    if drift_type == CONSECUTIVE:
        own = matrix(facts.windows(group), "stddev", columns=names, axis=axis)
        spread = np.concatenate((np.full((len(names), 1), np.nan), own[:, :-1]), axis=1)
    else:
        base = facts.baseline(group)
        found = dict(zip(base["column"].to_pylist(), base["stddev"].to_pylist(), strict=True)) if "stddev" in base.column_names else {}
        spread = np.array([[found.get(name) or np.nan] for name in names], dtype=np.float64).reshape(len(names), 1)
    return np.where(spread > 0, spread, np.nan)


def _chance(facts: Facts, group: Group, drift_type: str, bins: int = 10) -> float | None:
    """Return the stability index that samples of one law show by chance: about (bins - 1)(1/n + 1/m), for a window of middling size."""
    rows = facts.windows(group).filter(pc.field("column") == TABLE)["count"].to_numpy()
    if not len(rows) or not rows.any():
        return None
    middle = float(np.median(rows[rows > 0]))
    base = facts.baseline(group).filter(pc.field("column") == TABLE)["count"].to_pylist()
    other = middle if drift_type == CONSECUTIVE or not base or not base[0] else base[0]
    return (bins - 1) * (1 / middle + 1 / other)
