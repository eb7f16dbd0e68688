"""`harness replay drift`: what is played, what is told, and one short play on real parts."""

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from harness import sample_data
from harness.errors import UserError
from replay.judging import Judged, from_table
from replay.months import Change, cast, real, synthetic
from replay.page import chart, render
from replay.story import AlertReport, MonthReport, Story

JANUARY = dt.date(2019, 1, 1)
Ran = tuple["subprocess.CompletedProcess[str]", Mapping[str, Any], Path]


def replay(state: Path, *arguments: str) -> Ran:
    """Run the command and return it with its story and its folder."""
    report = state.parent / f"{state.name}.json"
    command = [sys.executable, "-c", "from harness.cli import main; main()", "replay", "drift", "--state", str(state)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "MLFLOW_", "SPARK_"))}
    done = subprocess.run([*command, "--report", str(report), *arguments], capture_output=True, text=True, check=False, env=clean)
    return done, json.loads(report.read_text()) if report.exists() else {}, state


@pytest.fixture
def city_file(tmp_path: Path) -> Path:
    """A file as the city names its columns: February and March 2019, and a meter whose clock is wrong."""
    months = [sample_data.generate_month(dt.date(2019, number, 1), 400, seed=number) for number in (2, 3)]
    lost = sample_data.generate_month(dt.date(2008, 12, 1), 3, seed=9)
    trips = pa.concat_tables([*months, lost])
    names = {
        "tpep_pickup_datetime": "pickup_datetime",
        "tpep_dropoff_datetime": "dropoff_datetime",
        "pickup_zip": "pickup_location_id",
        "dropoff_zip": "dropoff_location_id",
    }
    table = trips.rename_columns([names.get(name, name) for name in trips.column_names])
    table = table.append_column("total_amount", pa.array([fare + 2.5 for fare in trips["fare_amount"].to_pylist()]))
    path = tmp_path / "city.parquet"
    pq.write_table(table, path)
    return path


def test_the_citys_own_files_are_read(city_file: Path) -> None:
    """The first month that is there as usual begins; of each month as many trips as wanted, the same at every call."""
    months = real(city_file, None, 36, rows=100)

    assert [(month.label, month.trips.num_rows, month.trips.schema == sample_data.SCHEMA) for month in months] == [
        ("2019-02", 100, True),
        ("2019-03", 100, True),
    ]
    assert real(city_file, dt.date(2019, 3, 1), 1, rows=100)[0].trips == real(city_file, dt.date(2019, 3, 1), 1, rows=100)[0].trips


def test_another_column_may_be_the_fare(city_file: Path) -> None:
    """What passengers pay in all instead of what the meter shows."""
    plain, dearer = (real(city_file, None, 1, rows=400, fare=fare)[0].trips for fare in ("fare_amount", "total_amount"))

    assert dearer["fare_amount"].to_pylist() == [fare + 2.5 for fare in plain["fare_amount"].to_pylist()]


def test_the_tables_own_columns_are_read_too(tmp_path: Path) -> None:
    """A file as `harness up --data` takes it."""
    path = tmp_path / "trips.parquet"
    pq.write_table(sample_data.generate_month(JANUARY, 300, seed=1), path)

    assert [(month.label, month.trips.num_rows) for month in real(path, None, 36, rows=1_000)] == [("2019-01", 300)]


def test_the_world_changes_when_it_is_said_to() -> None:
    """The rise stays from its month on, the shock is of its month alone, and both are noted."""
    usual = synthetic(JANUARY, 4, rows=200, change=Change())
    changed = synthetic(JANUARY, 4, rows=200, change=Change(rise_at=2, rise=0.1, shock_at=3, demand=0.5))

    assert [month.label for month in changed] == ["2019-01", "2019-02", "2019-03", "2019-04"]
    assert [month.note for month in changed] == ["", "fares +10% from now on", "demand falls to 50%, short trips most", ""]
    assert [month.trips.num_rows for month in changed] == [200, 200, 100, 200]
    assert changed[0].trips == usual[0].trips
    fares = usual[3].trips["fare_amount"].to_pylist()
    assert changed[3].trips["fare_amount"].to_pylist() == [round(fare * 1.1, 2) for fare in fares]


