"""The page of a run: complete, safe, self-contained, and plain about what is missing."""

import datetime as dt
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from harness.dashboard import Page, render
from harness.dashboard.charts import ticks
from harness.dashboard.model import (
    Bin,
    DataTable,
    DayError,
    Density,
    DriftCell,
    Endpoint,
    Job,
    Model,
    Payload,
    Task,
    psi_noise,
    significant,
)
from harness.dashboard.text import number, seconds

START = dt.datetime(2026, 1, 5, 10, 0, tzinfo=dt.UTC)
VOID = {"meta", "br", "link", "img", "hr"}


class Structure(HTMLParser):
    """Collects what the page refers to, and sees that every element is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(html: str) -> Structure:
    structure = Structure()
    structure.feed(html)
    structure.close()
    assert structure.open == []
    return structure


@pytest.fixture
def empty() -> Page:
    return Page(title="Fares", source="samples.nyctaxi.trips", started=START, seconds=1.0)


@pytest.fixture
def page(empty: Page) -> Page:
    days = tuple(DayError(dt.date(2026, 1, n), 100 + n, 1.0 + n / 10, 2.0 + n / 10) for n in range(1, 40 - 8))
    return replace(
        empty,
        jobs=(
            Job("ml_training_pipeline", 7, "SUCCESS", 12.0, (Task("train", "SUCCESS", 9.0, 0.0), Task("validate", "SUCCESS", 2.5, 9.5))),
        ),
        model=Model("main.taxi.fares", "3", {"Champion": "3"}, {"test_mae": 1.309}, "Promoted: better by 0.1."),
        endpoint=Endpoint("main_taxi_fares", "READY", "3"),
        density=Density(0.0, 48.0, 48, (Bin(0, 0, 5), Bin(47, 47, 9000)), 9960, 12),
        days=days,
        drift=tuple(DriftCell("distance", one.day, 0.05 * one.day.day, 0.1, 0.001) for one in days[1:]),
        payload=Payload("main.taxi.main_taxi_fares_payload", 107, {200: 104, 400: 3}),
        tables=(DataTable("main.taxi.predictions", 9960, "one row a trip"),),
        not_emulated=("Slices are refused.",),
    )


def test_the_full_page_needs_nothing_but_itself(page: Page) -> None:
    """Well-formed, no script, no reference to anything, no address in it at all."""
    html = render(page)
    structure = parsed(html)

    assert structure.references == []
    assert "script" not in structure.tags
    assert "link" not in structure.tags
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html
    assert "@import" not in html


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Every job succeeded", id="verdict"),
        pytest.param("ml_training_pipeline", id="job"),
        pytest.param("validate: SUCCESS, 2.5 s", id="task on the timeline"),
        pytest.param("Promoted: better by 0.1.", id="gate"),
        pytest.param("main_taxi_fares: READY, serves version 3", id="endpoint"),
        pytest.param("12 of 9,960 rows lie outside the axes", id="density"),
        pytest.param("5 Jan: 105 rows, MAE 1.500, RMSE 2.500", id="day"),
        pytest.param("distance, 4 Jan: PSI 0.200, KS 0.100 (p 0.001)", id="drift cell"),
        pytest.param("107 requests in main.taxi.main_taxi_fares_payload", id="payload"),
        pytest.param("<li>Slices are refused.</li>", id="footnote"),
    ],
)
def test_the_full_page_says(page: Page, text: str) -> None:
    """Every section shows its facts, as text or as a chart's label."""
    assert text in render(page)


def test_the_page_leads_to_its_monitors_dashboard(page: Page) -> None:
    """A file beside it; nothing else is referred to."""
    html = render(replace(page, monitor="main.taxi.trips", board="dashboard-monitor.html"))

    assert parsed(html).references == ["dashboard-monitor.html"]
    assert "Dashboard of the monitor of main.taxi.trips</a>" in html


@pytest.mark.parametrize(
    "sentence",
    [
        "No job has run yet.",
        "No model has been registered yet.",
        "No endpoint has been created yet.",
        "No request has been logged yet.",
        "No prediction has its actual value yet.",
        "The monitor has no metrics yet.",
        "There are no two days in a row to compare yet.",
        "No table has been written yet.",
    ],
)
def test_an_empty_page_says_what_is_missing(empty: Page, sentence: str) -> None:
    """Each section without data is one plain sentence."""
    html = render(empty)

    parsed(html)
    assert sentence in html


