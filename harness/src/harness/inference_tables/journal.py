"""Rows that a client has been promised, on disk until their table holds them.

A journal is a folder of segment files. Each record is one `os.write`: length and checksum, the bytes, a newline. Not synced: the page
cache outlives a killed process, which is what it must survive. Records are numbered from 0; `committed` says how many the table holds.
"""

import os
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

SEGMENT_BYTES = 8 << 20
_HEAD = len(b"00000000 00000000 ")
_SUFFIX = ".journal"


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in order; `first` is the number of the first and `end` one more than the number of the last."""

    first: int
    records: tuple[bytes, ...]

    @property
    def end(self) -> int:
        """How many records there are up to and including this batch."""
        return self.first + len(self.records)


class Journal:
    """Any thread appends; one thread takes and commits.

    `folder` may hold what an earlier process left: its torn last record (never acknowledged) is cut off, the rest is still to be taken.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._committed = self._read_mark()
        self._end = max([self._committed, *(start + _cut(path) for start, path in self._segments())])
        self._position: tuple[Path, int, int] | None = None  # segment, offset and number of the next record to take
        self._descriptor = -1
        self._size = 0
        self._open_segment()

    @property
    def end(self) -> int:
        """How many records were ever appended."""
        return self._end

    @property
    def committed(self) -> int:
        """How many of them need no keeping any more."""
        return self._committed

    def append(self, record: bytes) -> int:
        """Put `record` on disk and return its number. An OSError (disk full) leaves the journal as it was."""
        line = b"%08x %08x %s\n" % (len(record), zlib.crc32(record), record)
        with self._lock:
            if self._size >= self._segment_bytes:
                os.close(self._descriptor)
                self._open_segment()
            self._write(line)
            self._end += 1
            return self._end - 1

    def take(self, limit: int, limit_bytes: int = 64 << 20) -> Batch:
        """Return the oldest uncommitted records, at most `limit` of them and about `limit_bytes`; taking again returns them again."""
        records: list[bytes] = []
        size = 0
        with self._lock:
            missing = min(limit, self._end - self._committed)
        for record in self._from(self._committed):
            if len(records) >= missing or size >= limit_bytes:
                break
            records.append(record)
            size += len(record)
        return Batch(self._committed, tuple(records))

    def commit(self, end: int) -> None:
        """Forget the records before number `end`: the table holds them."""
        mark = self._folder / "committed.new"
        mark.write_text(str(end))
        mark.replace(self._folder / "committed")
        with self._lock:
            self._committed = max(self._committed, end)
            if end > self._end:  # a table that knows more than a lost journal: numbers go on from there
                self._end = end
                os.close(self._descriptor)
                self._open_segment()
            segments = self._segments()
            for (_, path), (following, _) in pairwise(segments):
                if following <= self._committed:
                    path.unlink()

    def close(self) -> None:
        """Close the file; twice without harm."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, line: bytes) -> None:
        done = 0
        try:
            while done < len(line):
                done += os.write(self._descriptor, line[done:])
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line)

    def _open_segment(self) -> None:
        path = self._folder / f"{self._end:020d}{_SUFFIX}"
        self._descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _from(self, number: int) -> Iterator[bytes]:
        """Yield the records from `number` on, remembering where each one starts."""
        segments = self._segments()
        starts = [start for start, _ in segments]
        position = self._position
        for index, (start, path) in enumerate(segments):
            if index + 1 < len(segments) and starts[index + 1] <= number:
                continue
            offset, at = 0, start
            if position is not None and position[0] == path and position[2] <= number:
                _, offset, at = position
            for record, ending in _records(path, offset):
                if at >= number:
                    yield record
                at += 1
                if at <= self._committed:
                    self._position = (path, ending, at)

    def _read_mark(self) -> int:
        mark = self._folder / "committed"
        return int(mark.read_text()) if mark.exists() else 0

    def _segments(self) -> list[tuple[int, Path]]:
        return sorted((int(path.stem), path) for path in self._folder.glob(f"*{_SUFFIX}"))


def _records(path: Path, offset: int) -> Iterator[tuple[bytes, int]]:
    """Yield each whole record from `offset` on, with the offset after it; stop at the first that is not whole."""
    with path.open("rb") as stream:
        stream.seek(offset)
        while len(head := stream.read(_HEAD)) == _HEAD:
            try:
                length, checksum = (int(part, 16) for part in head.split())
            except ValueError:
                return
            record = stream.read(length)
            if stream.read(1) != b"\n" or zlib.crc32(record) != checksum:
                return
            offset += _HEAD + length + 1
            yield record, offset


def _cut(path: Path) -> int:
    """Cut off what follows the last whole record of `path` and return how many records it holds."""
    count, whole = 0, 0
    for _, ending in _records(path, 0):
        count, whole = count + 1, ending
    if path.stat().st_size > whole:
        os.truncate(path, whole)
    return count