def month(name: str, verdict: str, *, alerts: int = 0, retrain: bool = False) -> MonthReport:
    told = [AlertReport("label", "ks_test", 0.2, "critical", f"the fares of {name} <differ>.")] * alerts
    return MonthReport(
        month=name,
        note="",
        rows=100,
        labelled=100,
        judged=20,
        error=1.5,
        usual=1.3,
        limit=1.6,
        drift=[("label", 0.3)],
        alerts=told,
        verdict=verdict,
        reason="fares rose",
        retrain=retrain,
        seconds=1.0,
    )


def test_the_ending_names_the_month_and_the_reason() -> None:
    """The first month whose verdict is an alert; without one, how long it stayed quiet."""
    quiet = Story("trips", ["2019-01"], [month("2019-02", "ok"), month("2019-03", "ok", alerts=1)], 2.0)
    story = Story("trips", ["2019-01"], [*quiet.months, month("2019-04", "alert", alerts=2, retrain=True), month("2019-05", "alert")], 2.0)

    assert quiet.ending == "The verdict stayed ok in all 2 months."
    assert story.ending == "The verdict flipped in 2019-04, and asked for a training: fares rose."
    assert story.first_alarm is story.months[1]
    dated = replace(story.months[2], reason="2019-04-01 00:00: mean absolute error 2 over 9 labelled rows")
    assert replace(story, months=[dated]).ending.endswith("asked for a training: mean absolute error 2 over 9 labelled rows.")


def test_the_page_is_one_file_and_says_what_it_is_told() -> None:
    """Nothing is fetched; what comes from data is text, not markup."""
    page = render(Story("trips", ["2019-01"], [month("2019-02", "ok"), month("2019-03", "alert", alerts=1)], 2.0))
    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(f"{tag} {value}" for name, value in attrs if name in {"src", "href"})

    Links().feed(page)
    assert found == []
    assert "The verdict flipped in 2019-03: fares rose." in page
    assert "the fares of 2019-03 &lt;differ&gt;." in page
    assert page.count("<polyline") == 2
    assert "nan" not in page.partition("<svg")[2].partition("</svg>")[0]


def test_what_was_done_to_the_world_is_marked_in_the_chart() -> None:
    """The note stands at its month; months without a figure leave a gap, and a story of one figure still has a scale."""
    noted = [replace(month("2019-02", "no_data"), note="fares +10% <now>", error=None, limit=None), month("2019-03", "ok")]

    drawn = chart([replace(each, usual=None, limit=None) for each in noted])

    assert "fares +10% &lt;now&gt;" in drawn
    assert drawn.count("<circle") == 1
    assert "nan" not in drawn


def test_a_month_without_a_verdict_has_no_data() -> None:
    """Of what the table of verdicts holds, only the month's own rows count."""
    begins = [dt.datetime(2019, number, 1, tzinfo=dt.UTC) for number in (1, 2)]
    table = [
        {"window_start": begins[0], "check": "error", "value": 2.0, "reference": 1.3, "limit": 1.5, "rows": 99, "alert": True},
        {"window_start": begins[0], "check": "verdict", "alert": True, "reason": "worse"},
        {"window_start": begins[0], "check": "retrain", "alert": True, "reason": "worse"},
    ]

    assert from_table(table, begins[0]) == Judged("alert", "worse", retrain=True, rows=99, error=2.0, usual=1.3, limit=1.5)
    assert from_table(table, begins[1]) == Judged("no_data", "", retrain=False)


def test_a_play_needs_a_month_after_those_it_learns_from() -> None:
    """Three months to learn from, and three in all."""
    months = synthetic(JANUARY, 3, rows=200, change=Change())

    with pytest.raises(UserError, match="trips: 3 months; expected more than the 3 that the model learns from"):
        cast(months, 3, "trips")


