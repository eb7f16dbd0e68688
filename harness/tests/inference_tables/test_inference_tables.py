"""Inference tables as Delta tables."""

import datetime as dt
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from harness.clock import FakeClock
from harness.config import Layout
from harness.errors import ApiError
from harness.ids import SeededIds
from harness.inference_tables import InferenceTables, WarehouseFolders
from harness.state import Store

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)


class Harness:
    """Inference tables on one state folder; `start` again is a restart."""

    def __init__(self, state: Path, **options: Any) -> None:
        self.layout = Layout(state).make()
        (self.layout.warehouse / "main" / "s").mkdir(parents=True)
        self.clock = FakeClock(NOW)
        self.options = options
        self.table = self.layout.warehouse / "main" / "s" / "ep_payload"
        self.ids = SeededIds()
        self.start()

    def start(self) -> None:
        self.store = Store(self.layout.database)
        folders = WarehouseFolders(self.layout)
        self.tables = InferenceTables(clock=self.clock, ids=self.ids, store=self.store, layout=self.layout, tables=folders, **self.options)
        self.tables.start()

    def stop(self) -> None:
        self.tables.close()
        self.store.close()

    def enable(self, endpoint: str = "e1") -> str:
        return self.tables.enable(endpoint, catalog="main", schema="s", prefix="ep")

    def call(self, number: int = 1, endpoint: str = "e1", request: bytes = b'{"a": 1}', response: bytes = b"{}", status: int = 200) -> None:
        self.tables.append(
            endpoint,
            databricks_request_id=str(number),
            received=self.clock.now(),
            status_code=status,
            execution_duration_ms=7,
            request=request,
            response=response,
            served_entity_id="f" * 32,
            requester="me",
        )

    def rows(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = DeltaTable(self.table).to_pyarrow_table().to_pylist()
        return rows


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    yield harness
    harness.stop()


def test_table_has_the_platforms_columns(harness: Harness) -> None:
    """Twelve columns in order, with their types, change data feed on; made by the first call, not by enabling."""
    assert harness.enable() == "main.s.ep_payload"
    assert not harness.table.exists()
    harness.call(request=b'{"client_request_id": "c1", "inputs": [1]}')
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
    assert harness.rows() == [
        {
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
    ]


def test_payload_over_a_mebibyte_is_null_with_a_code(harness: Harness) -> None:
    """Each side for itself; exactly 1 MiB is kept."""
    harness.enable()
    limit = 1 << 20
    harness.call(1, request=b"x" * (limit + 1), response=b"y" * limit)
    harness.call(2, request=b"x", response=b"y" * (limit + 1))
    harness.tables.flush()
    first, second = harness.rows()
    assert (first["request"], len(str(first["response"])), first["logging_error_codes"]) == (None, limit, ["MAX_REQUEST_SIZE_EXCEEDED"])
    assert (second["request"], second["response"], second["logging_error_codes"]) == ("x", None, ["MAX_RESPONSE_SIZE_EXCEEDED"])


def test_somebody_elses_table_blocks_enabling(harness: Harness) -> None:
    """A table of that name that is there already is never written to."""
    write_deltalake(harness.table, pa.table({"mine": [1]}))
    with pytest.raises(ApiError, match=r"'main\.s\.ep_payload' already exists") as caught:
        harness.enable()
    assert (caught.value.status, caught.value.error_code) == (400, "INVALID_PARAMETER_VALUE")


def test_enabling_again_changes_nothing_but_another_endpoint_is_blocked(harness: Harness) -> None:
    """put_ai_gateway may repeat itself; a recreated endpoint has a new id and finds the old table in its way."""
    harness.enable()
    harness.call()
    harness.tables.flush()
    harness.enable()
    harness.call(2)
    harness.tables.flush()
    assert len(harness.rows()) == 2
    with pytest.raises(ApiError, match="already exists"):
        harness.enable("e2")


def test_missing_schema_is_told(harness: Harness) -> None:
    """404 with the schema's name."""
    with pytest.raises(ApiError, match=r"Schema 'main\.nope' does not exist"):
        harness.tables.enable("e1", catalog="main", schema="nope", prefix="x")


def test_dropped_table_is_made_again(harness: Harness) -> None:
    """Rows after the drop are in a new table; those before went with the old one."""
    harness.enable()
    harness.call(1)
    harness.tables.flush()
    shutil.rmtree(harness.table)
    harness.call(2)
    harness.tables.flush()
    assert [row["databricks_request_id"] for row in harness.rows()] == ["2"]


def test_replaced_table_keeps_rows_waiting_and_says_so(harness: Harness) -> None:
    """Rows that cannot be written are in no other table and not lost: they come when the way is free."""
    harness.enable()
    write_deltalake(harness.table, pa.table({"mine": [1]}))
    harness.call(1)
    with pytest.raises(ApiError, match=r"main\.s\.ep_payload exists and was not made by this endpoint's inference log") as caught:
        harness.tables.flush(1.5)
    assert caught.value.status == 504
    shutil.rmtree(harness.table)
    harness.tables.flush()
    assert [row["databricks_request_id"] for row in harness.rows()] == ["1"]


def test_disabled_endpoint_is_not_logged_any_more(harness: Harness) -> None:
    """What was acknowledged before still arrives."""
    harness.enable()
    harness.call(1)
    harness.tables.disable("e1")
    harness.call(2)
    harness.tables.flush()
    assert [row["databricks_request_id"] for row in harness.rows()] == ["1"]


def test_restart_goes_on_in_the_same_table(harness: Harness) -> None:
    """Neither repeats nor loses a row."""
    harness.enable()
    harness.call(1)
    harness.stop()
    harness.start()
    harness.call(2)
    harness.tables.flush()
    assert [row["databricks_request_id"] for row in sorted(harness.rows(), key=str)] == ["1", "2"]


def test_many_rows_from_many_threads(harness: Harness) -> None:
    """Each once, in a few commits."""
    harness.enable()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(harness.call, range(3000)))
    harness.tables.flush()
    assert sorted(int(str(row["databricks_request_id"])) for row in harness.rows()) == list(range(3000))
    assert DeltaTable(harness.table).version() < 20


def test_delay_is_the_platforms_lateness(tmp_path: Path) -> None:
    """Rows show up only after the delay, unless somebody flushes."""
    harness = Harness(tmp_path, delay_seconds=3600.0, create_when_enabled=True)
    harness.enable()
    assert harness.rows() == []
    harness.call()
    time.sleep(1.2)  # longer than the writer needs for a commit
    assert harness.rows() == []
    harness.tables.flush()
    assert len(harness.rows()) == 1
    harness.stop()
