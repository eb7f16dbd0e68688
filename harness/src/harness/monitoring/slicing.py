"""Slices: each slicing expression groups the rows by its own values, never crossed with another's."""

from collections import Counter
from collections.abc import Mapping, Sequence
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
    """An expression, the values that make its slices, and its value in each row as text: 'true' and 'false' of a predicate."""

    key: str
    values: Sequence[str]
    rows: Sequence[pa.ChunkedArray | pa.Array]


WHOLE = Slice(None, None, None)


def counted(values: pa.ChunkedArray) -> Counter[str]:
    """Return how often each value occurs."""
    # Assumption: rows where the expression is NULL are in none of its slices.
    return Counter({entry["values"]: entry["counts"] for entry in pc.value_counts(values.drop_null()).to_pylist()})


def ranked(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the values that make slices, given how often each occurs: the most frequent first."""
    return tuple(sorted(counts, key=lambda value: (-counts[value], value))[:MOST_SLICES])


def slices_of(column: SliceColumn) -> list[Slice]:
    """Return the slices of one expression."""
    texts = [chunk for part in column.rows for chunk in (part.chunks if isinstance(part, pa.ChunkedArray) else [part])]
    found = pc.index_in(pa.chunked_array(texts, pa.string()), pa.array(column.values, pa.string()))
    codes = pc.fill_null(found, len(column.values)).to_numpy().astype(np.int64)
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.searchsorted(codes[order], np.arange(1, len(column.values) + 1)))
    return [Slice(column.key, value, rows) for value, rows in zip(column.values, parts, strict=False)]


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
