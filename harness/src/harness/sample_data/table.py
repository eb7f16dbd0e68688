"""Writing `samples.nyctaxi.trips` into the warehouse, only when its content changes."""

import hashlib
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from harness.names import FullName

TRIPS = FullName("samples", "nyctaxi", "trips")
_CONTENT = "contentSha256"


def write_table(table: pa.Table, warehouse: Path) -> bool:
    """Make `samples.nyctaxi.trips` hold these rows and return whether that took a write; the latest commit carries the content's hash."""
    folder = warehouse / TRIPS.catalog / TRIPS.schema / TRIPS.name
    content = _content(table)
    if DeltaTable.is_deltatable(str(folder)) and DeltaTable(str(folder)).history(1)[0].get(_CONTENT) == content:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    commit = CommitProperties(custom_metadata={_CONTENT: content})
    write_deltalake(str(folder), table, mode="overwrite", schema_mode="overwrite", commit_properties=commit)
    return True


def _content(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()
