"""The journal and its writer: whatever crashes, every acknowledged row is in the table exactly once."""

import datetime as dt
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.inference_tables.journal import Journal
from harness.inference_tables.model import InferenceLog, PayloadRow, payload_row
from harness.inference_tables.writer import LogWriter

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=1)
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

    def rows_held(self) -> int | None:
        return self.held

    def append(self, rows: Sequence[PayloadRow], rows_held: int) -> None:
        if self.crash == "before commit":
            raise Crash
        self.rows += [row.databricks_request_id for row in rows]
        self.held = rows_held
        if self.crash == "after commit":
            raise Crash


def row(number: int) -> PayloadRow:
    return payload_row(
        databricks_request_id=str(number),
        received=NOW,
        status_code=200,
        execution_duration_ms=1,
        request=b"x" * (number % 50),
        response=b"\n\xc3\xa9",
        served_entity_id="s",
        requester="me",
    )


def reopened(folder: Path, table: Table) -> LogWriter:
    writer = LogWriter(LOG, Journal(folder, segment_bytes=600), table)
    writer.catch_up()
    return writer


STEPS = st.one_of(
    st.integers(1, 5).map(lambda count: ("append", count)),
    st.sampled_from(["write", "restart", "before commit", "after commit"]).map(lambda word: (word, 0)),
    st.integers(1, 30).map(lambda size: ("torn", size)),
)


@pytest.mark.property
@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_any_crash_leaves_every_row_exactly_once(steps: list[tuple[str, int]]) -> None:
    """Torn records, deaths on either side of a commit and restarts neither lose nor repeat an acknowledged row."""
    with tempfile.TemporaryDirectory() as name:
        folder, table, count = Path(name), Table(), 0
        writer = reopened(folder, table)
        for step, number in steps:
            if step == "append":
                for _ in range(number):
                    writer.append(row(count))
                    count += 1
            elif step == "write":
                writer.write(LATER)
            elif step == "torn":
                writer.journal.close()
                last = max(folder.glob("*.journal"))
                with last.open("ab") as stream:
                    stream.write((b"00000020 00000000 " + b"y" * 40)[:number])
                writer = reopened(folder, table)
            else:
                table.crash = step
                with suppress(Crash):
                    writer.write(LATER)
                table.crash = None
                writer.journal.close()
                writer = reopened(folder, table)
        while writer.write(LATER):
            pass
        writer.journal.close()
        assert table.rows == [str(number) for number in range(count)]


def test_written_segments_are_removed(tmp_path: Path) -> None:
    """The journal does not grow with the table."""
    table = Table()
    writer = reopened(tmp_path, table)
    for number in range(200):
        writer.append(row(number))
        writer.write(LATER)
    writer.journal.close()
    assert len(list(tmp_path.glob("*.journal"))) <= 2


def test_row_too_young_waits(tmp_path: Path) -> None:
    """With a delay, a row is not written before its time."""
    writer = reopened(tmp_path, Table())
    writer.append(row(1))
    assert not writer.write(NOW - dt.timedelta(seconds=1))
    assert writer.write(NOW)
    writer.journal.close()


def test_full_disk_leaves_the_journal_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that cannot be written is refused aloud and leaves no half behind."""
    journal = Journal(tmp_path)
    journal.append(b"one")
    real = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < 12:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:-4])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        journal.append(b"two and more")
    monkeypatch.undo()
    journal.append(b"three")
    assert journal.take(10).records == (b"one", b"three")
    journal.close()
