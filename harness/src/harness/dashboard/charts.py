"""Small charts as SVG text. Widths are per cent where they can be, so that a page of any width keeps its letters readable."""

import datetime as dt
import math
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from harness.dashboard.model import PSI_MODERATE, PSI_SIGNIFICANT, DayError, Density, DriftCell, Task
from harness.dashboard.text import day, number, seconds

_SHADES = 6
_LINE_HEIGHT = 300


def timeline_bar(task: Task, total: float) -> Markup:
    """Return one task's bar on the run's time axis; a task that never began is a dashed line."""
    label = f"{task.task_key}: {task.result_state}, {seconds(task.seconds)}"
    if task.offset is None:
        inner = Markup('<line class="never" x1="0" x2="100%" y1="8" y2="8"/>')
    else:
        left = 100 * task.offset / total if total else 0
        width = max(100 * task.seconds / total, 0.6) if total else 100
        inner = Markup('<rect class="bar {}" x="{:.2f}%" y="2" width="{:.2f}%" height="12" rx="2"/>').format(
            tone(task.result_state), min(left, 99.4), min(width, 100 - min(left, 99.4))
        )
    track = Markup('<rect class="track" x="0" y="2" width="100%" height="12" rx="2"/>')
    return _svg(label, "100%", 16, track + inner)


def tone(state: str) -> str:
    """Return the class that colours a state."""
    if state == "SUCCESS":
        return "good"
    return "bad" if state in {"FAILED", "TIMEDOUT", "INTERNAL_ERROR", "UPSTREAM_FAILED"} else "idle"


def density_chart(density: Density) -> Markup:
    """Return predictions against actual values: darker squares hold more, the line is where they would be equal."""
    side, left, top = 320.0, 44.0, 10.0
    step = side / density.bins
    most = max((part.count for part in density.filled), default=1)
    span = (density.high - density.low) / density.bins
    squares = [
        Markup('<rect class="d{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>').format(
            _shade(part.count, most),
            left + part.column * step,
            top + side - (part.row + 1) * step,
            step + 0.1,
            step + 0.1,
            f"actual {number(density.low + part.column * span)} to {number(density.low + (part.column + 1) * span)}, "
            f"predicted {number(density.low + part.row * span)} to {number(density.low + (part.row + 1) * span)}: {part.count}",
        )
        for part in density.filled
    ]
    marks = []
    for value in ticks(density.low, density.high, 5):
        at = (value - density.low) / (density.high - density.low) * side
        marks.append(
            Markup(
                '<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{t}" y2="{b}"/><text x="{x:.1f}" y="{u}" text-anchor="middle">{v}</text>'
                '<line class="grid" x1="{l}" x2="{r}" y1="{y:.1f}" y2="{y:.1f}"/><text x="{w}" y="{z:.1f}" text-anchor="end">{v}</text>'
            ).format(
                x=left + at,
                t=top,
                b=top + side,
                u=top + side + 16,
                v=number(value),
                l=left,
                r=left + side,
                y=top + side - at,
                w=left - 6,
                z=top + side - at + 4,
            )
        )
    frame = Markup(
        '<line class="equal" x1="{}" y1="{}" x2="{}" y2="{}"/><text x="{}" y="{}" text-anchor="middle">actual</text>'
        '<text x="12" y="{y}" text-anchor="middle" transform="rotate(-90 12 {y})">predicted</text>'
    ).format(left, top + side, left + side, top, left + side / 2, top + side + 32, y=top + side / 2)
    label = f"Predicted against actual value of {density.pairs} rows, from {number(density.low)} to {number(density.high)}"
    return Markup('<svg class="square" role="img" aria-label="{}" viewBox="0 0 372 368">{}</svg>').format(
        label, Markup("").join([*marks, *squares, frame])
    )


