"""What Spark calls the Arrow types that Delta tables are read into, and how each is profiled. Pure."""

from collections.abc import Callable

import pyarrow as pa

_NAMES = {
    pa.null(): "void",
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
    if type_ in _NAMES:
        return _NAMES[type_]
    for fits, name in _NAMED:
        if fits(type_):
            return name(type_)
    return str(type_)


def is_number(type_: pa.DataType) -> bool:
    """Return whether a column of this type is profiled as a number."""
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def is_time(type_: pa.DataType) -> bool:
    """Return whether a column of this type is profiled as a moment."""
    return bool(pa.types.is_timestamp(type_) or pa.types.is_date(type_))


def is_text(type_: pa.DataType) -> bool:
    """Return whether a column of this type holds text."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def is_bytes(type_: pa.DataType) -> bool:
    """Return whether a column of this type holds bytes."""
    views = pa.types.is_binary_view(type_) or pa.types.is_fixed_size_binary(type_)
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or views)


def is_list(type_: pa.DataType) -> bool:
    """Return whether a column of this type holds arrays."""
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_list_view(type_))


def _timestamp(type_: pa.DataType) -> str:
    return "timestamp" if type_.tz else "timestamp_ntz"


def _struct(type_: pa.DataType) -> str:
    return f"struct<{','.join(f'{field.name}:{spark_type(field.type)}' for field in type_)}>"


_NAMED: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], str]], ...] = (
    (pa.types.is_timestamp, _timestamp),
    (is_text, lambda _: "string"),
    (is_bytes, lambda _: "binary"),
    (pa.types.is_decimal, lambda type_: f"decimal({type_.precision},{type_.scale})"),
    (is_list, lambda type_: f"array<{spark_type(type_.value_type)}>"),
    (pa.types.is_map, lambda type_: f"map<{spark_type(type_.key_type)},{spark_type(type_.item_type)}>"),
    (pa.types.is_struct, _struct),
)
