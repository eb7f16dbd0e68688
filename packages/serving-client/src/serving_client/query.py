import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from serving_client.address import Address, address
from serving_client.errors import ServingError
from serving_client.retry import Retry

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

# Well under the 16 MB a request may have (and the 1 MiB above which the inference table loses its text).
CHUNK_ROWS = 1000


def query(
    workspace: "WorkspaceClient",
    endpoint: str,
    *,
    body: Mapping[str, Any],
    served_entity: str | None = None,
    retry: Retry | None = None,
    client_request_id: str | None = None,
    at: Address | None = None,
) -> dict[str, Any]:
    """Return the endpoint's JSON answer to `body`, waiting for cold starts and throttling, see `Retry`.

    Args:
        workspace: the official client, as it is. It waits `http_timeout_seconds` (60) for one answer.
        endpoint: its name; a route-optimized one is asked on its data plane, with OAuth.
        body: the request, in any form the model takes.
        served_entity: ask this entity alone, whatever the traffic split.
        retry: how long to insist.
        client_request_id: kept in the inference table; the body's own, or a new one, when it is not given. Every resend
            carries the same, so that what arrived twice can be told.
        at: what `address` returned for this endpoint, to spare the look-up.

    Example:
        >>> query(WorkspaceClient(), "main_taxi_fare", body={"dataframe_records": [{"trip_distance": 1.5}]})  # doctest: +SKIP
        {'predictions': [8.25]}
    """
    where = at or address(workspace, endpoint)
    request_id = client_request_id or body.get("client_request_id") or str(uuid.uuid4())
    marked = {**body, "client_request_id": request_id}
    answer = (retry or Retry()).call(lambda: where.post(workspace, marked, served_entity=served_entity))
    if not isinstance(answer, dict):
        raise ServingError(f"endpoint {endpoint}: expected a JSON object as answer, got {type(answer).__name__}")
    return answer


def score(
    workspace: "WorkspaceClient",
    endpoint: str,
    *,
    records: Sequence[Mapping[str, Any]],
    chunk_rows: int = CHUNK_ROWS,
    retry: Retry | None = None,
) -> list[Any]:
    """Return one prediction per record, in order, sending at most `chunk_rows` records a request.

    Example:
        >>> score(WorkspaceClient(), "main_taxi_fare", records=[{"trip_distance": 1.5}])  # doctest: +SKIP
        [8.25]
    """
    predictions: list[Any] = []
    where: Address | None = None
    for chunk in _chunks(records, chunk_rows):
        where = where or address(workspace, endpoint)
        answer = query(workspace, endpoint, body={"dataframe_records": [dict(record) for record in chunk]}, retry=retry, at=where)
        got = answer.get("predictions")
        if not isinstance(got, list) or len(got) != len(chunk):
            raise ServingError(f"endpoint {endpoint}: expected {len(chunk)} predictions, got {_describe(got)}")
        predictions += got
    return predictions


def _chunks(records: Sequence[Mapping[str, Any]], size: int) -> Iterator[Sequence[Mapping[str, Any]]]:
    if size < 1:
        raise ValueError(f"chunk_rows: expected at least 1, got {size}")
    for start in range(0, len(records), size):
        yield records[start : start + size]


def _describe(predictions: object) -> str:
    return f"{len(predictions)}" if isinstance(predictions, list) else type(predictions).__name__
