"""The row of a payload table: the platform's twelve columns, and the rules that fill them."""

import datetime as dt
from dataclasses import dataclass

import msgspec

# Payloads over 1 MiB are not logged: docs.databricks.com, AI Gateway inference tables, limitations
MAX_PAYLOAD_BYTES = 1 << 20
REQUEST_TOO_LARGE = "MAX_REQUEST_SIZE_EXCEEDED"
RESPONSE_TOO_LARGE = "MAX_RESPONSE_SIZE_EXCEEDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadRow:
    """One HTTP request to a served model, in the order of the table's columns."""

    databricks_request_id: str
    request_date: dt.date
    client_request_id: str | None
    request_time: dt.datetime
    status_code: int
    sampling_fraction: float
    execution_duration_ms: int
    request: str | None
    response: str | None
    logging_error_codes: tuple[str, ...]
    served_entity_id: str
    requester: str


class InferenceLog(msgspec.Struct, frozen=True, kw_only=True):
    """The logging of one endpoint into one table, from its enabling on."""

    log_id: str
    endpoint_id: str
    table: str
    enabled: bool = True

    @property
    def application(self) -> str:
        """The name under which the table's Delta log keeps how many rows of this log it holds."""
        return f"inference-log-{self.log_id}"


class _ClientRequestId(msgspec.Struct):
    client_request_id: str | None = None


def payload_row(
    *,
    databricks_request_id: str,
    received: dt.datetime,
    status_code: int,
    execution_duration_ms: int,
    request: bytes,
    response: bytes,
    served_entity_id: str,
    requester: str,
) -> PayloadRow:
    """Return the row of one call: texts as they were on the wire, or NULL and a code when they are too large."""
    request_time = received.astimezone(dt.UTC)
    sizes = ((request, REQUEST_TOO_LARGE), (response, RESPONSE_TOO_LARGE))
    return PayloadRow(
        databricks_request_id=databricks_request_id,
        request_date=request_time.date(),
        client_request_id=client_request_id(request),
        request_time=request_time.replace(microsecond=request_time.microsecond // 1000 * 1000),  # milliseconds, as seen in real tables
        status_code=status_code,
        sampling_fraction=1.0,
        execution_duration_ms=execution_duration_ms,
        request=_text(request),
        response=_text(response),
        logging_error_codes=tuple(code for payload, code in sizes if len(payload) > MAX_PAYLOAD_BYTES),
        served_entity_id=served_entity_id,
        requester=requester,
    )


def client_request_id(body: bytes) -> str | None:
    """Return the `client_request_id` at the top level of a JSON body, if it has one that is a text."""
    if b'"client_request_id"' not in body:  # cheaper than reading every body as JSON
        return None
    try:
        return msgspec.json.decode(body, type=_ClientRequestId).client_request_id
    except msgspec.DecodeError:
        return None


def table_name(catalog: str, schema: str, prefix: str) -> str:
    """Return the payload table's three-level name."""
    return f"{catalog}.{schema}.{prefix}_payload"


def _text(payload: bytes) -> str | None:
    if len(payload) > MAX_PAYLOAD_BYTES:
        return None
    # Assumption: a body that is not UTF-8 is logged with U+FFFD where it is not; a Delta STRING cannot hold other bytes.
    return payload.decode(errors="replace")
