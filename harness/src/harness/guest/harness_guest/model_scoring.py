"""Scoring by MLflow's own rules: the functions of its scoring server, without its web server."""

import logging
import os
import time

from mlflow.environment_variables import _MLFLOW_IS_IN_SERVING_ENVIRONMENT
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel, load_model
from mlflow.pyfunc.scoring_server import invocations

from harness_guest.model_frames import Answer

log = logging.getLogger(__name__)


class Scorer:
    """A loaded model and how it answers a body: the status and the bytes `mlflow models serve` would give."""

    def __init__(self, folder: str) -> None:
        os.environ[_MLFLOW_IS_IN_SERVING_ENVIRONMENT.name] = "true"  # as MLflow's own server sets it; loading code may look at it
        self._model: PyFuncModel = load_model(folder)
        self._schema = self._model.metadata.get_input_schema()

    def answer(self, content_type: str | None, body: bytes) -> Answer:
        """Return the model's answer to `body`; whatever the model raises becomes an answer too."""
        started = time.perf_counter_ns()
        status, kind, text = self._invoke(content_type, body)
        return Answer(status, kind, text.encode(), (time.perf_counter_ns() - started) // 1000)

    def _invoke(self, content_type: str | None, body: bytes) -> tuple[int, str, str]:
        try:
            result = invocations(body, content_type, self._model, self._schema)
        except MlflowException as error:
            return _client_error(error.get_http_status_code()), "application/json", error.serialize_as_json()
        except Exception:  # what MLflow's web server does with anything else: status 500, this text, the trace in the log
            log.exception("scoring failed outside of the model")
            return 500, "text/plain; charset=utf-8", "Internal Server Error"
        kind = result.mimetype if result.mimetype == "application/json" else f"{result.mimetype}; charset=utf-8"
        return result.status, kind, result.response


def _client_error(status: int) -> int:
    # Assumption: an MlflowException is never a platform fault. MLflow's server answers 500 to one without a code; the platform's
    # documentation maps MlflowExceptions to 4xx and keeps 5xx for itself (machine-learning/model-serving/model-serving-debug).
    return status if status < 500 else 400
