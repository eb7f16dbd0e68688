"""Quality of classifications beyond right or wrong: probabilities, and fairness between the sides of a predicate."""

import datetime as dt
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from harness.monitoring.classification import classes_of, classification_quality
from harness.monitoring.compute import Metrics, Source, compute
from harness.monitoring.fairness import fairness
from harness.monitoring.fitness import UnfitTable
from harness.monitoring.model import InferenceLogConfig
from harness.monitoring.probabilities import probabilities_of, probability_quality
from harness.monitoring.quality import regression_quality
from harness.monitoring.sample import Sample

CASES = Path(os.environ.get("HARNESS_CONTRACT", Path(__file__).parents[4] / "shared" / "contract")) / "drift-cases.json"
MAP = pa.map_(pa.string(), pa.float64())
Row = dict[str, object]
Chances = dict[str, float]
RATES = {
    "predictive_parity": "precision",
    "predictive_equality": "fpr",
    "equal_opportunity": "recall",
    "statistical_parity": "acceptance",
}


def judged(label: list[object], prediction: list[object], chances: list[Chances | None], key: pa.DataType | None = None) -> Row:
    """Return what the probabilities are worth."""
    classes = classes_of(pa.array(label), pa.array(prediction))
    column = pa.array([None if each is None else list(each.items()) for each in chances], pa.map_(key or pa.string(), pa.float64()))
    return probability_quality(probabilities_of(column, classes), classes, np.arange(len(label)))


def metrics(
    rows: list[Row], *, slices: list[str | None] | None = None, proba: str | None = None, baseline: Sample | None = None
) -> Metrics:
    table = pa.Table.from_pylist(
        [{"at": dt.datetime(2026, 1, 5, tzinfo=dt.UTC), "model": "1", "proba": None} | row for row in rows],
        pa.schema(
            [
                ("at", pa.timestamp("us", tz="UTC")),
                ("model", pa.string()),
                ("prediction", pa.string()),
                ("label", pa.string()),
                ("proba", MAP),
            ]
        ),
    )
    config = InferenceLogConfig(
        problem_type="INFERENCE_PROBLEM_TYPE_CLASSIFICATION", timestamp_column="at", granularities=("AGGREGATION_GRANULARITY_1_DAY",),
        prediction_column="prediction", model_id_column="model", label_column="label", prediction_proba_column=proba,
    )  # fmt: skip
    values = () if slices is None else (pa.chunked_array([slices], pa.string()),)
    slicing = () if slices is None else ("age > 40",)
    sample = Sample("main.s.t", table, values)
    return compute(Source(sample=sample, version=0, config=config, monitor_version=0, slicing=slicing, baseline=baseline))


