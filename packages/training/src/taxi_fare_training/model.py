"""Rows in, fitted and judged model out; no effect."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor

from taxi_fare_features import KEY, MODEL_TYPES, TARGET, filter_sql
from taxi_fare_training.grid import SEED, Grid, Parameters, Report, Search, regressor, search

Predict = Callable[[pd.DataFrame], np.ndarray]

# What the model is sent: DOUBLE for distances, LONG for the rest, so that no FLOAT ever stands where a DOUBLE is meant.
INPUT_TYPES = {name: {"double": "float64", "long": "int64"}[kind] for name, kind in MODEL_TYPES.items()}


class NoRowsError(ValueError):
    """A data set that the task needs is empty."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """How far predictions are from the fares, in dollars; R² besides."""

    mae: float
    rmse: float
    r2: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """The refitted best model and the search that found it."""

    model: GradientBoostingRegressor
    search: Search
    rows: int
    seed: int = SEED

    @property
    def parameters(self) -> Parameters:
        """The best parameters."""
        return self.search.best


def check_rows(rows: pd.DataFrame, what: str) -> None:
    """Raise a `NoRowsError` that names `what` when there is no row, or one without a label."""
    if rows.empty:
        raise NoRowsError(f"{what}: has no rows; expected trips with {filter_sql()}; check the source table")
    unlabelled = int(rows[TARGET].isna().sum())
    if unlabelled:
        raise NoRowsError(f"{what}: {unlabelled} of {len(rows)} rows have no {TARGET}; expected a label on each; remove or label them")


def in_key_order(rows: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return the rows, which `check_rows`, sorted by key: the order in which a table hands them out never matters."""
    check_rows(rows, what)
    return rows.sort_values(KEY, ignore_index=True)


def model_inputs(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the feature columns with the types of the model's signature."""
    return rows[list(INPUT_TYPES)].astype(INPUT_TYPES)


def fit(rows: pd.DataFrame, grid: Grid, *, report: Report, seed: int = SEED, workers: int | None = None) -> Fitted:
    """Return the best model of the grid, refitted on all of `rows`: it depends on the set of rows, the grid and the seed alone."""
    ordered = in_key_order(rows, "training rows")
    inputs, target = model_inputs(ordered), ordered[TARGET]
    found = search(inputs, target, grid, report=report, seed=seed, workers=workers)
    return Fitted(regressor(found.best, seed).fit(inputs, target), found, len(ordered), seed)


def predictions(predict: Predict, rows: pd.DataFrame, model: str = "model") -> np.ndarray:
    """Return the predicted fare of each row; an answer that is not one finite number a row is an error that names `model`."""
    answers = np.asarray(predict(model_inputs(rows)), dtype=np.float64)
    expected = "expected one finite number a row; see what it was trained on"
    if answers.shape != (len(rows),):
        raise ValueError(f"{model}: answered with shape {answers.shape} to {len(rows)} rows; {expected}")
    unusable = int((~np.isfinite(answers)).sum())
    if unusable:
        raise ValueError(f"{model}: answered NaN or infinity to {unusable} of {len(rows)} rows; {expected}")
    return answers


def errors(predicted: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    """Return predicted minus actual fare for each row."""
    difference: np.ndarray = predicted - rows[TARGET].to_numpy(dtype=np.float64)
    return difference


def measure(predict: Predict, rows: pd.DataFrame) -> Metrics:
    """Return the metrics of a model on `rows`."""
    ordered = in_key_order(rows, "evaluation set")
    wrong = errors(predictions(predict, ordered), ordered)
    fares = ordered[TARGET].to_numpy(dtype=np.float64)
    spread = float(((fares - fares.mean()) ** 2).sum())
    squared = float((wrong**2).sum())
    r2 = 1 - squared / spread if spread > 0 else float("nan")
    return Metrics(mae=float(np.abs(wrong).mean()), rmse=(squared / len(wrong)) ** 0.5, r2=r2)


def fit_and_measure(training: pd.DataFrame, evaluation: pd.DataFrame, grid: Grid, *, report: Report) -> tuple[Fitted, Metrics]:
    """Return what the train task computes, and nothing around it: grid search, refit, scoring of the evaluation set."""
    fitted = fit(training, grid, report=report)
    return fitted, measure(fitted.model.predict, evaluation)