@pytest.mark.parametrize(
    ("fare", "begin", "message"),
    [
        pytest.param("price", None, "column 'price' is missing; found columns: pickup_datetime", id="no such fare"),
        pytest.param("fare_amount", dt.date(2019, 1, 1), "has no trips of 2019-01, but of 2019-02", id="a gap"),
        pytest.param("fare_amount", dt.date(2024, 1, 1), "has no trips from 2024-01 on", id="too late"),
    ],
)
def test_a_file_without_what_is_asked_for_is_refused(city_file: Path, fare: str, begin: dt.date | None, message: str) -> None:
    """The file, what it lacks, and what to give instead."""
    with pytest.raises(UserError, match=message):
        real(city_file, begin, 36, rows=100, fare=fare)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(("--from", "January"), "--from is January; expected a month such as 2018-01", id="no month"),
        pytest.param(("--rows", "10"), "--rows is 10; expected at least 200", id="too few rows"),
        pytest.param(("--months", "3"), "3 months; expected more than the 3 that the model learns from", id="nothing to play"),
        pytest.param(("--data", "/nowhere.parquet"), "/nowhere.parquet: no such file", id="no such file"),
        pytest.param(("--demand", "2"), "demand is 2.0 of the usual; expected a share above 0, up to 1", id="demand"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_starts_nothing(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    """Status 2, the option, what was expected; no state folder."""
    done, story, state = replay(tmp_path / "state", *arguments)

    assert (done.returncode, story) == (2, {})
    assert named in done.stderr
    assert done.stderr.count("error:") == 1
    assert not state.exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """A replay starts from nothing, and takes nothing away for that."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "mine").write_text("mine")

    done, _, _ = replay(state)

    assert done.returncode == 2
    assert "is not empty; a replay starts from nothing" in done.stderr
    assert (state / "mine").read_text() == "mine"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Two months to learn from, one as before, two with fares up by a quarter."""
    state = tmp_path_factory.mktemp("replay") / "state"
    return replay(state, "--months", "5", "--train", "2", "--rows", "1000", "--rise-at", "4", "--fare-rise", "0.25", "--shock-at", "0")


@pytest.mark.platform
def test_the_verdict_flips_after_the_rise_and_not_before(played: Ran) -> None:
    """The quiet month has no alert; the rise alarms in its first month, and the verdict, which waits for a second, flips in the next."""
    done, story, state = played
    assert done.returncode == 0, done.stdout + done.stderr
    quiet, first, second = story["months"]

    assert story["trained_on"] == ["2018-01", "2018-02"]
    assert (quiet["month"], quiet["alerts"], quiet["verdict"]) == ("2018-03", [], "ok")
    assert (first["month"], first["note"], first["verdict"]) == ("2018-04", "fares +25% from now on", "ok")
    (told,) = [alert["reason"] for alert in first["alerts"] if (alert["column"], alert["measure"]) == (":table", "mean_average_error")]
    assert told.endswith(f"usual up to {first['limit']:.4g}."), "the monitor's alert and the product's verdict draw the same line"
    assert (second["month"], second["verdict"], second["retrain"]) == ("2018-05", "alert", True)
    assert "The verdict flipped in 2018-05, and asked for a training: mean absolute error" in done.stdout
    assert [each["labelled"] for each in story["months"]] == [each["rows"] for each in story["months"]]
    assert "The verdict flipped in 2018-05" in (state / "drift.html").read_text()


@pytest.mark.platform
def test_requests_are_dated_by_the_months_they_are_of(played: Ran) -> None:
    """The inference table's own times follow the moving clock, not the day of the replay."""
    _, _, state = played
    (folder,) = (state / "warehouse" / "main").glob("*/*_payload")
    rows = DeltaTable(folder).to_pyarrow_table(columns=["request_time", "client_request_id"]).to_pylist()
    asked = [row["request_time"] for row in rows if not (row["client_request_id"] or "").startswith("deployment-check")]

    assert {f"{moment:%Y-%m}" for moment in asked} == {"2018-03", "2018-04", "2018-05"}
