"""Statements: taken, carried out by a few threads, kept for an hour.

Assumption: a harness that starts again knows no statement of the one before, as a warehouse forgets them after some hours.
"""

import datetime as dt
import hashlib
import hmac
import logging
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from harness.clock import Clock
from harness.errors import ApiError
from harness.ids import Ids
from harness.sql.model import ENDED, ExecuteRequest, Query, ServiceError, StatementFailedError, StatementStatus
from harness.sql.ports import Engine, Running
from harness.sql.results import Chunk, Result, stored
from harness.sql.sessions import Sessions

log = logging.getLogger(__name__)
_AT_ONCE = 8
_KEPT, _KNOWN, _LINK_LIVES = dt.timedelta(hours=1), dt.timedelta(hours=12), dt.timedelta(minutes=15)  # the API's documentation
_INLINE_LIMIT = 25 * 1024 * 1024
_WAIT = re.compile(r"(\d{1,2})s")
_LEAST_WAIT, _MOST_WAIT = 5, 50
_WAREHOUSE = re.compile(r"[0-9a-f]{16}")


@dataclass
class Statement:
    """One statement and what became of it."""

    id: str
    request: ExecuteRequest
    running: Running
    user: str
    status: StatementStatus = field(default_factory=lambda: StatementStatus(state="PENDING"))
    result: Result | None = None
    ended_at: dt.datetime | None = None
    ended: threading.Event = field(default_factory=threading.Event)


