"""Every data type of Spark in the metric tables, and values that are at the edge of theirs."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.monitoring.compute import Metrics, Source, compute
from harness.monitoring.drift import grid_drift
from harness.monitoring.fitness import UnfitTable
from harness.monitoring.model import GranularityName, InferenceLogConfig, TimeSeriesConfig
from harness.monitoring.sample import Sample

Row = dict[str, object]
DAY: GranularityName = "AGGREGATION_GRANULARITY_1_DAY"
NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
NOT_OF_ALL = {
    "avg", "quantiles", "min", "max", "stddev", "num_zeros", "num_nan", "min_length", "max_length", "avg_length",
    "frequent_items", "median", "distinct_count", "percent_nan", "percent_zeros", "percent_distinct",
}  # fmt: skip
NUMBERS = NOT_OF_ALL - {"min_length", "max_length", "avg_length", "frequent_items"}
LENGTHS = {"min_length", "max_length", "avg_length"}
DISTINCT = {"distinct_count", "percent_distinct"}
MOMENTS = {"min", "max", "median"} | DISTINCT
TYPES = [
    pytest.param(pa.array([1, 2], pa.int8()), "tinyint", NUMBERS, id="tinyint"),
    pytest.param(pa.array([1, 2], pa.int16()), "smallint", NUMBERS, id="smallint"),
    pytest.param(pa.array([1, 2], pa.int32()), "int", NUMBERS, id="int"),
    pytest.param(pa.array([1, 2], pa.int64()), "bigint", NUMBERS, id="bigint"),
    pytest.param(pa.array([1, 2], pa.float32()), "float", NUMBERS, id="float"),
    pytest.param(pa.array([1, 2], pa.float64()), "double", NUMBERS, id="double"),
    pytest.param(pa.array([Decimal("1.10"), Decimal("2.20")], pa.decimal128(10, 2)), "decimal(10,2)", NUMBERS, id="decimal"),
    pytest.param(pa.array([True, False]), "boolean", {"frequent_items"} | DISTINCT, id="boolean"),
    pytest.param(pa.array(["a", "bb"]), "string", {"frequent_items"} | DISTINCT | LENGTHS, id="string"),
    pytest.param(pa.array([b"a", b"bb"]), "binary", DISTINCT | LENGTHS, id="binary"),
    pytest.param(pa.array([dt.date(2026, 1, 5), dt.date(2026, 1, 6)]), "date", MOMENTS, id="date"),
    pytest.param(pa.array([NOON, NOON], pa.timestamp("us", tz="UTC")), "timestamp", MOMENTS, id="timestamp"),
    pytest.param(pa.array([NOON.replace(tzinfo=None)] * 2, pa.timestamp("us")), "timestamp_ntz", MOMENTS, id="timestamp_ntz"),
    pytest.param(pa.array([["a"], []], pa.list_(pa.string())), "array<string>", set(), id="array"),
    pytest.param(pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int32())), "map<string,int>", set(), id="map"),
    pytest.param(pa.array([{"a": 1, "b": ["x"]}] * 2), "struct<a:bigint,b:array<string>>", set(), id="struct"),
]


def series(values: pa.Array, config: TimeSeriesConfig | None = None) -> Metrics:
    rows = pa.table({"at": pa.array([NOON] * len(values), pa.timestamp("us", tz="UTC")), "value": values})
    settings = config or TimeSeriesConfig(timestamp_column="at", granularities=(DAY,))
    return compute(Source(sample=Sample("main.s.t", rows), version=0, config=settings, monitor_version=0))


def snapshot(rows: pa.Table, previous: pa.Table | None = None, *, grid: bool = False) -> Metrics:
    before = None if previous is None else Sample("main.s.t", previous)
    source = Source(sample=Sample("main.s.t", rows), version=4, config=None, monitor_version=0, grid=grid)
    return compute(source.at(2_000_000, before, 1_000_000))


def row_of(table: pa.Table, column: str) -> Row:
    (found,) = [row for row in table.to_pylist() if row["column_name"] == column]
    return dict(found)


@pytest.mark.parametrize(("values", "data_type", "filled"), TYPES)
def test_each_type_fills_its_columns_and_leaves_the_others_null(values: pa.Array, data_type: str, filled: set[str]) -> None:
    """Counts and NULLs are of all types; which other cells are filled depends on the type."""
    with_null = pa.concat_arrays([values, pa.nulls(2, values.type)])

    row = row_of(series(with_null).profile, "value")

    assert (row["data_type"], row["count"], row["num_nulls"], row["percent_null"]) == (data_type, 2, 2, 50.0)
    assert {name for name in NOT_OF_ALL if row[name] is not None} == filled


@pytest.mark.parametrize(("values", "data_type", "filled"), TYPES)
def test_all_null_columns_of_each_type_have_counts_and_no_figures(values: pa.Array, data_type: str, filled: set[str]) -> None:
    """A column without a value has zeros where something is counted, and NULL where it is measured."""
    row = row_of(series(pa.nulls(3, values.type)).profile, "value")

    assert (row["data_type"], row["count"], row["num_nulls"], row["percent_null"]) == (data_type, 0, 3, 100.0)
    counted = {name: row[name] for name in NOT_OF_ALL if row[name] is not None}
    zero = {"num_zeros": 0, "num_nan": 0, "distinct_count": 0, "frequent_items": []}
    assert counted == {name: value for name, value in zero.items() if name in filled}


@pytest.mark.parametrize(("values", "data_type", "filled"), TYPES)
def test_drift_of_each_type_fills_the_distances_that_fit_it(values: pa.Array, data_type: str, filled: set[str]) -> None:
    """Numbers have three distances, categories four, all others only deltas."""
    rows = pa.table({"value": values})

    row = row_of(snapshot(rows, rows).drift, "value")

    numeric, categorical = {"ks_test", "wasserstein_distance", "population_stability_index"}, {"js_distance", "tv_distance"}
    categorical |= {"l_infinity_distance", "chi_squared_test"}
    expected = numeric if "quantiles" in filled else categorical if "frequent_items" in filled else set()
    assert {name for name in numeric | categorical if row[name] is not None} == expected
    assert (row["data_type"], row["count_delta"], row["percent_null_delta"]) == (data_type, 0, 0.0)


def test_large_whole_numbers_and_decimals_are_counted_apart() -> None:
    """Values that are the same double are still distinct values."""
    large = row_of(series(pa.array([2**60, 2**60 + 1, 2**60], pa.int64())).profile, "value")
    decimals = [Decimal(f"1.{'0' * 29}{last}") for last in (0, 1, 1)]
    fine = row_of(series(pa.array(decimals, pa.decimal128(38, 30))).profile, "value")

    assert (large["distinct_count"], fine["distinct_count"]) == (2, 2)


def test_bytes_are_measured_in_bytes() -> None:
    """The text of a binary column is nobody's business; its length is."""
    row = row_of(series(pa.array([b"", b"\x00\xff\x00", b"", None])).profile, "value")

    assert (row["min_length"], row["max_length"], row["avg_length"], row["distinct_count"]) == (0.0, 3.0, 1.0, 2)


