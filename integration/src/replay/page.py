"""The story as one HTML file that needs nothing but itself."""

import math
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from replay.story import MonthReport, Story

_environment = Environment(loader=PackageLoader("replay"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 1000, 280, 44, 84, 34, 26
_TICKS = 5


def figure(value: float | None) -> str:
    """Return a figure for a table; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


_environment.filters["figure"] = figure


def render(story: Story) -> str:
    """Return the page: styles and chart inside, no script, nothing fetched."""
    return _environment.get_template("drift.html.j2").render(story=story, chart=chart(story.months))


def chart(months: Sequence[MonthReport]) -> Markup:
    """Return the errors of the months, beside what is usual and the verdict's limit, as a drawing; what was done to the world is marked."""
    usual = next((month.usual for month in months if month.usual is not None), None)
    figures = [value for month in months for value in (month.error, month.limit, usual) if value is not None] or [0.0, 1.0]
    margin = 0.1 * (max(figures) - min(figures)) or 0.1
    low, high = max(0.0, min(figures) - margin), max(figures) + margin

    def x(place: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (place + 0.5) / max(len(months), 1)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def line(name: str, values: Sequence[float | None]) -> Markup:
        points = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in enumerate(values) if value is not None)
        return Markup('<polyline class="{}" points="{}"/>').format(name, points)

    def across(name: str, value: float, text: str) -> Markup:
        mark = Markup('<line class="{}" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(name, _LEFT, _WIDTH - _RIGHT, y(value), y(value))
        return mark + Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(_LEFT - 6, y(value) + 4, text)

    steps = [low + (high - low) * step / (_TICKS - 1) for step in range(_TICKS)]
    parts = [across("grid", value, f"{value:.2f}") for value in steps]
    parts.extend(_change(month.note, x(place - 0.5)) for place, month in enumerate(months) if month.note)
    parts += [line("limit", [month.limit for month in months]), line("error", [month.error for month in months])]
    named = [("baseline", usual)] + [
        (name, next((v for v in reversed(values) if v is not None), None))
        for name, values in (("limit", [month.limit for month in months]), ("error", [month.error for month in months]))
    ]
    if usual is not None:
        parts.append(across("usual", usual, ""))
    parts.extend(_names([(name, y(value)) for name, value in named if value is not None]))
    parts.extend(_mark(month, x(place), None if month.error is None else y(month.error)) for place, month in enumerate(months))
    label = "Mean absolute error by month"
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(_WIDTH, _HEIGHT, label, Markup("").join(parts))


def _change(note: str, x: float) -> Markup:
    """Return a mark of what was done to the world, before the month it was done in."""
    mark = Markup('<line class="change" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(x, _TOP - 12, _HEIGHT - _BOTTOM)
    # On the side that has the room.
    anchor, shift = ("start", 4) if x < _WIDTH / 2 else ("end", -4)
    return mark + Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(x + shift, _TOP - 14, anchor, note)


def _names(lines: Sequence[tuple[str, float]]) -> list[Markup]:
    """Return the lines' names behind their ends, none upon another."""
    placed: list[Markup] = []
    before = -math.inf
    for name, height in sorted(lines, key=lambda each: each[1]):
        before = max(height, before + 14)
        placed.append(Markup('<text x="{}" y="{:.1f}">{}</text>').format(_WIDTH - _RIGHT + 6, before + 4, name))
    return placed


def _mark(month: MonthReport, x: float, y: float | None) -> Markup:
    name = Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x, _HEIGHT - 8, month.month[2:])
    if y is None:
        return name
    told = f"{month.month}: error {figure(month.error)}, limit {figure(month.limit)}, verdict {month.verdict}"
    tone = "dot alert" if month.verdict == "alert" else "dot"
    return name + Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="5"><title>{}</title></circle>').format(tone, x, y, told)
