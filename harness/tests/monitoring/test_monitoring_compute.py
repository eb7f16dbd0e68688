"""The metric tables as a whole: hand-checked small tables, scikit-learn beside us, and laws."""

import datetime as dt
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_absolute_percentage_error, mean_squared_error, r2_score

from harness.monitoring.compute import Source, compute
from harness.monitoring.fitness import UnfitTable
from harness.monitoring.model import GranularityName, InferenceLogConfig
from harness.monitoring.sample import Sample
from harness.monitoring.windows import GRANULARITIES

Row = dict[str, object]
DAY: GranularityName = "AGGREGATION_GRANULARITY_1_DAY"


def config(*granularities: GranularityName, label: str | None = "fare") -> InferenceLogConfig:
    return InferenceLogConfig(
        problem_type="INFERENCE_PROBLEM_TYPE_REGRESSION",
        timestamp_column="at",
        granularities=granularities or (DAY,),
        prediction_column="prediction",
        model_id_column="model_version",
        label_column=label,
    )


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def trips(*rows: Row) -> pa.Table:
    schema = pa.schema(
        [
            ("at", pa.timestamp("us", tz="UTC")),
            ("model_version", pa.string()),
            ("distance", pa.float64()),
            ("zone", pa.string()),
            ("prediction", pa.float64()),
            ("fare", pa.float64()),
        ]
    )
    return pa.Table.from_pylist(list(rows), schema)


def trip(when: str, **changes: object) -> Row:
    plain: Row = {"at": at(when), "model_version": "1", "distance": 2.0, "zone": "north", "prediction": 10.0, "fare": 11.0}
    return plain | changes


def source(rows: pa.Table, settings: InferenceLogConfig | None = None, not_before: dt.datetime | None = None) -> Source:
    sample = Sample("main.s.trips", rows)
    return Source(sample=sample, version=3, config=settings or config(), monitor_version=0, not_before=not_before)


def find(table: pa.Table, **wanted: object) -> list[Row]:
    rows: list[Row] = table.to_pylist()
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def one(table: pa.Table, **wanted: object) -> Row:
    (row,) = find(table, **wanted)
    return row


def test_table_row_counts_rows_and_holds_the_errors() -> None:
    """The `:table` row of a window has its rows, the columns with values, and the five errors."""
    rows = trips(trip("2026-01-05T10:00", prediction=12.0, fare=10.0), trip("2026-01-05T23:59:59", prediction=19.0, fare=20.0, zone=None))

    row = one(compute(source(rows)).profile, column_name=":table", model_version="*")

    assert row["window"] == {"start": at("2026-01-05"), "end": at("2026-01-06")}
    assert (row["log_type"], row["granularity"], row["monitor_version"], row["logging_table_commit_version"]) == ("INPUT", "1 day", 0, 3)
    assert (row["count"], row["data_type"], row["num_nulls"]) == (2, None, None)
    assert row["non_null_columns"] == ["at", "distance", "zone", "prediction", "fare"]
    assert row["mean_squared_error"] == 2.5
    assert row["root_mean_squared_error"] == pytest.approx(1.5811388300841898)
    assert row["mean_average_error"] == row["mean_absolute_error"] == 1.5
    assert row["mean_absolute_percentage_error"] == pytest.approx(0.125)
    assert row["r2_score"] == pytest.approx(0.9)


def test_numeric_row_has_what_numpy_says() -> None:
    """A numeric column's row has counts, shares from 0 to 100, moments and a thousand quantiles."""
    values = [0.0, 1.0, 4.0, None, float("nan")]
    rows = trips(*(trip("2026-01-05", distance=value) for value in values))

    row = one(compute(source(rows)).profile, column_name="distance", model_version="*")

    assert (row["count"], row["num_nulls"], row["num_nan"], row["num_zeros"], row["distinct_count"]) == (4, 1, 1, 1, 3)
    assert (row["percent_null"], row["percent_nan"], row["percent_zeros"], row["percent_distinct"]) == (20.0, 25.0, 25.0, 75.0)
    assert (row["data_type"], row["min"], row["max"], row["median"]) == ("double", 0.0, 4.0, 1.0)
    assert row["avg"] == pytest.approx(5 / 3)
    assert row["stddev"] == pytest.approx(np.std([0, 1, 4], ddof=1))
    quantiles = row["quantiles"]
    assert isinstance(quantiles, list)
    assert (len(quantiles), quantiles[0], quantiles[500], quantiles[999]) == (1000, 0.0, 1.0, 4.0)
    assert (row["frequent_items"], row["min_length"], row["mean_average_error"]) == (None, None, None)


