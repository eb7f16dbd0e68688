"""Charts of the dashboard as SVG text.

Across, one unit is one window, whatever the page's width: a range of windows is shown by the view box alone, without drawing anew.
Down, 0 is the top and 100 the bottom. Letters stand beside the drawing, so that nothing stretches them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from harness.dashboard.charts import ticks
from harness.dashboard.monitor.bands import Band
from harness.dashboard.monitor.distributions import Densities, Item
from harness.dashboard.monitor.drifting import MODERATE, SIGNIFICANT
from harness.dashboard.monitor.facts import Flags, Numbers
from harness.dashboard.text import number

TOUCHED = 120  # windows up to which each has a text of its own under the pointer
_CELLS = 160  # squares across up to which a heat map has one for each window
_TONES = ("p0", "p1", "p2")


@dataclass(frozen=True, slots=True)
class Frame:
    """Which windows a chart shows and how it calls itself; `key` makes its ids unique."""

    key: str
    title: str
    description: str
    first: int
    last: int
    total: int
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` (bottom) to `high` (top), with marks at round ones."""

    low: float
    high: float
    marks: tuple[float, ...]

    def down(self, value: float) -> float:
        """Return how far below the top a value lies, of 100."""
        return round(100 - 100 * (value - self.low) / (self.high - self.low), 2)


def scale(values: Sequence[Numbers], *, zero: bool = True, most: float | None = None, least: float = 0.0) -> Scale:
    """Return a scale that holds all of `values`; from zero if asked for, to `least` at the lowest and `most` at the highest."""
    finite = np.concatenate([each[np.isfinite(each)] for each in values] or [np.array([])])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, least)
    room = (high - low or abs(high) or 1.0) * 0.06
    low, high = low if zero and low == 0 else low - room, high + room
    high = min(high, most) if most is not None and most > low else high
    return Scale(low, high, tuple(ticks(low, high, 4)))


def axis_marks(scale_: Scale) -> Markup:
    """Return the letters on the left of a chart."""
    letters = Markup('<text x="44" y="{}%" dy=".32em" text-anchor="end">{}</text>')
    parts = [letters.format(scale_.down(value), number(value)) for value in scale_.marks]
    return Markup('<svg class="marks" width="48" aria-hidden="true">{}</svg>').format(Markup("").join(parts))


def lines(frame: Frame, scale_: Scale, values: Numbers, band: Band | None, worse: Flags | None, models: Sequence[Numbers] = ()) -> Markup:
    """Return a measure over windows: its band behind, single models thin, windows that are worse marked."""
    parts = [_grid(scale_, frame.total)]
    if band is not None:
        parts.append(Markup('<path class="band" d="{}"/>').format(_steps(band.low, band.high, scale_)))
        parts.append(Markup('<path class="level" d="{}"/>').format(_path(band.level, scale_)))
    parts.extend(
        Markup('<path class="line m{}" d="{}"/>').format(position + 1, _path(each, scale_)) for position, each in enumerate(models)
    )
    parts.append(Markup('<path class="line main" d="{}"/>').format(_path(values, scale_)))
    if len(values) <= TOUCHED:
        parts.append(Markup('<path class="dots main" d="{}"/>').format(_dots(values, scale_, np.isfinite(values))))
    if worse is not None and worse.any():
        parts.append(Markup('<path class="dots worse" d="{}"/>').format(_dots(values, scale_, worse)))
    return _zoomed(frame, [*parts, *_touches(frame)], "tall")


def bars(frame: Frame, scale_: Scale, values: Numbers) -> Markup:
    """Return a column for each window."""
    shapes = "".join(
        f"M{at + 0.1:g} 100V{scale_.down(value):g}h.8V100Z" for at, value in enumerate(values) if math.isfinite(value) and value > 0
    )
    return _zoomed(frame, [_grid(scale_, frame.total), Markup('<path class="column" d="{}"/>').format(shapes), *_touches(frame)], "low")


def heat(frame: Frame, values: Numbers, sure: Flags) -> Markup:
    """Return one row of a heat map: a square for each window, or for each few with the worst of them, when there are many."""
    every = windows_a_square(len(values))
    shapes: dict[str, list[str]] = {tone: [] for tone in _TONES}
    dots: list[str] = []
    for start in range(0, len(values), every):
        part = values[start : start + every]
        if np.isnan(part).all():
            continue
        wide = len(part)
        shapes[tone(float(np.nanmax(part)))].append(f"M{start} 4h{wide * 0.94:g}v92h-{wide * 0.94:g}Z")
        if sure[start : start + every].any():
            dots.append(f"M{start + wide * 0.47:g} 50h.001")
    parts = [Markup('<path class="{}" d="{}"/>').format(name, "".join(found)) for name, found in shapes.items() if found]
    if dots:
        parts.append(Markup('<path class="dots sure" d="{}"/>').format("".join(dots)))
    return _zoomed(frame, [*parts, *_touches(frame)], "strip")


def windows_a_square(windows: int) -> int:
    """Return how many windows one square of a heat map stands for."""
    return max(1, math.ceil(windows / _CELLS))


def tone(value: float) -> str:
    """Return the class that colours a drift."""
    return "p2" if value >= SIGNIFICANT else "p1" if value >= MODERATE else "p0"


