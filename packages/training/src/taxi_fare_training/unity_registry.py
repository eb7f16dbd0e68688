"""Registered models, through the MLflow client."""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from taxi_fare_features import MODEL_TYPES
from taxi_fare_training.grid import Report
from taxi_fare_training.model import Predict

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

Result = TypeVar("Result")

ATTEMPTS = 6
FIRST_PAUSE = 1.0
# Error codes after which the same request may well succeed; the registry's answer to a wrong name or a missing right is none of them.
TRANSIENT = frozenset(
    {"TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL_ERROR", "DEADLINE_EXCEEDED", "ABORTED"}
)


class UnusableModelError(ValueError):
    """A registered model cannot be compared: it does not say what it takes, or takes what there is not."""


def predict_function(model: "PyFuncModel", where: str) -> Predict:
    """Return how `model`, which was loaded from `where`, predicts; its signature must ask for features only."""
    inputs = model.metadata.get_input_schema()
    if inputs is None:
        raise UnusableModelError(f"{where}: has no signature; expected inputs among {', '.join(MODEL_TYPES)}; log it with one")
    unknown = [name for name in inputs.required_input_names() if name not in MODEL_TYPES]
    if unknown:
        raise UnusableModelError(
            f"{where}: takes {', '.join(map(str, unknown))}, which the feature table does not have; "
            "let a version of the present features carry the alias, or none"
        )
    predict: Predict = model.predict
    return predict


def with_back_off(
    load: Callable[[], Result],
    *,
    report: Report,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> Result:
    """Return `load()`, tried again after 1, 2, 4, 8 and 16 seconds (each up to half as long again) while it fails for a passing reason."""
    from databricks.sdk.errors import DeadlineExceeded, InternalError, TemporarilyUnavailable, TooManyRequests
    from mlflow.exceptions import MlflowException

    for attempt in range(ATTEMPTS):
        try:
            return load()
        except (MlflowException, ConnectionError, TemporarilyUnavailable, TooManyRequests, InternalError, DeadlineExceeded) as error:
            lasting = isinstance(error, MlflowException) and error.error_code not in TRANSIENT
            if lasting or attempt == ATTEMPTS - 1:
                raise
            pause = FIRST_PAUSE * 2**attempt * (1 + jitter() / 2)
            report(f"loading failed ({error}); attempt {attempt + 2} of {ATTEMPTS} in {pause:.1f} s")
            sleep(pause)
    raise AssertionError("every attempt returns or raises")


class Client(Protocol):
    """What is needed of an `MlflowClient`."""

    def get_model_version_by_alias(self, name: str, alias: str) -> Any:  # noqa: D102 - MLflow's
        ...

    def search_model_versions(self, filter_string: str, *, page_token: str | None = None) -> Any:  # noqa: D102 - MLflow's
        ...

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:  # noqa: D102 - MLflow's
        ...

    def delete_registered_model_alias(self, name: str, alias: str) -> None:  # noqa: D102 - MLflow's
        ...


class UnityRegistry:
    """`Registry` on Unity Catalog; the registry is the one that MLflow's own configuration names."""

    def __init__(self, *, client: Client, report: Report) -> None:
        self._client = client
        self._report = report

    def register(self, model_uri: str, name: str) -> str:
        """Return the version of `name` that the logged model is; made now, with `name` when that is new, unless a former try has."""
        import mlflow

        known = [found.version for found in self._versions(name) if found.source == model_uri]
        return str(max(known, key=int) if known else mlflow.register_model(model_uri, name).version)

    def version_with_alias(self, name: str, alias: str) -> str | None:
        """Return the version that carries the alias, or None when the registry says that none does; any other error is raised."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self._client.get_model_version_by_alias(name, alias).version)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def set_alias(self, name: str, alias: str, *, version: str) -> None:
        """Let `version`, and no other, carry the alias."""
        self._client.set_registered_model_alias(name, alias, version)

    def remove_alias(self, name: str, alias: str) -> None:
        """Let no version carry the alias."""
        if self.version_with_alias(name, alias) is not None:
            self._client.delete_registered_model_alias(name, alias)

    def load(self, name: str, version: str) -> Predict:
        """Return the predict function of a version, as a served model would have it."""
        import mlflow.pyfunc

        where = f"models:/{name}/{version}"
        return predict_function(with_back_off(partial(mlflow.pyfunc.load_model, where), report=self._report), where)

    def _versions(self, name: str) -> list[Any]:
        """Return all versions of a model, none when there is no such model; the registry tells of them page by page."""
        from mlflow.exceptions import MlflowException

        found: list[Any] = []
        token: str | None = None
        while True:
            try:
                page = self._client.search_model_versions(f"name='{name}'", page_token=token)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return found
            found.extend(page)
            token = page.token
            if not token:
                return found