def test_infinities_are_values() -> None:
    """They are counted and bound the range; what cannot be said of them is infinite or NaN, and the other columns are right."""
    row = row_of(series(pa.array([float("inf"), 1.0, float("-inf")])).profile, "value")
    one_sided = row_of(series(pa.array([float("inf"), 1.0])).profile, "value")

    assert (row["count"], row["min"], row["max"], row["median"]) == (3, -np.inf, np.inf, 1.0)
    assert np.isnan([row["avg"], row["stddev"], one_sided["stddev"]]).all()
    assert one_sided["avg"] == np.inf


def test_drift_between_infinities_is_of_the_finite_values() -> None:
    """Equal infinite means have no difference; the distances are of the numbers that have places."""
    rows = pa.table({"value": [float("inf"), 1.0, 2.0]})

    row = row_of(snapshot(rows, rows).drift, "value")

    assert (row["avg_delta"], row["wasserstein_distance"], row["ks_test"]) == (None, 0.0, {"statistic": 0.0, "pvalue": 1.0})


def test_numbers_as_far_apart_as_doubles_go_do_not_break_the_others() -> None:
    """The distance overflows to infinity; D is still one."""
    row = row_of(snapshot(pa.table({"value": [1.7e308] * 3}), pa.table({"value": [-1.7e308] * 3})).drift, "value")

    assert (row["wasserstein_distance"], row["ks_test"]) == (np.inf, {"statistic": 1.0, "pvalue": 0.0})