def density(key: str, densities: Densities, title: str, description: str) -> Markup:
    """Return the shares of values by bins: now filled, before as an outline."""
    most = max(float(each.max()) for each in (densities.now, densities.before) if each is not None) or 1.0
    tall = Scale(0.0, most * 1.06, ())
    now = "M0 100" + "".join(f"V{tall.down(float(value)):g}h1" for value in densities.now) + "V100Z"
    parts = [Markup('<path class="now" d="{}"/>').format(now)]
    if densities.before is not None:
        outline = f"M0 {tall.down(float(densities.before[0])):g}" + "".join(f"V{tall.down(float(v)):g}h1" for v in densities.before)
        parts.append(Markup('<path class="before" d="{}"/>').format(outline))
    return _drawn(key, title, description, f"0 0 {len(densities.now)} 100", parts, "tall")


def cumulative(key: str, densities: Densities, title: str, description: str) -> Markup:
    """Return the shares of values up to each value: now and before."""
    low, high = float(densities.edges[0]), float(densities.edges[-1])
    parts = [_grid(Scale(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0)), 100)]
    for name, sample in (("before", densities.before_quantiles), ("main", densities.now_quantiles)):
        if sample is not None and len(sample):
            at = np.linspace(low, high, 101)
            shares = np.searchsorted(np.sort(sample), at, side="right") / len(sample)
            path = "M" + "L".join(f"{x} {100 - 100 * share:.4g}" for x, share in enumerate(shares))
            parts.append(Markup('<path class="line {}" d="{}"/>').format(name, path))
    return _drawn(key, title, description, "0 0 100 100", parts, "tall")


def pair_of_bars(key: str, item: Item, name: str) -> Markup:
    """Return one category's share now above its share before, of all the width."""
    said = f"{name}: {item.now:.1%} now" + ("" if item.before is None else f", {item.before:.1%} before")
    tall = 80 if item.before is None else 45
    parts = [Markup('<rect class="now" x="0" y="10" width="{:.3f}" height="{}"/>').format(100 * item.now, tall)]
    if item.before is not None:
        parts.append(Markup('<rect class="was" x="0" y="58" width="{:.3f}" height="32"/>').format(100 * item.before))
    return _drawn(key, said, "", "0 0 100 100", parts, "strip")


def deviation(key: str, value: float, *, low: float, high: float, whole: float | None, worse: bool, title: str) -> Markup:
    """Return a dot at `value` between `low` and `high`, and a line where the whole is."""
    span = high - low or 1.0
    parts = []
    if whole is not None:
        at = 100 * (whole - low) / span
        parts.append(Markup('<path class="level" d="M{:.2f} 0V100"/>').format(at))
    kind = "worse" if worse else "main"
    parts.append(Markup('<path class="dots {}" d="M{:.2f} 50h.001"/>').format(kind, 100 * (value - low) / span))
    return _drawn(key, title, "", "-2 0 104 100", parts, "strip")


def _zoomed(frame: Frame, parts: Sequence[Markup], height: str) -> Markup:
    count = max(frame.last - frame.first + 1, 1)
    return _drawn(frame.key, frame.title, frame.description, f"{frame.first} 0 {count} 100", parts, f"zoom {height}")


def _drawn(key: str, title: str, description: str, box: str, parts: Sequence[Markup], kind: str) -> Markup:
    described = Markup('<desc id="{k}-d">{}</desc>').format(description, k=key) if description else Markup("")
    by = f"{key}-t {key}-d" if description else f"{key}-t"
    return Markup(
        '<svg class="plot {kind}" role="img" aria-labelledby="{by}" viewBox="{box}" preserveAspectRatio="none">'
        '<title id="{key}-t">{title}</title>{described}{parts}</svg>'
    ).format(kind=kind, by=by, box=box, key=key, title=title, described=described, parts=Markup("").join(parts))


def _grid(scale_: Scale, wide: int) -> Markup:
    return Markup('<path class="grid" d="{}"/>').format("".join(f"M0 {scale_.down(value):g}H{wide}" for value in scale_.marks))


def _path(values: Numbers, scale_: Scale) -> str:
    parts, joined = [], False
    for at, value in enumerate(values):
        if math.isfinite(value):
            parts.append(f"{'L' if joined else 'M'}{at}.5 {scale_.down(value):g}")
        joined = math.isfinite(value)
    return "".join(parts)


def _steps(low: Numbers, high: Numbers, scale_: Scale) -> str:
    both = np.isfinite(low) & np.isfinite(high)
    tops = np.clip(high, scale_.low, scale_.high)
    bottoms = np.clip(low, scale_.low, scale_.high)
    return "".join(f"M{at} {scale_.down(tops[at]):g}h1V{scale_.down(bottoms[at]):g}h-1Z" for at in np.flatnonzero(both))


def _dots(values: Numbers, scale_: Scale, where: Flags) -> str:
    return "".join(f"M{at}.5 {scale_.down(values[at]):g}h.001" for at in np.flatnonzero(where & np.isfinite(values)))


def _touches(frame: Frame) -> list[Markup]:
    """Return an invisible column for each window that says its numbers under the pointer."""
    shown = frame.names if len(frame.names) <= TOUCHED else ()
    return [
        Markup('<rect class="touch" x="{}" y="0" width="1" height="100"><title>{}</title></rect>').format(at, name)
        for at, name in enumerate(shown)
        if name
    ]
