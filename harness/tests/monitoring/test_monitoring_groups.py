"""Slices, baselines and classes: how rows are grouped, what they are compared with, what their quality is."""

import datetime as dt
import tempfile
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from harness.monitoring.bundles import Reading, compute_bundles
from harness.monitoring.classification import classes_of, classification_quality
from harness.monitoring.compute import Metrics, Source, compute
from harness.monitoring.fitness import UnfitTable
from harness.monitoring.model import InferenceLogConfig
from harness.monitoring.reading import Reader
from harness.monitoring.sample import Sample
from harness.monitoring.tables import Table, opened

Row = dict[str, object]
SCHEMA = pa.schema(
    [
        ("at", pa.timestamp("us", tz="UTC")),
        ("model", pa.string()),
        ("distance", pa.float64()),
        ("zone", pa.string()),
        ("prediction", pa.float64()),
        ("label", pa.float64()),
    ]
)


def at(day: int) -> dt.datetime:
    return dt.datetime(2026, 1, day, tzinfo=dt.UTC)


def row(day: int, **changes: object) -> Row:
    return {"at": at(day), "model": "1", "distance": 2.0, "zone": "north", "prediction": 10.0, "label": 11.0} | changes


def sample(*rows: Row, slices: tuple[list[str | None], ...] = (), name: str = "main.s.t") -> Sample:
    return Sample(name, pa.Table.from_pylist(list(rows), SCHEMA), [pa.chunked_array([values], pa.string()) for values in slices])


def config(problem: str = "REGRESSION", *, label: str | None = "label") -> InferenceLogConfig:
    return InferenceLogConfig(
        problem_type=f"INFERENCE_PROBLEM_TYPE_{problem}",  # type: ignore[arg-type]  # one of two
        timestamp_column="at",
        granularities=("AGGREGATION_GRANULARITY_1_DAY",),
        prediction_column="prediction",
        model_id_column="model",
        label_column=label,
    )


def metrics(
    rows: Sample, baseline: Sample | None = None, slicing: tuple[str, ...] = (), settings: InferenceLogConfig | None = None
) -> Metrics:
    return compute(Source(sample=rows, version=1, config=settings or config(), monitor_version=0, baseline=baseline, slicing=slicing))


def find(table: pa.Table, **wanted: object) -> list[Row]:
    found: list[Row] = table.to_pylist()
    return [row for row in found if all(row[name] == value for name, value in wanted.items())]


def test_each_expression_slices_by_itself() -> None:
    """Every value of an expression has its rows; expressions are not crossed, NULL is no slice, and the whole stays."""
    rows = sample(row(5, zone="a"), row(5, zone="b"), row(5, zone="b"), slices=(["a", "b", "b"], ["true", "false", None]))

    found = find(metrics(rows, slicing=("zone", "distance > 1")).profile, column_name=":table", model="*")

    assert {(row["slice_key"], row["slice_value"], row["count"]) for row in found} == {
        (None, None, 3),
        ("zone", "a", 1),
        ("zone", "b", 2),
        ("distance > 1", "true", 1),
        ("distance > 1", "false", 1),
    }


def test_only_the_hundred_most_frequent_values_are_slices() -> None:
    """The rarest of 101 values has no rows of its own."""
    values = [f"zone {number:03}" for number in range(101) for _ in range(2 if number else 1)]
    rows = sample(*(row(5) for _ in values), slices=(list(values),))

    found = find(metrics(rows, slicing=("zone",)).profile, column_name=":table", model="*", slice_key="zone")

    assert len(found) == 100
    assert "zone 000" not in {row["slice_value"] for row in found}


def test_windows_drift_within_their_slice() -> None:
    """A slice's window is compared with the same slice's window before it."""
    rows = sample(row(5, distance=1.0), row(6, distance=3.0), row(6, distance=9.0), slices=(["a", "a", "b"],))

    found = find(metrics(rows, slicing=("zone",)).drift, column_name="distance", model="*", slice_key="zone")

    assert [(row["slice_value"], row["avg_delta"]) for row in found] == [("a", 2.0)]


