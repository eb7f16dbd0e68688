"""What a payload table is about: calls, logs of endpoints, and rules for single values."""

import json
from typing import Protocol

import msgspec

# Payloads over 1 MiB are not logged: docs.databricks.com, AI Gateway inference tables, limitations
MAX_PAYLOAD_BYTES = 1 << 20
CLIENT_REQUEST_ID = b'"client_request_id"'
REQUEST_TOO_LARGE = "MAX_REQUEST_SIZE_EXCEEDED"
RESPONSE_TOO_LARGE = "MAX_RESPONSE_SIZE_EXCEEDED"


class Call(Protocol):
    """One answered call to a served model."""

    @property
    def databricks_request_id(self) -> str:
        """The platform's id of the call."""
        ...

    @property
    def received_ns(self) -> int:
        """When it came, in nanoseconds since 1970."""
        ...

    @property
    def status_code(self) -> int:
        """The HTTP status of the answer."""
        ...

    @property
    def microseconds(self) -> int:
        """How long the model took."""
        ...

    @property
    def request(self) -> bytes:
        """The body as it came."""
        ...

    @property
    def response(self) -> bytes:
        """The body of the answer."""
        ...

    @property
    def served_entity_id(self) -> str:
        """Which served entity answered."""
        ...

    @property
    def requester(self) -> str | None:
        """Who called; None on a route-optimized endpoint."""
        ...

    @property
    def client_request_id(self) -> str | None:
        """The client's own id from a header; one in the body is still in `request`."""
        ...


class InferenceLog(msgspec.Struct, frozen=True, kw_only=True):
    """The logging of one endpoint into one table, from its enabling on."""

    log_id: str
    endpoint_id: str
    table: str
    enabled: bool = True
    sampling_fraction: float = 1.0

    @property
    def application(self) -> str:
        """The name under which the table's Delta log keeps how many rows of this log it holds."""
        return f"inference-log-{self.log_id}"


class _ClientRequestId(msgspec.Struct):
    client_request_id: str | None = None


def client_request_id(body: bytes) -> str | None:
    """Return the `client_request_id` at the top level of a JSON body, if it has one that is a text.

    Assumption: one that is not a text (a number, say) counts as none.
    """
    if CLIENT_REQUEST_ID not in body:  # cheaper than reading every body as JSON
        return None
    try:
        return msgspec.json.decode(body, type=_ClientRequestId).client_request_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _as_python_reads_it(body)


def _as_python_reads_it(body: bytes) -> str | None:
    """Return the id from a body that only Python's JSON allows (NaN), which model servers read."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = document.get("client_request_id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None


def table_name(catalog: str, schema: str, prefix: str) -> str:
    """Return the payload table's three-level name."""
    return f"{catalog}.{schema}.{prefix}_payload"


def text(payload: bytes) -> str:
    """Return a payload as the table holds it.

    Assumption: a body that is not UTF-8 is logged with U+FFFD where it is not; a Delta STRING cannot hold other bytes.
    """
    return payload.decode(errors="replace")