def test_string_row_has_lengths_and_the_most_frequent_first() -> None:
    """A string column's row has lengths in characters and its items, most frequent first, then by name."""
    rows = trips(*(trip("2026-01-05", zone=zone) for zone in ["ab", "ab", "é", "c", None]))

    row = one(compute(source(rows)).profile, column_name="zone", model_version="*")

    assert row["frequent_items"] == [{"item": "ab", "count": 2}, {"item": "c", "count": 1}, {"item": "é", "count": 1}]
    assert (row["min_length"], row["max_length"], row["avg_length"]) == (1.0, 2.0, 1.5)
    assert (row["count"], row["distinct_count"], row["percent_null"], row["avg"]) == (4, 3, 20.0, None)


def test_timestamp_row_is_in_epoch_seconds() -> None:
    """Minimum, maximum and median of a timestamp column are seconds since 1970."""
    row = one(compute(source(trips(trip("2026-01-05T00:00:01")))).profile, column_name="at", model_version="*")

    assert (row["min"], row["max"], row["median"], row["avg"], row["quantiles"]) == (1767571201.0, 1767571201.0, 1767571201.0, None, None)
    assert row["data_type"] == "timestamp"


def test_every_model_has_its_rows_beside_all_models() -> None:
    """Rows stand under each model id and under "*"; a row without an id counts only there."""
    rows = trips(trip("2026-01-05"), trip("2026-01-05", model_version="2"), trip("2026-01-05", model_version=None))

    tables = find(compute(source(rows)).profile, column_name=":table")

    assert {(row["model_version"], row["count"]) for row in tables} == {("*", 3), ("1", 1), ("2", 1)}


def test_rows_without_label_or_prediction_are_left_out_of_the_errors() -> None:
    """Late labels do not spoil the errors of the rows that have theirs."""
    rows = trips(trip("2026-01-05", prediction=12.0), trip("2026-01-05", fare=None), trip("2026-01-05", prediction=None))

    row = one(compute(source(rows)).profile, column_name=":table", model_version="*")

    assert (row["count"], row["mean_average_error"], row["r2_score"]) == (3, 1.0, None)


def test_without_a_label_column_there_are_no_errors() -> None:
    """The label is optional; without it the error columns are NULL."""
    row = one(compute(source(trips(trip("2026-01-05")), config(label=None))).profile, column_name=":table", model_version="*")

    assert row["mean_absolute_error"] is None


def test_errors_agree_with_scikit_learn() -> None:
    """On random rows all five errors are scikit-learn's."""
    random = np.random.default_rng(7)
    fares = random.uniform(3, 60, 500)
    predictions = fares + random.normal(0, 2, 500)
    pairs = zip(fares, predictions, strict=True)
    rows = trips(*(trip("2026-01-05", fare=float(fare), prediction=float(prediction)) for fare, prediction in pairs))

    row = one(compute(source(rows)).profile, column_name=":table", model_version="*")

    assert row["mean_average_error"] == pytest.approx(mean_absolute_error(fares, predictions))
    assert row["mean_squared_error"] == pytest.approx(mean_squared_error(fares, predictions))
    assert row["mean_absolute_percentage_error"] == pytest.approx(mean_absolute_percentage_error(fares, predictions))
    assert row["r2_score"] == pytest.approx(r2_score(fares, predictions))


