"""The story as one HTML file that needs nothing but itself."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from replay.story import MonthReport, Story

_environment = Environment(loader=PackageLoader("replay"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 1000, 260, 44, 14, 26


def figure(value: float | None) -> str:
    """Return a figure for a table; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


_environment.filters["figure"] = figure


def render(story: Story) -> str:
    """Return the page: styles and chart inside, no script, nothing fetched."""
    return _environment.get_template("drift.html.j2").render(story=story, chart=chart(story.months))


def chart(months: Sequence[MonthReport]) -> Markup:
    """Return the errors of the months, beside what is usual and the verdict's limit, as a drawing."""
    figures = [value for month in months for value in (month.error, month.limit) if value is not None]
    scale = (_HEIGHT - _TOP - _BOTTOM) / (1.1 * max(figures, default=1.0))

    def x(place: int) -> float:
        return _LEFT + (_WIDTH - 2 * _LEFT) * (place + 0.5) / max(len(months), 1)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value * scale

    def line(name: str, values: Sequence[float | None]) -> Markup:
        points = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in enumerate(values) if value is not None)
        return Markup('<polyline class="{}" points="{}"/>').format(name, points)

    parts = [line("limit", [month.limit for month in months]), line("error", [month.error for month in months])]
    usual = next((month.usual for month in months if month.usual is not None), None)
    if usual is not None:
        parts.append(
            Markup('<line class="usual" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(_LEFT, _WIDTH - _LEFT, y(usual), y(usual))
        )
        parts.append(Markup('<text x="4" y="{:.1f}">{:.2f}</text>').format(y(usual) + 4, usual))
    parts.extend(_mark(month, x(place), None if month.error is None else y(month.error)) for place, month in enumerate(months))
    label = "Mean absolute error by month"
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(_WIDTH, _HEIGHT, label, Markup("").join(parts))


def _mark(month: MonthReport, x: float, y: float | None) -> Markup:
    name = Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x, _HEIGHT - 8, month.month[2:])
    if y is None:
        return name
    told = f"{month.month}: error {figure(month.error)}, limit {figure(month.limit)}, verdict {month.verdict}"
    tone = "dot alert" if month.verdict == "alert" else "dot"
    return name + Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="5"><title>{}</title></circle>').format(tone, x, y, told)
