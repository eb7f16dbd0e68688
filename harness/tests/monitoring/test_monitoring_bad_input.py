"""Odd values in a column: its own figures, and those of a plain column beside it, which they must not touch."""

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from harness.monitoring.compute import Metrics, Source, compute
from harness.monitoring.difference import differs
from harness.monitoring.model import TimeSeriesConfig
from harness.monitoring.sample import Sample

Row = dict[str, object]
INFINITE, NAN = float("inf"), float("nan")
NOTHING = ("avg", "quantiles", "min", "max", "stddev", "median")


def metrics(first: pa.Array, second: pa.Array) -> Metrics:
    """Return the metrics of a column with these values on one day and those on the next, beside a plain one."""
    days = [dt.datetime(2026, 1, 5, tzinfo=dt.UTC)] * len(first) + [dt.datetime(2026, 1, 6, tzinfo=dt.UTC)] * len(second)
    rows = {"at": pa.array(days, pa.timestamp("us", tz="UTC")), "odd": pa.concat_arrays([first, second])}
    plain = pa.array([float(number) for number in range(len(days))])
    config = TimeSeriesConfig(timestamp_column="at", granularities=("AGGREGATION_GRANULARITY_1_DAY",))
    return compute(Source(sample=Sample("main.s.t", pa.table(rows | {"plain": plain})), version=0, config=config, monitor_version=0))


def row(table: pa.Table, column: str, day: int = 5) -> Row:
    (found,) = [row for row in table.to_pylist() if row["column_name"] == column and row["window"]["start"].day == day]
    return dict(found)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(pa.nulls(2, pa.float64()), {"count": 0, "num_nulls": 2, "percent_null": 100.0, "distinct_count": 0}, id="only NULLs"),
        pytest.param(pa.array([7.0]), {"count": 1, "avg": 7.0, "stddev": None, "median": 7.0, "percent_distinct": 100.0}, id="one row"),
        pytest.param(pa.array([7, 7]), {"avg": 7.0, "stddev": 0.0, "min": 7.0, "max": 7.0, "distinct_count": 1}, id="constant"),
        pytest.param(
            pa.array([-0.0, 0.0]), {"num_zeros": 2, "distinct_count": 1, "min": 0.0, "max": 0.0, "avg": 0.0}, id="zeros of both signs"
        ),
        pytest.param(pa.array([NAN, NAN]), {"count": 2, "num_nan": 2, "percent_nan": 100.0, "distinct_count": 0}, id="only NaN"),
        pytest.param(pa.array([INFINITE, 1.0]), {"avg": INFINITE, "max": INFINITE, "min": 1.0, "num_nan": 0}, id="infinity"),
        pytest.param(pa.array([INFINITE, -INFINITE]), {"min": -INFINITE, "max": INFINITE, "distinct_count": 2}, id="both infinities"),
        pytest.param(pa.array([1e308, 1e308]), {"avg": INFINITE, "max": 1e308, "median": INFINITE}, id="sum beyond doubles"),
        pytest.param(pa.array([2**63 - 1, 2**63 - 2]), {"distinct_count": 2, "min": 2.0**63, "max": 2.0**63}, id="integers beyond doubles"),
        pytest.param(pa.array([2**64 - 1, 0], pa.uint64()), {"distinct_count": 2, "max": 2.0**64, "num_zeros": 1}, id="unsigned"),
        pytest.param(
            pa.array([Decimal("1.00000000000000000001"), Decimal("1.00000000000000000002")]),
            {"distinct_count": 2, "avg": 1.0},
            id="decimals that are one double",
        ),
        pytest.param(
            pa.array(["", ""]), {"min_length": 0.0, "distinct_count": 1, "frequent_items": [{"item": "", "count": 2}]}, id="empty text"
        ),
        pytest.param(pa.nulls(2, pa.string()), {"count": 0, "min_length": None, "frequent_items": []}, id="text that is always NULL"),
        pytest.param(pa.nulls(2), {"count": 0, "num_nulls": 2, "data_type": "void"}, id="no type"),
        pytest.param(pa.array([[], None]), {"count": 1, "num_nulls": 1, "avg": None}, id="arrays"),
        pytest.param(pa.array([None, True]), {"count": 1, "frequent_items": [{"item": "true", "count": 1}]}, id="booleans"),
        pytest.param(
            pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31)]), {"min": -62135596800.0, "max": 253402214400.0}, id="first and last date"
        ),
    ],
)
def test_an_odd_column_is_profiled_and_spoils_no_other(values: pa.Array, expected: Row) -> None:
    """The cells that matter; the plain column's figures are those of its own values."""
    found = metrics(values, values)

    profile = row(found.profile, "odd")
    assert {name: profile[name] for name in expected} == expected
    if profile["count"] == 0 or profile["num_nan"] == profile["count"]:
        assert [profile[name] for name in NOTHING] == [None] * len(NOTHING)
    plain = row(found.profile, "plain")
    assert (plain["count"], plain["max"], plain["num_nulls"]) == (len(values), float(len(values) - 1), 0)
    assert row(found.drift, "plain", 6)["avg_delta"] == float(len(values))


