"""The grid search: what `GridSearchCV` answers, in less time.

A boosted model of 100 trees is the first 100 trees of the one with 200. So each combination of the other parameters is fitted once, with
the most trees asked for, and judged at every number of trees on the way: two thirds of the arithmetic, bit-equal scores. Tree building
releases Python's lock, so threads use every core without starting a process.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import cpu_count
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import KFold, ParameterGrid

Number = float | int
Parameters = dict[str, Number]
Grid = Mapping[str, Sequence[Number]]
Report = Callable[[str], None]

DEFAULT_GRID: Grid = {"n_estimators": (100, 200), "max_depth": (3, 5, 7), "learning_rate": (0.05, 0.1)}
FOLDS = 3
SEED = 42
TREES = "n_estimators"
# Parameters under which the first trees of a longer model are those of a shorter one; early stopping is not among them.
TUNABLE = frozenset({TREES, "max_depth", "learning_rate", "min_samples_leaf", "min_samples_split", "subsample", "max_features"})


class GridError(ValueError):
    """The parameter grid cannot be searched."""


@dataclass(frozen=True, slots=True)
class Search:
    """Every combination in `ParameterGrid`'s order, its mean score over the folds (negative MAE), and the best one."""

    candidates: tuple[Parameters, ...]
    scores: tuple[float, ...]

    @property
    def best(self) -> Parameters:
        """The combination with the highest score; of equals, the first."""
        return self.candidates[int(np.argmax(self.scores))]

    @property
    def best_score(self) -> float:
        """The mean score of the best combination."""
        return max(self.scores)


@dataclass(frozen=True, slots=True)
class _Fit:
    fold: int
    parameters: Parameters
    trees: tuple[int, ...]
    """The candidates' numbers of trees, ascending."""


def checked_grid(grid: Grid) -> Grid:
    """Return `grid`, or raise a `GridError` that says what is wrong with it."""
    if not grid:
        raise GridError('parameter grid: is empty; expected an object such as {"n_estimators": [100, 200]}')
    for name, values in grid.items():
        if name not in TUNABLE:
            raise GridError(f"parameter grid: unknown parameter '{name}'; supported: {', '.join(sorted(TUNABLE))}")
        if not isinstance(values, (list, tuple)) or not values or not all(type(value) in (int, float) for value in values):
            raise GridError(f"parameter grid: '{name}' is {values!r}; expected a list with at least one number")
    return grid


def regressor(parameters: Parameters, seed: int = SEED) -> GradientBoostingRegressor:
    """Return the unfitted model; equal rows and an equal seed give equal trees."""
    return GradientBoostingRegressor(random_state=seed, **parameters)


def folds_of(seed: int = SEED) -> KFold:
    """Return how rows are dealt to the folds."""
    return KFold(FOLDS, shuffle=True, random_state=seed)


def search(inputs: pd.DataFrame, target: pd.Series, grid: Grid, *, report: Report, seed: int = SEED, workers: int | None = None) -> Search:
    """Return the scores that `GridSearchCV(regressor(…, seed), grid, cv=folds_of(seed), scoring="neg_mean_absolute_error")` gives.

    Each finished fit is a line of progress, with the time it took so far and the time that is left if the rest goes as fast.
    """
    candidates: list[Parameters] = [dict(candidate) for candidate in ParameterGrid(dict(checked_grid(grid)))]
    x, y = inputs.to_numpy(dtype=np.float64), target.to_numpy(dtype=np.float64)
    folds = list(folds_of(seed).split(x))
    total, done, started = len(candidates) * FOLDS, 0, time.monotonic()
    scores = np.zeros((len(candidates), FOLDS))
    with ThreadPoolExecutor(workers or cpu_count()) as pool:
        waiting = {pool.submit(_fold_scores, fit, x, y, folds[fit.fold], seed): fit for fit in _fits(candidates)}
        for finished in as_completed(waiting):
            fit = waiting[finished]
            for trees, score in finished.result().items():
                scores[_index(candidates, fit.parameters, trees), fit.fold] = score
            done += len(fit.trees)
            spent = time.monotonic() - started
            report(f"grid search {done}/{total} {_words(fit)} ({spent:.0f} s, about {spent / done * (total - done):.0f} s left)")
    means = tuple(float(mean) for mean in scores.mean(axis=1))
    return Search(tuple(candidates), means)


def _fits(candidates: Sequence[Parameters]) -> Iterator[_Fit]:
    """Yield one fit a fold for every combination of the other parameters, the longest first so that no core waits at the end."""
    default = int(GradientBoostingRegressor().get_params()[TREES])
    groups: dict[tuple[tuple[str, Number], ...], set[int]] = {}
    for candidate in candidates:
        others = tuple((name, value) for name, value in candidate.items() if name != TREES)
        groups.setdefault(others, set()).add(int(candidate.get(TREES, default)))
    heaviest = sorted(groups, key=lambda others: dict(others).get("max_depth", 3) * max(groups[others]), reverse=True)
    for others in heaviest:
        for fold in range(FOLDS):
            yield _Fit(fold, dict(others), tuple(sorted(groups[others])))


def _fold_scores(fit: _Fit, x: np.ndarray, y: np.ndarray, fold: tuple[np.ndarray, np.ndarray], seed: int) -> dict[int, float]:
    train, test = fold
    model = regressor(fit.parameters | {TREES: fit.trees[-1]}, seed).fit(x[train], y[train])
    stages = enumerate(model.staged_predict(x[test]), start=1)
    return {trees: -float(np.abs(y[test] - predicted).mean()) for trees, predicted in stages if trees in fit.trees}


def _index(candidates: Sequence[Parameters], parameters: Parameters, trees: int) -> int:
    both = (parameters | {TREES: trees}, parameters)
    return next(index for index, candidate in enumerate(candidates) if candidate in both)


def _words(fit: _Fit) -> str:
    settings = " ".join(f"{name}={value}" for name, value in sorted(fit.parameters.items()))
    return f"{settings} {TREES}={','.join(map(str, fit.trees))} fold {fit.fold + 1}".strip()
