"""MLflow runs and registered models, through the official client and its own choice of servers."""

import json
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import pandas as pd

from taxi_fare_features import MODEL_TYPES
from taxi_fare_training.model import Fitted, Metrics
from taxi_fare_training.ports import LoggedModel, RecordedRows

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.models import ModelSignature


_LONGEST_DIGEST = 36  # of a dataset in MLflow's store


def pinned_requirements() -> list[str]:
    """Return what the model needs to load, at the versions it was made with.

    Given to MLflow so that it does not look for them itself, which takes it forty times as long as logging the model.
    """
    return [_mlflow(), *[f"{name}=={version(name)}" for name in ("cloudpickle", "numpy", "pandas", "scikit-learn")]]


def _mlflow() -> str:
    """Return the pin of the MLflow distribution that is installed: the small one, where that is enough, or the whole."""
    try:
        return f"mlflow=={version('mlflow')}"
    except PackageNotFoundError:
        return f"mlflow-skinny=={version('mlflow-skinny')}"


def signature() -> "ModelSignature":
    """Return the model's signature: the feature columns in, a double out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = Schema([ColSpec(kind, name) for name, kind in MODEL_TYPES.items()])
    return ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double")]))


class MlflowLog:
    """`TrainingLog` in one experiment, which is created when it is new."""

    def __init__(self, *, experiment: str, run_name: str) -> None:
        self._experiment = experiment
        self._run_name = run_name

    def log_training(
        self, fitted: Fitted, metrics: Metrics, *, example: pd.DataFrame, tags: Mapping[str, str], data: Sequence[RecordedRows]
    ) -> LoggedModel:
        """Log one run: best parameters, metrics on the evaluation set, the tables' versions, tags, and the model with its signature."""
        import mlflow
        import mlflow.sklearn

        mlflow.set_experiment(self._experiment)
        with mlflow.start_run(run_name=self._run_name, tags=dict(tags)) as run:
            mlflow.log_params({**fitted.parameters, "seed": fitted.seed})
            mlflow.log_metrics(
                {"folds_mae": -fitted.search.best_score, "test_mae": metrics.mae, "test_rmse": metrics.rmse, "test_r2": metrics.r2}
            )
            mlflow.log_dict(_search_table(fitted), "grid_search.json")
            for rows in data:
                mlflow.log_input(_dataset(rows), context=rows.use)
            info = mlflow.sklearn.log_model(
                fitted.model,
                name="model",
                signature=signature(),
                input_example=example,
                pip_requirements=pinned_requirements(),
                # Trees cannot be written in MLflow's other format without naming every type in them as trusted.
                serialization_format="cloudpickle",
            )
        return LoggedModel(run.info.run_id, info.model_uri)


class MlflowRuns:
    """`Runs` on the tracking server."""

    def tags(self, run_id: str) -> Mapping[str, str]:
        """Return a run's tags."""
        from mlflow import MlflowClient

        tags: Mapping[str, str] = MlflowClient().get_run(run_id).data.tags
        return tags

    def record(self, run_id: str, *, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Add metrics and tags to a finished run, in one request."""
        from mlflow import MlflowClient
        from mlflow.entities import Metric, RunTag

        now = int(time.time() * 1000)
        values = [Metric(name, value, now, 0) for name, value in metrics.items()]
        MlflowClient().log_batch(run_id, metrics=values, tags=[RunTag(name, value) for name, value in tags.items()])

    def attach(self, run_id: str, *, decision: Mapping[str, object], picture: "Figure | None") -> None:
        """Add the gate's decision to a run's artifacts: `gate.json`, and `gate.png` when there was a Champion to compare with."""
        from mlflow import MlflowClient

        client = MlflowClient()
        client.log_dict(run_id, dict(decision), "gate.json")
        if picture is not None:
            client.log_figure(run_id, picture, "gate.png")


def _dataset(rows: RecordedRows) -> "MetaDataset":
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = DeltaDatasetSource(delta_table_name=rows.table.name, delta_table_version=rows.table.version)
    return MetaDataset(source, name=rows.table.name, digest=rows.hash[:_LONGEST_DIGEST])


def _search_table(fitted: Fitted) -> dict[str, object]:
    rows = [{**candidate, "mae": -score} for candidate, score in zip(fitted.search.candidates, fitted.search.scores, strict=True)]
    return {"candidates": json.loads(json.dumps(rows)), "training_rows": fitted.rows}
