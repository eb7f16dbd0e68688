"""The train task: source table → feature table → frozen evaluation set → best model of the grid → MLflow run."""

import json
import time
from dataclasses import dataclass

from taxi_fare_features import KEY
from taxi_fare_training.grid import Grid, Report, checked_grid
from taxi_fare_training.model import Metrics, fit, measure, model_inputs
from taxi_fare_training.ports import LoggedModel, Tables, TableVersion, TaskValues, TrainingLog

EVALUATION_SET_TAG = "evaluation_set"
EVALUATION_VERSION_TAG = "evaluation_set_version"
EXAMPLE_ROWS = 5


@dataclass(frozen=True, slots=True)
class Trained:
    """What the train task has made."""

    logged: LoggedModel
    metrics: Metrics


def train(source_table: str, grid: Grid, *, tables: Tables, log: TrainingLog, values: TaskValues, report: Report) -> Trained:
    """Fit the best model of `grid` on the training rows, judge it on the evaluation set, log it and publish the run."""
    checked_grid(grid)
    tables.prepare()
    report(f"features {source_table} …")
    features = tables.refresh_features(source_table)
    evaluation_set = tables.freeze_evaluation_set()
    training, evaluation = tables.training_rows(features), tables.evaluation_rows(evaluation_set)
    report(f"features {len(training)} rows to train on, {len(evaluation)} in {evaluation_set.name} version {evaluation_set.version}")
    started = time.perf_counter()
    fitted = fit(training, grid, report=report)
    seconds = time.perf_counter() - started
    report(f"grid search best {json.dumps(fitted.parameters)} MAE {-fitted.search.best_score:.3f} over the folds, {seconds:.1f} s")
    metrics = measure(fitted.model.predict, evaluation)
    example = model_inputs(evaluation.sort_values(KEY).head(EXAMPLE_ROWS))
    tags = _tags(source_table, features, evaluation_set, rows=len(training))
    logged = log.log_training(fitted, metrics, example=example, tags=tags)
    report(f"run {logged.run_id} test_mae {metrics.mae:.3f} test_rmse {metrics.rmse:.3f} test_r2 {metrics.r2:.3f}")
    values.set("run_id", logged.run_id)
    values.set("model_uri", logged.model_uri)
    values.set("test_mae", metrics.mae)
    return Trained(logged, metrics)


def _tags(source_table: str, features: TableVersion, evaluation_set: TableVersion, *, rows: int) -> dict[str, str]:
    return {
        "source_table": source_table,
        "feature_table": features.name,
        "feature_table_version": str(features.version),
        "training_rows": str(rows),
        EVALUATION_SET_TAG: evaluation_set.name,
        EVALUATION_VERSION_TAG: str(evaluation_set.version),
    }