def test_baseline_is_profiled_without_a_window_and_every_window_compared_with_it() -> None:
    """Baseline rows have no window and no granularity; drift against it has no window to compare with."""
    baseline = sample(row(1, distance=1.0), row(1, distance=3.0), name="main.s.base")

    made = metrics(sample(row(5, distance=4.0), row(7, distance=2.0)), baseline)

    (base,) = find(made.profile, log_type="BASELINE", column_name="distance", model="*")
    assert (base["window"], base["granularity"], base["avg"], base["count"]) == (None, None, 2.0, 2)
    found = find(made.drift, column_name="distance", model="*")
    assert [(row["drift_type"], row["window_cmp"], row["avg_delta"]) for row in found] == [("BASELINE", None, 2.0), ("BASELINE", None, 0.0)]
    (quality,) = find(made.profile, log_type="BASELINE", column_name=":table", model="*")
    assert quality["mean_average_error"] == 1.0


def test_model_without_rows_in_the_baseline_is_not_compared() -> None:
    """The baseline of version 1 says nothing of version 2; all models together are compared."""
    made = metrics(sample(row(5), row(5, model="2")), sample(row(1), name="main.s.base"))

    assert {row["model"] for row in find(made.drift, drift_type="BASELINE")} == {"*", "1"}


def test_baseline_may_lack_columns_and_have_others() -> None:
    """Only what both tables have, in a type that can be compared, is compared; the baseline needs no time."""
    base = pa.table({"model": ["1"], "distance": pa.array([2], pa.int32()), "zone": pa.array([[1]]), "unknown": [1]})

    made = metrics(sample(row(5, distance=5.0)), Sample("main.s.base", base))

    assert {row["column_name"] for row in find(made.drift, model="*")} == {":table", "distance"}
    assert [row["avg_delta"] for row in find(made.drift, model="*", column_name="distance")] == [3.0]


def test_baseline_without_the_model_column_is_named() -> None:
    """The message names the baseline table, the column, and what it has."""
    base = Sample("main.s.base", pa.table({"distance": [1.0]}))

    with pytest.raises(UnfitTable, match=r"main\.s\.base: column 'model' is missing, expected .*; the table has distance"):
        metrics(sample(row(5)), base)


def test_empty_baseline_compares_nothing() -> None:
    """A baseline without rows gives no row of either table."""
    made = metrics(sample(row(5)), sample(name="main.s.base"))

    assert find(made.profile, log_type="BASELINE") == []
    assert made.drift.num_rows == 0


def test_classes_have_scores_and_a_confusion_matrix() -> None:
    """What a published dashboard shows of a model that says No where all labels are Yes, but for one in fifty."""
    label, prediction = pa.array(["Yes"] * 50), pa.array(["Yes"] + ["No"] * 49)

    quality = classification_quality(classes_of(label, prediction), np.arange(50))

    assert quality is not None
    assert quality["accuracy_score"] == 0.02
    assert quality["confusion_matrix"] == [
        {"prediction": "No", "label": "Yes", "count": 49},
        {"prediction": "Yes", "label": "Yes", "count": 1},
    ]
    assert quality["precision"] == {"one_vs_all": [("No", 0.0), ("Yes", 1.0)], "macro": 0.5, "weighted": 1.0}
    assert quality["f1_score"] == {
        "one_vs_all": [("No", 0.0), ("Yes", pytest.approx(2 / 51))],
        "macro": pytest.approx(1 / 51),
        "weighted": pytest.approx(2 / 51),
    }


def test_classification_has_its_columns_and_no_errors() -> None:
    """The table row of a classification holds the scores; NULL labels are left out; numbers are classes by value."""
    rows = sample(row(5, prediction=1.0, label=1.0), row(5, prediction=0.0, label=1.0), row(5, prediction=1.0, label=None))

    made = metrics(rows, settings=config("CLASSIFICATION")).profile

    (found,) = find(made, column_name=":table", model="*")
    assert (found["accuracy_score"], found["count"]) == (0.5, 3)
    assert "mean_average_error" not in made.column_names


@pytest.mark.parametrize(
    ("label", "prediction", "accuracy"),
    [
        pytest.param(pa.array([1, 0]), pa.array([1.0, 1.0]), 0.5, id="whole numbers and doubles"),
        pytest.param(pa.array([True, False]), pa.array(["true", "false"]), 1.0, id="booleans and text"),
        pytest.param(pa.array([1, 0]), pa.array(["1", "1.0"]), 0.5, id="numbers and text"),
        pytest.param(pa.array([1.0, float("nan")]), pa.array([1, 1]), 1.0, id="NaN is no class"),
        pytest.param(pa.array([None, None], pa.string()), pa.array(["a", "b"]), None, id="no label yet"),
    ],
)
def test_classes_of_different_types_are_compared_as_text(label: pa.Array, prediction: pa.Array, accuracy: float | None) -> None:
    """Numbers by value, everything else by its text."""
    quality = classification_quality(classes_of(label, prediction), np.arange(2))

    assert (quality and quality["accuracy_score"]) == accuracy


