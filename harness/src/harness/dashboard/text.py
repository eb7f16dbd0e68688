"""Numbers and times as a person reads them."""

import datetime as dt
import math


def number(value: float | None) -> str:
    """Return `value` with as many digits as help: 12,345 · 12.3 · 0.123 · 1.2e-05; a dash for nothing."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return str(value)
    if value == int(value):
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 0.001:
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{value:.1e}"


def seconds(value: float) -> str:
    """Return a duration: 0.42 s · 12.3 s · 3 min 05 s."""
    if value >= 60:
        return f"{int(value) // 60} min {int(value) % 60:02} s"
    return f"{value:.1f} s" if value >= 1 else f"{value:.2f} s"


def day(value: dt.date) -> str:
    """Return a short day: 5 Jan."""
    return f"{value.day} {value:%b}"
