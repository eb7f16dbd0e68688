"""What can be chosen on the dashboard, and what is: from query parameters, with a sentence for each that could not be followed. Pure."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from harness.dashboard.monitor.drifting import BASELINE, CONSECUTIVE, DISTANCES, DRIFT_TYPES
from harness.dashboard.monitor.facts import ALL_MODELS, Axis, Facts, Group
from harness.dashboard.monitor.subject import Subject

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EMPTY = Axis(np.array([], np.int64), np.array([], np.int64))
WHOLE = ""


@dataclass(frozen=True, eq=False)
class Offer:
    """Everything that can be chosen; the first of each is what is shown unless something else is asked for."""

    granularities: tuple[str | None, ...]
    models: tuple[str | None, ...]
    slices: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    drift_types: tuple[str, ...]
    measures: tuple[str, ...] = tuple(DISTANCES)


@dataclass(frozen=True, eq=False)
class Selection:
    """What is shown: of `group` the windows from position `first` to `last`, all of `axis` unless a range was given.

    `said` are the sentences about what was asked for and is not there.
    """

    group: Group
    axis: Axis
    first: int
    last: int
    column: str | None
    drift_type: str
    measure: str
    said: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is no window to show."""
        return self.last < self.first


def offer(facts: Facts, subject: Subject) -> Offer:
    """Return what the metric tables hold."""
    groups = facts.groups
    known = set(groups["granularity"].to_pylist())
    configured = [label for label in subject.granularities if label in known]
    widths = [*configured, *sorted(known - set(configured), key=str)]
    models = sorted(set(groups["model"].to_pylist()) - {None, ALL_MODELS}, key=lambda name: (len(name), name))
    sliced = groups.filter(pc.field("slice_key").is_valid()).group_by(["slice_key", "slice_value"]).aggregate([("count_sum", "max")])
    pairs = sorted(zip(*(sliced[name].to_pylist() for name in ("slice_key", "count_sum_max", "slice_value")), strict=True), key=_by_size)
    baseline = facts.drift.num_rows and bool(pc.any(pc.equal(facts.drift["drift_type"], BASELINE)).as_py())
    return Offer(
        granularities=tuple(widths) or (None,),
        models=(ALL_MODELS, *models) if subject.model_id else (None,),
        slices=tuple((key, value) for key, _, value in pairs if value is not None),
        columns=facts.columns,
        drift_types=(BASELINE, CONSECUTIVE) if baseline else (CONSECUTIVE,),
    )


def _by_size(pair: tuple[str, int, str | None]) -> tuple[str, int, str]:
    return pair[0], -(pair[1] or 0), str(pair[2])


def select(facts: Facts, offered: Offer, query: Mapping[str, str], *, column: str | None = None) -> Selection:
    """Return what `query` asks for; `column` is shown when it names none."""
    said: list[str] = []
    granularity = _one(query.get("granularity"), offered.granularities, "granularity", said)
    model = _one(query.get("model"), offered.models, "model id", said)
    key, value = _slice(query.get("slice"), offered, said)
    axis = facts.axis(granularity) if facts.profile.num_rows else _EMPTY
    first, last = _range(query, axis, said)
    columns = (column, *offered.columns) if column in offered.columns else offered.columns
    return Selection(
        group=Group(granularity, model, key, value),
        axis=axis,
        first=first,
        last=last,
        column=_one(query.get("column"), columns, "column", said) if columns else None,
        drift_type=_one(query.get("drift"), offered.drift_types, "drift against", said) or CONSECUTIVE,
        measure=_one(query.get("measure"), offered.measures, "measure", said) or "psi",
        said=tuple(said),
    )


def slice_text(key: str | None, value: str | None) -> str:
    """Return a slice as the picker's value: no text that a slice may be made of can be taken for another slice."""
    return WHOLE if key is None else json.dumps([key, value], ensure_ascii=False)


def moment(micros: int) -> dt.datetime:
    """Return the UTC time `micros` after 1970."""
    return EPOCH + dt.timedelta(microseconds=int(micros))


def drift_words(drift_type: str) -> str:
    """Return what a drift type compares with."""
    return DRIFT_TYPES[drift_type]


def _one(asked: str | None, known: tuple[str | None, ...], what: str, said: list[str]) -> str | None:
    if not asked:
        return known[0]
    if asked in known:
        return asked
    said.append(f"The metric tables have no {what} '{asked}'; this is {known[0] or 'all there is'}.")
    return known[0]


def _slice(asked: str | None, offered: Offer, said: list[str]) -> tuple[str | None, str | None]:
    if not asked:
        return None, None
    found = next((pair for pair in offered.slices if slice_text(*pair) == asked), None)
    if found is None:
        said.append(f"The metric tables have no slice {asked}; this is the whole table.")
        return None, None
    return found


def _range(query: Mapping[str, str], axis: Axis, said: list[str]) -> tuple[int, int]:
    first, last = 0, len(axis) - 1
    since, until = (_micros(query.get(name), name, said) for name in ("from", "to"))
    if since is not None:
        first = int(np.searchsorted(axis.ends, since, side="right")) if _has_width(axis) else int(np.searchsorted(axis.starts, since))
    if until is not None:
        last = int(np.searchsorted(axis.starts, until, side="right")) - 1
    if last < first and len(axis):
        said.append("There is no window in this range; choose another, or leave From and To empty.")
    return first, last


def _has_width(axis: Axis) -> bool:
    return bool(len(axis)) and bool((axis.ends > axis.starts).all())


def _micros(text: str | None, name: str, said: list[str]) -> int | None:
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
        aware = found if found.tzinfo else found.replace(tzinfo=dt.UTC)
        return (aware - EPOCH) // dt.timedelta(microseconds=1)
    except (ValueError, OverflowError):
        said.append(f"'{text}' in {name} is no time; expected one such as 2026-01-05T10:00.")
        return None
