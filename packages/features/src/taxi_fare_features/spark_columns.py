"""The rules as Spark columns. pyspark is imported when a function is called: the platform provides it, not this package."""

from functools import reduce
from typing import TYPE_CHECKING

from taxi_fare_features.keys import SEPARATOR, TEST_BELOW
from taxi_fare_features.rules import (
    FEATURES,
    FILTERS,
    KEY,
    PICKUP,
    SOURCE_COLUMNS,
    SPLIT,
    SPLIT_SEED,
    TARGET,
    TIME,
    Between,
    Copied,
    Definition,
    OneIf,
    Present,
    TimePart,
    check_columns,
)
from taxi_fare_features.rules import Column as SourceColumn

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_DAY = 86_400_000_000
_HOUR = 3_600_000_000
_TEXT = "__trip_text"
_OCCURRENCE = "__occurrence"


def feature_columns(trips: "DataFrame", table: str = "source table") -> "DataFrame":
    """Return the feature table's rows for the trips that pass the filters; `table` names the source in errors.

    A TIMESTAMP counts as its wall clock in UTC, whatever the session's time zone.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    check_columns(table, [(field.name, field.dataType.simpleString()) for field in trips.schema.fields])
    texts = [f.coalesce(_text(column), f.lit("")) for column in SOURCE_COLUMNS]
    # Rows of one window are equal in every column that counts, so any order gives the same keys.
    duplicates = Window.partitionBy(_TEXT).orderBy(_TEXT)
    numbered = (
        trips.where(reduce(lambda one, other: one & other, [_keeps(rule) for rule in FILTERS]))
        .withColumn(_TEXT, f.concat_ws(SEPARATOR, *texts))
        .withColumn(_OCCURRENCE, f.row_number().over(duplicates) - 1)
    )
    return numbered.select(
        _key(f.col(_OCCURRENCE)).alias(KEY),
        f.col(PICKUP).alias(TIME),
        *[_value(feature.definition).cast(feature.type).alias(feature.name) for feature in FEATURES],
        f.col(TARGET),
        f.when(_split_digits() < TEST_BELOW, "test").otherwise("train").alias(SPLIT),
    )


def _text(column: SourceColumn) -> "Column":
    from pyspark.sql import functions as f

    value = f.col(column.name)
    if column.type == "timestamp":
        return f.unix_micros(value).cast("string")
    if column.type == "double":
        return f.when(value.isNotNull(), f.xxhash64(value).cast("string"))
    return value.cast("string")


def _key(occurrence: "Column") -> "Column":
    from pyspark.sql import functions as f

    return f.sha2(f.concat_ws(SEPARATOR, f.col(_TEXT), occurrence.cast("string")), 256)


def _split_digits() -> "Column":
    from pyspark.sql import functions as f

    return f.substring(f.sha2(f.concat_ws(SEPARATOR, f.lit(str(SPLIT_SEED)), _key(f.lit(0))), 256), 1, 8)


def _keeps(rule: Between | Present) -> "Column":
    from pyspark.sql import functions as f

    value = f.col(rule.source)
    return value.isNotNull() if isinstance(rule, Present) else (value > rule.above) & (value < rule.below)


def _value(definition: Definition) -> "Column":
    from pyspark.sql import functions as f

    match definition:
        case Copied(source):
            return f.col(source)
        case TimePart():
            return _part(definition)
        case OneIf(when, members):
            return _part(when).isin(*members)


def _part(definition: TimePart) -> "Column":
    """Return a part of the wall clock in UTC; `hour(timestamp)` would follow the session's time zone instead."""
    from pyspark.sql import functions as f

    micros = f.unix_micros(f.col(definition.source))
    if definition.part == "hour":
        return f.floor(f.pmod(micros, f.lit(_DAY)) / _HOUR)
    date = f.date_from_unix_date(((micros - f.pmod(micros, f.lit(_DAY))) / _DAY).cast("int"))
    return f.dayofweek(date) if definition.part == "dayofweek" else f.month(date)