def test_a_failed_task_is_named_with_its_error(empty: Page) -> None:
    """The header names the job and task that failed; tasks that never ran say so."""
    tasks = (Task("train", "FAILED", 3.0, 0.0, "main.taxi.trips: column 'fare' is missing"), Task("validate", "UPSTREAM_FAILED", 0.0))
    html = render(replace(empty, jobs=(Job("ml_training_pipeline", 7, "FAILED", 3.0, tasks),)))

    parsed(html)
    assert "Failed</span> in ml_training_pipeline, task train" in html
    assert "main.taxi.trips: column &#39;fare&#39; is missing" in html
    assert "not run" in html


def test_text_from_outside_is_escaped_everywhere(page: Page) -> None:
    """Names, errors and chart labels cannot become markup."""
    nasty = '"><script>alert(1)</script>'
    task = Task(nasty, "FAILED", 1.0, 0.0, nasty)
    html = render(
        replace(
            page,
            title=nasty,
            source=nasty,
            jobs=(Job(nasty, 1, nasty, 1.0, (task,)),),
            model=Model(nasty, nasty, {nasty: nasty}, {nasty: 1.0}, nasty),
            endpoint=Endpoint(nasty, nasty, nasty),
            drift=(DriftCell(nasty, dt.date(2026, 1, 5), 0.1, 0.1, 0.1),),
            payload=Payload(nasty, 1, {200: 1}),
            tables=(DataTable(nasty, 1, nasty),),
            not_emulated=(nasty,),
        )
    )

    assert "script" not in parsed(html).tags


def test_days_without_labels_leave_a_gap_in_the_lines(empty: Page) -> None:
    """A day whose labels are late has its rows and a dash for its errors."""
    days = (DayError(dt.date(2026, 1, 5), 10, 1.0, 2.0), DayError(dt.date(2026, 1, 6), 10), DayError(dt.date(2026, 1, 7), 10, 1.0, 2.0))
    html = render(replace(empty, days=days))

    assert "6 Jan: 10 rows, MAE –, RMSE –" in html
    assert '<line class="mae"' not in html


def test_a_model_without_any_error_still_has_its_chart(empty: Page) -> None:
    """Errors of exactly zero are drawn on the floor."""
    html = render(replace(empty, days=(DayError(dt.date(2026, 1, 5), 10, 0.0, 0.0),)))

    assert "5 Jan: 10 rows, MAE 0, RMSE 0" in html


def test_only_tests_that_survive_the_correction_are_marked() -> None:
    """Of twenty tests one at 4 % is chance, one at 0.01 % is not."""
    plain = [DriftCell("a", dt.date(2026, 1, n), 0.0, 0.1, 0.5) for n in range(1, 19)]
    cells = (*plain, DriftCell("b", dt.date(2026, 1, 1), 0.1, 0.2, 0.04), DriftCell("c", dt.date(2026, 1, 1), 0.3, 0.4, 0.0001))

    assert significant(cells) == {("c", dt.date(2026, 1, 1))}


def test_chance_alone_moves_the_index_by_the_stated_amount() -> None:
    """Two days of 180 rows in ten bins show a tenth without any drift."""
    assert psi_noise((DayError(dt.date(2026, 1, 5), 180),)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (9960, "9,960"),
        (1.309, "1.309"),
        (12.34, "12.3"),
        (12345.6, "12,346"),
        (0.00001234, "1.2e-05"),
        (0.0, "0"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_read_well(value: float | None, shown: str) -> None:
    """As many digits as help."""
    assert number(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.4213, "0.42 s"), (12.34, "12.3 s"), (185.2, "3 min 05 s")])
def test_durations_read_well(value: float, shown: str) -> None:
    """Seconds, or minutes and seconds."""
    assert seconds(value) == shown


def test_axes_have_round_values() -> None:
    """Ticks are multiples of 1, 2, 2.5 or 5."""
    assert ticks(0, 54, 5) == [0, 20, 40]
    assert ticks(0.3, 1.1, 4) == [0.4, 0.6, 0.8, 1.0]
