"""Sessions of statements, as databricks-sql-connector opens them."""

import datetime as dt
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from harness.clock import FakeClock
from harness.errors import ApiError
from harness.http import Call, Route
from harness.ids import RandomIds
from harness.sql import StatementService, routes
from harness.sql.model import ColumnInfo, Query, StatementFailedError

WAREHOUSE = "4a524e4553530001"
COLUMNS = (ColumnInfo(name="n", position=0, type_name="LONG", type_text="BIGINT"),)


@dataclass
class Remembers:
    """An engine that knows which sessions are open and what was asked in which; it answers 0, 1, 2."""

    open_: dict[str, tuple[str | None, str | None, dict[str, str]]] = field(default_factory=dict)
    asked: list[Query] = field(default_factory=list)

    def begin(self, query: Query) -> "Remembers":
        self.asked.append(query)
        return self

    def result(self) -> tuple[tuple[ColumnInfo, ...], pa.Table]:
        return COLUMNS, pa.table({"_0": ["0", "1", "2"] if self.asked[-1].as_text else [0, 1, 2]})

    def cancel(self) -> None:
        """Nothing lasts long enough."""

    def open(self, session: str, *, catalog: str | None, schema: str | None, confs: Mapping[str, str]) -> None:
        if catalog == "nowhere":
            raise StatementFailedError("[NO_SUCH_CATALOG_EXCEPTION] Catalog 'nowhere' was not found.", "42704")
        self.open_[session] = (catalog, schema, dict(confs))

    def close(self, session: str) -> None:
        self.open_.pop(session, None)


@dataclass
class Client:
    """Calls the routes' handlers."""

    table: dict[tuple[str, str], Route]

    def send(self, method: str, path: str, body: object = None, **params: str) -> Any:
        call = Call(method, path, params, {}, {}, b"" if body is None else msgspec.json.encode(body), "someone")
        return msgspec.json.decode(msgspec.json.encode(self.table[method, path].handler(call)))

    def open(self, **given: object) -> str:
        return str(self.send("POST", "/api/2.0/sql/sessions", {"warehouse_id": WAREHOUSE, **given})["session_id"])

    def close(self, session: str) -> None:
        self.send("DELETE", "/api/2.0/sql/sessions/{session_id}", session_id=session)

    def execute(self, **given: object) -> Any:
        return self.send("POST", "/api/2.0/sql/statements", {"warehouse_id": WAREHOUSE, "statement": "SELECT n", **given})


@pytest.fixture
def engine() -> Remembers:
    return Remembers()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(dt.datetime(2026, 11, 28, tzinfo=dt.UTC))


@pytest.fixture
def client(engine: Remembers, clock: FakeClock, tmp_path: Path) -> Iterator[Client]:
    service = StatementService(clock=clock, ids=RandomIds(), engine=engine, folder=tmp_path / "statements")
    answered = routes(service, host_url="http://127.0.0.1:1", user="someone")
    yield Client({(route.method, route.path): route for route in answered if isinstance(route, Route)})
    service.close()
    assert not engine.open_


def test_statements_of_a_connection_share_its_session(client: Client, engine: Remembers) -> None:
    session = client.open(catalog="dev", schema="s", session_confs={"timezone": "Europe/Rome", "USE_CACHED_RESULT": "false"})
    assert engine.open_ == {session: ("dev", "s", {"spark.sql.session.timeZone": "Europe/Rome"})}

    client.execute(session_id=session)
    client.execute(session_id=session)
    client.close(session)

    assert [query.session for query in engine.asked] == [session, session]
    assert engine.open_ == {}


def test_small_results_come_with_the_answer_where_the_client_leaves_that_to_the_service(client: Client) -> None:
    """As Arrow, whole and not compressed, which is what the manifest says."""
    done = client.execute(disposition="INLINE_OR_EXTERNAL_LINKS", format="ARROW_STREAM", result_compression="LZ4_FRAME")

    assert pa.ipc.open_stream(b64decode(done["result"]["attachment"])).read_all().to_pydict() == {"n": [0, 1, 2]}
    assert "result_compression" not in done["manifest"]


def test_a_closed_statement_has_no_result(client: Client) -> None:
    done = client.execute()
    client.send("DELETE", "/api/2.0/sql/statements/{statement_id}", statement_id=done["statement_id"])
    found = client.send("GET", "/api/2.0/sql/statements/{statement_id}", statement_id=done["statement_id"])
    assert (found["status"]["state"], "result" in found) == ("CLOSED", False)


def test_a_session_that_nobody_used_for_an_hour_is_closed(client: Client, engine: Remembers, clock: FakeClock) -> None:
    left, used = client.open(), client.open()
    clock.sleep(3000)
    client.execute(session_id=used)
    clock.sleep(3000)
    third = client.open()
    assert set(engine.open_) == {used, third}
    with pytest.raises(ApiError, match=f"The session {left} was not found"):
        client.execute(session_id=left)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"catalog": "nowhere"}, r"Catalog 'nowhere' was not found", id="no such catalog"),
        pytest.param({"session_confs": {"spark.executor.memory": "1g"}}, r"'SPARK.EXECUTOR.MEMORY' cannot be set here", id="setting"),
        pytest.param({"session_confs": {"ANSI_MODE": 1}}, r"session_confs", id="wrong type"),
    ],
)
def test_a_session_that_cannot_be_is_a_400(client: Client, engine: Remembers, given: dict[str, object], message: str) -> None:
    with pytest.raises(ApiError, match=message) as refused:
        client.open(**given)
    assert (refused.value.status, engine.open_) == (400, {})
