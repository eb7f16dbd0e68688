"""The train task: source table → feature table → frozen evaluation set → best model of the grid → MLflow run."""

import json
import time
from dataclasses import dataclass

import pandas as pd

from taxi_fare_features import KEY
from taxi_fare_training.evidence import row_hash
from taxi_fare_training.grid import SEED, Grid, Report, checked_grid
from taxi_fare_training.model import Metrics, NoRowsError, check_rows, fit, measure, model_inputs
from taxi_fare_training.ports import LoggedModel, RecordedRows, Tables, TableVersion, TaskValues, TrainingLog

TRAINING_TABLE_TAG = "feature_table"
EVALUATION_SET_TAG = "evaluation_set"
EXAMPLE_ROWS = 5


@dataclass(frozen=True, slots=True)
class Trained:
    """What the train task has made."""

    logged: LoggedModel
    metrics: Metrics


def train(
    source_table: str, grid: Grid, *, tables: Tables, log: TrainingLog, values: TaskValues, report: Report, seed: int = SEED
) -> Trained:
    """Fit the best model of `grid` on the training rows, judge it on the evaluation set, log it and publish the run."""
    checked_grid(grid)
    tables.prepare()
    report(f"features {source_table} …")
    features = tables.refresh_features(source_table)
    training = tables.training_rows(features)
    check_rows(training, f"{features.name} of {source_table}, split 'train'")
    evaluation_set = _frozen(tables, f"{features.name} of {source_table}")
    evaluation = tables.evaluation_rows(evaluation_set)
    check_rows(evaluation, f"{evaluation_set.name} version {evaluation_set.version}")
    report(f"features {len(training)} rows to train on, {len(evaluation)} in {evaluation_set.name} version {evaluation_set.version}")
    started = time.perf_counter()
    fitted = fit(training, grid, report=report, seed=seed)
    seconds = time.perf_counter() - started
    report(f"grid search best {json.dumps(fitted.parameters)} MAE {-fitted.search.best_score:.3f} over the folds, {seconds:.1f} s")
    metrics = measure(fitted.model.predict, evaluation)
    example = model_inputs(evaluation.sort_values(KEY).head(EXAMPLE_ROWS))
    recorded = [_recorded(features, "train", training), _recorded(evaluation_set, "evaluate", evaluation)]
    tags = {"source_table": source_table, **recorded[0].tags(TRAINING_TABLE_TAG), **recorded[1].tags(EVALUATION_SET_TAG)}
    logged = log.log_training(fitted, metrics, example=example, tags=tags, data=recorded)
    report(f"run {logged.run_id} test_mae {metrics.mae:.3f} test_rmse {metrics.rmse:.3f} test_r2 {metrics.r2:.3f}")
    values.set("run_id", logged.run_id)
    values.set("model_uri", logged.model_uri)
    values.set("test_mae", metrics.mae)
    return Trained(logged, metrics)


def _frozen(tables: Tables, where: str) -> TableVersion:
    """Return the evaluation set; one without rows is never frozen, else no later run could be judged."""
    evaluation_set = tables.freeze_evaluation_set()
    if evaluation_set is None:
        raise NoRowsError(f"{where}, split 'test': has no rows; about a fifth of all trips are kept to judge on; give it more trips")
    return evaluation_set


def _recorded(table: TableVersion, use: str, rows: pd.DataFrame) -> RecordedRows:
    return RecordedRows(table, use, len(rows), row_hash(rows))
