"""Statements over HTTP, through the unmodified SDK, on an engine that does what the test says."""

import csv
import datetime as dt
import io
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import Request, urlopen

import pyarrow as pa
import pytest
import uvicorn
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors import InvalidParameterValue, NotFound, PermissionDenied
from databricks.sdk.service.sql import (
    Disposition,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    State,
    StatementParameterListItem,
    StatementResponse,
    StatementState,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import FakeClock
from harness.http import OneToken, application
from harness.ids import RandomIds
from harness.sql import StatementService, routes
from harness.sql.model import ColumnInfo, ExecuteRequest, Query, StatementFailedError

WAREHOUSE = "4a524e4553530001"
START = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)


@dataclass
class Scripted:
    """An engine whose answers are the test's; a statement `wait` goes on until it is cancelled."""

    table: pa.Table = field(default_factory=lambda: pa.table({"_0": ["1", "2", None]}))
    asked: list[Query] = field(default_factory=list)
    sessions: dict[str, tuple[str | None, str | None, dict[str, str]]] = field(default_factory=dict)

    def begin(self, query: Query) -> "Running":
        self.asked.append(query)
        return Running(self.table, query)

    def open(self, session: str, *, catalog: str | None, schema: str | None, confs: Mapping[str, str]) -> None:
        if catalog == "nowhere":
            raise StatementFailedError("[NO_SUCH_CATALOG_EXCEPTION] Catalog 'nowhere' was not found.", "42704")
        self.sessions[session] = (catalog, schema, dict(confs))

    def close(self, session: str) -> None:
        self.sessions.pop(session, None)


@dataclass
class Running:
    table: pa.Table
    query: Query
    cancelled: threading.Event = field(default_factory=threading.Event)

    def result(self) -> tuple[tuple[ColumnInfo, ...], pa.Table]:
        if self.query.statement == "wait":
            assert self.cancelled.wait(20)
            raise StatementFailedError("[OPERATION_CANCELED] Operation has been canceled.", "HY008")
        if self.query.statement == "bad":
            raise StatementFailedError("[PARSE_SYNTAX_ERROR] Syntax error at or near 'bad'.", "42601")
        if self.query.statement == "bug":
            raise ZeroDivisionError("a bug")
        columns = (
            ColumnInfo(name=name, position=at, type_name="STRING", type_text="STRING") for at, name in enumerate(self.table.schema.names)
        )
        limit = self.query.row_limit
        return tuple(columns), self.table if limit is None else self.table.slice(0, limit + 1)

    def cancel(self) -> None:
        self.cancelled.set()


@pytest.fixture
def engine() -> Scripted:
    return Scripted()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def service(engine: Scripted, clock: FakeClock, tmp_path: Path) -> Iterator[StatementService]:
    made = StatementService(clock=clock, ids=RandomIds(), engine=engine, folder=tmp_path / "statements", chunk_bytes=40)
    made.start()
    yield made
    made.close()
    assert not (tmp_path / "statements").exists()


@pytest.fixture
def workspace(service: StatementService) -> Iterator[WorkspaceClient]:
    config = uvicorn.Config(application([], callers=OneToken("secret", "someone")), port=0, log_level="error", lifespan="off")
    listening = config.bind_socket()
    host = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config.app = application(routes(service, host_url=host, user="someone"), callers=OneToken("secret", "someone"))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield WorkspaceClient(config=Config(host=host, token="secret", auth_type="pat", retry_timeout_seconds=5))
    server.should_exit = True
    thread.join()


def execute(workspace: WorkspaceClient, statement: str = "SELECT 1", **given: object) -> StatementResponse:
    return workspace.statement_execution.execute_statement(statement, WAREHOUSE, **given)


def state(response: StatementResponse) -> StatementState:
    assert response.status is not None
    assert response.status.state is not None
    return response.status.state


