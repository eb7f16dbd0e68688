"""What a refresh looks at, prepared once: the monitored table's rows, below them the baseline's and an earlier version's; their groups."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harness.monitoring.classification import classes_of
from harness.monitoring.columns import Column, Mask, Rows, doubles, prepare
from harness.monitoring.fitness import check_baseline, check_table, times
from harness.monitoring.kind import Kind
from harness.monitoring.model import InferenceLogConfig
from harness.monitoring.probabilities import probabilities_of
from harness.monitoring.quality import Quality, classification, regression
from harness.monitoring.schemas import ALL_MODELS
from harness.monitoring.slicing import WHOLE, Slice, SliceColumn, counted, opposites, ranked, slices_of


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of one table, and of each slicing expression its values in them, as text.

    `values` are those that make each expression's slices; None where the rows are the whole table and say so themselves. `where` is the
    condition, in SQL, for the rows if they are not the whole table.
    """

    name: str
    rows: pa.Table
    slices: Sequence[pa.ChunkedArray] = ()
    version: int = 0
    values: Sequence[Sequence[str]] | None = None
    where: str = ""

    def slice_values(self) -> tuple[tuple[str, ...], ...]:
        """Return the values that make the slices of each expression."""
        if self.values is not None:
            return tuple(tuple(each) for each in self.values)
        return tuple(ranked(counted(values)) for values in self.slices)


EMPTY = Sample("", pa.table({}))


@dataclass(frozen=True, slots=True)
class Members:
    """Positions of rows: of the monitored table, of its baseline, of the version that the last refresh of a snapshot saw."""

    rows: Rows
    baseline: Rows
    previous: Rows


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one slice and one model; `opposite` are those where a predicate is false, if this is where it is true."""

    slice: Slice
    model: str | None
    members: Members
    opposite: Members | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The columns of all tables, one table's rows below the other's; `moments` is empty of a snapshot.

    `common` are the columns that the baseline has too, in a type that can be compared, `kept` those of the earlier version.
    """

    columns: Sequence[Column]
    common: frozenset[str]
    kept: frozenset[str]
    moments: npt.NDArray[np.int64]
    groups: Iterable[Group]
    quality: Quality | None


@dataclass(frozen=True, slots=True)
class Models:
    """Each model's name with its code, None being all of them; and the code of each row."""

    named: Sequence[tuple[str | None, int | None]]
    codes: Rows


def prepared(
    sample: Sample, baseline: Sample | None, previous: Sample | None, kind: Kind, expressions: Sequence[str],
    groups: Iterable[Group] | None = None,
) -> Prepared:  # fmt: skip
    """Return all tables ready to be cut into windows, slices and models: in `groups`, if they are known from other columns of them."""
    check_table(sample.name, sample.rows, kind)
    if baseline is not None:
        check_baseline(baseline.name, baseline.rows, kind)
    rows, (common, kept) = _joined(sample.rows, [baseline, previous])
    instants, timed = np.empty(0, np.int64), np.ones(sample.rows.num_rows, np.bool_)
    if kind.timestamp is not None:
        # Assumption: a row without a timestamp is in no window.
        instants, timed = times(sample.name, sample.rows, kind.timestamp)
    ends = (sample.rows.num_rows, sample.rows.num_rows + (0 if baseline is None else baseline.rows.num_rows))
    if groups is None:
        groups = _groups(_slices(sample, [baseline, previous], expressions), _models(rows, kind.model_id), ends, timed)
    return Prepared(
        # Assumption: the model-id column groups and is not profiled itself.
        columns=[prepare(name, rows[name]) for name in rows.column_names if name != kind.model_id],
        common=common,
        kept=kept,
        moments=instants,
        groups=groups,
        quality=None if kind.log is None else _quality(rows, kind.log),
    )


def _slices(sample: Sample, others: Sequence[Sample | None], expressions: Sequence[str]) -> list[Slice]:
    found = [WHOLE]
    for number, (expression, values) in enumerate(zip(expressions, sample.slice_values(), strict=True)):
        rows = [_slice_values(each, number) for each in (sample, *others) if each is not None]
        found.extend(slices_of(SliceColumn(expression, values, rows)))
    return found


def _slice_values(sample: Sample, number: int) -> pa.ChunkedArray | pa.Array:
    return sample.slices[number] if sample.slices else pa.nulls(sample.rows.num_rows, pa.string())


def _groups(slices: Sequence[Slice], models: Models, ends: Sequence[int], timed: Mask) -> Iterator[Group]:
    def members(slice_: Slice, code: int | None) -> Members:
        rows = np.arange(len(models.codes)) if slice_.rows is None else slice_.rows
        rows = rows if code is None else rows[models.codes[rows] == code]
        own, baseline, previous = np.split(rows, np.searchsorted(rows, ends))
        return Members(own[timed[own]], baseline, previous)

    false = opposites(slices)
    for slice_ in slices:
        opposite = false.get(slice_.key) if slice_.value == "true" else None
        for model, code in models.named:
            yield Group(slice_, model, members(slice_, code), None if opposite is None else members(opposite, code))


def _joined(rows: pa.Table, others: Sequence[Sample | None]) -> tuple[pa.Table, list[frozenset[str]]]:
    """Return the rows with the others' below them, NULL where one lacks the column, and the columns that each has in common."""
    chunks = {name: list(rows[name].chunks) for name in rows.column_names}
    shared: list[frozenset[str]] = []
    for other in others:
        fitted = {} if other is None else {field.name: _fitted(other.rows, field) for field in rows.schema}
        for name, column in fitted.items():
            count = 0 if other is None else other.rows.num_rows
            chunks[name].extend([pa.nulls(count, rows.schema.field(name).type)] if column is None else column.chunks)
        shared.append(frozenset(name for name, column in fitted.items() if column is not None))
    return pa.table({name: pa.chunked_array(parts, rows.schema.field(name).type) for name, parts in chunks.items()}), shared


def _fitted(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | None:
    # Assumption: "best-effort heuristics" of the documentation is a cast; a column that cannot be cast counts as missing.
    if field.name not in table.column_names:
        return None
    try:
        return table[field.name].cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _models(rows: pa.Table, column: str | None) -> Models:
    if column is None:
        return Models(((None, None),), np.zeros(rows.num_rows, np.int64))
    # Assumption: a row without a model id counts only towards "*", all models.
    encoded = rows[column].combine_chunks().cast(pa.string()).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    named = sorted((name, code) for code, name in enumerate(encoded.dictionary.to_pylist()))
    return Models(((ALL_MODELS, None), *named), codes)


def _quality(rows: pa.Table, log: InferenceLogConfig) -> Quality | None:
    if log.label_column is None:
        return None
    label, prediction = (rows[name].combine_chunks() for name in (log.label_column, log.prediction_column))
    if log.is_regression:
        return regression(doubles(label), doubles(prediction))
    classes = classes_of(label, prediction)
    if log.prediction_proba_column is None:
        return classification(classes)
    return classification(classes, probabilities_of(rows[log.prediction_proba_column].combine_chunks(), classes))
