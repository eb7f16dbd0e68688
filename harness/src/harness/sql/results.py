"""Results on disk, cut into chunks, written as JSON, CSV or Arrow."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from harness.sql.model import ColumnInfo, Format

CONTENT_TYPES: Mapping[Format, str] = {
    "JSON_ARRAY": "application/json",
    "CSV": "text/csv",
    "ARROW_STREAM": "application/vnd.apache.arrow.stream",
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some successive rows of a result."""

    index: int
    offset: int
    rows: int


@dataclass(frozen=True, slots=True)
class Result:
    """The rows of a statement, in a file of their own."""

    path: Path
    columns: tuple[ColumnInfo, ...]
    chunks: tuple[Chunk, ...]
    rows: int
    size: int
    truncated: bool
    format: Format

    def table(self, chunk: Chunk) -> pa.Table:
        """Return the rows of a chunk."""
        with pa.memory_map(str(self.path)) as file:
            return pa.ipc.open_file(file).read_all().slice(chunk.offset, chunk.rows)

    def rows_of(self, chunk: Chunk) -> list[list[object]]:
        """Return a chunk as lists of texts, None for NULL."""
        table = self.table(chunk)
        columns = [column.to_pylist() for column in table.columns]
        return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(chunk.rows)]

    def written(self, chunk: Chunk) -> bytes:
        """Return a chunk in the result's format."""
        if self.format == "JSON_ARRAY":
            return msgspec.json.encode(self.rows_of(chunk))
        if self.format == "CSV":
            return self._csv(chunk).encode()
        return _arrow(self.table(chunk).rename_columns([column.name for column in self.columns]))

    def _csv(self, chunk: Chunk) -> str:
        text = io.StringIO()
        writer = csv.writer(text)  # RFC 4180: its lines end with CR LF
        if chunk.index == 0:
            writer.writerow(column.name for column in self.columns)
        writer.writerows(["null" if value is None else value for value in row] for row in self.rows_of(chunk))
        return text.getvalue()


def stored(
    path: Path, columns: tuple[ColumnInfo, ...], table: pa.Table, *, format_: Format, chunk_bytes: int, byte_limit: int | None, more: bool
) -> Result:
    """Write a result's rows to `path`; as many as `byte_limit` allows."""
    rows, limited = table.num_rows, False
    if byte_limit is not None and table.nbytes > byte_limit:
        # Assumption: the rows' share of the limit; the platform counts in a representation of its own.
        rows, limited = int(rows * byte_limit / table.nbytes), True
        table = table.slice(0, rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    rows_a_chunk = max(1, int(chunk_bytes / max(1.0, table.nbytes / rows))) if rows else 1
    offsets = range(0, rows, rows_a_chunk) or range(1)
    chunks = tuple(Chunk(index, offset, min(rows_a_chunk, rows - offset)) for index, offset in enumerate(offsets))
    return Result(path, columns, chunks, rows, table.nbytes, limited or more, format_)


def _arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
