"""The dashboard of a monitor: what it shows, what can be chosen, what it says when there is nothing; markup that everyone can use."""

import datetime as dt
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from harness.dashboard.monitor.render import Addresses
from harness.dashboard.monitor.service import Boards
from harness.dashboard.monitor.subject import Refreshed, Subject
from harness.errors import ApiError

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HERE = Addresses("/list", "/page", "/page/file")
VOID = {"meta", "br", "link", "img", "hr", "input"}
MakeBoards = Callable[..., Boards]
MakeSubject = Callable[..., Subject]


class Structure(HTMLParser):
    """What a page is made of; sees that every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.controls: list[str] = []
        self.described: list[str] = []
        self.headings: list[int] = []
        self.references: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes |= set(found)
        self.ids += [found["id"]] if "id" in found else []
        self.references += [found[name] for name in ("src", "href", "action", "xlink:href") if name in found]
        self.described += [found[name] for name in ("aria-labelledby", "aria-describedby") if name in found]
        if tag == "label":
            self.labelled.add(found["for"])
        if tag in {"select", "input"}:
            self.controls.append(found["id"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def show(make_boards: MakeBoards, make_subject: MakeSubject) -> Callable[..., str]:
    """The served page of a monitor, drawn once for each choice."""
    drawn: dict[str, str] = {}

    def show(name: str = "trips", query: dict[str, str] | None = None, **changes: object) -> str:
        key = repr((name, query, changes))
        if key not in drawn:
            one = make_subject(name, **changes)
            drawn[key] = make_boards(one).page(one.table, query or {}, addresses=HERE)
        return drawn[key]

    return show


KINDS = {
    "regression": ("trips", {"baseline": "main.s.base"}),
    "classification": ("kinds", {"problem": "classification", "label": "label", "granularities": ("1 day",)}),
    "one window": ("one", {}),
    "snapshot": ("still", {"kind": "snapshot", "problem": None, "label": None, "model_id": None, "granularities": ()}),
    "hostile": ("hostile", {}),
    "no refresh": ("none", {"refreshes": ()}),
    "failed": ("none", {"failure": "main.s.none: column 'at' is missing", "refreshes": (Refreshed("FAILED", "MANUAL", NOW),)}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_pages_are_well_formed_and_usable_by_everyone(kind: str, show: Callable[..., str]) -> None:
    """Elements closed in order, ids unique, labels on every control, headings that skip no level, names that are there."""
    name, changes = KINDS[kind]
    page = Structure(show(name, **changes))

    assert len(page.ids) == len(set(page.ids))
    assert set(page.controls) <= page.labelled
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert {each for names in page.described for each in names.split()} <= set(page.ids)
    assert {"header", "main", "footer"} <= set(page.tags)


@pytest.mark.parametrize("kind", KINDS)
def test_served_pages_have_no_script_and_ask_for_nothing(kind: str, show: Callable[..., str]) -> None:
    """Nothing that the strict policy of these pages would refuse: no script, no inline style, no image, no other site."""
    name, changes = KINDS[kind]
    page = Structure(show(name, **changes))

    assert not {"script", "img", "link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert not any(attribute == "style" or attribute.startswith("on") for attribute in page.attributes)
    assert set(page.references) <= {"/list", "/page", "/page/file", "#content"}


def test_names_from_outside_stay_text(show: Callable[..., str], hostile: str) -> None:
    """A column, a slice and a table of a hostile name are shown as they are, and do nothing."""
    page = Structure(show("hostile", {"column": hostile}, table=hostile, failure=hostile))

    assert page.text.count(hostile) > 5
    assert "49" not in page.text.split("Drawn")[0].split(hostile)[0]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("nothing has changed since the baseline (120 rows)", id="reference"),
        pytest.param("worse than sampling explains", id="marks"),
        pytest.param("Mean absolute error", id="measure"),
        pytest.param("model 2", id="lines of models"),
        pytest.param("Population stability index", id="drift of numbers"),
        pytest.param("Jensen-Shannon distance", id="drift of categories"),
        pytest.param("zone = airport", id="slice"),
        pytest.param("2026-01-16", id="newest window"),
        pytest.param("The window 2026-01-15, all models, worst first", id="slices of the newest window with labels"),
        pytest.param("critical", id="alerts"),
        pytest.param("Last refresh SUCCESS, 2026-03-01 12:00:00 UTC", id="refresh"),
    ],
)
def test_the_page_of_a_regression_says(show: Callable[..., str], text: str) -> None:
    """What the sections are there for."""
    assert text in show("trips", baseline="main.s.base")


def test_the_page_of_a_classification_has_a_confusion_matrix(show: Callable[..., str]) -> None:
    """Counts by label and prediction, of the newest window that has labels; the reference is the first windows, for want of a baseline."""
    html = show("kinds", problem="classification", label="label")

    assert "Label \\ prediction" in html
    assert "The window 2026-01-12. Darker cells" in html
    assert "since the first 3 windows with labels (180 rows)" in html


@pytest.mark.parametrize(
    ("query", "text"),
    [
        pytest.param({"granularity": "1 week"}, '2 windows</p>|<dd>2</dd><dd class="sub">1 week', id="granularity"),
        pytest.param({"model": "2"}, "model 2", id="model"),
        pytest.param({"slice": json.dumps(["zone", "airport"])}, "all models, zone = airport", id="slice"),
        pytest.param({"drift": "CONSECUTIVE"}, "against the window before", id="drift type"),
        pytest.param({"measure": "ks"}, "<h3>Kolmogorov-Smirnov D", id="measure"),
        pytest.param({"measure": "wasserstein"}, "<h3>Wasserstein distance in standard deviations", id="normalised"),
        pytest.param({"column": "zone"}, "<strong>zone</strong> in the window", id="column"),
        pytest.param({"from": "2026-01-07T00:00", "to": "2026-01-08T00:00"}, '<dd>2</dd><dd class="sub">1 day', id="range"),
        pytest.param({"to": "2026-01-08T12:00"}, "in the window 2026-01-08", id="newest window of a range"),
    ],
)
def test_what_is_chosen_is_shown(show: Callable[..., str], query: dict[str, str], text: str) -> None:
    """Every picker works by its query parameter, and only then is that shown."""
    chosen, plain = show("trips", query, baseline="main.s.base"), show("trips", baseline="main.s.base")

    assert re.search(text, chosen)
    for value in query.values():
        assert "selected" in chosen or value in chosen
    assert chosen != plain


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        pytest.param({"model": "9"}, "The metric tables have no model id '9'; this is *.", id="model"),
        pytest.param({"granularity": "1 hour"}, "The metric tables have no granularity '1 hour'; this is 1 day.", id="granularity"),
        pytest.param({"slice": "<b>"}, "The metric tables have no slice <b>; this is the whole table.", id="slice"),
        pytest.param({"column": "nope"}, "The metric tables have no column 'nope'", id="column"),
        pytest.param({"from": "soon"}, "'soon' in from is no time; expected one such as 2026-01-05T10:00.", id="time"),
        pytest.param({"to": "1999-01-01T00:00"}, "There is no window in this range; choose another", id="range"),
    ],
)
def test_what_is_not_there_is_said(show: Callable[..., str], query: dict[str, str], sentence: str) -> None:
    """A sentence, and what is there instead."""
    assert sentence in Structure(show("trips", query)).text


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        pytest.param("none", {"refreshes": ()}, "There has been no refresh yet. Start one with", id="no refresh"),
        pytest.param("none", {"refreshes": (Refreshed("RUNNING", "MANUAL", NOW),)}, "The first refresh is under way.", id="running"),
        pytest.param("none", {"failure": "no column 'at'"}, "The last refresh found no row", id="nothing found"),
        pytest.param("none", {"failure": "no column 'at'", "refreshes": ()}, "Put right what the message above says", id="never succeeded"),
        pytest.param("trips", {"failure": "no column 'at'"}, "What is below is of an earlier refresh.", id="failed after success"),
        pytest.param("trips", {"deleted": True}, "The monitor was deleted; its metric tables and this dashboard stay", id="deleted"),
        pytest.param("trips", {"label": None}, "This monitor has no label column", id="no label"),
        pytest.param("one", {}, "neither a labelled baseline nor an earlier window", id="one window"),
        pytest.param("one", {}, "There are no two windows in a row of all models to compare yet.", id="no drift"),
        pytest.param("one", {}, "This monitor has no slices.", id="no slices"),
    ],
)
def test_what_is_missing_is_one_sentence(show: Callable[..., str], name: str, changes: dict[str, object], sentence: str) -> None:
    """Each state without data says so, and a failure shows its message."""
    text = Structure(show(name, **changes)).text

    assert sentence in text
    assert str(changes.get("failure", "")) in text


def test_a_snapshot_shows_its_instant_and_no_quality(show: Callable[..., str]) -> None:
    """Its windows are the refreshes; there are no models and no labels."""
    name, changes = KINDS["snapshot"]
    html = show(name, **changes)

    assert "Quality over time" not in html
    assert "one a refresh" in html
    assert "2026-02-25 06:13" in html


def test_an_unknown_table_is_named_with_those_that_there_are(make_boards: MakeBoards, make_subject: MakeSubject) -> None:
    """As the platform's 404."""
    with pytest.raises(ApiError, match=r"Table 'main\.s\.x' has no monitor; tables that have one: main\.s\.trips"):
        make_boards(make_subject("trips")).page("main.s.x", {}, addresses=HERE)


