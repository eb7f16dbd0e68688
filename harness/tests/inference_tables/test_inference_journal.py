"""The journal and its writer: whatever crashes, every acknowledged call is in the table exactly once."""

import datetime as dt
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config import Layout
from harness.inference_tables import WarehouseFolders
from harness.inference_tables.journal import Journal, Reader
from harness.inference_tables.model import InferenceLog
from harness.inference_tables.moving import move
from harness.inference_tables.ports import FOREVER, Moved, Order
from harness.inference_tables.writer import LogWriter
from harness.serving.ports import LoggedCall

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NOW_NS = int(NOW.timestamp()) * 1_000_000_000
LOG = InferenceLog(log_id="l", endpoint_id="e", table="main.s.t_payload")


class Crash(BaseException):
    """The process is gone."""


@dataclass
class Table:
    """A table in memory that outlives the process; it can let the process die just before or just after a commit."""

    rows: list[str] = field(default_factory=list)
    held: int | None = None
    crash: str | None = None

    def exists(self) -> bool:
        return self.held is not None

    def create(self) -> None:
        self.held = 0

    def calls_held(self) -> int | None:
        return self.held

    def append(self, rows: pa.Table, calls_held: int) -> None:
        if self.crash == "before commit":
            raise Crash
        self.rows += rows["databricks_request_id"].to_pylist()
        self.held = calls_held
        if self.crash == "after commit":
            raise Crash

    def tidy(self) -> None:
        pass


class Mover:
    """Moves into a table in memory; a new one knows nothing of where the last one read."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.readers: dict[str, Reader] = {}

    def move(self, order: Order) -> Moved:
        return move(order, self.readers.setdefault(order.journal, Reader(Path(order.journal))), self.table)

    def close(self) -> None:
        pass


def call(number: int) -> LoggedCall:
    return LoggedCall(
        databricks_request_id=str(number),
        received_ns=NOW_NS,
        status_code=200,
        microseconds=1_000,
        request=b"x" * (number % 50),
        response=b"\n\xc3\xa9",
        served_entity_id="s",
        requester="me",
        client_request_id=None,
    )


def reopened(folder: Path, table: Table) -> LogWriter:
    layout = Layout(folder)
    (layout.warehouse / "main" / "s").mkdir(parents=True, exist_ok=True)
    writer = LogWriter(LOG, Journal(folder / "journal", segment_bytes=600), WarehouseFolders(layout), Mover(table))
    writer.catch_up(table)
    return writer


STEPS = st.one_of(
    st.integers(1, 5).map(lambda count: ("append", count)),
    st.sampled_from(["write", "restart", "before commit", "after commit"]).map(lambda word: (word, 0)),
    st.integers(1, 48).map(lambda size: ("torn", size)),
)


@pytest.mark.property
@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_any_crash_leaves_every_call_exactly_once(steps: list[tuple[str, int]]) -> None:
    """Torn records, deaths on either side of a commit and restarts neither lose nor repeat an acknowledged call."""
    with tempfile.TemporaryDirectory() as name:
        folder, table, count = Path(name), Table(), 0
        writer = reopened(folder, table)
        for step, number in steps:
            if step == "append":
                writer.append([call(count + index) for index in range(number)])
                count += number
            elif step == "write":
                writer.write(FOREVER)
            elif step == "torn":
                writer.journal.close()
                last = max(folder.glob("journal/*.calls"))
                with last.open("ab") as stream:
                    stream.write((b"\x20\0\0\0\1\0\0\0" + b"y" * 40)[:number])
                writer = reopened(folder, table)
            else:
                table.crash = step
                with suppress(Crash):
                    writer.write(FOREVER)
                table.crash = None
                writer.journal.close()
                writer = reopened(folder, table)
        while writer.write(FOREVER):
            pass
        writer.journal.close()
        assert table.rows == [str(number) for number in range(count)]


def test_written_segments_are_removed(tmp_path: Path) -> None:
    """The journal does not grow with the table."""
    table = Table()
    writer = reopened(tmp_path, table)
    for number in range(200):
        writer.append([call(number)])
        writer.write(FOREVER)
    writer.journal.close()
    assert len(list(tmp_path.glob("journal/*.calls"))) <= 2


def test_row_too_young_waits(tmp_path: Path) -> None:
    """With a delay, a row is not written before its time, nor is its table made."""
    table = Table()
    writer = reopened(tmp_path, table)
    writer.append([call(1)])
    assert not writer.write(NOW_NS - 1)
    assert table.held is None
    assert writer.write(NOW_NS)
    writer.journal.close()


def test_full_disk_leaves_the_journal_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that cannot be written is refused aloud and leaves no half behind."""
    journal = Journal(tmp_path)
    journal.append(b"one", 1)
    real = os.write

    def half(descriptor: int, parts: Sequence[bytes]) -> int:
        return real(descriptor, b"".join(parts)[:-4])

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "writev", half)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        journal.append(b"two and more", 2)
    monkeypatch.undo()
    journal.append(b"three", 3)
    assert [tuple(record) for record in Reader(tmp_path).take(0, journal.end)] == [(0, 1, b"one"), (1, 4, b"three")]
    journal.close()


def test_full_disk_at_the_end_of_a_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no next segment can be made, the record is refused and the journal works as soon as there is room again."""
    journal = Journal(tmp_path, segment_bytes=1)
    journal.append(b"one", 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            journal.append(b"two", 1)
    journal.append(b"three", 1)
    assert [record.body for record in Reader(tmp_path).take(0, journal.end)] == [b"one", b"three"]
    journal.close()


def test_reader_stops_at_what_was_acknowledged(tmp_path: Path) -> None:
    """A record that is there and not yet acknowledged may still be taken back, so it is not read."""
    journal = Journal(tmp_path)
    journal.append(b"one", 3)
    end = journal.end
    journal.append(b"two", 2)
    reader = Reader(tmp_path)
    assert [record.body for record in reader.take(0, end)] == [b"one"]
    assert [record.body for record in reader.take(end, journal.end)] == [b"two"]
    journal.close()


def test_lost_journal_goes_on_behind_the_table(tmp_path: Path) -> None:
    """When the journal's folder was removed, new calls are not taken for those that the table holds."""
    table = Table(rows=["0"], held=7)
    writer = reopened(tmp_path, table)
    writer.append([call(1)])
    assert writer.write(FOREVER)
    assert table.rows == ["0", "1"]
    writer.journal.close()


def test_large_payloads_are_not_copied_into_the_journal(tmp_path: Path) -> None:
    """Only the fact is noted, and the id that the body names."""
    writer = reopened(tmp_path, Table())
    body = b'{"client_request_id": "mine", "inputs": "%s"}' % (b"x" * (1 << 20))
    large = LoggedCall("1", NOW_NS, 200, 1, body, b"y" * (1 << 21), "s", None, "from the header")
    writer.append([large])
    (record,) = Reader(writer.journal.folder).take(0, 1)
    assert len(record.body) < 200
    assert b"mine" in record.body
    writer.journal.close()
