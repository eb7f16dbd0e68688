"""One column of the monitored table, prepared once, so that every window's share of it is cheap to look at."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A numeric column as doubles."""

    name: str
    data_type: str
    valid: npt.NDArray[np.bool_]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """A timestamp or date column as microseconds since 1970."""

    name: str
    data_type: str
    valid: npt.NDArray[np.bool_]
    values: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CategoryColumn:
    """A string or boolean column as codes into `categories`; `lengths` (of each category, in characters) only for strings."""

    name: str
    data_type: str
    valid: npt.NDArray[np.bool_]
    codes: npt.NDArray[np.int64]
    categories: tuple[str, ...]
    lengths: npt.NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class OpaqueColumn:
    """A column of which only NULLs are counted: binary, array, map, struct."""

    name: str
    data_type: str
    valid: npt.NDArray[np.bool_]


Column = NumberColumn | TimeColumn | CategoryColumn | OpaqueColumn

_SPARK_NAMES = {
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.date32(): "date",
}


def spark_type(type_: pa.DataType) -> str:
    """Return the name Spark has for an Arrow type, as `data_type` shows it."""
    if type_ in _SPARK_NAMES:
        return _SPARK_NAMES[type_]
    if pa.types.is_timestamp(type_):
        return "timestamp" if type_.tz else "timestamp_ntz"
    if is_text(type_):
        return "string"
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision},{type_.scale})"
    return "binary" if pa.types.is_binary(type_) or pa.types.is_large_binary(type_) else str(type_)


def is_number(type_: pa.DataType) -> bool:
    """Return whether a column of this type is profiled as a number."""
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def is_time(type_: pa.DataType) -> bool:
    """Return whether a column of this type is profiled as a moment."""
    return bool(pa.types.is_timestamp(type_) or pa.types.is_date(type_))


def prepare(name: str, array: pa.ChunkedArray) -> Column:
    """Return column `name` ready to be profiled."""
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    data_type = spark_type(array.type)
    valid = pc.is_valid(array).to_numpy(zero_copy_only=False)
    if is_number(array.type):
        return NumberColumn(name, data_type, valid, doubles(array))
    if is_time(array.type):
        return TimeColumn(name, data_type, valid, moments(array))
    if is_text(array.type) or pa.types.is_boolean(array.type):
        return _categories(name, data_type, valid, array)
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


def _categories(name: str, data_type: str, valid: npt.NDArray[np.bool_], array: pa.Array) -> CategoryColumn:
    encoded = pc.cast(array, pa.string()).dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    lengths = pc.utf8_length(encoded.dictionary).to_numpy(zero_copy_only=False).astype(np.int64)
    categories = tuple(encoded.dictionary.to_pylist())
    return CategoryColumn(name, data_type, valid, codes, categories, lengths if is_text(array.type) else None)


def is_text(type_: pa.DataType) -> bool:
    """Return whether a column of this type holds text."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))