def reaches(workspace: WorkspaceClient, statement_id: str, wanted: StatementState) -> StatementResponse:
    deadline = time.monotonic() + 10
    while state(found := workspace.statement_execution.get_statement(statement_id)) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


def chunks(workspace: WorkspaceClient, response: StatementResponse) -> list[list[str | None]]:
    """Every row, fetched the way the documentation tells to."""
    assert response.result is not None
    assert response.statement_id is not None
    rows, data = list(response.result.data_array or []), response.result
    while data.next_chunk_index is not None:
        data = workspace.statement_execution.get_statement_result_chunk_n(response.statement_id, data.next_chunk_index)
        rows += data.data_array or []
    return rows


def test_a_short_statement_answers_at_once(workspace: WorkspaceClient, engine: Scripted) -> None:
    """With its columns and its rows as texts, NULL as null; the engine is asked in the words of the request."""
    parameters = [StatementParameterListItem("a", value="1", type="INT"), StatementParameterListItem("b")]

    done = execute(workspace, "SELECT :a", catalog="dev", schema="s", parameters=parameters)

    assert state(done) == StatementState.SUCCEEDED
    assert done.manifest is not None
    assert (done.manifest.total_row_count, done.manifest.truncated, done.manifest.format) == (3, False, Format.JSON_ARRAY)
    assert chunks(workspace, done) == [["1"], ["2"], [None]]
    (asked,) = engine.asked
    assert (asked.statement, asked.catalog, asked.schema, asked.as_text) == ("SELECT :a", "dev", "s", True)
    assert [(each.name, each.value, each.type) for each in asked.parameters] == [("a", "1", "INT"), ("b", None, "STRING")]


def test_a_statement_that_is_not_waited_for_is_polled(workspace: WorkspaceClient) -> None:
    """`wait_timeout=0s` answers with the id alone; `get_statement` has the result."""
    begun = execute(workspace, wait_timeout="0s")

    assert begun.statement_id is not None
    assert chunks(workspace, reaches(workspace, begun.statement_id, StatementState.SUCCEEDED)) == [["1"], ["2"], [None]]


