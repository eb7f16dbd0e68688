"""One column of the monitored table, prepared once, so that every window's share of it is cheap to look at."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from harness.monitoring.spark_types import is_bytes, is_number, is_text, is_time, spark_type

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_EXACT = 2**53  # the whole numbers up to here are doubles


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A numeric column as doubles; `codes` tell values apart that are the same double: large BIGINTs and DECIMALs."""

    name: str
    data_type: str
    valid: Mask
    values: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """A timestamp or date column as microseconds since 1970."""

    name: str
    data_type: str
    valid: Mask
    values: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CategoryColumn:
    """A string or boolean column as codes into `categories`, ascending; `lengths` (of each category, in characters) only for strings."""

    name: str
    data_type: str
    valid: Mask
    codes: npt.NDArray[np.int64]
    categories: pa.StringArray
    lengths: npt.NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class BytesColumn:
    """A binary column: the length in bytes of each row's value, and codes that tell values apart."""

    name: str
    data_type: str
    valid: Mask
    codes: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OpaqueColumn:
    """A column of which only NULLs are counted: array, map, struct."""

    name: str
    data_type: str
    valid: Mask


Column = NumberColumn | TimeColumn | CategoryColumn | BytesColumn | OpaqueColumn


def prepare(name: str, array: pa.ChunkedArray) -> Column:
    """Return column `name` ready to be profiled."""
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    data_type = spark_type(array.type)
    valid = pc.is_valid(array).to_numpy(zero_copy_only=False)
    if is_number(array.type):
        return _numbers(name, data_type, valid, array)
    if is_time(array.type):
        return TimeColumn(name, data_type, valid, moments(array))
    if is_text(array.type) or pa.types.is_boolean(array.type):
        return _categories(name, data_type, valid, array)
    if is_bytes(array.type):
        lengths = pc.fill_null(pc.binary_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        return BytesColumn(name, data_type, valid, _codes(array), lengths)
    return OpaqueColumn(name, data_type, valid)


def doubles(array: pa.Array) -> npt.NDArray[np.float64]:
    """Return the numbers of `array`, NaN where it is NULL."""
    numbers: npt.NDArray[np.float64] = pc.cast(array, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def moments(array: pa.Array) -> npt.NDArray[np.int64]:
    """Return the microseconds since 1970 of `array`, 0 where it is NULL."""
    # Assumption: a TIMESTAMP_NTZ is read as UTC, the session time zone of serverless compute.
    unit = pa.timestamp("us", tz=getattr(array.type, "tz", None))
    micros = pc.fill_null(pc.cast(pc.cast(array, unit, safe=False), pa.int64()), 0)
    numbers: npt.NDArray[np.int64] = micros.to_numpy(zero_copy_only=False)
    return numbers


def _numbers(name: str, data_type: str, valid: Mask, array: pa.Array) -> NumberColumn:
    values = doubles(array)
    wide = pa.types.is_decimal(array.type) or (pa.types.is_int64(array.type) and bool(np.any(np.abs(values[valid]) >= _EXACT)))
    return NumberColumn(name, data_type, valid, values, _codes(array) if wide else None)


def _categories(name: str, data_type: str, valid: Mask, array: pa.Array) -> CategoryColumn:
    found = pc.cast(array, pa.string()).dictionary_encode()
    order = pc.array_sort_indices(found.dictionary)
    categories = found.dictionary.take(order)
    ranks = np.full(len(order) + 1, -1, np.int64)
    ranks[order.to_numpy()] = np.arange(len(order))
    codes = ranks[pc.fill_null(found.indices, len(order)).to_numpy(zero_copy_only=False)]
    lengths = pc.utf8_length(categories).to_numpy(zero_copy_only=False).astype(np.int64)
    return CategoryColumn(name, data_type, valid, codes, categories, lengths if is_text(array.type) else None)


def _codes(array: pa.Array) -> npt.NDArray[np.int64]:
    codes: npt.NDArray[np.int64] = pc.fill_null(array.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes
