"""The grid search against scikit-learn's own."""

import re
from collections.abc import Callable

import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import GridSearchCV

from taxi_fare_features import feature_frame
from taxi_fare_training.grid import Grid, GridError, checked_grid, folds_of, search
from taxi_fare_training.model import model_inputs

MakeTrips = Callable[[int, int], pd.DataFrame]


@pytest.mark.parametrize(
    "grid",
    [
        pytest.param({"n_estimators": [5, 12], "max_depth": [2, 3], "learning_rate": [0.05, 0.1]}, id="as the task has it"),
        pytest.param({"max_depth": [1, 2]}, id="default number of trees"),
        pytest.param({"n_estimators": [12, 5, 8], "subsample": [0.5, 1.0], "max_features": [2]}, id="trees that use chance"),
    ],
)
def test_scores_and_choice_are_those_of_grid_search_cv(make_trips: MakeTrips, grid: Grid) -> None:
    """Same candidates in the same order, the same bits in every score, the same best parameters."""
    rows = feature_frame(make_trips(200, 3))
    inputs, target = model_inputs(rows), rows["fare_amount"]
    reference = GridSearchCV(GradientBoostingRegressor(random_state=42), dict(grid), cv=folds_of(), scoring="neg_mean_absolute_error")
    reference.fit(inputs.to_numpy(float), target)

    found = search(inputs, target, grid, report=lambda _: None)

    assert list(found.candidates) == reference.cv_results_["params"]
    assert found.scores == pytest.approx(list(reference.cv_results_["mean_test_score"]), rel=1e-15)
    assert found.best == reference.best_params_
    assert found.best_score == pytest.approx(reference.best_score_, rel=1e-15)


def test_progress_counts_every_candidate_in_every_fold(make_trips: MakeTrips) -> None:
    """Two numbers of trees, two depths, three folds: twelve, two at a time."""
    rows = feature_frame(make_trips(60, 3))
    lines: list[str] = []
    search(model_inputs(rows), rows["fare_amount"], {"n_estimators": [2, 3], "max_depth": [1, 2]}, report=lines.append, workers=1)
    assert all(re.fullmatch(r".* \(\d+ s, about \d+ s left\)", line) for line in lines)
    assert [line.partition(" (")[0] for line in lines] == [
        "grid search 2/12 max_depth=2 n_estimators=2,3 fold 1",
        "grid search 4/12 max_depth=2 n_estimators=2,3 fold 2",
        "grid search 6/12 max_depth=2 n_estimators=2,3 fold 3",
        "grid search 8/12 max_depth=1 n_estimators=2,3 fold 1",
        "grid search 10/12 max_depth=1 n_estimators=2,3 fold 2",
        "grid search 12/12 max_depth=1 n_estimators=2,3 fold 3",
    ]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        pytest.param({}, "is empty", id="empty"),
        pytest.param({"depth": [3]}, "unknown parameter 'depth'; supported: learning_rate, max_depth", id="unknown"),
        pytest.param({"max_depth": 3}, "'max_depth' is 3; expected a list", id="no list"),
        pytest.param({"max_depth": []}, "expected a list with at least one number", id="no value"),
        pytest.param({"max_depth": ["3"]}, "expected a list with at least one number", id="text"),
        pytest.param({"max_depth": [True]}, "expected a list with at least one number", id="boolean"),
    ],
)
def test_a_bad_grid_is_refused_with_what_is_wrong(grid: Grid, message: str) -> None:
    """The error names the parameter and what was expected."""
    with pytest.raises(GridError, match=message):
        checked_grid(grid)
