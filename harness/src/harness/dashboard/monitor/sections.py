"""The sections of the dashboard: which data each shows, drawn by the macros of `templates/sections.html.j2`.

A section depends on some of what can be chosen, and on nothing else: `DEPENDS` says on what, so that one file can hold each panel once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np
from markupsafe import Markup

from harness.dashboard.monitor import words
from harness.dashboard.monitor.alerts import AlertsOf, Shown, shown
from harness.dashboard.monitor.distributions import Details, confusion, distribution
from harness.dashboard.monitor.drifting import HeatMap, heat_maps, latest_drifted
from harness.dashboard.monitor.environment import environment
from harness.dashboard.monitor.facts import TABLE, Facts, Group, Numbers, matrix, series
from harness.dashboard.monitor.plots import TOUCHED, Frame, windows_a_square
from harness.dashboard.monitor.quality import Quality, quality
from harness.dashboard.monitor.selection import Selection, moment
from harness.dashboard.monitor.slices import slices
from harness.dashboard.monitor.subject import Subject
from harness.dashboard.text import number

GROUP = ("granularity", "model", "slice")
DEPENDS: Mapping[str, tuple[str, ...]] = {
    "figures": (*GROUP, "drift"),
    "alerts": GROUP,
    "quality": GROUP,
    "drift": (*GROUP, "drift", "measure"),
    "distribution": (*GROUP, "drift", "column"),
    "slices": ("granularity", "model", "drift"),
    "confusion": GROUP,
    "volume": GROUP,
    "nulls": (*GROUP, "column"),
}
_TABLE_ROWS = 100
_NULL_COLUMNS = 40


@dataclass(frozen=True, eq=False)
class Board:
    """Everything that the pages of one monitor are drawn from; `alerts` None: nobody decides which there are.

    `details` reads the wide cells of a column (or of `:table`) in the windows that start at some moments, and in the baseline.
    """

    subject: Subject
    facts: Facts
    details: Callable[[Group, str, tuple[int, ...]], Details]
    alerts: AlertsOf | None = None


class Sections:
    """Draws panels, each with ids that no other panel of the same page has."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._keys = count()
        self._maps: dict[tuple[Group, str, str], tuple[HeatMap, ...]] = {}
        self._macros = environment.get_template("sections.html.j2").make_module({"subject": board.subject})

    def draw(self, name: str, chosen: Selection) -> Markup:
        """Return the panel of one section; a plain sentence where there is nothing to draw."""
        data = {
            "figures": self._figures,
            "alerts": self._alerts,
            "quality": self._quality,
            "drift": self._drift,
            "distribution": self._distribution,
            "slices": self._slices,
            "confusion": self._confusion,
            "volume": self._volume,
            "nulls": self._nulls,
        }[name](chosen)
        macro = getattr(self._macros, name)
        return Markup(macro(chosen, Drawing(self, chosen), **data))  # noqa: S704 - what a template with autoescape made

    def frame(self, chosen: Selection, title: str, description: str, names: list[str] | None = None) -> Frame:
        """Return the frame of a chart over the chosen windows."""
        return Frame(f"c{next(self._keys)}", title, description, chosen.first, chosen.last, len(chosen.axis), names or ())

    def key(self) -> str:
        """Return an id that nothing else on the page has."""
        return f"c{next(self._keys)}"

    def _figures(self, chosen: Selection) -> dict[str, object]:
        facts, group = self.board.facts, chosen.group
        rows = series(facts.windows(group), "count", axis=chosen.axis)
        there = np.flatnonzero(np.isfinite(rows[: chosen.last + 1]))
        at = int(there[-1]) if len(there) else None
        maps = self._heat_maps(chosen, "psi")
        judged = self.judged(chosen)
        return {
            "rows": None if at is None else rows[at],
            "window": None if at is None else words.full(int(chosen.axis.starts[at]), daily=words.is_daily(chosen.axis)),
            "windows": chosen.last - chosen.first + 1,
            "drifted": latest_drifted(maps),
            "columns": len(facts.columns),
            "main": judged.main if judged else None,
            "newest": None if judged is None else last(judged.main.values[: chosen.last + 1]),
            "alerts": self.shown_alerts(chosen),
        }

    def _alerts(self, chosen: Selection) -> dict[str, object]:
        return {"found": self.shown_alerts(chosen)}

    def _quality(self, chosen: Selection) -> dict[str, object]:
        return {"found": self.judged(chosen)}

    def _drift(self, chosen: Selection) -> dict[str, object]:
        return {"maps": self._heat_maps(chosen, chosen.measure), "each": windows_a_square(len(chosen.axis))}

    def _heat_maps(self, chosen: Selection, measure: str) -> tuple[HeatMap, ...]:
        key = (chosen.group, chosen.drift_type, measure)
        if key not in self._maps:
            self._maps[key] = heat_maps(self.board.facts, chosen.group, drift_type=chosen.drift_type, measure=measure)
        return self._maps[key]

    def _distribution(self, chosen: Selection) -> dict[str, object]:
        if chosen.column is None or chosen.is_empty:
            return {"found": None}
        starts = tuple(int(start) for start in chosen.axis.starts[max(chosen.last - 1, 0) : chosen.last + 1])
        details = self.board.details(chosen.group, chosen.column, starts)
        found = distribution(details, chosen.group, chosen.column, axis=chosen.axis, window=chosen.last, drift_type=chosen.drift_type)
        return {"found": found}

    def _slices(self, chosen: Selection) -> dict[str, object]:
        if chosen.is_empty:
            return {"found": None}
        return {
            "found": slices(
                self.board.facts, self.board.subject, chosen.group, first=chosen.first, last=chosen.last, drift_type=chosen.drift_type
            )
        }

    def _confusion(self, chosen: Selection) -> dict[str, object]:
        if self.board.subject.problem != "classification" or chosen.is_empty:
            return {"found": None}
        scores = series(self.board.facts.windows(chosen.group), "accuracy_score", axis=chosen.axis)
        there = np.flatnonzero(np.isfinite(scores[chosen.first : chosen.last + 1]))
        if not len(there):
            return {"found": None}
        start = int(chosen.axis.starts[chosen.first + there[-1]])
        return {"found": confusion(self.board.details(chosen.group, TABLE, (start,)), chosen.group, start)}

    def _volume(self, chosen: Selection) -> dict[str, object]:
        return {"values": series(self.board.facts.windows(chosen.group), "count", column=TABLE, axis=chosen.axis)}

    def _nulls(self, chosen: Selection) -> dict[str, object]:
        facts, columns = self.board.facts, list(self.board.facts.columns)
        rows = facts.windows(chosen.group)
        base = facts.baseline(chosen.group)
        before = dict(zip(base["column"].to_pylist(), base["percent_null"].to_pylist(), strict=True)) if base.num_rows else {}
        nulls, zeros = (matrix(rows, name, columns=columns, axis=chosen.axis) for name in ("percent_null", "percent_zeros"))
        table = [
            (name, last(nulls[at]), before.get(name), largest(nulls[at, chosen.first : chosen.last + 1]), last(zeros[at]))
            for at, name in enumerate(columns)
        ]
        ranked = sorted(table, key=lambda row: (-(row[3] or 0.0), -(row[4] or 0.0), row[0]))
        at = columns.index(chosen.column) if chosen.column in columns else None
        return {
            "table": ranked[:_NULL_COLUMNS],
            "hidden": max(len(ranked) - _NULL_COLUMNS, 0),
            "nulls": None if at is None else nulls[at],
            "zeros": None if at is None else zeros[at],
        }

    def judged(self, chosen: Selection) -> Quality | None:
        """Return the quality of the chosen group."""
        if self.board.subject.label is None or not len(chosen.axis):
            return None
        return quality(self.board.facts, self.board.subject, chosen.group)

    def shown_alerts(self, chosen: Selection) -> Shown | None:
        """Return the alerts of the chosen group in the chosen windows; None when nobody decides which there are."""
        if self.board.alerts is None or chosen.is_empty:
            return None
        starts = chosen.axis.starts
        since, until = moment(int(starts[chosen.first])), moment(int(starts[chosen.last]))
        return shown(self.board.alerts(chosen.group), since=since, until=until)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a macro draws with: frames, names of windows, rows of a table."""

    sections: Sections
    chosen: Selection

    @property
    def daily(self) -> bool:
        """Whether windows are told without the time of day."""
        return words.is_daily(self.chosen.axis)

    def frame(self, title: str, description: str, names: list[str] | None = None) -> Frame:
        """Return the frame of a chart over the chosen windows."""
        return self.sections.frame(self.chosen, title, description, names)

    def key(self) -> str:
        """Return an id that nothing else on the page has."""
        return self.sections.key()

    def name(self, position: int) -> str:
        """Return a window as a table names it."""
        return words.full(int(self.chosen.axis.starts[position]), daily=self.daily)

    def names(self, *values: Numbers) -> list[str]:
        """Return for each window what the pointer says over it; nothing where no value is, or where windows are too narrow to point at."""
        if len(self.chosen.axis) > TOUCHED:
            return []
        said = []
        for at in range(len(self.chosen.axis)):
            here = [number(float(each[at])) for each in values if np.isfinite(each[at])]
            said.append(f"{self.name(at)}: {', '.join(here)}" if here else "")
        return said

    def time(self, micros: int) -> str:
        """Return a moment as a table names it."""
        return words.full(micros, daily=self.daily)

    @property
    def ticks(self) -> list[str]:
        """Return the windows' names at the left, in the middle and at the right of a chart."""
        first, final = self.chosen.first, self.chosen.last
        if self.chosen.is_empty:
            return []
        marks = sorted({first, (first + final) // 2, final})
        return [words.short(int(self.chosen.axis.starts[at]), daily=self.daily) for at in marks]

    @property
    def rows(self) -> list[int]:
        """Return the positions of the windows that a table lists: the newest ones."""
        return list(range(self.chosen.last, max(self.chosen.first, self.chosen.last - _TABLE_ROWS + 1) - 1, -1))

    @property
    def left_out(self) -> int:
        """Return how many of the chosen windows a table does not list."""
        return max(self.chosen.last - self.chosen.first + 1 - _TABLE_ROWS, 0)


def last(values: Numbers) -> float | None:
    """Return the newest value there is."""
    there = values[np.isfinite(values)]
    return float(there[-1]) if len(there) else None


def largest(values: Numbers) -> float | None:
    """Return the largest value there is."""
    there = values[np.isfinite(values)]
    return float(there.max()) if len(there) else None
