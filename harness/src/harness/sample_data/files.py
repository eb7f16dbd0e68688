"""A parquet file of trips, read and checked."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import UserError
from harness.sample_data.model import SCHEMA, TIMESTAMP


def load_parquet(path: Path) -> pa.Table:
    """Return the trips of the file in the table's columns and types, or raise a `UserError` that says what is wrong with it.

    Timestamps without a time zone are wall clocks and are read as UTC; further columns are left out.
    """
    try:
        found = pq.read_table(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; expected a parquet file of taxi trips; check the path given to --data") from error
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: is not a readable parquet file ({reason}); expected one of taxi trips; fetch it again") from error
    return pa.table([_column(path, found, field) for field in SCHEMA], schema=SCHEMA)


def _column(path: Path, found: pa.Table, field: pa.Field) -> pa.ChunkedArray:
    if found.schema.get_field_index(field.name) < 0:
        columns = ", ".join(found.column_names) or "none"
        expected = f"expected it with type {field.type}"
        raise UserError(f"{path}: column '{field.name}' is missing; {expected}; found columns: {columns}; rename or add it in the file")
    values = found.column(field.name)
    if not _fits(values.type, field.type):
        expected = f"expected {field.type}"
        raise UserError(f"{path}: column '{field.name}' has type {values.type}; {expected}; cast it in the file")
    try:
        return values.cast(field.type)
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path}: column '{field.name}' does not fit into {field.type}: {reason}; correct or cast it in the file"
        ) from error


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Return whether the type may be cast without a change of meaning; 32-bit floats may not, they are other numbers."""
    if wanted == TIMESTAMP:
        return bool(pa.types.is_timestamp(found))
    if pa.types.is_integer(wanted):
        return bool(pa.types.is_integer(found))
    return bool(found == wanted)