def whole(made: Metrics, **wanted: object) -> Row:
    rows = [row for row in made.profile.to_pylist() if row["column_name"] == ":table" and row["model"] == "*"]
    (found,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return dict(found)


def test_probabilities_of_two_classes_have_the_values_computed_by_hand() -> None:
    """The loss is the mean of -ln of what the true class got; three of four pairs are ordered rightly."""
    quality = judged(
        ["a", "a", "b", "b"], ["a", "b", "b", "b"], [{"a": 0.9, "b": 0.1}, {"a": 0.4, "b": 0.6}, {"a": 0.5, "b": 0.5}, {"b": 1.0}]
    )

    assert quality["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.4, 0.5, 1.0])))
    assert quality["roc_auc_score"] == {"one_vs_all": [("a", 0.75), ("b", 0.75)], "macro": 0.75, "weighted": 0.75}


@pytest.mark.parametrize(
    ("label", "prediction", "key"),
    [
        pytest.param([1, 0], [1.0, 0.0], pa.string(), id="numbers and text"),
        pytest.param([1.0, 0.0], [1, 0], pa.int64(), id="numbers and whole numbers"),
        pytest.param([True, False], [True, False], pa.bool_(), id="booleans"),
    ],
)
def test_classes_of_maps_are_found_by_their_value(label: list[object], prediction: list[object], key: pa.DataType) -> None:
    """`1.0` as a label is `1` in a map."""
    names = {"string": ("1", "0"), "int64": (1, 0), "bool": (True, False)}[str(key)]
    chances = [dict(zip(names, (0.8, 0.2), strict=True)), dict(zip(names, (0.2, 0.8), strict=True))]

    quality = judged(label, prediction, chances, key)  # type: ignore[arg-type]  # keys of the map's type

    assert quality["log_loss"] == pytest.approx(-np.log(0.8))


def test_rows_without_label_or_map_are_left_out_and_one_class_has_no_area() -> None:
    """What is there is judged: nothing of nothing, no curve of one class."""
    assert judged([None, "a"], ["a", "a"], [{"a": 1.0}, None]) == {}
    quality = judged(["a", None], ["a", "a"], [{"a": 0.5}, {"a": 0.1}])
    assert (quality["log_loss"], quality["roc_auc_score"]) == (pytest.approx(np.log(2)), None)


@pytest.mark.property
@settings(max_examples=60)
@given(st.integers(2, 4), st.integers(0, 2**32 - 1), st.integers(8, 40))
def test_probabilities_are_judged_as_scikit_learn_does(size: int, seed: int, count: int) -> None:
    """Loss and areas, one class against the rest, macro and weighted, ties included."""
    random = np.random.default_rng(seed)
    names = list("abcd")[:size]
    label = [*names, *random.choice(names, count)]
    scores = np.round(random.dirichlet(np.ones(size), len(label)), 1) + 0.01
    scores /= scores.sum(axis=1, keepdims=True)

    quality = judged(label, label, [dict(zip(names, map(float, row), strict=True)) for row in scores])

    areas = quality["roc_auc_score"]
    assert isinstance(areas, dict)
    assert quality["log_loss"] == pytest.approx(log_loss(label, scores, labels=names))
    for average in ("macro", "weighted"):
        positive = (np.array(label)[:, None] == names).astype(int)
        assert areas[average] == pytest.approx(roc_auc_score(positive, scores, average=average))


def test_probabilities_have_their_columns_only_where_they_are_configured() -> None:
    """Loss and areas stand in the table's rows; without the configuration there are no such columns."""
    rows: list[Row] = [
        {"prediction": "a", "label": "a", "proba": [("a", 0.8), ("b", 0.2)]},
        {"prediction": "a", "label": "b", "proba": [("a", 0.6), ("b", 0.4)]},
    ]

    found = whole(metrics(rows, proba="proba"))

    assert found["log_loss"] == pytest.approx(-np.mean(np.log([0.8, 0.4])))
    assert found["roc_auc_score"] == {"one_vs_all": [("a", 1.0), ("b", 1.0)], "macro": 1.0, "weighted": 1.0}
    assert "log_loss" not in metrics(rows).profile.column_names


def test_probabilities_must_be_a_map() -> None:
    """A column of another type is named with its type."""
    with pytest.raises(UnfitTable, match=r"column 'label' is STRING, expected MAP<STRING,DOUBLE>"):
        metrics([{"prediction": "a", "label": "a"}], proba="label")


def test_fairness_stands_where_a_predicate_is_true() -> None:
    """The protected group's rates minus the others', of the same window; NULL where it is false, and in the whole."""
    rows: list[Row] = [{"prediction": prediction, "label": "yes"} for prediction in ("yes", "no", "yes", "yes")]

    made = metrics(rows, slices=["true", "true", "false", "false"])

    found = whole(made, slice_value="true")
    assert dict(found["equal_opportunity"]) == {"yes": -0.5}  # type: ignore[call-overload]  # a map
    assert dict(found["statistical_parity"]) == {"no": 0.5, "yes": -0.5}  # type: ignore[call-overload]  # a map
    assert dict(found["predictive_parity"]) == {"yes": 0.0}  # type: ignore[call-overload]  # a map
    assert dict(found["predictive_equality"]) == {"no": 0.5}  # type: ignore[call-overload]  # a map
    for other in (whole(made, slice_value="false"), whole(made, slice_key=None)):
        assert [other[name] for name in RATES] == [None] * 4


def test_slices_that_are_no_predicate_have_no_fairness() -> None:
    """A column of texts, or a predicate that is never false, has no other side."""
    rows: list[Row] = [{"prediction": "a", "label": "a"}] * 3

    for slices in (["true", "false", "maybe"], ["true", "true", None]):
        assert whole(metrics(rows, slices=slices), slice_value="true")["statistical_parity"] is None


@pytest.mark.property
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=30))
def test_fairness_is_the_opposite_from_the_other_side(drawn: list[tuple[bool, str, str]]) -> None:
    """Law: changing sides changes the sign; a group against itself is treated alike."""
    classes = classes_of(pa.array([label for _, label, _ in drawn]), pa.array([prediction for _, _, prediction in drawn]))
    inside = np.flatnonzero([side for side, _, _ in drawn])
    outside = np.flatnonzero([not side for side, _, _ in drawn])

    there, back, same = fairness(classes, inside, outside), fairness(classes, outside, inside), fairness(classes, inside, inside)

    assert {name: [(key, -value) for key, value in pairs] for name, pairs in there.items()} == back  # type: ignore[attr-defined]  # pairs
    assert all(value == 0 for pairs in same.values() for _, value in pairs)  # type: ignore[attr-defined]  # pairs


