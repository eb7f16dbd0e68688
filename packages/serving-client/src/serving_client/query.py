from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

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
) -> dict[str, Any]:
    """Return the endpoint's JSON answer to `body`; with `served_entity`, that entity's own, whatever the traffic split.

    Cold starts and throttling are waited for, see `Retry`. The endpoint must not be route-optimized: such endpoints
    do not answer on the workspace URL.
    """
    path = f"/serving-endpoints/{quote(endpoint, safe='')}"
    if served_entity is not None:
        path += f"/served-models/{quote(served_entity, safe='')}"
    answer = (retry or Retry()).call(lambda: workspace.api_client.do("POST", f"{path}/invocations", body=dict(body)))
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
    for chunk in _chunks(records, chunk_rows):
        answer = query(workspace, endpoint, body={"dataframe_records": [dict(record) for record in chunk]}, retry=retry)
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
