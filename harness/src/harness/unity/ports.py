"""What Unity Catalog tells others, and what it asks them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.names import FullName

CatalogCreated = Callable[[str], None]  # Spark must be told: it lists only catalogs it has met
RunSql = Callable[[str], None]  # Spark carries a statement out, or the platform's error says why not
TableDropped = Callable[[FullName], None]  # Spark must forget what it has cached under the name
ModelsChanged = Callable[[], None]  # workers must let go of what they have loaded: an alias may point elsewhere


@dataclass(frozen=True, slots=True)
class LoggedParam:
    """A parameter of a logged model."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class LoggedMetric:
    """A metric of a logged model, as both dialects of the registry write it."""

    key: str
    value: float
    timestamp: int = 0
    step: int = 0
    dataset_name: str = ""
    dataset_digest: str = ""
    model_id: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """What MLflow knows of a model that versions were registered from."""

    params: tuple[LoggedParam, ...] = ()
    metrics: tuple[LoggedMetric, ...] = ()

    def rendered(self) -> dict[str, object]:
        """Return the fields of a version that show it, in both dialects."""
        params = [{"name": param.key, "value": param.value} for param in self.params]
        return {"model_params": params, "model_metrics": list(self.metrics)}


LoggedModels = Callable[[str], LoggedModel]  # by the id of the model


@dataclass(frozen=True, slots=True)
class DeploymentRun:
    """A run of a model's deployment job: where it stands, and the task it is at or ended with."""

    state: Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED"]
    task: str


class DeploymentJobs(Protocol):
    """Jobs as the registry sees them."""

    def parameters(self, job_id: str) -> Collection[str] | None:
        """Return the names of a job's parameters, or None when there is no such job."""
        ...

    def start(self, job_id: str, parameters: Mapping[str, str], user: str) -> str:
        """Begin a run as `user` and return its id, empty when the job cannot run."""
        ...

    def run(self, run_id: str) -> DeploymentRun | None:
        """Return a run, or None when there is no such run (any more)."""
        ...


class NoJobs:
    """Where there is no Jobs service."""

    def parameters(self, job_id: str) -> Collection[str] | None:  # noqa: ARG002 - the protocol's
        """Return None: there is no job."""
        return None

    def start(self, job_id: str, parameters: Mapping[str, str], user: str) -> str:  # noqa: ARG002 - the protocol's
        """Return that nothing was begun."""
        return ""

    def run(self, run_id: str) -> DeploymentRun | None:  # noqa: ARG002 - the protocol's
        """Return None: there is no run."""
        return None
