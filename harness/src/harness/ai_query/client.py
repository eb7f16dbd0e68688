"""The body of `ai_query`, as it runs in Spark's Python workers: an Arrow batch in, requests to the endpoint, an Arrow batch out."""

import http.client
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlsplit

import pyarrow as pa

from harness.ai_query import model
from harness.ai_query.model import AiQueryError, Settings
from harness.ai_query.results import Scored, failed, joined, scored

_LONGEST_WAIT_SECONDS = 5.0
_REQUEST_SECONDS = 300.0
_BATCHES_AHEAD = 2  # while one is waited for: the endpoint has work while Spark takes results and makes the next batch

Rows = Sequence[Sequence[object]]


class Connection:
    """One kept-alive connection to the harness; used by one thread."""

    def __init__(self, harness_url: str, token: str) -> None:
        self._http = http.client.HTTPConnection(urlsplit(harness_url).netloc, timeout=_REQUEST_SECONDS)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, str | None]:
        """Return status, body and Retry-After; a connection that broke is made anew by the next call."""
        try:
            self._http.request(method, path, body, self._headers)
            response = self._http.getresponse()
            return response.status, response.read(), response.headers.get("Retry-After")
        except (OSError, http.client.HTTPException):
            self._http.close()
            raise

    def close(self) -> None:
        """Close it; the next call would open it again."""
        self._http.close()


def scorer(settings: Settings) -> Callable[[Iterator[pa.Array]], Iterator[pa.Array]]:
    """Return the function that Spark calls in a worker with all batches of one partition."""

    def ai_query(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        with ThreadPoolExecutor(settings.in_flight, thread_name_prefix="ai_query") as pool:
            score = Scorer(settings, pool)
            try:
                yield from score.each(batches)
            finally:
                pool.shutdown(cancel_futures=True)
                score.close()

    return ai_query


class Scorer:
    """Scores batches; holds one connection for each thread of `pool`."""

    def __init__(self, settings: Settings, pool: ThreadPoolExecutor, sleep: Callable[[float], None] = time.sleep) -> None:
        from pyspark.sql.pandas.types import to_arrow_type
        from pyspark.sql.types import _parse_datatype_json_string

        self._settings = settings
        self._keeps_errors = not settings.fail_on_error
        self._pool = pool
        self._sleep = sleep
        self._type = _parse_datatype_json_string(settings.return_type)
        self._arrow_type = to_arrow_type(self._type)
        self._local = threading.local()
        self._connections: list[Connection] = []
        self._path = f"/serving-endpoints/{quote(settings.endpoint, safe='')}/invocations"

    def __call__(self, batch: pa.Array) -> pa.Array:
        """Return the predictions for `batch`, in order; as a struct of result and errorMessage when failOnError is false."""
        return self._result(self._begin(batch))

    def each(self, batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        """Yield what `self(batch)` returns for each batch, the next ones under way while one is waited for.

        The first goes alone: it may be all that a LIMIT wants, and nothing should be sent that nobody wants.
        """
        under_way: deque[list[Future[Scored]]] = deque()
        ahead = 0
        for batch in batches:
            under_way.append(self._begin(batch))
            if len(under_way) > ahead:
                yield self._result(under_way.popleft())
                ahead = _BATCHES_AHEAD
        while under_way:
            yield self._result(under_way.popleft())

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    def _begin(self, batch: pa.Array) -> list[Future[Scored]]:
        columns, rows = table(batch, self._settings.column)
        pieces = model.pieces(len(rows), self._settings.rows_per_request)
        return [self._pool.submit(self._scored, columns, rows[piece]) for piece in pieces]

    def _result(self, parts: Sequence[Future[Scored]]) -> pa.Array:
        found = joined([part.result() for part in parts], self._arrow_type)
        if not self._keeps_errors:
            return found.values
        return pa.StructArray.from_arrays([found.values, found.errors], names=["result", "errorMessage"])

    def _scored(self, columns: list[str | int], rows: Rows) -> Scored:
        body = model.request_body(columns, rows)
        if len(body) > model.MAX_LOGGED_BYTES and len(rows) > 1:
            return self._in_halves(columns, rows)
        try:
            return scored(self._post(body), len(rows), self._type, self._arrow_type, keep=self._keeps_errors)
        except AiQueryError as error:
            if not self._keeps_errors:
                raise
            if len(rows) == 1 or error.condition != "REMOTE_FUNCTION_HTTP_FAILED_ERROR":
                return failed(error, len(rows), self._arrow_type)
            # The endpoint refuses a request for its worst row: halve it until only the rows at fault are left.
            return self._in_halves(columns, rows)

    def _in_halves(self, columns: list[str | int], rows: Rows) -> Scored:
        return joined([self._scored(columns, half) for half in model.halves(rows)], self._arrow_type)

    def _post(self, body: bytes) -> bytes:
        last: object = None
        for attempt in range(self._settings.retries + 1):
            wait = min(self._settings.backoff_seconds * 2**attempt, _LONGEST_WAIT_SECONDS)
            try:
                status, answer, retry_after = self._connection().send("POST", self._path, body)
            except (OSError, http.client.HTTPException) as error:
                last = repr(error)
            else:
                if status == http.client.OK:
                    return answer
                if status != http.client.TOO_MANY_REQUESTS and status < http.client.INTERNAL_SERVER_ERROR:
                    raise model.http_failed(status, answer.decode(errors="replace"))
                last = status
                wait = float(retry_after) if retry_after is not None and retry_after.isdigit() else wait
            if attempt < self._settings.retries:
                self._sleep(wait)
        raise model.retry_timeout(self._settings.retries, last)

    def _connection(self) -> Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = Connection(self._settings.harness_url, self._settings.token)
            self._connections.append(self._local.connection)
        connection: Connection = self._local.connection
        return connection


def table(batch: pa.Array, column: str | int) -> tuple[list[str | int], Rows]:
    """Return the columns and rows that `batch` becomes; `column` names the input when a request is one value and no struct."""
    if not pa.types.is_struct(batch.type):
        return [column], [(value,) for value in _python(batch)]
    # Assumption: a request that is NULL as a whole is a row of nulls; `flatten` makes its fields null.
    return [field.name for field in batch.type], list(zip(*map(_python, batch.flatten()), strict=True))


def _python(column: pa.Array) -> list[Any]:
    kind = column.type
    numbers = pa.types.is_primitive(kind) and not pa.types.is_temporal(kind)
    if numbers and (pa.types.is_floating(kind) or not column.null_count):  # a NULL becomes NaN, which is null in JSON as well
        plain: list[Any] = column.to_numpy(zero_copy_only=False).tolist()  # the same values, five times as fast
        return plain
    values: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    return values