def test_a_label_that_never_comes_leaves_the_rest() -> None:
    """Scores are NULL; counts, distributions and the column of labels itself are there."""
    made = metrics([{"prediction": "a", "label": None}, {"prediction": "b", "label": None}], slices=["true", "false"])

    found = whole(made, slice_key=None)
    assert (found["count"], found["accuracy_score"], found["precision"]) == (2, None, None)
    assert whole(made, slice_value="true")["statistical_parity"] is None
    (label,) = [row for row in made.profile.to_pylist() if (row["column_name"], row["model"], row["slice_key"]) == ("label", "*", None)]
    assert (label["percent_null"], label["distinct_count"]) == (100.0, 0)


@pytest.mark.skipif(not CASES.exists(), reason="the contract folder is not part of the repository")
def test_model_quality_has_the_reference_values() -> None:
    """Regression, three classes, the degenerate dashboard and fairness, from the reference file."""
    cases = json.loads(CASES.read_text())["model_quality"]
    errors = regression_quality(np.array(cases["regression"]["label"]), np.array(cases["regression"]["prediction"]))
    expected = {
        name.removesuffix("_skipping_zero_labels"): value for name, value in cases["regression"]["expected"].items() if name != "note"
    }
    assert {name: getattr(errors, name) for name in expected} == pytest.approx(expected)

    three = cases["classification"]
    quality = classification_quality(classes_of(pa.array(three["label"]), pa.array(three["prediction"])), np.arange(len(three["label"])))
    assert quality is not None
    assert (quality["accuracy_score"], quality["confusion_matrix"]) == (0.8, three["expected"]["confusion_matrix"])
    for name in ("precision", "recall", "f1_score"):
        found = quality[name]
        assert isinstance(found, dict)
        assert dict(found["one_vs_all"]) == pytest.approx(three["expected"][name]["one_vs_all"])
        assert {key: found[key] for key in ("macro", "weighted")} == pytest.approx(
            {key: three["expected"][name][key] for key in ("macro", "weighted")}
        )

    case = cases["fairness"]
    protected = np.array(case["group_true_is_protected"])
    classes = classes_of(pa.array(case["label"]), pa.array(case["prediction"]))
    gaps = fairness(classes, np.flatnonzero(protected), np.flatnonzero(~protected))
    for measure, rate in RATES.items():
        wanted = {name: each["difference"][rate] for name, each in case["expected"].items()}
        assert dict(gaps[measure]) == pytest.approx(wanted)  # type: ignore[call-overload]  # pairs
