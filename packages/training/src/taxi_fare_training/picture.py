"""The gate's decision as a picture: how sure the improvement is, and whether it is worth a change."""

from typing import TYPE_CHECKING

from taxi_fare_training.gate import CONFIDENCE, Weighed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INTERVAL, _NEEDED, _MEANS, _INK = "#2b6cb0", "#c05621", "#a0aec0", "#1a202c"


def gate_picture(weighed: Weighed, title: str) -> "Figure":
    """Return the resamples' mean improvements, their interval, zero and the least improvement that counts; in dollars a trip."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    decision = weighed.decision
    axes.hist(weighed.means, bins=50, color=_MEANS)
    axes.axvspan(decision.lower or 0.0, decision.upper or 0.0, color=_INTERVAL, alpha=0.15, label=_span(decision.lower, decision.upper))
    _line(axes, decision.improvement, _INTERVAL, "solid", "mean improvement")
    _line(axes, decision.needed, _NEEDED, "dashed", "least that counts")
    _line(axes, 0.0, _INK, "solid", "no difference")
    axes.set_title(f"{title}\n{'better' if decision.is_better else 'not better'}: {decision.reason}", fontsize=9, loc="left")
    axes.set_xlabel(f"smaller absolute error than the Champion's, dollars a trip, mean of {decision.rows:,} paired rows")
    axes.set_ylabel(f"of {len(weighed.means):,} resamples")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _span(lower: float | None, upper: float | None) -> str:
    return f"{CONFIDENCE:.0%} interval {lower or 0.0:+.4f} to {upper or 0.0:+.4f}"


def _line(axes: "Axes", at: float | None, color: str, style: str, name: str) -> None:
    if at is not None:
        axes.axvline(at, color=color, linestyle=style, linewidth=1.5, label=f"{name} {at:+.4f}")
