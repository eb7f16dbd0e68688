"""From the metric tables of one monitor to a page: served for one choice, or as one file that holds many."""

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import product

from markupsafe import Markup

from harness.dashboard.monitor import words
from harness.dashboard.monitor.drifting import heat_maps
from harness.dashboard.monitor.environment import environment
from harness.dashboard.monitor.facts import Facts, Group
from harness.dashboard.monitor.sections import DEPENDS, Board, Sections
from harness.dashboard.monitor.selection import Offer, Selection, offer, select, slice_text
from harness.dashboard.monitor.subject import Subject

TITLES = {
    "alerts": "Alerts",
    "quality": "Quality over time",
    "drift": "Drift by column and window",
    "distribution": "Distribution of a column",
    "slices": "Slices",
    "confusion": "Confusion matrix",
    "volume": "Rows by window",
    "nulls": "NULLs and zeros",
}
FILE_BYTES = 3_000_000  # of panels that one file may hold besides those of its first view


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the served pages are: of all monitors, of this one, and as one file."""

    list: str
    page: str
    file: str


@dataclass(frozen=True, slots=True)
class _Held:
    section: str
    key: str
    panel: Markup


def page(board: Board, query: Mapping[str, str], *, addresses: Addresses, now: dt.datetime) -> str:
    """Return the served page of what `query` chooses: no script, nothing fetched."""
    offered = offer(board.facts, board.subject)
    chosen = _chosen(board.facts, offered, query)
    return _page(board, offered, chosen, {"served": addresses, "now": now, "held": [], "policy": ""}, query)


def single_file(board: Board, *, now: dt.datetime, budget: int = FILE_BYTES) -> str:
    """Return one file that needs nothing but itself; its pickers show the panels that it holds, as many as `budget` bytes allow."""
    offered = offer(board.facts, board.subject)
    chosen = _chosen(board.facts, offered, {})
    sections = Sections(board)
    held = list(_held(sections, offered, chosen, budget)) if not _empty(board) else []
    policy = f"default-src 'none'; style-src '{_hash(_style())}'; script-src '{_hash(_script())}'; base-uri 'none'; form-action 'none'"
    more = {"served": None, "now": now, "held": held, "policy": policy, "picks": Markup(_picks(board.facts, offered))}  # noqa: S704
    return _page(board, offered, chosen, more, {}, sections)


def served_policy() -> str:
    """Return the Content-Security-Policy of served pages."""
    return f"default-src 'none'; style-src '{_hash(_style())}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def list_page(subjects: list[tuple[str, Subject]]) -> str:
    """Return the page of all monitors, each with its address."""
    return environment.get_template("monitors.html.j2").render(subjects=subjects, style=Markup(_style()), at=words.at)  # noqa: S704


def _page(
    board: Board, offered: Offer, chosen: Selection, more: Mapping[str, object], query: Mapping[str, str], sections: Sections | None = None
) -> str:
    empty = _empty(board)
    drawing = sections or Sections(board)
    panels = {} if empty else {name: drawing.draw(name, chosen) for name in _shown(board)}
    return environment.get_template("monitor.html.j2").render(
        subject=board.subject,
        offered=offered,
        chosen=chosen,
        panels=panels,
        titles=TITLES,
        empty=empty,
        style=Markup(_style()),  # noqa: S704 - our own file, as below
        script=Markup(_script()),  # noqa: S704
        slice_text=slice_text,
        at=words.at,
        asked_from=query.get("from", ""),
        asked_to=query.get("to", ""),
        **more,
    )


def _shown(board: Board) -> list[str]:
    left_out = {"alerts"} if board.alerts is None else set()
    left_out |= {"confusion"} if board.subject.problem != "classification" or board.subject.label is None else set()
    left_out |= {"quality"} if board.subject.kind != "inference log" else set()
    return [name for name in DEPENDS if name not in left_out]


def _empty(board: Board) -> str:
    """Return why there is nothing to show, in a sentence; nothing when there is something."""
    subject = board.subject
    if board.facts.groups.num_rows:
        return ""
    if board.facts.profile.num_rows or any(one.state == "SUCCESS" for one in subject.refreshes):
        return "The last refresh found no row in any window: the monitored table is empty, or no row has a usable timestamp."
    if subject.failure:
        return "No refresh has succeeded yet. Put right what the message above says, then start a refresh."
    if any(one.state in {"PENDING", "RUNNING"} for one in subject.refreshes):
        return "The first refresh is under way. Load this page again in a few seconds."
    return "There has been no refresh yet. Start one with w.data_quality.create_refresh(…) or w.quality_monitors.run_refresh(…)."


def _chosen(facts: Facts, offered: Offer, query: Mapping[str, str]) -> Selection:
    first = select(facts, offered, query)
    if query.get("column") or not offered.columns or not len(first.axis):
        return first
    # Unless a column is asked for, the one that has drifted most.
    maps = heat_maps(facts, first.group, drift_type=first.drift_type, measure=first.measure)
    worst = max((row for one in maps for row in one.rows), key=lambda row: row.worst, default=None)
    return replace(first, column=worst.column if worst else first.column)


def _held(sections: Sections, offered: Offer, chosen: Selection, budget: int) -> Iterator[_Held]:
    names, spent = _shown(sections.board), 0
    seen = {(name, _key(name, offered, chosen)) for name in names}
    for one in _choices(sections.board.facts, offered, chosen):
        for name in names:
            key = _key(name, offered, one)
            if (name, key) in seen:
                continue
            seen.add((name, key))
            panel = sections.draw(name, one)
            spent += len(panel)
            if spent > budget:
                return
            yield _Held(name, key, panel)


def _choices(facts: Facts, offered: Offer, chosen: Selection) -> Iterator[Selection]:
    """Yield what can be chosen, what is likely to be first: near to the first view before far from it."""
    slices: list[tuple[str | None, str | None]] = [(None, None), *offered.slices]
    groups = [
        Group(granularity, model, key, value) for (key, value), model, granularity in product(slices, offered.models, offered.granularities)
    ]
    groups.sort(key=lambda one: (one != chosen.group, sum((one.slice_key is not None, one.model not in (None, "*")))))
    known = {tuple(row.values()) for row in facts.groups.select(["granularity", "model", "slice_key", "slice_value"]).to_pylist()}
    for group in groups:
        if (group.granularity, group.model, group.slice_key, group.slice_value) not in known:
            continue
        axis = facts.axis(group.granularity)
        here = replace(chosen, group=group, axis=axis, first=0, last=len(axis) - 1)
        for drift_type in offered.drift_types:
            yield replace(here, drift_type=drift_type)
        for measure, drift_type in product(offered.measures, offered.drift_types):
            yield replace(here, measure=measure, drift_type=drift_type)
        for column, drift_type in product(offered.columns, offered.drift_types):
            yield replace(here, column=column, drift_type=drift_type)


def _key(section: str, offered: Offer, chosen: Selection) -> str:
    """Return which options of the pickers the panel is of, by their positions: no text of anybody's can be in it."""
    group = chosen.group
    slices = [(None, None), *offered.slices]
    positions = {
        "granularity": offered.granularities.index(group.granularity),
        "model": offered.models.index(group.model),
        "slice": slices.index((group.slice_key, group.slice_value)),
        "drift": offered.drift_types.index(chosen.drift_type),
        "measure": offered.measures.index(chosen.measure),
        "column": offered.columns.index(chosen.column) if chosen.column is not None else 0,
    }
    return "-".join(str(positions[name]) for name in DEPENDS[section])


def _picks(facts: Facts, offered: Offer) -> str:
    axes = [facts.axis(granularity) for granularity in offered.granularities]
    windows = [
        {
            "starts": [int(start) // 1_000_000 for start in axis.starts],
            "ends": [int(end) // 1_000_000 for end in axis.ends],
            "daily": words.is_daily(axis),
        }
        for axis in axes
    ]
    return json.dumps({"depends": DEPENDS, "windows": windows}).replace("<", "\\u003c")


def _style() -> str:
    return _text("palette.css") + _text("style.css")


def _script() -> str:
    return _text("board.js")


def _text(name: str) -> str:
    return (files("harness.dashboard.monitor") / "templates" / name).read_text()


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
