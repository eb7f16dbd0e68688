"""The gate's decision as a picture: how sure the improvement is, and whether it is worth a change."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from taxi_fare_training.gate import CONFIDENCE, Weighed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INTERVAL, _NEEDED, _MEANS, _INK = "#2b6cb0", "#c05621", "#a0aec0", "#1a202c"
_BINS = 50
_TITLE_WIDTH = 105  # characters a line
# Given, not searched for: matplotlib's own layouts draw every text twice.
_MARGINS = {"left": 0.09, "right": 0.97, "bottom": 0.12, "top": 0.79}


def gate_picture(weighed: Weighed, title: str) -> "Figure":
    """Return the resamples' mean improvements, their interval, zero and the least improvement that counts; in dollars a trip."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120)
    figure.subplots_adjust(**_MARGINS)
    axes = figure.subplots()
    decision = weighed.decision
    lower, upper = decision.lower or 0.0, decision.upper or 0.0
    left, right = _extent(weighed)
    axes.set_xlim(left, right)
    axes.stairs(*_histogram(weighed.means, (right - left) / _BINS), fill=True, color=_MEANS)
    axes.axvspan(lower, upper, color=_INTERVAL, alpha=0.15, label=f"{CONFIDENCE:.0%} interval {lower:+.4f} to {upper:+.4f}")
    _line(axes, decision.improvement, _INTERVAL, "solid", "mean improvement {:+.4f}")
    _line(axes, decision.needed, _NEEDED, "dashed", "least that counts {:+.4f}")
    _line(axes, 0.0, _INK, "solid", "no difference")
    verdict = f"{'better' if decision.is_better else 'not better'}: {decision.reason}"
    axes.set_title(
        "\n".join(line for text in (title, verdict) for line in textwrap.wrap(text, _TITLE_WIDTH)), fontsize=9, loc="left", pad=24
    )
    axes.set_xlabel(f"smaller absolute error than the Champion's, dollars a trip, mean of {decision.rows:,} paired rows")
    axes.set_ylabel(f"of {len(weighed.means):,} resamples")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, ncols=4, columnspacing=1.2, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
    return figure


def _extent(weighed: Weighed) -> tuple[float, float]:
    """Return the ends of the axis: everything that led to the decision, and a little air."""
    shown = [0.0, weighed.decision.needed or 0.0, float(weighed.means.min()), float(weighed.means.max())]
    air = 0.06 * (max(shown) - min(shown)) or 0.01
    return min(shown) - air, max(shown) + air


def _histogram(means: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and edges; means that are all the same get one bar of width `least`."""
    low, high = float(means.min()), float(means.max())
    if high - low < least:
        return np.array([means.size]), np.array([low - least / 2, low + least / 2])
    return np.histogram(means, bins=_BINS)


def _line(axes: "Axes", at: float | None, color: str, style: str, label: str) -> None:
    if at is not None:
        axes.axvline(at, color=color, linestyle=style, linewidth=1.5, label=label.format(at))
