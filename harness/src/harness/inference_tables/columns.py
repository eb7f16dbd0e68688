"""From records of a journal to the twelve columns of a payload table, in bulk."""

from collections.abc import Iterable, Iterator
from itertools import repeat

import pyarrow as pa
import pyarrow.compute as pc

from harness.inference_tables.model import CLIENT_REQUEST_ID, REQUEST_TOO_LARGE, RESPONSE_TOO_LARGE, client_request_id, text
from harness.inference_tables.records import Noted, Terms, drawn, read

# Names, order and types of a real AI Gateway inference table.
SCHEMA = pa.schema(
    [
        ("databricks_request_id", pa.string()),
        ("request_date", pa.date32()),
        ("client_request_id", pa.string()),
        ("request_time", pa.timestamp("us", tz="UTC")),
        ("status_code", pa.int32()),
        ("sampling_fraction", pa.float64()),
        ("execution_duration_ms", pa.int64()),
        ("request", pa.string()),
        ("response", pa.string()),
        ("logging_error_codes", pa.list_(pa.string())),
        ("served_entity_id", pa.string()),
        ("requester", pa.string()),
    ],
)
_CHUNK_ROWS = 4096  # what fits a processor's cache: half the time of all at once


def payload_rows(bodies: Iterable[bytes]) -> pa.Table:
    """Return the rows of records, as their terms have them delivered: some twice, some never."""
    return pa.Table.from_batches(_chunks(bodies), SCHEMA)


def _chunks(bodies: Iterable[bytes]) -> Iterator[pa.RecordBatch]:
    waiting: list[Noted] = []
    of: Terms | None = None
    for body in bodies:
        terms, calls = read(body)
        if waiting and of is not None and (terms != of or len(waiting) >= _CHUNK_ROWS):
            yield _columns(of, waiting)
            waiting = []
        of = terms
        if CLIENT_REQUEST_ID in body:  # once a record: faster than to look into every request
            calls = [_with_client_request_id(call) for call in calls]
        waiting += _delivered(terms, calls)
    if waiting and of is not None:
        yield _columns(of, waiting)


def _delivered(terms: Terms, calls: list[Noted]) -> list[Noted]:
    """Return what reaches the table of `calls`; which are lost or come twice is a matter of their ids and the seed alone."""
    if not terms.lost_fraction and not terms.duplicate_fraction:
        return calls
    kept = [call for call in calls if not drawn(terms.lost_fraction, call[0], f"lost {terms.seed} ")]
    return kept + [call for call in kept if drawn(terms.duplicate_fraction, call[0], f"twice {terms.seed} ")]


def _columns(terms: Terms, calls: list[Noted]) -> pa.RecordBatch:
    ids, received_ns, statuses, microseconds, requests, responses, entities, requesters, client_ids = zip(*calls, strict=True)
    milliseconds = pa.array([moment // 1_000_000 for moment in received_ns], pa.int64())  # that fine, as seen in real tables
    if terms.databricks_output:
        responses = tuple(map(_with_output, responses, statuses, ids))
    return pa.RecordBatch.from_arrays(
        [
            pa.array(ids, pa.string()),
            milliseconds.cast(pa.timestamp("ms")).cast(pa.date32()),
            pa.array(client_ids, pa.string()),
            pc.multiply(milliseconds, 1000).cast(pa.timestamp("us", tz="UTC")),
            pa.array(statuses, pa.int32()),
            pa.repeat(pa.scalar(terms.sampling_fraction, pa.float64()), len(calls)),
            pa.array([duration // 1000 for duration in microseconds], pa.int64()),
            _texts(requests),
            _texts(responses),
            pa.array(_error_codes(requests, responses), pa.list_(pa.string())),
            pa.array(entities, pa.string()),
            pa.array(requesters, pa.string()),
        ],
        schema=SCHEMA,
    )


def _texts(payloads: tuple[bytes | None, ...]) -> pa.Array:
    try:
        return pa.array(payloads, pa.string())
    except pa.ArrowInvalid:  # one of them is not UTF-8
        return pa.array([None if payload is None else text(payload) for payload in payloads], pa.string())


def _error_codes(requests: tuple[bytes | None, ...], responses: tuple[bytes | None, ...]) -> list[tuple[str, ...]]:
    if None not in requests and None not in responses:
        return list(repeat((), len(requests)))
    sides = ((requests, REQUEST_TOO_LARGE), (responses, RESPONSE_TOO_LARGE))
    return [tuple(code for payloads, code in sides if payloads[index] is None) for index in range(len(requests))]


def _with_client_request_id(call: Noted) -> Noted:
    request = call[4]
    return (*call[:8], (client_request_id(request) if request else None) or call[8])


def _with_output(response: bytes | None, status: int, request_id: str) -> bytes | None:
    # Assumption: only a model's own answer carries it, and the size cap is on the answer without it.
    if response is None or status != 200 or not response.endswith(b"}"):
        return response
    return response[:-1] + b', "databricks_output": {"trace": null, "databricks_request_id": "%s"}}' % request_id.encode()
