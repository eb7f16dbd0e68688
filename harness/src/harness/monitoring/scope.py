"""Which windows a refresh computes, and which rows it needs for that. Pure.

All starts of windows are microseconds since 1970.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.monitoring.model import GranularityName
from harness.monitoring.windows import GRANULARITIES, Granularity, Moments, Window

_MOST_INTERVALS = 64
"""A condition of more is slower than reading the rows between them."""


@dataclass(frozen=True, slots=True)
class Span:
    """Windows of one granularity: those to profile, those to compare with the one before, and all to look at for that."""

    profile: frozenset[int]
    drift: frozenset[int]
    seen: frozenset[int]


Scope = Mapping[GranularityName, Span]


def starts_of(moments: Moments, granularities: Iterable[GranularityName]) -> dict[GranularityName, frozenset[int]]:
    """Return, by granularity, the windows that the moments are in."""
    return {name: frozenset(np.unique(GRANULARITIES[name].starts(moments)).tolist()) for name in granularities}


def around(touched: Mapping[GranularityName, frozenset[int]]) -> Scope:
    """Return what changes with the touched windows: their rows, and how they and those behind them differ from the ones before."""
    scope = {}
    for name, starts in touched.items():
        granularity = GRANULARITIES[name]
        drift = starts | {granularity.window(start).end for start in starts}
        scope[name] = Span(starts, drift, drift | {granularity.before(start) for start in drift})
    return scope


def parts(counts: Mapping[GranularityName, Mapping[int, int]], most: int) -> Iterator[Scope]:
    """Yield every window once, given how many rows each has: as many together as have `most` rows, but at least one."""
    for name, rows in counts.items():
        for starts in _bundled(rows, most):
            own = frozenset(starts)
            yield {name: Span(own, own, own | {GRANULARITIES[name].before(start) for start in own})}


def within(scope: Scope, part: Scope) -> Scope:
    """Return what of `part` is in `scope`."""
    return {
        name: Span(scope[name].profile & span.profile, scope[name].drift & span.drift, scope[name].seen & span.seen)
        for name, span in part.items()
    }


def intervals(scope: Scope) -> list[Window]:
    """Return the times whose rows a scope needs: in order, apart from each other, perhaps with what lies between two of them."""
    windows = sorted({_window(GRANULARITIES[name], start) for name, span in scope.items() for start in span.seen})
    joined: list[tuple[int, int]] = []
    for start, end in windows:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return [Window(start, end) for start, end in _merged(joined)]


def inside(moments: Moments, times: Sequence[Window]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which moments lie in one of the intervals."""
    if not times:
        return np.zeros(len(moments), np.bool_)
    place = np.searchsorted(np.array([time.start for time in times]), moments, side="right") - 1
    ends = np.array([time.end for time in times])
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = (place >= 0) & (moments < ends[np.maximum(place, 0)])
    return found


def _window(granularity: Granularity, start: int) -> tuple[int, int]:
    return start, granularity.window(start).end


def _merged(apart: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Close the smallest gaps until few enough intervals are left."""
    gaps = sorted(later[0] - earlier[1] for earlier, later in pairwise(apart))
    too_many = len(apart) - _MOST_INTERVALS
    if too_many <= 0:
        return apart
    widest, joined = gaps[too_many - 1], apart[:1]
    for start, end in apart[1:]:
        if start - joined[-1][1] <= widest:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _bundled(rows: Mapping[int, int], most: int) -> Iterator[list[int]]:
    bundle: list[int] = []
    held = 0
    for start in sorted(rows):
        if bundle and held + rows[start] > most:
            yield bundle
            bundle, held = [], 0
        bundle.append(start)
        held += rows[start]
    if bundle:
        yield bundle
