"""The fast path answers what MLflow answers, or leaves the body to MLflow."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from harness_guest.fast_arithmetic import TOO_LARGE, NoArithmeticError, arithmetic, thresholds
from harness_guest.fast_bodies import BodyReader, answers, numbers_text
from harness_guest.fast_path import fast_path
from harness_guest.model_scoring import JSON, Scorer

ROWS = np.random.default_rng(0).normal(size=(300, 3))
TARGET = ROWS[:, 0] * 2 + np.abs(ROWS[:, 1])
COLUMNS = ["a", "b", "n"]
TREES = {
    "gradient boosting": GradientBoostingRegressor(n_estimators=20, random_state=0),
    "gradient boosting from zero": GradientBoostingRegressor(n_estimators=5, init="zero", random_state=0),
    "random forest": RandomForestRegressor(n_estimators=8, random_state=0),
    "extra trees": ExtraTreesRegressor(n_estimators=8, random_state=0),
    "decision tree": DecisionTreeRegressor(max_depth=4, random_state=0),
    "histogram gradient boosting": HistGradientBoostingRegressor(max_iter=10, random_state=0),
}
Save = Callable[..., Path]


@pytest.fixture(scope="module", params=TREES)
def fitted(request: pytest.FixtureRequest) -> Any:
    """Each estimator that has an arithmetic, fitted."""
    return TREES[request.param].fit(pd.DataFrame(ROWS, columns=COLUMNS), TARGET)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Save a fitted estimator as an MLflow model and return its folder."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    def save(
        estimator: Any, kinds: str = "double double long", *, params: bool = False, signature: bool = True, names: Any = COLUMNS
    ) -> Path:
        schema = Schema([ColSpec(kind, name) for kind, name in zip(kinds.split(), names, strict=True)])
        given = ModelSignature(schema, None, ParamSchema([ParamSpec("p", "double", 0.0)]) if params else None) if signature else None
        folder = tmp_path / "model"
        options = {"serialization_format": "cloudpickle", "pip_requirements": ["scikit-learn"]}
        mlflow.sklearn.save_model(estimator, str(folder), signature=given, **options)
        return folder

    return save


def test_every_tree_estimator_is_proven_at_load(fitted: Any, save: Save) -> None:
    """A saved model of each kind takes the fast path, in all four formats, and says how that was proven."""
    scorer = Scorer(str(save(fitted)))
    assert scorer.why.endswith(
        "rows in dataframe_split, dataframe_records, inputs, instances; with columns beside its own in dataframe_split"
    )
    body = b'{"dataframe_records": [{"b": 2, "a": 0.5, "n": 3}], "client_request_id": "x"}'
    [answer] = scorer.fast_answers([body])
    assert answer is not None
    assert (answer.status, answer.content_type, answer.body) == (200, JSON, scorer.answer(JSON, body).body)


@given(rows=st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=20))
@settings(max_examples=30)
def test_rows_do_not_depend_on_each_other(rows: list[list[float]]) -> None:
    """Each row's prediction has the same bits alone and among others: what makes scoring several requests at once right."""
    for estimator in TREES.values():
        compute = arithmetic(estimator.fit(ROWS, TARGET) if not hasattr(estimator, "n_features_in_") else estimator)
        together = compute(np.array(rows))
        alone = [compute(np.array([row])) for row in rows]
        assert together.tolist() == [one[0] for one in alone]


@given(st.lists(st.floats(), min_size=1, max_size=30))
def test_numbers_are_written_as_python_writes_them(numbers: list[float]) -> None:
    """The text of predictions is `json.dumps`'s, for every float there is."""
    written = b'{"predictions": [' + b", ".join(numbers_text(np.array(numbers))) + b"]}"
    assert written.decode() == json.dumps({"predictions": numbers})


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_predictions_return_to_their_requests(counts: list[int]) -> None:
    """Of the predictions of several requests each request gets its own."""
    predictions = np.arange(sum(counts), dtype=np.float64)
    found = [value for body in answers(predictions, counts) for value in json.loads(body)["predictions"]]
    assert found == predictions.tolist()
    assert [len(json.loads(body)["predictions"]) for body in answers(predictions, counts)] == counts


