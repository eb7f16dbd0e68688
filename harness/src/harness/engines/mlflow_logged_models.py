"""What the MLflow server knows of a logged model: its parameters and metrics, for the versions that were registered from it."""

import threading
from collections.abc import Callable

import httpx
import msgspec

from harness.errors import ApiError, UserError
from harness.unity.ports import LoggedMetric, LoggedModel, LoggedParam

TIMEOUT_SECONDS = 30.0


class _Data(msgspec.Struct, frozen=True):
    params: list[LoggedParam] = []
    metrics: list[LoggedMetric] = []


class _Model(msgspec.Struct, frozen=True):
    data: _Data = _Data()


class _Answer(msgspec.Struct, frozen=True):
    model: _Model


class LoggedModels:
    """Asks the server at each call: what is logged later is seen too. `url` is where it is then."""

    def __init__(self, *, url: Callable[[], str]) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def __call__(self, model_id: str) -> LoggedModel:
        """Return what is logged of a model: nothing where there is none (any more)."""
        try:
            answer = self._connected().get(f"{self._url()}/api/2.0/mlflow/logged-models/{model_id}")
        except (UserError, httpx.TransportError) as error:
            raise ApiError(503, "TEMPORARILY_UNAVAILABLE", f"The MLflow server does not answer: {error!r}; see logs/mlflow.log") from error
        if answer.is_client_error:
            return LoggedModel()
        data = msgspec.json.decode(answer.raise_for_status().content, type=_Answer).model.data
        return LoggedModel(tuple(data.params), tuple(data.metrics))

    def close(self) -> None:
        """Let the connections go; twice without harm."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _connected(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)
            return self._client
