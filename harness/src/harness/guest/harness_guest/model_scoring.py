"""Scoring by MLflow's own rules: the functions of its scoring server, without its web server."""

import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from mlflow.environment_variables import _MLFLOW_IS_IN_SERVING_ENVIRONMENT
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel, load_model
from mlflow.pyfunc.scoring_server import invocations
from mlflow.utils.proto_json_utils import MlflowInvalidInputException

from harness_guest.fast_arithmetic import NoArithmeticError
from harness_guest.fast_path import FastPath, fast_path
from harness_guest.model_frames import Answer

log = logging.getLogger(__name__)
JSON = "application/json"


class Scorer:
    """A loaded model and how it answers a body: the status and the bytes `mlflow models serve` would give.

    `fast` is its fast path, None when it has none; `why` says why, or how it was proven.
    """

    def __init__(self, folder: str) -> None:
        os.environ[_MLFLOW_IS_IN_SERVING_ENVIRONMENT.name] = "true"  # as MLflow's own server sets it; loading code may look at it
        self._model: PyFuncModel = load_model(folder)
        self._schema = self._model.metadata.get_input_schema()
        self.fast: FastPath | None = None
        try:
            self.fast = fast_path(self._model, Path(folder), self._good_answer)
        except NoArithmeticError as reason:
            self.why = f"scored by MLflow's rules: {reason}"
        else:
            self.why = f"plain bodies are scored by the estimator's arithmetic: {self.fast.proof}"

    def answer(self, content_type: str | None, body: bytes) -> Answer:
        """Return the model's answer to `body`; whatever the model raises becomes an answer too."""
        started = time.perf_counter_ns()
        status, kind, text = self._invoke(content_type, body)
        return Answer(status, kind, text.encode(), (time.perf_counter_ns() - started) // 1000)

    def fast_answers(self, bodies: Sequence[bytes]) -> Sequence[Answer | None]:
        """Return the answers to those JSON bodies that the fast path is for, and None for the others."""
        if self.fast is None:
            return [None] * len(bodies)
        started = time.perf_counter_ns()
        texts = self.fast.answers(bodies)
        microseconds = (time.perf_counter_ns() - started) // 1000  # of all of them: each has waited that long
        return [None if text is None else Answer(200, JSON, text, microseconds) for text in texts]

    def _good_answer(self, body: bytes) -> bytes:
        status, _, text = self._invoke(JSON, body)
        if status != 200:
            raise ValueError(text)
        return text.encode()

    def _invoke(self, content_type: str | None, body: bytes) -> tuple[int, str, str]:
        try:
            # Assumption: no content type is refused as an unknown one is; MLflow's server fails on it with a 500 that says nothing.
            result = invocations(body, content_type or "", self._model, self._schema)
        except MlflowException as error:
            return _client_error(error.get_http_status_code()), JSON, error.serialize_as_json()
        except Exception as error:  # what MLflow's web server does with anything else: status 500, this text, the trace in the log
            if isinstance(error, RecursionError | ValueError) and _breaks_the_parser(body):
                # Assumption: a body that breaks MLflow's JSON parser (100,000 times "[", a number of 5,000 digits) is the client's fault;
                # 5xx are the platform's own. MLflow's server says 500 to these.
                message = f"Ensure that input is a valid JSON formatted string. Error: '{error!r}'"
                return 400, JSON, MlflowInvalidInputException(message).serialize_as_json()
            log.exception("scoring failed outside of the model")
            return 500, "text/plain; charset=utf-8", "Internal Server Error"
        kind = result.mimetype if result.mimetype == JSON else f"{result.mimetype}; charset=utf-8"
        return result.status, kind, result.response


def _breaks_the_parser(body: bytes) -> bool:
    try:
        json.loads(body)
    except (RecursionError, ValueError):
        return True
    return False


def _client_error(status: int) -> int:
    # Assumption: an MlflowException is never a platform fault. MLflow's server answers 500 to one without a code; the platform's
    # documentation maps MlflowExceptions to 4xx and keeps 5xx for itself (machine-learning/model-serving/model-serving-debug).
    return status if status < 500 else 400
