"""The console scripts `train` and `validate`: read the arguments, choose the real ports, run the task."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from taxi_fare_training.gate import MINIMUM_EFFECT
from taxi_fare_training.grid import DEFAULT_GRID, SEED, Grid, GridError, checked_grid
from taxi_fare_training.names import Names

if TYPE_CHECKING:
    from taxi_fare_training.spark_tables import SparkTables

LARGEST_SEED = 2**32 - 1  # that scikit-learn takes


def train(arguments: Sequence[str] | None = None) -> None:
    """Train the fare model: features, evaluation set, grid search, MLflow run."""
    parser = _parser("train", "Fit the best model of a parameter grid, judge it on the frozen evaluation set, log it to MLflow.")
    parser.add_argument("--source-table", required=True, help="table of trips, catalog.schema.table")
    parser.add_argument("--experiment", required=True, help="path of the MLflow experiment")
    parser.add_argument("--seed", type=_seed, default=SEED, help="of the model and the folds (default: %(default)s)")
    parser.add_argument("--parameter-grid", type=_grid, default=DEFAULT_GRID, metavar="JSON", help='e.g. {"max_depth": [3, 5]}')
    options = parser.parse_args(arguments)

    from taxi_fare_training import train as task
    from taxi_fare_training.mlflow_runs import MlflowLog
    from taxi_fare_training.task_values import DbutilsTaskValues

    names = _names(options)
    log = MlflowLog(experiment=options.experiment, run_name=names.model_name)
    tables = _tables(names)
    values = DbutilsTaskValues()
    task.train(options.source_table, options.parameter_grid, tables=tables, log=log, values=values, report=report, seed=options.seed)


def validate(arguments: Sequence[str] | None = None) -> None:
    """Register the trained model and let it challenge the Champion if it is better."""
    parser = _parser("validate", "Register the trained model and compare it with the Champion on the frozen evaluation set.")
    parser.add_argument("--train-task", default="train", help="key of the task that trained the model (default: %(default)s)")
    effect = "least improvement that counts, as a share of the Champion's MAE (default: %(default)s)"
    parser.add_argument("--minimum-effect", type=_share, default=MINIMUM_EFFECT, help=effect)
    parser.add_argument("--seed", type=_seed, default=SEED, help="of the bootstrap (default: %(default)s)")
    options = parser.parse_args(arguments)

    from mlflow import MlflowClient

    from taxi_fare_training import validate as task
    from taxi_fare_training.mlflow_runs import MlflowRuns
    from taxi_fare_training.task_values import DbutilsTaskValues
    from taxi_fare_training.unity_registry import UnityRegistry

    names = _names(options)
    task.validate(
        names.model,
        options.train_task,
        tables=_tables(names),
        runs=MlflowRuns(),
        registry=UnityRegistry(client=MlflowClient(), report=report),
        values=DbutilsTaskValues(),
        report=report,
        minimum_effect=options.minimum_effect,
        seed=options.seed,
    )


def report(line: str) -> None:
    """Write a line of progress that is seen at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--catalog", required=True, help="catalog of all tables and the model")
    parser.add_argument("--schema", required=True, help="schema of all tables and the model; created when it is missing")
    parser.add_argument("--model-name", default="fare_predictor_model", help="the registered model in it (default: %(default)s)")
    return parser


def _names(options: argparse.Namespace) -> Names:
    return Names(options.catalog, options.schema, options.model_name)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"is {text}; expected a whole number from 0 to {LARGEST_SEED}")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"is {text}; expected a share from 0 to 1")
    return share


def _grid(text: str) -> Grid:
    try:
        grid = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"is not JSON ({error}); expected an object such as {json.dumps(DEFAULT_GRID)}") from error
    if not isinstance(grid, dict):
        raise argparse.ArgumentTypeError(f"is {text}; expected an object such as {json.dumps(DEFAULT_GRID)}")
    try:
        return checked_grid(grid)
    except GridError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _tables(names: Names) -> "SparkTables":
    from databricks.sdk import WorkspaceClient
    from pyspark.sql import SparkSession

    from taxi_fare_training.spark_tables import SparkTables

    return SparkTables(spark=SparkSession.builder.getOrCreate(), workspace=WorkspaceClient(), names=names)
