"""What inference tables contain, and how rows reach them."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ApiError
from harness.http import OneToken, application
from harness.inference_tables import Delivery, InferenceTables, routes
from harness.inference_tables.columns import payload_rows
from harness.inference_tables.ports import Mover
from harness.inference_tables.records import Terms, record
from harness.serving.ports import LoggedCall

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)
MEBIBYTE = 1 << 20


class Harness(Protocol):
    """What conftest.py starts."""

    tables: InferenceTables
    table: Path

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def enable(self, endpoint: str = "e1", *, prefix: str = "ep", sampling_fraction: float = 1.0) -> str: ...
    def call(self, number: int | None = None, endpoint: str = "e1", **more: Any) -> str: ...
    def rows(self, table: str = "ep_payload") -> list[dict[str, Any]]: ...
    def flushed(self, table: str = "ep_payload") -> list[str]: ...


MakeHarness = Callable[..., Harness]


def test_table_has_the_platforms_columns(make_harness: MakeHarness, mover: Mover) -> None:
    """Twelve columns in order, with their types, change data feed on; made by the first call, not by enabling."""
    harness = make_harness(mover)
    assert harness.enable() == "main.s.ep_payload"
    assert not harness.table.exists()
    harness.call(request=b'{"client_request_id": "c1", "inputs": [1]}', client_request_id="from the header")
    harness.call(status_code=400, requester=None, response=b"")
    harness.tables.flush()
    schema = DeltaTable(harness.table).to_pyarrow_table().schema
    assert [(f.name, str(f.type)) for f in schema] == [
        ("databricks_request_id", "string"),
        ("request_date", "date32[day]"),
        ("client_request_id", "string"),
        ("request_time", "timestamp[us, tz=UTC]"),
        ("status_code", "int32"),
        ("sampling_fraction", "double"),
        ("execution_duration_ms", "int64"),
        ("request", "string"),
        ("response", "string"),
        ("logging_error_codes", "list<element: string>"),
        ("served_entity_id", "string"),
        ("requester", "string"),
    ]
    assert DeltaTable(harness.table).metadata().configuration["delta.enableChangeDataFeed"] == "true"
    first, second = harness.rows()
    assert first == {
        "databricks_request_id": "1",
        "request_date": dt.date(2026, 3, 1),
        "client_request_id": "c1",
        "request_time": NOW.replace(microsecond=123000),
        "status_code": 200,
        "sampling_fraction": 1.0,
        "execution_duration_ms": 7,
        "request": '{"client_request_id": "c1", "inputs": [1]}',
        "response": "{}",
        "logging_error_codes": [],
        "served_entity_id": "f" * 32,
        "requester": "me",
    }
    assert (second["status_code"], second["client_request_id"], second["response"], second["requester"]) == (400, None, "", None)


@pytest.mark.parametrize(
    ("request_", "logged"),
    [
        pytest.param(b'{"client_request_id": "c1"}', "c1", id="body wins"),
        pytest.param(b'{"client_request_id": "c1", "inputs": [NaN]}', "c1", id="JSON as Python writes it"),
        pytest.param(b'{"inputs": [{"client_request_id": "inner"}]}', "header", id="not at the top level"),
        pytest.param(b'{"client_request_id": 7}', "header", id="not a text"),
        pytest.param(b'{"client_request_id": null}', "header", id="null"),
        pytest.param(b'{"client_request_id": "c1"', "header", id="not JSON"),
        pytest.param(b'["client_request_id"]', "header", id="a list"),
        pytest.param(b'{"client_request_id": "c1", "a": ' + b"[" * 100_000, "header", id="too deep to read"),
        pytest.param(b'{"client_request_id": "c1", "a": "' + b"x" * MEBIBYTE + b'"}', "c1", id="in a body too large to log"),
    ],
)
def test_client_request_id_is_the_bodys_or_the_headers(harness: Harness, request_: bytes, logged: str) -> None:
    """A text at the top level of the body wins over the header."""
    harness.enable()
    harness.call(request=request_, client_request_id="header")
    harness.tables.flush()
    assert harness.rows()[0]["client_request_id"] == logged


def test_payload_over_a_mebibyte_is_null_with_a_code(harness: Harness) -> None:
    """Each side for itself; exactly 1 MiB is kept."""
    harness.enable()
    harness.call(request=b"x" * (MEBIBYTE + 1), response=b"y" * MEBIBYTE)
    harness.call(request=b"x" * MEBIBYTE, response=b"y" * (MEBIBYTE + 1))
    harness.call(request=b"x" * (MEBIBYTE + 1), response=b"y" * (MEBIBYTE + 1))
    harness.tables.flush()
    first, second, third = harness.rows()
    assert (first["request"], first["response"], first["logging_error_codes"]) == (None, "y" * MEBIBYTE, ["MAX_REQUEST_SIZE_EXCEEDED"])
    assert (second["request"], second["response"], second["logging_error_codes"]) == ("x" * MEBIBYTE, None, ["MAX_RESPONSE_SIZE_EXCEEDED"])
    assert third["logging_error_codes"] == ["MAX_REQUEST_SIZE_EXCEEDED", "MAX_RESPONSE_SIZE_EXCEEDED"]


def test_body_that_is_not_text_is_logged_as_far_as_it_is(harness: Harness) -> None:
    """What is not UTF-8 becomes U+FFFD; the rows beside it stay as they are."""
    harness.enable()
    harness.call(request=b"caf\xe9")
    harness.call(request="café".encode())
    harness.tables.flush()
    assert [row["request"] for row in harness.rows()] == ["caf�", "café"]


def test_databricks_output_on_request(make_harness: MakeHarness) -> None:
    """Answers of the model end with it, as in tables of the platform; errors and other shapes stay as they are."""
    harness = make_harness(databricks_output=True)
    harness.enable()
    harness.call(response=b'{"predictions": [1.5]}')
    harness.call(response=b'{"error_code": "BAD_REQUEST"}', status_code=400)
    harness.call(response=b"[1.5]")
    harness.tables.flush()
    assert [row["response"] for row in harness.rows()] == [
        '{"predictions": [1.5], "databricks_output": {"trace": null, "databricks_request_id": "1"}}',
        '{"error_code": "BAD_REQUEST"}',
        "[1.5]",
    ]


def test_sample_is_a_matter_of_the_ids(make_harness: MakeHarness) -> None:
    """About the fraction of the calls is logged, the same ones each time, and the column says the fraction."""
    seen = []
    for _ in range(2):
        harness = make_harness()
        harness.enable(sampling_fraction=0.25)
        for _ in range(400):
            harness.call()
        seen.append(harness.flushed())
        assert {row["sampling_fraction"] for row in harness.rows()} == {0.25}
    assert seen[0] == seen[1]
    assert 60 < len(seen[0]) < 140


def test_changed_sample_holds_from_then_on(harness: Harness) -> None:
    """Rows keep the fraction under which their calls were answered."""
    harness.enable()
    harness.call()
    harness.enable(sampling_fraction=0.0)
    harness.call()
    harness.enable(sampling_fraction=0.999999)
    harness.call()
    harness.tables.flush()
    assert [(row["databricks_request_id"], row["sampling_fraction"]) for row in harness.rows()] == [("1", 1.0), ("3", 0.999999)]


def test_sample_of_more_than_all_is_refused(harness: Harness) -> None:
    """A fraction is a fraction."""
    with pytest.raises(ApiError, match=r"sampling_fraction is 1\.5; expected a number from 0 to 1") as caught:
        harness.enable(sampling_fraction=1.5)
    assert (caught.value.status, caught.value.error_code) == (400, "INVALID_PARAMETER_VALUE")


def test_many_rows_from_many_threads(make_harness: MakeHarness, mover: Mover) -> None:
    """Each once, in a few commits."""
    harness = make_harness(mover)
    harness.enable()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(harness.call, range(3000)))
    assert harness.flushed() == [str(number) for number in range(3000)]
    assert DeltaTable(harness.table).version() < 20


def test_late_delivery(make_harness: MakeHarness) -> None:
    """Rows show up only after the delay, unless somebody flushes."""
    harness = make_harness(create_when_enabled=True)
    harness.tables.deliver(Delivery(delay_seconds=3600.0))
    harness.enable()
    assert harness.rows() == []
    harness.call()
    time.sleep(1.2)  # longer than the writer needs for a commit
    assert harness.rows() == []
    assert harness.flushed() == ["1"]


def test_duplicate_and_lost_delivery(make_harness: MakeHarness) -> None:
    """Of the calls answered from then on, and the same ones for the same seed."""
    harness = make_harness()
    harness.enable()
    harness.call()
    harness.tables.deliver(Delivery(duplicate_fraction=0.2, lost_fraction=0.3, seed=1))
    for _ in range(1000):
        harness.call()
    harness.tables.deliver(Delivery())
    harness.call()
    ids = harness.flushed()
    assert (ids.count("1"), ids.count("1002")) == (1, 1)
    counts = [ids.count(str(number)) for number in range(2, 1002)]
    assert 240 < counts.count(0) < 360
    assert 100 < counts.count(2) < 180
    again = make_harness()
    again.enable()
    for seed, same in ((1, True), (2, False)):
        again.tables.deliver(Delivery(duplicate_fraction=0.2, lost_fraction=0.3, seed=seed))
        for number in range(2, 1002):
            again.call(number)
        found = again.flushed()
        assert (found == ids[1:-1]) is same


def test_nothing_left_to_deliver(harness: Harness) -> None:
    """When all rows are lost, a flush still ends, and the next rows are those of the next calls."""
    harness.enable()
    harness.tables.deliver(Delivery(lost_fraction=1.0))
    harness.call()
    assert harness.flushed() == []
    harness.tables.deliver(Delivery())
    harness.call()
    assert harness.flushed() == ["2"]


def test_calls_stay_lost_over_a_restart(harness: Harness) -> None:
    """What was asked for holds for the calls answered under it; the restart itself delivers as usual."""
    harness.enable()
    harness.tables.deliver(Delivery(delay_seconds=3600, duplicate_fraction=1.0))
    harness.call()
    harness.stop()
    harness.start()
    harness.call()
    assert harness.tables.delivery == Delivery()
    assert harness.flushed() == ["1", "1", "2"]


def test_delivery_over_http(harness: Harness) -> None:
    """PUT replaces the whole request and returns it; what is not a fraction is refused by name."""
    app = application(routes(harness.tables), callers=OneToken("t", "me"))

    def send(method: str, body: object = None) -> httpx.Response:
        async def sent() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://h", headers={"Authorization": "Bearer t"}) as http:
                return await http.request(method, "/__harness__/inference-tables/delivery", json=body)

        return asyncio.run(sent())

    as_usual = {"delay_seconds": 0.0, "duplicate_fraction": 0.0, "lost_fraction": 0.0, "seed": 0}
    assert send("GET").json() == as_usual
    wanted = {"delay_seconds": 2.5, "duplicate_fraction": 0.5, "lost_fraction": 0.25, "seed": 7}
    assert send("PUT", wanted).json() == wanted
    assert send("GET").json() == wanted
    refused = send("PUT", {"lost_fraction": 1.5})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "$.lost_fraction" in refused.json()["message"]
    assert send("PUT", {"lost": 1}).status_code == 400
    assert send("PUT", {}).json() == as_usual


CALLS = st.builds(
    LoggedCall,
    databricks_request_id=st.uuids().map(str),
    received_ns=st.integers(0, 4 * 10**18),
    status_code=st.sampled_from([200, 400, 500, 504]),
    microseconds=st.integers(0, 2**40),
    request=st.one_of(st.binary(max_size=30), st.text(max_size=20).map(str.encode)),
    response=st.one_of(st.binary(max_size=30), st.text(max_size=20).map(str.encode)),
    served_entity_id=st.text("0123456789abcdef", min_size=1, max_size=32),
    requester=st.none() | st.text(max_size=5),
    client_request_id=st.none() | st.text(max_size=5),
)


@given(st.lists(st.lists(CALLS, min_size=1, max_size=4), max_size=4))
def test_rows_are_the_calls(batches: list[list[LoggedCall]]) -> None:
    """Whatever bytes were sent and answered, whatever batches they were noted in: one row a call, in order, nothing made up."""
    rows = payload_rows(record(Terms().packed(), batch) for batch in batches).to_pylist()
    assert [
        (row["databricks_request_id"], row["status_code"], row["request"], row["response"], row["requester"], row["client_request_id"])
        for row in rows
    ] == [
        (call.databricks_request_id, call.status_code, _text(call.request), _text(call.response), call.requester, call.client_request_id)
        for batch in batches
        for call in batch
    ]
    for row, call in zip(rows, (call for batch in batches for call in batch), strict=True):
        assert row["request_time"] == dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=call.received_ns // 10**6)
        assert row["request_date"] == row["request_time"].date()
        assert row["execution_duration_ms"] == call.microseconds // 1000


def _text(payload: bytes) -> str:
    return payload.decode(errors="replace")
