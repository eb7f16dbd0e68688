"""What the tasks need from the platform."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from taxi_fare_training.model import Fitted, Metrics, Predict


@dataclass(frozen=True, slots=True)
class TableVersion:
    """A Delta table as it was at one version: rows that never change."""

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model that an MLflow run has logged."""

    run_id: str
    model_uri: str


class Tables(Protocol):
    """The feature table and the evaluation set."""

    def prepare(self) -> None:
        """Create the schema and the volume unless they exist."""

    def refresh_features(self, source_table: str) -> TableVersion:
        """Add the trips that the feature table does not hold yet."""

    def freeze_evaluation_set(self) -> TableVersion:
        """Return the evaluation set, made of the feature table's test rows when there is none yet."""

    def training_rows(self, features: TableVersion) -> pd.DataFrame:
        """Return key, features and label of the rows to train on."""

    def evaluation_rows(self, evaluation_set: TableVersion) -> pd.DataFrame:
        """Return key, features and label of the evaluation set at its version."""


class TrainingLog(Protocol):
    """The experiment that training runs are logged to."""

    def log_training(self, fitted: Fitted, metrics: Metrics, *, example: pd.DataFrame, tags: Mapping[str, str]) -> LoggedModel:
        """Log a run with parameters, metrics, tags and the model."""


class Runs(Protocol):
    """Runs that are finished."""

    def tags(self, run_id: str) -> Mapping[str, str]:
        """Return a run's tags."""

    def record(self, run_id: str, *, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Add metrics and tags to a finished run."""


class Registry(Protocol):
    """Registered models in Unity Catalog."""

    def register(self, model_uri: str, name: str) -> str:
        """Make the logged model a new version and return its number."""

    def version_with_alias(self, name: str, alias: str) -> str | None:
        """Return the version that carries the alias; None only when the registry says that none does."""

    def set_alias(self, name: str, alias: str, *, version: str) -> None:
        """Let `version`, and no other, carry the alias."""

    def remove_alias(self, name: str, alias: str) -> None:
        """Let no version carry the alias; none is fine already."""

    def load(self, name: str, version: str) -> Predict:
        """Return the version's predict function."""


class TaskValues(Protocol):
    """What one task of a job run tells the next."""

    def set(self, key: str, value: str | float | bool) -> None:  # noqa: FBT001 - a value, not a flag
        """Publish a value of this task."""

    def get(self, task_key: str, key: str) -> str:
        """Return a value that a former task has published."""