def test_numbers_as_far_apart_as_doubles_go_do_not_drift_from_themselves() -> None:
    """Nothing times an infinite distance is nothing."""
    rows = pa.table({"value": [1.7e308, -1.7e308]})

    assert row_of(snapshot(rows, rows).drift, "value")["wasserstein_distance"] == 0.0


def test_one_row_has_no_deviation() -> None:
    """A single value is its own everything, and has no sample standard deviation."""
    row = row_of(series(pa.array([3.0])).profile, "value")

    assert (row["avg"], row["median"], row["min"], row["max"], row["stddev"]) == (3.0, 3.0, 3.0, 3.0, None)
    assert row["quantiles"] == [3.0] * 1000


def test_frequent_items_are_at_most_a_hundred() -> None:
    """Of 150 values the hundred most frequent, ties by name."""
    names = [f"{number:03}" for number in range(150)]

    items = row_of(series(pa.array([*names, "149", "149"])).profile, "value")["frequent_items"]

    assert items == [{"item": "149", "count": 3}, *({"item": name, "count": 1} for name in names[:99])]


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        pytest.param(pa.array(["2026-01-05 23:30:00"]), dt.datetime(2026, 1, 5, tzinfo=dt.UTC), id="text"),
        pytest.param(pa.array(["2026-01-05T23:30:00-02:00"]), dt.datetime(2026, 1, 6, tzinfo=dt.UTC), id="text with a zone"),
        pytest.param(pa.array(["2026-01-05"]), dt.datetime(2026, 1, 5, tzinfo=dt.UTC), id="text of a day"),
        pytest.param(pa.array([1767571201]), dt.datetime(2026, 1, 5, tzinfo=dt.UTC), id="seconds"),
        pytest.param(pa.array([-0.5]), dt.datetime(1969, 12, 31, tzinfo=dt.UTC), id="before 1970"),
        pytest.param(pa.array([dt.date(2026, 1, 5)]), dt.datetime(2026, 1, 5, tzinfo=dt.UTC), id="date"),
    ],
)
def test_whatever_can_be_cast_to_a_timestamp_has_windows(moments: pa.Array, expected: dt.datetime) -> None:
    """Text and seconds since 1970 say when a row was, as `to_timestamp` reads them."""
    source = Source(
        sample=Sample("main.s.t", pa.table({"at": moments})),
        version=0,
        config=TimeSeriesConfig(timestamp_column="at", granularities=(DAY,)),
        monitor_version=0,
    )

    assert [row["window"]["start"] for row in compute(source).profile.to_pylist()] == [expected, expected]


def test_time_series_has_no_model_column_and_no_quality() -> None:
    """Windows as an inference log has them, without the columns that are of models."""
    made = series(pa.array([1.0, 2.0]))

    assert made.profile.column_names[6:8] == ["slice_value", "column_name"]
    assert made.drift.column_names[4:6] == ["slice_value", "column_name"]
    assert "accuracy_score" not in made.profile.column_names
    assert (row_of(made.profile, ":table")["count"], row_of(made.profile, "at")["data_type"]) == (2, "timestamp")


def test_snapshot_is_one_instant_compared_with_the_one_before() -> None:
    """Its window starts and ends at the refresh; drift is against the last refresh's instant, and of the columns that both have."""
    made = snapshot(pa.table({"a": [2.0, 4.0], "b": ["x", "y"]}), pa.table({"a": [1, 1], "gone": [1, 1]}))

    row, change = row_of(made.profile, "a"), row_of(made.drift, "a")
    now, before = dt.datetime.fromtimestamp(2, dt.UTC), dt.datetime.fromtimestamp(1, dt.UTC)
    assert (row["window"], row["granularity"], row["log_type"], row["avg"]) == ({"start": now, "end": now}, None, "INPUT", 3.0)
    assert (change["window"], change["window_cmp"]) == ({"start": now, "end": now}, {"start": before, "end": before})
    assert (change["drift_type"], change["avg_delta"]) == ("CONSECUTIVE", 2.0)
    assert {row["column_name"] for row in made.drift.to_pylist()} == {":table", "a"}


