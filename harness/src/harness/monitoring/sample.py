"""What a refresh looks at, prepared once: the rows of the monitored table, behind them those of the baseline, and how they group."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harness.monitoring.classification import classes_of
from harness.monitoring.columns import Column, Rows, doubles, is_number, is_text, is_time, moments, prepare, spark_type
from harness.monitoring.model import InferenceLogConfig
from harness.monitoring.quality import Quality, classification, regression
from harness.monitoring.schemas import ALL_MODELS
from harness.monitoring.slicing import WHOLE, Slice, SliceColumn, slices_of

Mask = npt.NDArray[np.bool_]


class UnfitTable(Exception):  # noqa: N818 - it says what the table is
    """The monitored table or its baseline lacks a column, has it in a type that cannot be monitored, or cannot be read as configured."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of one table, and of each slicing expression its values in them, as text."""

    name: str
    rows: pa.Table
    slices: Sequence[pa.ChunkedArray] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one slice and one model."""

    slice: Slice
    model: str
    rows: Rows
    baseline: Rows


@dataclass(frozen=True, slots=True)
class Prepared:
    """The columns of both tables, one behind the other; positions below `count` are the monitored table's.

    `common` are the columns that the baseline has too, in a type that can be compared.
    """

    columns: Sequence[Column]
    common: frozenset[str]
    moments: npt.NDArray[np.int64]
    groups: Sequence[Group]
    quality: Quality | None


def prepared(sample: Sample, baseline: Sample | None, config: InferenceLogConfig, expressions: Sequence[str]) -> Prepared:
    """Return both tables ready to be cut into windows, slices and models."""
    _check_columns(sample, config)
    if baseline is not None:
        _check_baseline(baseline, config)
    rows, common = _joined(sample.rows, None if baseline is None else baseline.rows)
    times = sample.rows[config.timestamp_column].combine_chunks()
    # Assumption: a row without a timestamp is in no window.
    timed = times.is_valid().to_numpy(zero_copy_only=False)
    bases = baseline.slices if baseline is not None and baseline.slices else [None] * len(expressions)
    columns = [SliceColumn(*slicing) for slicing in zip(expressions, sample.slices, bases, strict=True)]
    slices = [WHOLE, *(found for column in columns for found in slices_of(column, rows.num_rows))]
    models = _models(rows[config.model_id_column])
    return Prepared(
        # Assumption: the model-id column groups and is not profiled itself.
        columns=[prepare(name, rows[name]) for name in rows.column_names if name != config.model_id_column],
        common=common,
        moments=moments(times),
        groups=list(_groups(slices, models, timed)),
        quality=_quality(rows, config),
    )


def _groups(slices: Sequence[Slice], models: Sequence[tuple[str, Mask]], timed: Mask) -> Iterator[Group]:
    count = len(timed)
    for slice_ in slices:
        for model, chosen in models:
            members = chosen if slice_.chosen is None else chosen & slice_.chosen
            yield Group(slice_, model, np.flatnonzero(members[:count] & timed), np.flatnonzero(members[count:]) + count)


def _joined(rows: pa.Table, baseline: pa.Table | None) -> tuple[pa.Table, frozenset[str]]:
    """Return the rows with the baseline's below them, NULL where it lacks the column, and the columns that both have."""
    if baseline is None:
        return rows, frozenset()
    below = {name: _fitted(baseline, rows.schema.field(name)) for name in rows.column_names}
    missing = {name: pa.nulls(baseline.num_rows, rows.schema.field(name).type) for name in rows.column_names}
    joined = {
        name: pa.chunked_array([*rows[name].chunks, *_chunks(below[name] if below[name] is not None else missing[name])], rows[name].type)
        for name in rows.column_names
    }
    return pa.table(joined), frozenset(name for name, column in below.items() if column is not None)


def _chunks(column: pa.ChunkedArray | pa.Array) -> list[pa.Array]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _fitted(baseline: pa.Table, field: pa.Field) -> pa.ChunkedArray | None:
    # Assumption: "best-effort heuristics" of the documentation is a cast; a column that cannot be cast counts as missing.
    if field.name not in baseline.column_names:
        return None
    try:
        return baseline[field.name].cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _models(ids: pa.ChunkedArray) -> list[tuple[str, Mask]]:
    # Assumption: a row without a model id counts only towards "*", all models.
    encoded = ids.combine_chunks().cast(pa.string()).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    named = sorted((name, codes == code) for code, name in enumerate(encoded.dictionary.to_pylist()))
    return [(ALL_MODELS, np.ones(len(codes), dtype=np.bool_)), *named]


def _quality(rows: pa.Table, config: InferenceLogConfig) -> Quality | None:
    if config.label_column is None:
        return None
    label, prediction = (rows[name].combine_chunks() for name in (config.label_column, config.prediction_column))
    if config.is_regression:
        return regression(doubles(label), doubles(prediction))
    return classification(classes_of(label, prediction))


def _check_columns(sample: Sample, config: InferenceLogConfig) -> None:
    _check(sample, config.timestamp_column, "TIMESTAMP or DATE", is_time)
    _check(sample, config.model_id_column, "STRING, BOOLEAN or an integer", _is_key)
    _check_answers(sample, config)


def _check_baseline(baseline: Sample, config: InferenceLogConfig) -> None:
    # The baseline needs the model-id column, no timestamp: docs.databricks.com, data profiling, baseline table.
    _check(baseline, config.model_id_column, "STRING, BOOLEAN or an integer", _is_key)


def _check_answers(sample: Sample, config: InferenceLogConfig) -> None:
    expected, fits = ("a number", is_number) if config.is_regression else ("a number, STRING or BOOLEAN", _is_class)
    _check(sample, config.prediction_column, expected, fits)
    if config.label_column is not None:
        _check(sample, config.label_column, expected, fits)


def _check(sample: Sample, column: str, expected: str, fits: Callable[[pa.DataType], bool]) -> None:
    names = sample.rows.column_names
    if column not in names:
        raise UnfitTable(f"{sample.name}: column '{column}' is missing, expected {expected}; the table has {', '.join(names)}")
    found = sample.rows.schema.field(column).type
    if not fits(found):
        raise UnfitTable(f"{sample.name}: column '{column}' is {spark_type(found).upper()}, expected {expected}")


def _is_key(type_: pa.DataType) -> bool:
    return spark_type(type_) in {"string", "boolean"} or bool(pa.types.is_integer(type_))


def _is_class(type_: pa.DataType) -> bool:
    return is_number(type_) or is_text(type_) or bool(pa.types.is_boolean(type_))
