"""Aggregate metrics of every group of rows at once: by window, model and slice, as the profile table has them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import UserError
from harness.monitoring.custom_metrics import Figure
from harness.monitoring.fitness import UnfitTable
from harness.monitoring.kind import kind_of
from harness.monitoring.metric_rows import Source
from harness.monitoring.ports import Expressions
from harness.monitoring.sample import Sample
from harness.monitoring.schemas import ALL_MODELS
from harness.monitoring.spark_sql import quoted, start_of
from harness.monitoring.windows import GRANULARITIES
from harness.names import FullName

Key = tuple[object, ...]
"""Which row of the profile table: granularity, start of the window (None of the baseline), model, slice key and value, column."""


@dataclass(frozen=True, slots=True)
class Found:
    """Values by the name of the metric and the row that they stand in, and each metric's type."""

    values: dict[Key, object] = field(default_factory=dict)
    types: dict[str, pa.DataType] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Set:
    """One way of grouping: by these expressions' names, which is one granularity, of all models or each, of all rows or one slicing."""

    names: tuple[str, ...]
    granularity: str | None
    window: str | None
    model: str | None
    slicing: str | None
    slice_key: str | None


def keys_of(table: pa.Table, model_id: str | None, window: str) -> list[Key]:
    """Return which row of the profile table each row of a metric table means by its column `window`."""
    starts = pc.struct_field(table[window], "start").cast(pa.int64())
    granularities = pc.if_else(pc.is_valid(starts), table["granularity"], None)
    models = pa.nulls(table.num_rows, pa.string()) if model_id is None else table[model_id]
    columns = (granularities, starts, models, table["slice_key"], table["slice_value"], table["column_name"])
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def groups_of(expressions: Expressions, source: Source, sample: Sample, figures: Sequence[Figure]) -> Found:
    """Return the figures of all groups of rows of the monitored table or its baseline, as `sample` says which."""
    is_baseline = sample is source.baseline
    asked = _Asked(source, sample, is_baseline=is_baseline)
    try:
        rows = expressions.groups(
            FullName.parse(sample.name),
            sample.version,
            keys=asked.keys(),
            sets=[each.names for each in asked.sets()],
            figures=[figure.expression for figure in figures],
            where=sample.where,
        )
    except UserError as error:
        names = ", ".join(dict.fromkeys(figure.name for figure in figures))
        raise UnfitTable(f"{sample.name}: custom_metrics {names} cannot be computed: {error}") from error
    return _found(asked, rows, figures)


@dataclass(frozen=True, slots=True)
class _Asked:
    source: Source
    sample: Sample
    is_baseline: bool

    def keys(self) -> dict[str, str]:
        """Return the SQL of what rows are grouped by: windows as their start in microseconds since 1970, the rest as text."""
        kind = kind_of(self.source.config)
        found = (
            {}
            if self.is_baseline
            else {f"window_{name}": start_of(kind.timestamp or "", GRANULARITIES[name]) for name in kind.granularities}
        )
        if kind.model_id is not None:
            found["model"] = f"CAST({quoted(kind.model_id)} AS STRING)"
        return found | {f"slice_{number}": f"CAST(({self.source.slicing[number]}) AS STRING)" for number in self._slices()}

    def sets(self) -> list[_Set]:
        """Return every way of grouping that the profile table has."""
        names = () if self.is_baseline else self.source.granularities
        windows: list[tuple[str | None, str | None]] = [(f"window_{name}", GRANULARITIES[name].label) for name in names] or [(None, None)]
        models = [None] if kind_of(self.source.config).model_id is None else [None, "model"]
        slices: list[tuple[str | None, str | None]] = [
            (None, None),
            *((f"slice_{number}", self.source.slicing[number]) for number in self._slices()),
        ]
        return [
            _Set(tuple(name for name in (window, model, slicing) if name), granularity, window, model, slicing, slice_key)
            for window, granularity in windows
            for model in models
            for slicing, slice_key in slices
        ]

    def _slices(self) -> list[int]:
        # Slices of which the table knows nothing cannot be grouped by.
        return [number for number, values in enumerate(self.sample.slices) if values.null_count < len(values)]


def _found(asked: _Asked, rows: pa.Table, figures: Sequence[Figure]) -> Found:
    names = [f"figure_{number}" for number in range(len(figures))]
    found = Found(types={figure.name: rows.schema.field(name).type for figure, name in zip(figures, names, strict=True)})
    sets = asked.sets()
    for row in rows.to_pylist():
        for head in _heads(asked, sets[row["set"]], row):
            for figure, name in zip(figures, names, strict=True):
                found.values[(figure.name, *head, figure.column)] = row[name]
    return found


def _heads(asked: _Asked, each: _Set, row: dict[str, object]) -> Iterator[Key]:
    """Yield the key of a group but for its column; nothing of rows that are in no group: without a time, a model or a slice."""
    if any(row[name] is None for name in each.names):
        return
    instant = asked.source.instant if kind_of(asked.source.config).is_snapshot and not asked.is_baseline else None
    start = row[each.window] if each.window else instant
    model = row["model"] if each.model else None if kind_of(asked.source.config).model_id is None else ALL_MODELS
    yield (each.granularity, start, model, each.slice_key, row[each.slicing] if each.slicing else None)
