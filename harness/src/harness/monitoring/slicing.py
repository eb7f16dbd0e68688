"""Slices: each slicing expression groups the rows by its own values, never crossed with another's."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# The most frequent values of a column make its slices: docstring of `slicing_exprs` in databricks-sdk.
MOST_SLICES = 100


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows where `key`, an expression, has `value`; all rows where both are None."""

    key: str | None
    value: str | None
    chosen: npt.NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True)
class SliceColumn:
    """An expression and its values as text: 'true' and 'false' of a predicate; of the monitored rows and of the baseline's."""

    key: str
    values: pa.ChunkedArray
    baseline: pa.ChunkedArray | None = None


WHOLE = Slice(None, None, None)


def slices_of(column: SliceColumn, count: int) -> Iterator[Slice]:
    """Yield the slices of one expression over `count` rows, the monitored table's first, most frequent value first."""
    chunks = [*column.values.chunks, *(column.baseline.chunks if column.baseline is not None else ())]
    texts = pa.chunked_array(chunks, pa.string()).combine_chunks()
    texts = pa.concat_arrays([texts, pa.nulls(count - len(texts), pa.string())])
    # Assumption: rows where the expression is NULL are in none of its slices.
    counted = pc.value_counts(column.values.drop_null()).to_pylist()
    ranked = sorted(counted, key=lambda entry: (-entry["counts"], entry["values"]))
    for entry in ranked[:MOST_SLICES]:
        value = entry["values"]
        yield Slice(column.key, value, pc.fill_null(pc.equal(texts, value), fill_value=False).to_numpy(zero_copy_only=False))


def plain_column(expression: str, schema: pa.Schema) -> str | None:
    """Return the column that the whole expression names, if its values have one spelling as text whatever engine writes them."""
    name = expression.strip()
    name = name[1:-1].replace("``", "`") if name[:1] == name[-1:] == "`" and len(name) > 2 else name
    if name not in schema.names:
        return None
    kind = schema.field(name).type
    return name if pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind) else None