def test_drift_compares_with_the_day_before() -> None:
    """A drift row has current minus comparison, and the distances of its column's type."""
    first = [trip("2026-01-05", distance=float(value), zone="north") for value in range(1, 11)]
    second = [trip("2026-01-06", distance=float(value), zone="south") for value in range(2, 12)]

    drift = compute(source(trips(*first, *second))).drift

    distance = one(drift, column_name="distance", model_version="*")
    assert distance["window"] == {"start": at("2026-01-06"), "end": at("2026-01-07")}
    assert distance["window_cmp"] == {"start": at("2026-01-05"), "end": at("2026-01-06")}
    assert (distance["drift_type"], distance["count_delta"], distance["avg_delta"]) == ("CONSECUTIVE", 0, 1.0)
    assert distance["ks_test"] == {"statistic": pytest.approx(0.1), "pvalue": pytest.approx(1.0)}
    assert (distance["wasserstein_distance"], distance["js_distance"]) == (pytest.approx(1.0), None)
    zone = one(drift, column_name="zone", model_version="*")
    assert (zone["js_distance"], zone["tv_distance"], zone["l_infinity_distance"]) == (1.0, 1.0, 1.0)
    assert (zone["ks_test"], zone["population_stability_index"]) == (None, None)
    moment = one(drift, column_name="at", model_version="*")
    assert (moment["count_delta"], moment["ks_test"], moment["js_distance"]) == (0, None, None)
    whole = one(drift, column_name=":table", model_version="*")
    assert (whole["count_delta"], whole["non_null_columns_delta"], whole["avg_delta"]) == (0, {"added": 0, "missing": 0}, None)


def test_columns_that_appear_and_vanish_are_counted() -> None:
    """A column that gains its first value is added, one that loses its last is missing, and neither has distances."""
    rows = trips(trip("2026-01-05", distance=None), trip("2026-01-06", zone=None))

    drift = compute(source(rows)).drift

    assert one(drift, column_name=":table", model_version="*")["non_null_columns_delta"] == {"added": 1, "missing": 1}
    assert one(drift, column_name="distance", model_version="*")["ks_test"] is None
    assert one(drift, column_name="zone", model_version="*")["js_distance"] is None


def test_a_gap_of_a_day_has_no_drift() -> None:
    """Only the immediately preceding window is compared with."""
    assert compute(source(trips(trip("2026-01-05"), trip("2026-01-07")))).drift.num_rows == 0


def test_an_empty_table_has_empty_metrics() -> None:
    """No rows: both tables are there with their columns and no rows."""
    metrics = compute(source(trips()))

    assert (metrics.profile.num_rows, metrics.drift.num_rows) == (0, 0)
    assert metrics.drift.schema.names[:6] == ["window", "granularity", "monitor_version", "slice_key", "slice_value", "model_version"]


def test_a_window_cut_by_the_limit_is_left_out() -> None:
    """With a limit in the middle of a day that whole day is missing."""
    rows = trips(trip("2026-01-05T20:00"), trip("2026-01-06"))

    tables = find(compute(source(rows, not_before=at("2026-01-05T12:00"))).profile, column_name=":table", model_version="*")

    assert [row["window"] for row in tables] == [{"start": at("2026-01-06"), "end": at("2026-01-07")}]


@pytest.mark.parametrize(
    ("granularity", "start", "end"),
    [
        pytest.param("5_MINUTES", "2024-02-29T10:35", "2024-02-29T10:40", id="5 minutes"),
        pytest.param("30_MINUTES", "2024-02-29T10:30", "2024-02-29T11:00", id="30 minutes"),
        pytest.param("1_HOUR", "2024-02-29T10:00", "2024-02-29T11:00", id="1 hour"),
        pytest.param("1_WEEK", "2024-02-26T00:00", "2024-03-04T00:00", id="1 week from Monday"),
        pytest.param("2_WEEKS", "2024-02-19T00:00", "2024-03-04T00:00", id="2 weeks from 1970-01-05"),
        pytest.param("1_DAY", "2024-02-29T00:00", "2024-03-01T00:00", id="1 day"),
        pytest.param("3_WEEKS", "2024-02-12T00:00", "2024-03-04T00:00", id="3 weeks from 1970-01-05"),
        pytest.param("4_WEEKS", "2024-02-19T00:00", "2024-03-18T00:00", id="4 weeks from 1970-01-05"),
        pytest.param("1_MONTH", "2024-02-01T00:00", "2024-03-01T00:00", id="1 month"),
        pytest.param("1_YEAR", "2024-01-01T00:00", "2025-01-01T00:00", id="1 year"),
    ],
)
def test_windows_lie_where_the_calendar_puts_them(granularity: str, start: str, end: str) -> None:
    """A moment of 29 February 2024 falls into the calendar's own window, in UTC."""
    name = next(known for known in GRANULARITIES if known.endswith(f"GRANULARITY_{granularity}"))

    metrics = compute(source(trips(trip("2024-02-29T10:37:01")), config(name)))  # type: ignore[arg-type]  # a key of the same table

    assert one(metrics.profile, column_name=":table", model_version="*")["window"] == {"start": at(start), "end": at(end)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(("drop", "fare"), "main.s.trips: column 'fare' is missing, expected a number", id="missing label"),
        pytest.param(("text", "prediction"), "main.s.trips: column 'prediction' is STRING, expected a number", id="prediction as text"),
        pytest.param(("text", "at"), "main.s.trips: column 'at' is STRING, expected TIMESTAMP or DATE", id="time as text"),
    ],
)
def test_an_unfit_table_is_named_with_column_expected_and_found(change: tuple[str, str], message: str) -> None:
    """The message says which column of which table is wrong, and how."""
    how, column = change
    rows = trips(trip("2026-01-05"))
    text = rows.set_column(rows.column_names.index(column), column, pa.array(["x"]))

    with pytest.raises(UnfitTable, match=message):
        compute(source(rows.drop_columns([column]) if how == "drop" else text))


