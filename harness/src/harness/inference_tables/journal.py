"""Calls whose answers may leave, on disk until their table holds them.

A journal is a folder of segment files. Each record is one `os.write`: a head (length, how many calls, checksum) and the bytes of a batch of
calls. Not synced: the page cache outlives a killed process, which is what it must survive. Calls are numbered from 0; `committed` says how
many the table holds.
"""

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

SEGMENT_BYTES = 8 << 20
TAKE_CALLS = 50_000
TAKE_BYTES = 64 << 20
_HEAD = struct.Struct("<III")
_SUFFIX = ".calls"


class Record(NamedTuple):
    """A batch of calls: numbers `first` to `end`."""

    first: int
    end: int
    body: bytes


class Journal:
    """The writing end; any thread appends.

    `folder` may hold what an earlier process left: its torn last record (never acknowledged) is cut off, the rest is still to be read.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._committed = self._read_mark()
        self._end = max([self._committed, *(start + _cut(path) for start, path in _segments(folder))])
        self._descriptor, self._size = self._open_segment(self._end)

    @property
    def end(self) -> int:
        """How many calls were ever appended."""
        return self._end

    @property
    def committed(self) -> int:
        """How many of them need no keeping any more."""
        return self._committed

    def append(self, body: bytes | bytearray, count: int) -> None:
        """Have a record of `count` calls on disk when this returns. An OSError (disk full) leaves the journal as it was."""
        head = _HEAD.pack(len(body), count, zlib.crc32(body, count))
        with self._lock:
            if self._size >= self._segment_bytes:
                self._roll(self._end)
            self._write(head, body)
            self._end += count

    def commit(self, end: int) -> None:
        """Forget the calls before number `end`: the table holds them. One thread commits."""
        mark = self.folder / "committed.new"
        mark.write_text(str(end))
        mark.replace(self.folder / "committed")
        with self._lock:
            self._committed = max(self._committed, end)
            if end > self._end:  # a table that knows more than a lost journal: numbers go on from there
                self._roll(end)
                self._end = end
        for (_, path), (following, _) in pairwise(_segments(self.folder)):  # without the lock: removing takes milliseconds
            if following <= self._committed:
                path.unlink()

    def close(self) -> None:
        """Close the file; twice without harm."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, head: bytes, body: bytes | bytearray) -> None:
        size = len(head) + len(body)
        try:
            done = os.writev(self._descriptor, (head, body))
            while done < size:
                done += os.write(self._descriptor, (head + body)[done:])
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += size

    def _roll(self, start: int) -> None:
        descriptor, size = self._open_segment(start)  # before the other is closed: it may fail
        os.close(self._descriptor)
        self._descriptor, self._size = descriptor, size

    def _open_segment(self, start: int) -> tuple[int, int]:
        path = self.folder / f"{start:020d}{_SUFFIX}"
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return descriptor, os.fstat(descriptor).st_size

    def _read_mark(self) -> int:
        mark = self.folder / "committed"
        return int(mark.read_text()) if mark.exists() else 0


class Reader:
    """The reading end, in whatever process. Reading on where it stopped is cheap, reading again is possible."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._at: tuple[Path, int, int] | None = None  # segment, offset and number of the record after the last one taken

    def take(self, start: int, end: int, *, calls: int = TAKE_CALLS, size: int = TAKE_BYTES) -> Iterator[Record]:
        """Yield the records with the calls `start` to `end`, in order, until there are `calls` of them or `size` bytes.

        What is beyond `end` may still be taken back by the writing end. The first record may begin before `start`.
        """
        taken = 0
        for record, path, after in self._records(start):
            if record.end > end or taken >= calls or size <= 0:
                return
            if record.end > start:
                taken += record.end - record.first
                size -= len(record.body)
                self._at = (path, after, record.end)
                yield record

    def _records(self, start: int) -> Iterator[tuple[Record, Path, int]]:
        segments = _segments(self._folder)
        for index, (first, path) in enumerate(segments):
            if index + 1 < len(segments) and segments[index + 1][0] <= start:
                continue
            offset, number = 0, first
            if self._at is not None and self._at[0] == path and self._at[2] <= start:
                _, offset, number = self._at
            for count, body, after in _whole(path, offset):
                yield Record(number, number + count, body), path, after
                number += count


def _segments(folder: Path) -> list[tuple[int, Path]]:
    return sorted((int(path.stem), path) for path in folder.glob(f"*{_SUFFIX}"))


def _whole(path: Path, offset: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield count and bytes of each whole record from `offset` on, with the offset after it; stop at the first that is not whole."""
    with path.open("rb") as stream:
        stream.seek(offset)
        data = stream.read()
    at = 0
    while at + _HEAD.size <= len(data):
        length, count, checksum = _HEAD.unpack_from(data, at)
        body = data[at + _HEAD.size : at + _HEAD.size + length]
        if not count or len(body) < length or zlib.crc32(body, count) != checksum:
            return
        at += _HEAD.size + length
        yield count, body, offset + at


def _cut(path: Path) -> int:
    """Cut off what follows the last whole record of `path` and return how many calls it holds."""
    calls, whole = 0, 0
    for count, _, after in _whole(path, 0):
        calls, whole = calls + count, after
    if path.stat().st_size > whole:
        os.truncate(path, whole)
    return calls