@given(st.lists(st.lists(st.floats(-3e38, 3e38), min_size=2, max_size=2), min_size=1, max_size=5))
def test_a_plain_body_reads_as_its_numbers(rows: list[list[float]]) -> None:
    """All formats of the same rows read as those rows, whatever the order of columns."""
    reader = BodyReader(["x", "y"])
    records = [{"y": y, "x": x} for x, y in rows]
    bodies = [
        {"dataframe_split": {"columns": ["y", "x"], "data": [[y, x] for x, y in rows], "index": list(range(len(rows)))}},
        {"dataframe_records": records},
        {"inputs": {"y": [y for _, y in rows], "x": [x for x, _ in rows]}},
        {"inputs": records},
        {"instances": records},
    ]
    for body in bodies:
        read = reader.rows(json.dumps(body).encode())
        assert read is not None
        assert reader.numbers(read).tolist() == rows


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"dataframe_split": {"columns": ["x", "y"], "data": [[1, 2, 3]]}}', id="ragged"),
        pytest.param(b'{"dataframe_split": {"columns": ["x", "x"], "data": [[1, 2]]}}', id="column twice"),
        pytest.param(b'{"dataframe_split": {"columns": ["x", "y"], "data": [[1, "2"]]}}', id="number as text"),
        pytest.param(b'{"dataframe_split": {"columns": ["x", "y"], "data": [[1, true]]}}', id="boolean"),
        pytest.param(b'{"dataframe_split": {"columns": ["x", "y"], "data": [[1, null]]}}', id="null"),
        pytest.param(b'{"dataframe_split": {"columns": ["x", "y"], "data": [[1, NaN]]}}', id="NaN"),
        pytest.param(b'{"dataframe_split": {"columns": ["x", "y"], "data": [[1, 1e999]]}}', id="too large"),
        pytest.param(b'{"dataframe_split": {"columns": ["x", "y"], "data": []}}', id="no rows"),
        pytest.param(b'{"dataframe_split": {"columns": ["x", "y"], "data": [[1, 2]], "index": [1, 2]}}', id="index of other length"),
        pytest.param(b'{"dataframe_split": {"columns": ["x", "y"], "data": [[1, 2]], "more": 1}}', id="unknown key in split"),
        pytest.param(b'{"dataframe_records": [{"x": 1, "y": 2, "z": 3}]}', id="extra column"),
        pytest.param(b'{"dataframe_records": [{"x": 1}]}', id="missing column"),
        pytest.param(b'{"inputs": {"x": [1, 2], "y": [1]}}', id="columns of unequal length"),
        pytest.param(b'{"inputs": {"x": 1, "y": 2}}', id="scalars"),
        pytest.param(b'{"inputs": [[1, 2]]}', id="rows without names"),
        pytest.param(b'{"dataframe_records": [{"x": 1, "y": 2}], "params": {}}', id="params"),
        pytest.param(b'{"dataframe_records": [{"x": 1, "y": 2}], "messages": []}', id="chat"),
        pytest.param(b'{"dataframe_records": [{"x": 1, "y": 2}], "instances": []}', id="two formats"),
        pytest.param(b'{"dataframe_records": [{"x": 1, "y": 2}]} x', id="text behind"),
        pytest.param(b'{"dataframe_records": [{"x": 1, "y": 2}', id="truncated"),
        pytest.param('{"dataframe_records": [{"x": 1, "y": 2}], "client_request_id": "é"}'.encode(), id="not ASCII"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"", id="empty"),
    ],
)
def test_what_is_not_plain_is_left_to_mlflow(body: bytes) -> None:
    assert BodyReader(["x", "y"]).rows(body) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param("double", "1e39", id="more than trees can hold"),
        pytest.param("double", "-3.4028235677973366e38", id="the first that rounds to infinity"),
        pytest.param("long", "2.5", id="fraction in a long column"),
        pytest.param("long", "9007199254740992", id="long beyond what a float64 holds"),
        pytest.param("integer", "-0.5", id="fraction in an integer column"),
        pytest.param("integer", "-2147483648", id="integer at the edge"),
        pytest.param("integer", "3e9", id="long in an integer column"),
        pytest.param("float", "9007199254740993", id="whole number that would be rounded twice"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        '{"dataframe_split": {"columns": ["x", "n"], "data": [[0.5, 7], [0.5, %s]]}}',
        '{"dataframe_records": [{"n": 7, "x": 0.5}, {"n": %s, "x": 0.5}]}',
        '{"inputs": {"n": [7, %s], "x": [0.5, 0.5]}}',
    ],
    ids=["split", "records", "columns"],
)
def test_what_a_columns_type_cannot_hold_is_left_to_mlflow(kind: str, value: str, body: str) -> None:
    """MLflow or scikit-learn cuts off, wraps around, rounds or refuses it."""
    reader = BodyReader(["x", "n"], ["double", kind])
    assert reader.rows((body % "8").encode()) is not None
    assert reader.rows((body % value).encode()) is None


def test_columns_of_other_types_in_another_order_are_left_to_mlflow() -> None:
    """In a split each cell is read as its place's type says."""
    body = b'{"dataframe_split": {"columns": ["n", "x"], "data": [[7, 8]]}}'
    assert BodyReader(["x", "n"], ["double", "long"]).rows(body) is None
    assert BodyReader(["x", "n"], ["long", "long"]).rows(body) == [[8.0, 7.0]]


def test_a_float_column_holds_single_precision() -> None:
    numbers = BodyReader(["x", "f"], ["double", "float"]).numbers([[0.1, 0.1]])
    assert numbers.tolist() == [[0.1, 0.10000000149011612]]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_number_trees_can_hold_is_computed(sign: int) -> None:
    """Just below the limit nothing overflows."""
    compute = arithmetic(TREES["decision tree"].fit(ROWS, TARGET))
    assert np.isfinite(compute(np.array([[sign * np.nextafter(TOO_LARGE, 0), 0.0, 0.0]]))).all()