CLASS = st.sampled_from(["a", "b", "c", "d"])


@settings(max_examples=60)
@given(st.lists(st.tuples(CLASS, CLASS), min_size=1, max_size=40))
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    """Accuracy, precision, recall and F1, macro and weighted, over the union of labels and predictions."""
    label, prediction = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    quality = classification_quality(classes_of(pa.array(label), pa.array(prediction)), np.arange(len(pairs)))

    assert quality is not None
    assert quality["accuracy_score"] == pytest.approx(accuracy_score(label, prediction))
    for average in ("macro", "weighted"):
        scores = precision_recall_fscore_support(label, prediction, average=average, zero_division=0)[:3]
        ours = [quality[name][average] for name in ("precision", "recall", "f1_score")]  # type: ignore[index]  # structs
        assert ours == pytest.approx(list(scores))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(5, 7), st.floats(-5, 5)), min_size=1, max_size=25))
def test_slice_is_what_the_table_of_its_rows_alone_would_be(drawn: list[tuple[str | None, int, float]]) -> None:
    """The rows of slice 'a' equal the rows of a table that holds nothing else."""
    rows = [row(day, zone=zone, distance=distance) for zone, day, distance in drawn]
    sliced = metrics(sample(*rows, slices=([zone for zone, _, _ in drawn],)), slicing=("zone",))
    alone = metrics(sample(*(row for row in rows if row["zone"] == "a")))

    assert _without_slice(find(sliced.profile, slice_value="a")) == _without_slice(alone.profile.to_pylist())
    assert _without_slice(find(sliced.drift, slice_value="a")) == _without_slice(alone.drift.to_pylist())


def _without_slice(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if not name.startswith("slice_")} for row in rows]


class Nothing:
    """The ports of the catalog and of SQL expressions, which nobody asks."""

    def refuse(self, *_: object, **__: object) -> NoReturn:
        raise AssertionError

    table_path = table_by_id = table_id = schema_id = schema_by_id = rows = groups = evaluate = refuse


_values = st.lists(
    st.tuples(st.none() | st.integers(-3, 3).map(float), st.none() | st.sampled_from("abc"), st.none() | st.integers(0, 2)), max_size=8
)


def table_of(folder: Path, name: str, values: list[tuple[float | None, str | None, int | None]], names: tuple[str, ...]) -> Table:
    schema = pa.schema([("x", pa.float64()), ("zone", pa.string()), ("n", pa.int64())])
    made = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in values], schema).select(list(names))
    write_deltalake(folder / name, made)
    return opened(folder / name, f"main.s.{name}")


@pytest.mark.property
@given(now=_values, base=_values, before=_values, lacking=st.sampled_from(["x", "zone", "n"]), most=st.sampled_from([1, 20, 30]))
@settings(max_examples=25)
def test_a_snapshot_by_columns_is_the_snapshot_of_the_whole_table(
    now: list[tuple[float | None, str | None, int | None]],
    base: list[tuple[float | None, str | None, int | None]],
    before: list[tuple[float | None, str | None, int | None]],
    lacking: str,
    most: int,
) -> None:
    """Law: however few columns are looked at together, the rows of both metric tables are the same; the baseline may lack a column."""
    with tempfile.TemporaryDirectory() as name:
        folder, columns = Path(name), ("x", "zone", "n")
        table, previous = table_of(folder, "now", now, columns), table_of(folder, "before", before, columns)
        baseline = table_of(folder, "base", base, tuple(column for column in columns if column != lacking))
        source = Source(version=0, config=None, monitor_version=0, slicing=("zone", "n")).at(2, None, 1)

        def found(most_cells: int) -> list[list[str]]:
            reading = Reading(Reader(Nothing(), Nothing(), source.slicing), table, baseline, previous, source, most_cells)
            _, made = compute_bundles(reading.bundles(), reading.read, lambda: None)
            return [sorted(map(repr, rows.to_pylist())) for rows in (made.profile, made.drift)]

        assert found(most) == found(16_000_000)
