"""What serving needs from others."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ModelInterpreter:
    """What a model runs on: an interpreter, and folders its PYTHONPATH begins with."""

    python: str
    pythonpath: tuple[str, ...] = ()


class ModelFiles(Protocol):
    """The registry's files."""

    def model_files(self, name: str, version: str) -> Path:
        """Return the folder with the `MLmodel` file of a registered version; `ApiError` 404 when there is no such version."""
        ...


class ModelEnvironments(Protocol):
    """Interpreters that satisfy a model's requirements."""

    def for_model(self, model_folder: Path) -> ModelInterpreter:
        """Return the interpreter for the model, built if need be; may take minutes. `ApiError` or `UserError` when it cannot be made."""
        ...


class PayloadLog(Protocol):
    """Inference tables, seen from serving."""

    def enable(self, endpoint_id: str, *, catalog: str, schema: str, prefix: str) -> str:
        """Log the endpoint's calls from now on and return the table's name; `ApiError` when the table cannot be had."""
        ...

    def disable(self, endpoint_id: str) -> None:
        """Log nothing more for the endpoint."""
        ...

    def append(
        self,
        endpoint_id: str,
        *,
        databricks_request_id: str,
        received: dt.datetime,
        status_code: int,
        execution_duration_ms: int,
        request: bytes,
        response: bytes,
        served_entity_id: str,
        requester: str,
    ) -> None:
        """Have the call durably noted on return, if the endpoint's calls are logged."""
        ...