def test_the_list_links_every_monitor(make_boards: MakeBoards, make_subject: MakeSubject, hostile: str) -> None:
    """With its state; without any it says how to make one."""
    boards = make_boards(make_subject("trips"), make_subject("none", table=hostile, failure="broken"))

    page = Structure(boards.list(lambda table: f"/{len(table)}"))

    assert page.references == ["/12", f"/{len(hostile)}"]
    assert "FAILED" in page.text
    assert "There is no monitor yet" in Structure(make_boards().list(str)).text


@pytest.fixture(scope="module")
def file(make_boards: MakeBoards, make_subject: MakeSubject) -> str:
    """The dashboard as one file."""
    return make_boards(make_subject("trips", baseline="main.s.base")).file("main.s.trips")


def test_the_file_needs_nothing_but_itself(file: str) -> None:
    """Its script and style are inside and named by the policy; nothing leads outside."""
    page = Structure(file)

    assert page.tags.count("script") == 2
    assert page.references == ["#content"]
    assert "default-src 'none'" in file.replace("&#39;", "'")
    assert "http" not in file.replace("http-equiv", "")


def test_the_file_holds_every_choice_of_a_small_monitor(file: str) -> None:
    """One panel for each that differs: of models, slices, granularities, measures, columns; ids stay unique in all of them."""
    held = re.findall(r'<template data-section="(\w+)" data-key="([\d-]+)">', file)
    page = Structure(file)

    assert len(held) == len(set(held))
    assert ("drift", "1-2-1-1-4") in held
    assert ("quality", "1-2-3") in held
    assert len(page.ids) == len(set(page.ids))


def test_a_file_that_would_be_too_large_leaves_panels_out(make_boards: MakeBoards, make_subject: MakeSubject, file: str) -> None:
    """Down to the first view, which is always there; what is missing is said where it is chosen."""
    from harness.dashboard.monitor import render

    small = make_boards(make_subject("trips", baseline="main.s.base")).file("main.s.trips", budget=0)

    assert "<template data-section" not in small
    assert "This file does not hold this choice" in small
    assert "Quality over time" in small
    assert len(file) < render.FILE_BYTES + 500_000
