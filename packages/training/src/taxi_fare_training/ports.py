"""What the tasks need from the platform."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from taxi_fare_training.model import Fitted, Metrics, Predict

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


@dataclass(frozen=True, slots=True)
class RecordedRows:
    """Rows of a table version, for what they were used, how many, and their `row_hash`."""

    table: TableVersion
    use: str
    count: int
    hash: str

    def tags(self, name: str) -> dict[str, str]:
        """Return what a run says of them, under names that begin with `name`."""
        return {
            name: self.table.name,
            f"{name}_version": str(self.table.version),
            f"{name}_rows": str(self.count),
            f"{name}_hash": self.hash,
        }


class Tables(Protocol):
    """The feature table, the evaluation set and the baseline."""

    def prepare(self) -> None:
        """Create the schema and the volume unless they exist."""

    def refresh_features(self, source_table: str) -> TableVersion:
        """Add the trips that the feature table does not hold yet."""

    def freeze_evaluation_set(self) -> TableVersion | None:
        """Return the evaluation set, made of the feature table's test rows when there is none yet; None when there are none of these."""

    def training_rows(self, features: TableVersion) -> pd.DataFrame:
        """Return key, features and label of the rows to train on."""

    def evaluation_rows(self, evaluation_set: TableVersion) -> pd.DataFrame:
        """Return key, features and label of the evaluation set at its version; a `ChangedRowsError` when it cannot be read any more."""

    def write_baseline(self, evaluation_set: TableVersion, predictions: pd.DataFrame, *, version: str) -> None:
        """Make the baseline table: the evaluation set's rows with the `prediction` of this model version for each key."""


class TrainingLog(Protocol):
    """The experiment that training runs are logged to."""

    def log_training(
        self, fitted: Fitted, metrics: Metrics, *, example: pd.DataFrame, tags: Mapping[str, str], data: Sequence[RecordedRows]
    ) -> LoggedModel:
        """Log a run with parameters, metrics, tags, the rows it was made and judged with, and the model."""


class Runs(Protocol):
    """Runs that are finished."""

    def tags(self, run_id: str) -> Mapping[str, str]:
        """Return a run's tags."""

    def record(self, run_id: str, *, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Add metrics and tags to a finished run."""

    def attach(self, run_id: str, *, decision: Mapping[str, object], picture: "Figure | None") -> None:
        """Add the gate's decision and its picture to the files of a run."""


class Registry(Protocol):
    """Registered models in Unity Catalog."""

    def register(self, model_uri: str, name: str) -> str:
        """Return the version that the logged model is, after making it one unless it is already."""

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