@pytest.mark.parametrize(
    ("first", "second", "statistic", "distance"),
    [
        pytest.param(pa.array([1.0, 2.0]), pa.nulls(2, pa.float64()), None, None, id="values, then none"),
        pytest.param(pa.array([NAN, NAN]), pa.array([1.0, 2.0]), None, None, id="NaN, then values"),
        pytest.param(pa.array([INFINITE, 1.0]), pa.array([2.0, INFINITE]), 1.0, 1.0, id="infinities are left out"),
        pytest.param(pa.array([-0.0]), pa.array([0.0]), 0.0, 0.0, id="zeros of both signs"),
        pytest.param(pa.array([-1e308]), pa.array([1e308]), 1.0, INFINITE, id="further apart than doubles reach"),
        pytest.param(pa.array([7]), pa.array([7, 7]), 0.0, 0.0, id="constants"),
    ],
)
def test_drift_of_odd_columns(first: pa.Array, second: pa.Array, statistic: float | None, distance: float | None) -> None:
    """NULL where a side has no number; D and W of the finite values else."""
    drift = row(metrics(first, second).drift, "odd", 6)

    test = drift["ks_test"]
    assert (test and test["statistic"]) == statistic  # type: ignore[index]  # a struct
    assert drift["wasserstein_distance"] == distance


def test_a_table_of_no_rows_has_no_windows() -> None:
    """And so no rows in either metric table, whose columns are there."""
    found = metrics(pa.array([], pa.float64()), pa.array([], pa.float64()))

    assert (found.profile.num_rows, found.drift.num_rows) == (0, 0)
    assert {"window", "quantiles"} <= set(found.profile.column_names)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param([1.0, NAN, 0.0, None], [1.0, NAN, -0.0, 0.0], [False, False, True, True], id="doubles by their bits"),
        pytest.param(["a", None, ""], ["b", None, None], [True, False, True], id="text"),
        pytest.param([[1.0], [], None, [1.0, 2.0]], [[1.0, 1.0], [], [], [1.0, NAN]], [True, False, True, True], id="lists"),
        pytest.param([{"a": 1}, {"a": None}, None], [{"a": 2}, {"a": None}, {"a": None}], [True, False, True], id="structs"),
        pytest.param([[("k", 1)], [("k", 1)]], [[("k", 1)], [("l", 1)]], [False, True], id="maps"),
        pytest.param([[{"i": "x"}], []], [[{"i": "y"}], []], [True, False], id="lists of structs"),
    ],
)
def test_values_are_compared_as_they_are_stored(old: list[object], new: list[object], expected: list[bool]) -> None:
    """Place by place, whatever the type."""
    type_ = pa.map_(pa.string(), pa.int64()) if isinstance(old[0], list) and isinstance(old[0][0], tuple) else pa.array(new).type

    assert differs(pa.array(old, type_), pa.array(new, type_)).tolist() == expected


def test_means_of_both_infinities_are_no_number() -> None:
    """As in Spark, where their sum is NaN."""
    average = row(metrics(pa.array([INFINITE, -INFINITE]), pa.array([1.0])).profile, "odd")["avg"]

    assert isinstance(average, float)
    assert math.isnan(average)


def test_the_order_of_rows_has_no_influence_on_errors() -> None:
    """Sums of doubles depend on their order: the figures must not, for compaction moves rows."""
    from harness.monitoring.quality import regression_quality

    random = np.random.default_rng(1)
    label, prediction = random.lognormal(size=999), random.lognormal(size=999)
    moved = random.permutation(999)

    assert regression_quality(label, prediction) == regression_quality(label[moved], prediction[moved])
