"""Whether a table can be monitored as configured; when each of its rows was. Pure."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from harness.monitoring.columns import Mask, moments
from harness.monitoring.kind import Kind
from harness.monitoring.model import InferenceLogConfig
from harness.monitoring.schemas import ALL_MODELS
from harness.monitoring.spark_types import is_number, is_text, is_time, spark_type

MICROS = 1_000_000
_WHEN = "TIMESTAMP or DATE, or what can be cast to TIMESTAMP: text such as 2026-01-05 10:00:00, or seconds since 1970"
_WHICH = "STRING, BOOLEAN or an integer"


class UnfitTable(Exception):  # noqa: N818 - it says what the table is
    """The monitored table or its baseline lacks a column, has it in a type that cannot be monitored, or cannot be read as configured."""


class GoneTable(UnfitTable):
    """What a refresh needs does not exist any more: none can succeed until somebody brings it back."""


def check_table(name: str, rows: pa.Table, kind: Kind) -> None:
    """Raise `UnfitTable` if the monitored table lacks a column of the configuration, or has it in a type that does not do."""
    if kind.timestamp is not None:
        _check(name, rows, kind.timestamp, _WHEN, _is_moment)
    check_keys(name, rows, kind)
    if kind.log is not None:
        _check_answers(name, rows, kind.log)


def check_keys(name: str, rows: pa.Table, kind: Kind) -> None:
    """Raise `UnfitTable` if the ids of models are missing, of a type that does not do, or of a model that cannot be told from all."""
    if kind.model_id is not None:
        _check(name, rows, kind.model_id, _WHICH, _is_key)
        _check_models(name, rows[kind.model_id], kind.model_id)


def check_baseline(name: str, rows: pa.Table, kind: Kind) -> None:
    """Raise `UnfitTable` if the baseline lacks what it must have."""
    # The baseline needs the model-id column, no timestamp: docs.databricks.com, data profiling, baseline table.
    if kind.model_id is not None:
        _check(name, rows, kind.model_id, _WHICH, _is_key)


def times(name: str, rows: pa.Table, column: str) -> tuple[npt.NDArray[np.int64], Mask]:
    """Return the microseconds since 1970 of each row by `column`, and of which rows it says any."""
    found = rows[column].combine_chunks()
    valid = found.is_valid().to_numpy(zero_copy_only=False)
    if is_time(found.type):
        return moments(found), valid
    if is_text(found.type):
        return moments(_parsed(name, column, found)), valid
    seconds = pc.cast(found, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    finite = np.isfinite(seconds)
    return np.where(finite, np.floor(np.where(finite, seconds, 0.0) * MICROS), 0.0).astype(np.int64), valid & finite


def _parsed(name: str, column: str, texts: pa.Array) -> pa.Array:
    # Assumption: text without a zone is UTC, the session time zone of serverless compute.
    zoned = pc.match_substring_regex(texts, r"[T ][0-9:.]+(Z|[+-][0-9]{2}(:?[0-9]{2})?)$")
    try:
        local = pc.cast(pc.if_else(zoned, None, texts), pa.timestamp("us")).cast(pa.int64())
        moved = pc.cast(pc.if_else(zoned, texts, None), pa.timestamp("us", tz="UTC")).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise UnfitTable(f"{name}: column '{column}' is {spark_type(texts.type).upper()}, expected {_WHEN}: {error}") from error
    return pc.coalesce(local, moved).cast(pa.timestamp("us", tz="UTC"))


def _check_models(name: str, ids: pa.ChunkedArray, column: str) -> None:
    if is_text(ids.type) and pc.any(pc.equal(ids, ALL_MODELS)).as_py():
        raise UnfitTable(
            f"{name}: column '{column}' holds '{ALL_MODELS}', which in the metric tables stands for all models; rename that one"
        )


def _check_answers(name: str, rows: pa.Table, log: InferenceLogConfig) -> None:
    expected, fits = ("a number", is_number) if log.is_regression else ("a number, STRING or BOOLEAN", _is_class)
    _check(name, rows, log.prediction_column, expected, fits)
    if log.label_column is not None:
        _check(name, rows, log.label_column, expected, fits)
    if log.prediction_proba_column is not None:
        _check(name, rows, log.prediction_proba_column, "MAP<STRING,DOUBLE>, the probability of each class", _is_probabilities)


def _check(name: str, rows: pa.Table, column: str, expected: str, fits: Callable[[pa.DataType], bool]) -> None:
    if column not in rows.column_names:
        raise UnfitTable(f"{name}: column '{column}' is missing, expected {expected}; the table has {', '.join(rows.column_names)}")
    found = rows.schema.field(column).type
    if not fits(found):
        raise UnfitTable(f"{name}: column '{column}' is {spark_type(found).upper()}, expected {expected}")


def _is_moment(type_: pa.DataType) -> bool:
    return is_time(type_) or is_text(type_) or is_number(type_)


def _is_key(type_: pa.DataType) -> bool:
    return is_text(type_) or bool(pa.types.is_boolean(type_) or pa.types.is_integer(type_))


def _is_class(type_: pa.DataType) -> bool:
    return is_number(type_) or is_text(type_) or bool(pa.types.is_boolean(type_))


def _is_probabilities(type_: pa.DataType) -> bool:
    # Assumption: a map from the class to its probability; the SDK says no more than "Column for prediction probabilities".
    return bool(pa.types.is_map(type_)) and _is_class(type_.key_type) and is_number(type_.item_type)