def test_an_emptied_table_is_seen_by_its_snapshot() -> None:
    """No rows is a figure too: the count falls to zero, and nothing is measured."""
    rows = pa.table({"a": [1.0, 2.0]})

    made = snapshot(rows.slice(0, 0), rows)

    assert (row_of(made.profile, ":table")["count"], row_of(made.drift, ":table")["count_delta"]) == (0, -2)
    assert row_of(made.drift, ":table")["non_null_columns_delta"] == {"added": 0, "missing": 1}
    assert (row_of(made.profile, "a")["percent_null"], row_of(made.drift, "a")["ks_test"]) == (None, None)


def test_a_model_named_like_all_models_is_refused() -> None:
    """Its rows would be added to those of all models."""
    rows = pa.table({"at": [NOON], "model": ["*"], "prediction": [1.0]})
    config = InferenceLogConfig(
        problem_type="INFERENCE_PROBLEM_TYPE_REGRESSION", timestamp_column="at", granularities=(DAY,), prediction_column="prediction",
        model_id_column="model",
    )  # fmt: skip

    with pytest.raises(UnfitTable, match=r"main\.s\.t: column 'model' holds '\*'"):
        compute(Source(sample=Sample("main.s.t", rows), version=0, config=config, monitor_version=0))


def test_the_grid_is_a_choice() -> None:
    """By a thousand quantiles D lies on steps of a thousandth; exactly it does not."""
    random = np.random.default_rng(3)
    now, before = (pa.table({"a": random.normal(size=count)}) for count in (523, 941))

    exact, grid = (row_of(snapshot(now, before, grid=each).drift, "a") for each in (False, True))

    (statistic,) = [grid["ks_test"]["statistic"]]  # type: ignore[index]  # a struct
    assert statistic * 1000 == pytest.approx(round(statistic * 1000))
    assert exact["ks_test"] != grid["ks_test"]
    assert exact["population_stability_index"] == grid["population_stability_index"]


FRAMES = st.lists(
    st.tuples(
        st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)),
        st.one_of(st.none(), st.sampled_from(["a", "b", ""])),
        st.one_of(st.none(), st.booleans()),
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    ),
    max_size=30,
).map(
    lambda rows: pa.table(
        {
            name: pa.array([row[number] for row in rows], type_)
            for number, (name, type_) in enumerate(
                [("number", pa.float64()), ("text", pa.string()), ("flag", pa.bool_()), ("whole", pa.int64())]
            )
        }
    )
)


@pytest.mark.property
@settings(max_examples=60)
@given(FRAMES)
def test_a_table_does_not_drift_from_itself(rows: pa.Table) -> None:
    """Law: every delta and distance of a frame with itself is zero or NULL, every p-value one or NULL."""
    for row in snapshot(rows, rows).drift.to_pylist():
        for name, value in row.items():
            if name.endswith(("_delta", "_distance", "_index")):
                assert value in (None, 0, {"added": 0, "missing": 0}), name
            if name in {"ks_test", "chi_squared_test"}:
                assert value in (None, {"statistic": 0.0, "pvalue": 1.0}), name


@pytest.mark.property
@settings(max_examples=60)
@given(FRAMES)
def test_shares_and_counts_fit_together(rows: pa.Table) -> None:
    """Law: values and NULLs make up the rows; shares lie from 0 to 100; no more distinct values than values."""
    for row in snapshot(rows).profile.to_pylist():
        if row["column_name"] != ":table":
            assert row["count"] + row["num_nulls"] == rows.num_rows
            assert row["distinct_count"] <= row["count"]
        for name in ("percent_null", "percent_nan", "percent_zeros", "percent_distinct"):
            assert row[name] is None or 0 <= row[name] <= 100


def test_the_grid_of_two_small_samples_is_the_reference() -> None:
    """Ten whole numbers moved by one, by quantiles: each stands for a hundred of the thousand."""
    now, before = np.arange(2.0, 12.0), np.arange(1.0, 11.0)

    drift = grid_drift(now, before)

    assert (drift.ks_test.statistic, drift.wasserstein_distance) == (pytest.approx(0.1), pytest.approx(1.0))