@pytest.mark.property
@settings(max_examples=10)
@given(st.permutations(range(12)))
def test_the_order_of_rows_changes_nothing(order: list[int]) -> None:
    """Shuffled rows give the same metric tables."""
    days, zones = [f"2026-01-{5 + n % 3:02}" for n in range(12)], ["abc"[n % 3] for n in range(12)]
    rows = trips(*(trip(days[n], distance=n * 0.37, zone=zones[n], prediction=10.0 + n % 5, model_version=str(n % 2)) for n in range(12)))
    expected, shuffled = compute(source(rows)), compute(source(rows.take(order)))

    assert _rounded(shuffled.profile.to_pylist()) == _rounded(expected.profile.to_pylist())
    assert _rounded(shuffled.drift.to_pylist()) == _rounded(expected.drift.to_pylist())


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, 9) if isinstance(value, float) else value


DRAWN = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3", None]),
        st.integers(5, 8),
        st.one_of(st.none(), st.sampled_from([0.0, float("nan"), float("inf")]), st.floats(-5, 5)),
        st.one_of(st.none(), st.sampled_from(["a", "b", "c"])),
    ),
    min_size=1,
    max_size=30,
)


@pytest.mark.property
@settings(max_examples=40)
@given(DRAWN)
def test_all_models_are_the_sum_of_the_models(drawn: list[tuple[str | None, int, float | None, str | None]]) -> None:
    """Law: what is counted under "*" is the sum over the models and the rows that name none."""
    rows = trips(*(trip(f"2026-01-0{day}", model_version=model, distance=number, zone=zone) for model, day, number, zone in drawn))
    renamed = rows.set_column(1, "model_version", [["none" if model is None else model for model, *_ in drawn]])

    profile = compute(source(renamed)).profile.to_pylist()

    for name in ("count", "num_nulls", "num_zeros", "num_nan"):
        sums: dict[tuple[str, str], int] = {}
        for row in profile:
            if row["model_version"] != "*" and row[name] is not None:
                key = (str(row["window"]), row["column_name"])
                sums[key] = sums.get(key, 0) + row[name]
        every = {(str(row["window"]), row["column_name"]): row[name] for row in profile if row["model_version"] == "*"}
        assert {key: count for key, count in every.items() if count is not None} == sums


@pytest.mark.property
@settings(max_examples=40)
@given(DRAWN, st.sampled_from(sorted(GRANULARITIES)))
def test_windows_part_the_rows(drawn: list[tuple[str | None, int, float | None, str | None]], granularity: GranularityName) -> None:
    """Law: every row is in exactly one window of each granularity, which holds its moment; windows do not overlap."""
    rows = trips(*(trip(f"2026-01-0{day}", model_version=model) for model, day, _, _ in drawn))

    whole = find(compute(source(rows, config(granularity))).profile, column_name=":table", model_version="*")

    windows = sorted((row["window"]["start"], row["window"]["end"], row["count"]) for row in whole)  # type: ignore[index]  # a struct
    assert sum(count for _, _, count in windows) == len(drawn)
    assert all(before[1] <= after[0] for before, after in pairwise(windows))
    moments = rows["at"].to_pylist()
    assert all(sum(start <= moment < end for moment in moments) == count for start, end, count in windows)