def test_one_odd_request_does_not_hold_up_the_others(save: Save) -> None:
    """Of requests that arrive together the plain ones are answered fast whatever stands between them."""
    scorer = Scorer(str(save(TREES["decision tree"].fit(pd.DataFrame(ROWS, columns=COLUMNS), TARGET))))
    plain = b'{"dataframe_records": [{"a": 1, "b": 2, "n": 3}]}'
    cut, huge = plain.replace(b"3", b"3.5"), plain.replace(b"1", b"1e39")
    found = scorer.fast_answers([plain, cut, huge, b"{", plain])
    assert [answer is not None for answer in found] == [True, False, False, False, True]


@pytest.mark.parametrize(
    ("estimator", "saved", "reason"),
    [
        pytest.param(LinearRegression(), {}, "there is no arithmetic for sklearn.LinearRegression", id="another estimator"),
        pytest.param(RandomForestRegressor(2, n_jobs=2), {}, "n_jobs=2: the order of its sums is not fixed", id="parallel sums"),
        pytest.param(GradientBoostingRegressor(n_estimators=2, init=LinearRegression()), {}, "an estimator of its own", id="init"),
        pytest.param(HistGradientBoostingRegressor(loss="poisson", max_iter=2), {}, "transforms its sums", id="link function"),
        pytest.param(DecisionTreeRegressor(max_depth=2), {"signature": False}, "the model has no signature", id="no signature"),
        pytest.param(DecisionTreeRegressor(max_depth=2), {"params": True}, "the signature has params", id="params"),
        pytest.param(DecisionTreeRegressor(max_depth=2), {"kinds": "double string long"}, "columns of type string", id="text column"),
        pytest.param(DecisionTreeRegressor(max_depth=2), {"names": ["b", "a", "n"]}, "not the estimator's features", id="other order"),
    ],
)
def test_a_model_without_fast_path_says_why(estimator: Any, saved: dict[str, Any], reason: str, save: Save) -> None:
    scorer = Scorer(str(save(estimator.fit(pd.DataFrame(ROWS, columns=COLUMNS), np.abs(TARGET)), **saved)))
    assert scorer.fast is None
    assert reason in scorer.why
    assert list(scorer.fast_answers([b'{"dataframe_records": [{"a": 1, "b": 2, "n": 3}]}'])) == [None]


def test_a_subclass_may_predict_otherwise() -> None:
    class Doubled(DecisionTreeRegressor):
        def predict(self, X: Any, check_input: bool = True) -> Any:  # noqa: N803, FBT001, FBT002 - scikit-learn's signature
            return 2 * super().predict(X, check_input)

    with pytest.raises(NoArithmeticError, match="there is no arithmetic for"):
        arithmetic(Doubled().fit(ROWS, TARGET))


@pytest.mark.parametrize("lie", ["last bit", "one format"])
def test_the_gate_believes_mlflow_only(lie: str, save: Save) -> None:
    """A difference in one bit closes the fast path; one in a single format closes it for that format."""
    from mlflow.pyfunc import load_model

    folder = save(TREES["decision tree"].fit(pd.DataFrame(ROWS, columns=COLUMNS), TARGET))
    honest = Scorer(str(folder))

    def by_mlflow(body: bytes) -> bytes:
        text = honest.answer(JSON, body).body
        if lie == "one format" and b"inputs" not in body:
            return text
        first = msgspec.json.decode(text)["predictions"][0]
        return text.replace(repr(first).encode(), repr(float(np.nextafter(first, np.inf))).encode())

    if lie == "last bit":
        with pytest.raises(NoArithmeticError, match="other bytes than MLflow"):
            fast_path(load_model(str(folder)), folder, by_mlflow)
    else:
        assert fast_path(load_model(str(folder)), folder, by_mlflow).proof.endswith(
            "rows in dataframe_split, dataframe_records, instances; with columns beside its own in dataframe_split"
        )


def test_thresholds_are_where_answers_change(fitted: Any) -> None:
    """Each threshold names a feature, and is a number at which the estimator splits: generated rows at it try both sides."""
    found = thresholds(fitted)
    assert {feature for feature, _ in found} <= {0, 1, 2}
    assert len(found) >= 5
    assert all(-10 < threshold < 10 for _, threshold in found)


def test_a_dummy_start_is_part_of_the_arithmetic() -> None:
    estimator = GradientBoostingRegressor(n_estimators=1, init=DummyRegressor(strategy="constant", constant=1000.0), random_state=0)
    estimator.fit(ROWS, TARGET)
    computed = arithmetic(estimator)(ROWS[:5].astype(np.float32).astype(np.float64))
    assert computed.tolist() == estimator.predict(ROWS[:5]).tolist()
