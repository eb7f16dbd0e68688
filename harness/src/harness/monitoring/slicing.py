"""Slices: each slicing expression groups the rows by its own values, never crossed with another's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.monitoring.columns import Rows

# The most frequent values of a column make its slices: docstring of `slicing_exprs` in databricks-sdk.
MOST_SLICES = 100


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows where `key`, an expression, has `value`, by their positions, ascending; all rows where all three are None."""

    key: str | None
    value: str | None
    rows: Rows | None


@dataclass(frozen=True, slots=True)
class SliceColumn:
    """An expression and its values as text: 'true' and 'false' of a predicate; of the monitored rows and of those `below` them."""

    key: str
    values: pa.ChunkedArray
    below: Sequence[pa.ChunkedArray | pa.Array] = ()


WHOLE = Slice(None, None, None)


def slices_of(column: SliceColumn) -> list[Slice]:
    """Return the slices of one expression over all its rows; the monitored ones decide which there are, most frequent value first."""
    # Assumption: rows where the expression is NULL are in none of its slices.
    counted = pc.value_counts(column.values.drop_null()).to_pylist()
    ranked = sorted(counted, key=lambda entry: (-entry["counts"], entry["values"]))
    values = [entry["values"] for entry in ranked[:MOST_SLICES]]
    texts = [chunk for part in (column.values, *column.below) for chunk in (part.chunks if isinstance(part, pa.ChunkedArray) else [part])]
    found = pc.index_in(pa.chunked_array(texts, pa.string()), pa.array(values, pa.string()))
    codes = pc.fill_null(found, len(values)).to_numpy().astype(np.int64)
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.searchsorted(codes[order], np.arange(1, len(values) + 1)))
    return [Slice(column.key, value, rows) for value, rows in zip(values, parts, strict=False)]


def opposites(slices: Sequence[Slice]) -> dict[str | None, Slice]:
    """Return, by its key, of each expression that is a predicate the slice where it is false."""
    # Assumption: a predicate is an expression whose only values are true and false, and which has both.
    values: dict[str | None, dict[str | None, Slice]] = {}
    for slice_ in slices:
        values.setdefault(slice_.key, {})[slice_.value] = slice_
    return {key: found["false"] for key, found in values.items() if found.keys() == {"true", "false"}}


def plain_column(expression: str, schema: pa.Schema) -> str | None:
    """Return the column that the whole expression names, if its values have one spelling as text whatever engine writes them."""
    name = expression.strip()
    name = name[1:-1].replace("``", "`") if name[:1] == name[-1:] == "`" and len(name) > 2 else name
    if name not in schema.names:
        return None
    kind = schema.field(name).type
    return name if pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind) else None