def test_a_statement_that_takes_too_long_is_cancelled_where_that_is_asked_for(
    workspace: WorkspaceClient, service: StatementService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And goes on where it is not. A test need not wait the five seconds that are the least elsewhere."""
    monkeypatch.setattr("harness.sql.service._LEAST_WAIT", 1)
    request = ExecuteRequest(statement="wait", warehouse_id=WAREHOUSE, wait_timeout="0s")
    on = service.execute(request)
    reaches(workspace, on.id, StatementState.RUNNING)

    off = execute(workspace, "wait", wait_timeout="1s", on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CANCEL)

    assert state(off) == StatementState.CANCELED
    assert on.status.state == "RUNNING"


def test_a_cancelled_statement_stays_so(workspace: WorkspaceClient) -> None:
    """Whatever the engine says later; cancelling again, or what has ended, changes nothing."""
    begun = execute(workspace, "wait", wait_timeout="0s").statement_id or ""
    workspace.statement_execution.cancel_execution(begun)
    done = execute(workspace).statement_id or ""

    workspace.statement_execution.cancel_execution(begun)
    workspace.statement_execution.cancel_execution(done)

    assert state(workspace.statement_execution.get_statement(begun)) == StatementState.CANCELED
    assert state(workspace.statement_execution.get_statement(done)) == StatementState.SUCCEEDED


@pytest.mark.parametrize(
    ("statement", "code", "message", "sql_state"),
    [
        ("bad", "BAD_REQUEST", "[PARSE_SYNTAX_ERROR] Syntax error at or near 'bad'.", "42601"),
        ("bug", "INTERNAL_ERROR", "harness bug: ZeroDivisionError('a bug')", None),
    ],
    ids=["the user's", "ours"],
)
def test_a_statement_that_fails_says_why(
    workspace: WorkspaceClient, statement: str, code: str, message: str, sql_state: str | None
) -> None:
    """With status 200, as the documentation has it."""
    failed = execute(workspace, statement)

    assert state(failed) == StatementState.FAILED
    assert failed.status is not None
    assert failed.status.error is not None
    assert failed.status.error.error_code is not None
    assert (failed.status.error.error_code.value, failed.status.error.message, failed.status.sql_state) == (code, message, sql_state)
    assert failed.result is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"warehouse_id": "mine"}, "'mine' is not a valid endpoint id.", id="warehouse"),
        pytest.param({"statement": " "}, "expected one SQL statement", id="empty"),
        pytest.param({"format": Format.CSV}, "CSV needs disposition EXTERNAL_LINKS", id="CSV inline"),
        pytest.param({"wait_timeout": "3s"}, "wait_timeout '3s': expected 0s, or 5s to 50s", id="wait"),
        pytest.param({"wait_timeout": "soon"}, "wait_timeout 'soon'", id="no time"),
        pytest.param({"row_limit": 0}, "row_limit 0: expected 1 or more", id="no rows"),
    ],
)
def test_a_request_that_makes_no_sense_is_a_400(workspace: WorkspaceClient, change: dict[str, object], message: str) -> None:
    """Nothing is executed."""
    request = {"statement": "SELECT 1", "warehouse_id": WAREHOUSE} | change

    with pytest.raises(InvalidParameterValue, match=message):
        workspace.statement_execution.execute_statement(**request)


def test_a_row_limit_is_told_as_truncation(workspace: WorkspaceClient) -> None:
    """Only where there was more."""
    two, three = execute(workspace, row_limit=2), execute(workspace, row_limit=3)

    assert two.manifest is not None
    assert three.manifest is not None
    assert (two.manifest.total_row_count, two.manifest.truncated) == (2, True)
    assert (three.manifest.total_row_count, three.manifest.truncated) == (3, False)


def test_large_inline_results_are_refused_and_links_are_not(workspace: WorkspaceClient, engine: Scripted) -> None:
    """25 MiB are the limit of what is inline."""
    engine.table = pa.table({"_0": ["x" * 1_000_000] * 30})

    inline = execute(workspace)
    linked = execute(workspace, disposition=Disposition.EXTERNAL_LINKS)

    assert state(inline) == StatementState.FAILED
    assert "disposition=EXTERNAL_LINKS" in str(inline.status)
    assert state(linked) == StatementState.SUCCEEDED


def test_byte_limit_cuts_rows(workspace: WorkspaceClient, engine: Scripted) -> None:
    """And says so."""
    engine.table = pa.table({"_0": ["x" * 100] * 100})

    done = execute(workspace, byte_limit=1000)

    assert done.manifest is not None
    assert done.manifest.truncated
    assert 1 <= (done.manifest.total_row_count or 0) <= 10


def fetched(workspace: WorkspaceClient, format_: Format) -> list[bytes]:
    """Every chunk behind its link, without a token."""
    done = execute(workspace, format=format_, disposition=Disposition.EXTERNAL_LINKS)
    assert done.manifest is not None
    assert done.statement_id is not None
    found = []
    for index in range(done.manifest.total_chunk_count or 0):
        data = workspace.statement_execution.get_statement_result_chunk_n(done.statement_id, index)
        (link,) = data.external_links or []
        found.append(urlopen(Request(link.external_link or "")).read())  # noqa: S310 - our own server
    return found


def test_links_lead_to_each_format(workspace: WorkspaceClient, engine: Scripted) -> None:
    """JSON, CSV with one header for all chunks, Arrow streams."""
    engine.table = pa.table({"a": ["1", None, "3,4"] * 4, "b": ['"', "\n", ""] * 4})

    as_csv, as_json, as_arrow = (fetched(workspace, each) for each in (Format.CSV, Format.JSON_ARRAY, Format.ARROW_STREAM))

    assert len(as_csv) > 1
    rows = list(csv.reader(io.StringIO(b"".join(as_csv).decode(), newline="")))
    assert rows == [["a", "b"], *([["1", '"'], ["null", "\n"], ["3,4", ""]] * 4)]
    assert as_json[0].startswith(b'[["1","')
    assert pa.concat_tables(pa.ipc.open_stream(each).read_all() for each in as_arrow).to_pydict() == engine.table.to_pydict()


def test_a_link_that_was_changed_or_has_ended_is_refused(workspace: WorkspaceClient, clock: FakeClock) -> None:
    """Without a token, the signature is all there is."""
    done = execute(workspace, disposition=Disposition.EXTERNAL_LINKS)
    assert done.result is not None
    (link,) = done.result.external_links or []
    path, _, query = (link.external_link or "").partition("?")
    given = dict(part.split("=") for part in query.split("&"))

    with pytest.raises(PermissionDenied):
        workspace.api_client.do("GET", "/" + path.split("/", 3)[3], query={**given, "until": str(int(given["until"]) + 1)})
    clock.sleep(16 * 60)
    with pytest.raises(PermissionDenied, match="ask for the chunk again"):
        workspace.api_client.do("GET", "/" + path.split("/", 3)[3], query=given)


def test_results_live_for_an_hour_and_statements_for_twelve(workspace: WorkspaceClient, clock: FakeClock) -> None:
    """Then CLOSED, then unknown."""
    done = execute(workspace).statement_id or ""
    clock.sleep(61 * 60)

    assert state(workspace.statement_execution.get_statement(done)) == StatementState.CLOSED
    with pytest.raises(InvalidParameterValue, match="it is CLOSED"):
        workspace.statement_execution.get_statement_result_chunk_n(done, 0)
    clock.sleep(12 * 3600)
    with pytest.raises(NotFound, match=done):
        workspace.statement_execution.get_statement(done)


def test_a_chunk_that_is_not_there_is_a_400(workspace: WorkspaceClient) -> None:
    """With the chunks that are."""
    done = execute(workspace).statement_id or ""

    with pytest.raises(InvalidParameterValue, match="chunk_index 9: the result has the chunks 0 to"):
        workspace.statement_execution.get_statement_result_chunk_n(done, 9)


def test_there_is_one_warehouse_and_it_runs(workspace: WorkspaceClient) -> None:
    """Found by its name, as examples do it; nothing waits for it to start."""
    (warehouse,) = workspace.warehouses.list()

    assert (warehouse.id, warehouse.state) == (WAREHOUSE, State.RUNNING)
    assert workspace.warehouses.start_and_wait(WAREHOUSE).state == State.RUNNING
    with pytest.raises(NotFound, match="SQL warehouse 0000000000000000 does not exist"):
        workspace.warehouses.get("0000000000000000")


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.lists(st.none() | st.text(max_size=20), min_size=2, max_size=2), max_size=60),
    chunk_bytes=st.integers(1, 300),
    row_limit=st.none() | st.integers(1, 70),
)
def test_chunks_make_up_the_result(
    rows: list[list[str | None]], chunk_bytes: int, row_limit: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Law: whatever the size of chunks, they follow each other without a gap, and their rows are the statement's."""
    table = pa.table({"a": pa.array([row[0] for row in rows], pa.string()), "b": pa.array([row[1] for row in rows], pa.string())})
    service = StatementService(
        clock=FakeClock(START),
        ids=RandomIds(),
        engine=Scripted(table),
        folder=tmp_path_factory.mktemp("law") / "s",
        chunk_bytes=chunk_bytes,
    )
    done = service.execute(ExecuteRequest(statement="SELECT", warehouse_id=WAREHOUSE, row_limit=row_limit))

    assert done.result is not None
    found, offset = [], 0
    for chunk in done.result.chunks:
        assert chunk.offset == offset
        offset += chunk.rows
        found += done.result.rows_of(chunk)
    assert found == rows[:row_limit]
    assert (done.result.rows, done.result.truncated) == (len(found), len(rows) > len(found))
    service.close()