def error_lines(days: Sequence[DayError]) -> Markup:
    """Return MAE and RMSE per day as two lines over grey columns, the number of rows."""
    top = max([value for one in days for value in (one.mae, one.rmse) if value is not None], default=0.0) or 1.0
    marks = ticks(0, top, 4)
    scale = max(marks[-1], top) * 1.05
    most = max((one.rows for one in days), default=1) or 1
    parts: list[Markup] = []
    for value in marks:
        y = _height(value, scale)
        parts.append(
            Markup(
                '<line class="grid" x1="8%" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/><text x="7%" y="{t:.1f}" text-anchor="end">{v}</text>'
            ).format(y=y, t=y + 4, v=number(value))
        )
    every = max(1, math.ceil(len(days) / 6))
    for position, one in enumerate(days):
        x, width = _across(position, len(days)), 92 / len(days)
        tall = 50 * one.rows / most
        parts.append(
            Markup('<rect class="count" x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}"/>').format(
                x - width * 0.4, _LINE_HEIGHT - tall, width * 0.8, tall
            )
        )
        if position % every == 0:
            parts.append(Markup('<text x="{:.2f}%" y="{}" text-anchor="middle">{}</text>').format(x, _LINE_HEIGHT + 18, day(one.day)))
    for name in ("rmse", "mae"):
        parts.extend(_line(name, [getattr(one, name) for one in days], scale))
    for position, one in enumerate(days):  # on top, so that a pointer anywhere over a day finds its numbers
        said = f"{day(one.day)}: {one.rows} rows, MAE {number(one.mae)}, RMSE {number(one.rmse)}"
        width = 92 / len(days)
        parts.append(
            Markup('<rect class="touch" x="{:.2f}%" y="0" width="{:.2f}%" height="{}"><title>{}</title></rect>').format(
                _across(position, len(days)) - width / 2, width, _LINE_HEIGHT, said
            )
        )
    return _svg("Mean absolute error and root mean squared error per day", "100%", _LINE_HEIGHT + 26, Markup("").join(parts))


def heat_row(cells: Sequence[DriftCell], days: Sequence[dt.date], marked: frozenset[tuple[str, dt.date]]) -> Markup:
    """Return one feature's drift over `days`; a dot marks a KS test that counts, a day without a cell stays empty."""
    width = 100 / len(days)
    parts = []
    for cell in cells:
        left = days.index(cell.day) * width
        said = f"{cell.column}, {day(cell.day)}: PSI {number(cell.psi)}, KS {number(cell.ks)} (p {number(cell.pvalue)})"
        square = Markup('<rect class="{}" x="{:.2f}%" y="1" width="{:.2f}%" height="20"><title>{}</title></rect>')
        parts.append(square.format(psi_tone(cell.psi), left, width * 0.92, said))
        if (cell.column, cell.day) in marked:
            parts.append(Markup('<circle class="dot" cx="{:.2f}%" cy="11" r="2"/>').format(left + width * 0.46))
    worst = max(cell.psi for cell in cells)
    return _svg(f"Drift of {cells[0].column} over {len(cells)} windows, largest PSI {number(worst)}", "100%", 22, Markup("").join(parts))


def psi_tone(psi: float) -> str:
    """Return the class that colours a stability index."""
    if psi >= PSI_SIGNIFICANT:
        return "p2"
    return "p1" if psi >= PSI_MODERATE else "p0"


def share_bar(share: float, tone_name: str) -> Markup:
    """Return a bar of `share` (0 to 1) of the width."""
    track = Markup('<rect class="track" x="0" y="2" width="100%" height="8" rx="2"/>')
    bar = Markup('<rect class="bar {}" x="0" y="2" width="{:.2f}%" height="8" rx="2"/>').format(tone_name, max(100 * share, 0.6))
    return _svg(f"{share:.0%}", "100%", 12, track + bar)


def ticks(low: float, high: float, wanted: int) -> list[float]:
    """Return round values from `low` to `high`, about `wanted` of them."""
    if high <= low:
        return [low]
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step)
    return [round(position * step, 10) for position in range(first, math.floor(high / step + 1e-9) + 1)]


def _line(name: str, values: Sequence[float | None], scale: float) -> list[Markup]:
    points = [(position, value) for position, value in enumerate(values) if value is not None]
    joined = [
        Markup('<line class="{}" x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}"/>').format(
            name, _across(a, len(values)), _height(here, scale), _across(b, len(values)), _height(there, scale)
        )
        for (a, here), (b, there) in pairwise(points)
        if b == a + 1
    ]
    dots = points if len(points) <= 31 else []
    return joined + [
        Markup('<circle class="{}" cx="{:.2f}%" cy="{:.1f}" r="2.2"/>').format(name, _across(position, len(values)), _height(value, scale))
        for position, value in dots
    ]


def _across(position: int, count: int) -> float:
    return 8 + 92 * (position + 0.5) / count


def _height(value: float, scale: float) -> float:
    return _LINE_HEIGHT - (_LINE_HEIGHT - 8) * value / scale


def _shade(count: int, most: int) -> int:
    return min(_SHADES, 1 + int(_SHADES * math.log1p(count) / math.log1p(most) - 1e-9))


def _svg(label: str, width: str, height: int, inner: Markup) -> Markup:
    return Markup('<svg role="img" aria-label="{}" width="{}" height="{}">{}</svg>').format(label, width, height, inner)
