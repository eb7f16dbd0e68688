"""What Unity Catalog tells others, and what it asks them."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.names import FullName

CatalogCreated = Callable[[str], None]  # Spark must be told: it lists only catalogs it has met
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
