"""The arithmetic of scikit-learn's tree regressors, without the checks of their inputs: the same C loops, the same bits.

Only estimators whose every row is computed from that row alone are here (trees are walked row by row), so that rows of several
requests may be computed in one go. Linear models, for one, are not: a matrix product's last bits depend on how many rows it has.
"""

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Arithmetic = Callable[[Numbers], Numbers]
"""Rows in, one prediction a row out. The numbers are finite, and smaller than `TOO_LARGE`: scikit-learn refuses others."""
TOO_LARGE = (2.0 - 2.0**-24) * 2.0**127  # the first number that rounds to infinity as a float32, which trees compare


class NoArithmeticError(Exception):
    """Why there is no arithmetic for a model."""


def arithmetic(estimator: Any) -> Arithmetic:
    """Return what computes the estimator's `predict`, or raise `NoArithmeticError` that says why not.

    The type must be exactly one of those below: a subclass may predict otherwise.
    """
    kind = f"{type(estimator).__module__.partition('.')[0]}.{type(estimator).__name__}"
    make = _KINDS.get(kind)
    if make is None:
        raise NoArithmeticError(f"there is no arithmetic for {kind}; there is for {', '.join(sorted(_KINDS))}")
    if getattr(estimator, "n_outputs_", 1) != 1:
        raise NoArithmeticError(f"{kind} predicts {estimator.n_outputs_} outputs")
    return make(estimator)


def _gradient_boosting(estimator: Any) -> Arithmetic:
    from sklearn.ensemble._gradient_boosting import predict_stages

    if isinstance(estimator.init_, str):
        start = 0.0
    elif type(estimator.init_).__name__ == "DummyRegressor":
        start = float(estimator.init_.constant_.ravel()[0])
    else:
        raise NoArithmeticError("GradientBoostingRegressor starts from an estimator of its own (init)")
    trees, rate = estimator.estimators_, estimator.learning_rate

    def compute(rows: Numbers) -> Numbers:
        sums = np.empty((len(rows), 1))
        sums.fill(start)
        predict_stages(trees, rows.astype(np.float32), rate, sums)
        return sums.ravel()

    return compute


def _forest(estimator: Any) -> Arithmetic:
    if estimator.n_jobs not in (None, 1):
        raise NoArithmeticError(f"n_jobs={estimator.n_jobs}: the order of its sums is not fixed; fit it with n_jobs=None")
    trees = [tree.tree_ for tree in estimator.estimators_]

    def compute(rows: Numbers) -> Numbers:
        singles = rows.astype(np.float32)
        sums = np.zeros(len(rows))
        for tree in trees:
            sums += tree.predict(singles)[:, 0]
        sums /= len(trees)
        return sums

    return compute


def _tree(estimator: Any) -> Arithmetic:
    tree = estimator.tree_

    def compute(rows: Numbers) -> Numbers:
        return np.ascontiguousarray(tree.predict(rows.astype(np.float32))[:, 0])

    return compute


def _histogram_gradient_boosting(estimator: Any) -> Arithmetic:
    if estimator.is_categorical_ is not None:
        raise NoArithmeticError("HistGradientBoostingRegressor with categorical features")
    if estimator.loss not in ("squared_error", "absolute_error", "quantile"):
        raise NoArithmeticError(f"HistGradientBoostingRegressor(loss='{estimator.loss}') transforms its sums")
    categories, features = estimator._bin_mapper.make_known_categories_bitsets()  # noqa: SLF001 - scikit-learn's own predict does this
    predictors = [predictors[0] for predictors in estimator._predictors]  # noqa: SLF001 - the same
    baseline = estimator._baseline_prediction  # noqa: SLF001 - the same

    def compute(rows: Numbers) -> Numbers:
        sums = np.zeros((len(rows), 1), dtype=baseline.dtype, order="F")
        sums += baseline
        for predictor in predictors:
            sums[:, 0] += predictor.predict(rows, categories, features, 1)
        return sums.ravel()

    return compute


_KINDS: Mapping[str, Callable[[Any], Arithmetic]] = {
    "sklearn.GradientBoostingRegressor": _gradient_boosting,
    "sklearn.RandomForestRegressor": _forest,
    "sklearn.ExtraTreesRegressor": _forest,
    "sklearn.DecisionTreeRegressor": _tree,
    "sklearn.ExtraTreeRegressor": _tree,
    "sklearn.HistGradientBoostingRegressor": _histogram_gradient_boosting,
}


def thresholds(estimator: Any) -> list[tuple[int, float]]:
    """Return (feature, threshold) of the splits of a tree estimator: the numbers at which its answers change."""
    found: list[tuple[int, float]] = []
    if hasattr(estimator, "_predictors"):
        for predictor in (predictor for predictors in estimator._predictors for predictor in predictors):  # noqa: SLF001 - no public way
            inner = predictor.nodes[predictor.nodes["is_leaf"] == 0]
            found += zip(inner["feature_idx"].tolist(), inner["num_threshold"].tolist(), strict=True)
        return found
    trees = np.ravel(estimator.estimators_) if hasattr(estimator, "estimators_") else [estimator]
    for tree in (fitted.tree_ for fitted in trees):
        inner = tree.children_left >= 0
        found += zip(tree.feature[inner].tolist(), tree.threshold[inner].tolist(), strict=True)
    return found


def is_available() -> bool:
    """Return whether the environment has what the fast path reads JSON with."""
    return all(importlib.util.find_spec(name) is not None for name in ("msgspec", "orjson"))