class StatementService:
    """Executes statements. `chunk_bytes` is about how large a chunk of a result gets."""

    def __init__(self, *, clock: Clock, ids: Ids, engine: Engine, folder: Path, chunk_bytes: int = 8 * 1024 * 1024) -> None:
        self._clock = clock
        self._ids = ids
        self._engine = engine
        self.sessions = Sessions(clock=clock, ids=ids, engine=engine)
        self._folder = folder
        self._chunk_bytes = chunk_bytes
        self._key = ids.hex32().encode()
        self._statements: dict[str, Statement] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="statements")

    def start(self) -> None:
        """Remove what an earlier harness left."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """End every statement; twice without harm."""
        with self._lock:
            live = [one for one in self._statements.values() if one.status.state not in ENDED]
        for one in live:
            one.running.cancel()
        self.sessions.close_all()
        self._pool.shutdown(cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def execute(self, request: ExecuteRequest, user: str = "") -> Statement:
        """Begin a statement for `user` and wait for it as long as it asks."""
        seconds = _checked(request)
        self._forget_old()
        if request.session_id is not None:
            self.sessions.use(request.session_id)
        as_text = request.format != "ARROW_STREAM"
        query = Query(
            request.statement, request.catalog, request.schema, request.parameters, request.row_limit, request.session_id, as_text
        )
        statement = Statement(self._ids.uuid(), request, self._engine.begin(query), user)
        with self._lock:
            self._statements[statement.id] = statement
        self._pool.submit(self._carry_out, statement)
        if seconds and not statement.ended.wait(seconds) and request.on_wait_timeout == "CANCEL":
            self.cancel(statement.id)
        return statement

    def get(self, statement_id: str) -> Statement:
        """Return a statement, or raise the platform's 404."""
        self._forget_old()
        found = self._statements.get(statement_id)
        if found is None:
            raise ApiError(404, "NOT_FOUND", f"The statement {statement_id} was not found.")
        return found

    def chunk(self, statement_id: str, index: int) -> tuple[Statement, Result, Chunk]:
        """Return a chunk of a statement's result, or raise the platform's 400 or 404."""
        statement = self.get(statement_id)
        if statement.result is None:
            state = statement.status.state
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"The statement {statement_id} has no result to fetch: it is {state}.")
        if not 0 <= index < len(statement.result.chunks):
            message = f"chunk_index {index}: the result has the chunks 0 to {len(statement.result.chunks) - 1}"
            raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
        return statement, statement.result, statement.result.chunks[index]

    def cancel(self, statement_id: str) -> None:
        """Ask that a statement be ended; one that has ended stays as it is."""
        statement = self.get(statement_id)
        with self._lock:
            if statement.status.state in ENDED:
                return
            self._end(statement, StatementStatus(state="CANCELED"))
        statement.running.cancel()

    def forget(self, statement_id: str) -> None:
        """Cancel a statement that runs, and drop the result of one that has ended: it is CLOSED."""
        self.cancel(statement_id)
        statement = self.get(statement_id)
        with self._lock:
            self._remove(statement.result)
            statement.result, statement.status = None, StatementStatus(state="CLOSED")

    def delete_of(self, user: str) -> None:
        """End and forget the statements of `user`, and close their sessions."""
        with self._lock:
            own = [one for one in self._statements.values() if one.user == user]
        for one in own:
            self.cancel(one.id)
            with self._lock:
                self._statements.pop(one.id, None)
                self._remove(one.result)
        self.sessions.delete_of(user)

    def link(self, statement: Statement, chunk: Chunk) -> tuple[str, dt.datetime]:
        """Return the path and query under which a chunk can be fetched without a token, and until when."""
        until = self._clock.now() + _LINK_LIVES
        seconds = int(until.timestamp())
        path = f"/__harness__/sql/results/{statement.id}/{chunk.index}"
        return f"{path}?until={seconds}&signature={self._signature(path, seconds)}", until

    def linked(self, path: str, statement_id: str, index: int, *, until: int, signature: str) -> tuple[bytes, Result]:
        """Return what a link leads to, or raise 403 when it has ended or is not ours."""
        if not hmac.compare_digest(signature, self._signature(path, until)) or self._clock.now().timestamp() > until:
            raise ApiError(403, "PERMISSION_DENIED", "This link has ended or was changed; ask for the chunk again to get another one")
        _, result, chunk = self.chunk(statement_id, index)
        return result.written(chunk), result

    def _signature(self, path: str, until: int) -> str:
        return hmac.new(self._key, f"{path} {until}".encode(), hashlib.sha256).hexdigest()

    def _carry_out(self, statement: Statement) -> None:
        with self._lock:
            if statement.status.state in ENDED:
                return
            statement.status = StatementStatus(state="RUNNING")
        try:
            result = self._result(statement)
            ended = StatementStatus(state="SUCCEEDED")
        except StatementFailedError as error:
            result = None
            ended = StatementStatus(state="FAILED", error=ServiceError("BAD_REQUEST", str(error)), sql_state=error.sql_state)
        except Exception as error:  # whoever waits must see that it ended, and why
            log.exception("statement %s failed", statement.id)
            result, told = None, f"harness bug: {error!r}"
            ended = StatementStatus(state="FAILED", error=ServiceError("INTERNAL_ERROR", told))
        with self._lock:
            if statement.status.state in ENDED:  # cancelled meanwhile
                self._remove(result)
                return
            statement.result = result
            self._end(statement, ended)

    def _result(self, statement: Statement) -> Result:
        request = statement.request
        columns, table = statement.running.result()
        more = request.row_limit is not None and table.num_rows > request.row_limit
        if more:
            table = table.slice(0, request.row_limit)
        if request.disposition == "INLINE" and request.byte_limit is None and table.nbytes > _INLINE_LIMIT:
            # Assumption: the wording.
            raise StatementFailedError(
                "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of "
                f"at most {_INLINE_LIMIT} bytes. Please execute the statement with disposition=EXTERNAL_LINKS if you want to download "
                "the full result."
            )
        path = self._folder / f"{statement.id}.arrow"
        return stored(path, columns, table, format_=request.format, chunk_bytes=self._chunk_bytes, byte_limit=request.byte_limit, more=more)

    def _end(self, statement: Statement, status: StatementStatus) -> None:
        statement.status, statement.ended_at = status, self._clock.now()
        statement.ended.set()

    def _forget_old(self) -> None:
        now = self._clock.now()
        with self._lock:
            for one in list(self._statements.values()):
                age = now - one.ended_at if one.ended_at is not None else dt.timedelta()
                if age > _KEPT and one.result is not None:
                    self._remove(one.result)
                    one.result, one.status = None, StatementStatus(state="CLOSED")
                if age > _KNOWN:
                    del self._statements[one.id]

    @staticmethod
    def _remove(result: Result | None) -> None:
        if result is not None:
            result.path.unlink(missing_ok=True)


def _checked(request: ExecuteRequest) -> int:
    """Return for how many seconds the caller waits, or raise the platform's 400. Assumption: the wordings, but for the warehouse's."""
    if not _WAREHOUSE.fullmatch(request.warehouse_id):
        raise _invalid(f"'{request.warehouse_id}' is not a valid endpoint id.")
    if not request.statement.strip():
        raise _invalid("statement: expected one SQL statement; got none")
    if request.disposition == "INLINE" and request.format != "JSON_ARRAY":
        raise _invalid(f"The format {request.format} needs disposition EXTERNAL_LINKS; INLINE results are JSON_ARRAY.")
    if request.disposition == "INLINE_OR_EXTERNAL_LINKS" and request.format == "CSV":
        raise _invalid("The format CSV needs disposition EXTERNAL_LINKS.")
    wait = _WAIT.fullmatch(request.wait_timeout)
    seconds = int(wait[1]) if wait else -1
    if seconds != 0 and not _LEAST_WAIT <= seconds <= _MOST_WAIT:
        raise _invalid(f"wait_timeout '{request.wait_timeout}': expected 0s, or {_LEAST_WAIT}s to {_MOST_WAIT}s")
    for name, limit in (("row_limit", request.row_limit), ("byte_limit", request.byte_limit)):
        if limit is not None and limit < 1:
            raise _invalid(f"{name} {limit}: expected 1 or more")
    return seconds


def _invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)
