"""What serving needs from others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec


@dataclass(frozen=True, slots=True)
class ModelInterpreter:
    """What a model runs on: an interpreter, and folders its PYTHONPATH begins with."""

    python: str
    pythonpath: tuple[str, ...] = ()
    replaces: bool = False
    """Whether a folder of `pythonpath` has another version of something that the interpreter has itself."""


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


class Secrets(Protocol):
    """The workspace's secrets."""

    def value(self, scope: str, key: str) -> str:
        """Return a secret's text; `ApiError` when there is none."""
        ...


class LoggedCall(msgspec.Struct, frozen=True, gc=False):
    """One answered call, on its way into an inference table."""

    databricks_request_id: str
    received_ns: int
    """When it came, in nanoseconds since 1970."""
    status_code: int
    microseconds: int
    """How long the model took."""
    request: bytes
    response: bytes
    served_entity_id: str
    requester: str | None
    client_request_id: str | None
    """From the request's header; one in its body is still in `request`."""


class PayloadLog(Protocol):
    """Inference tables, seen from serving."""

    def enable(self, endpoint_id: str, *, catalog: str, schema: str, prefix: str, sampling_fraction: float = 1.0) -> str:
        """Log that share of the endpoint's calls from now on and return the table's name; `ApiError` when the table cannot be had."""
        ...

    def disable(self, endpoint_id: str) -> None:
        """Log nothing more for the endpoint."""
        ...

    def append(self, endpoint_id: str, calls: Sequence[LoggedCall]) -> None:
        """Have the calls durably noted on return, if the endpoint's calls are logged; OSError when they cannot be (a full disk)."""
        ...
