"""The key of a trip and its split: text that Spark and Python write byte for byte alike, and a hash of it.

A double is the trap: engines print the same number differently (`0.002`, `2.0E-3`). So its 64 bits are written instead, through xxhash64
of one 64-bit word. That function is a bijection on words, therefore different numbers have different texts, and Spark has it built in.
"""

import hashlib
import math
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from operator import index
from typing import TYPE_CHECKING, SupportsIndex, TypeVar

from taxi_fare_features.rules import SOURCE_COLUMNS, SPLIT_SEED, TEST_SHARE, Column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Words = TypeVar("Words", "int", "NDArray[np.uint64]")

Value = datetime | float | int | str | None

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SEPARATOR = "|"
# The first eight hex digits of a hash below this are the test share of all hashes: hex digits of equal length sort like numbers.
TEST_BELOW = f"{int(TEST_SHARE * 2**32):08x}"

_WORD = 2**64 - 1
# Prime numbers and order of steps: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md#xxh64-algorithm-description
_PRIME_1, _PRIME_2, _PRIME_3, _PRIME_4, _PRIME_5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)
_SPARK_SEED = 42  # spark.apache.org/docs/latest/api/sql/#xxhash64: "hash seed is 42"
_START = (_SPARK_SEED + _PRIME_5 + 8) & _WORD  # 8 bytes are hashed


def xxhash64(words: Words) -> Words:
    """Return the xxhash64 of one unsigned 64-bit word with Spark's seed, or of each of many; every step keeps to 64 bits."""
    mixed = _times(_rotated(_times(words, _PRIME_2), 31), _PRIME_1, xor=_START)
    total = _times(_rotated(mixed, 27), _PRIME_1, plus=_PRIME_4)
    return _folded(_times(_folded(_times(_folded(total, 33), _PRIME_2), 29), _PRIME_3), 32)


# The types of numpy take any int for a signed number, hence the ignored ones.
def _times(word: Words, factor: int, *, plus: int = 0, xor: int = 0) -> Words:
    return ((word * factor + plus) & _WORD) ^ xor  # type: ignore[return-value]


def _rotated(word: Words, by: int) -> Words:
    return ((word << by) | (word >> (64 - by))) & _WORD  # type: ignore[return-value]


def _folded(word: Words, by: int) -> Words:
    return word ^ (word >> by)  # type: ignore[return-value]


def xxhash64_of_double(value: float) -> int:
    """Return what Spark's `xxhash64(double)` returns: a signed 64-bit number, different for different doubles; -0.0 counts as 0.0.

    >>> xxhash64_of_double(1.4)
    2968200795188687890
    """
    # Every NaN is one NaN to Spark, and -0.0 + 0.0 is 0.0.
    bits = 0x7FF8000000000000 if math.isnan(value) else struct.unpack("<Q", struct.pack("<d", value + 0.0))[0]
    total = xxhash64(bits)
    return total - 2**64 if total >= 2**63 else total


def utc(moment: datetime) -> datetime:
    """Return `moment` with time zone UTC; one without a zone is taken as the wall clock that it shows."""
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{moment}: expected a wall clock in UTC within years 1 to 9999; remove or correct the trip") from error


def moment_of(value: Value) -> datetime:
    """Return `value` if it is a moment; else raise TypeError."""
    if not isinstance(value, datetime) or value != value:  # noqa: PLR0124 - pandas' NaT is a datetime that differs from itself
        raise TypeError(f"expected a datetime, found {value!r}")
    return value


def number_of(value: Value) -> float:
    """Return `value` if it is a number; else raise TypeError."""
    if not isinstance(value, (int, float)):
        raise TypeError(f"expected a number, found {value!r}")
    return value


def whole_of(value: Value) -> int:
    """Return `value` if it is a whole number, also one that a frame has made a float; else raise TypeError."""
    if isinstance(value, SupportsIndex):
        return index(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise TypeError(f"expected a whole number, found {value!r}")


def _text(value: Value, column: Column) -> str:
    if value is None:
        return ""
    match column.type:
        case "timestamp":
            return str((utc(moment_of(value)) - EPOCH) // timedelta(microseconds=1))
        case "double":
            return str(xxhash64_of_double(float(number_of(value))))
        case "int":
            return str(whole_of(value))


def trip_text(trip: Mapping[str, Value]) -> str:
    """Return the canonical text of a trip: equal for equal trips, different for different ones."""
    return SEPARATOR.join(_text(trip[column.name], column) for column in SOURCE_COLUMNS)


def _sha2(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def key_of(text: str, occurrence: int) -> str:
    """Return the key of the `occurrence`-th (from 0) of the trips with this canonical text."""
    return _sha2(f"{text}{SEPARATOR}{occurrence}")


def trip_id(trip: Mapping[str, Value], occurrence: int = 0) -> str:
    """Return the key of a trip; exact duplicates in one table are told apart by `occurrence`."""
    return key_of(trip_text(trip), occurrence)


def split_of(text: str) -> str:
    """Return 'test' or 'train' for a canonical text.

    It follows from the key of the first occurrence alone, so neither row order nor other rows matter, and copies of one trip never
    stand on both sides.
    """
    return split_of_key(key_of(text, 0))


def split_of_key(first: str) -> str:
    """Return the split of all copies of the trip whose first occurrence has this key."""
    return "test" if _sha2(f"{SPLIT_SEED}{SEPARATOR}{first}")[:8] < TEST_BELOW else "train"
