"""The rules as Spark columns. pyspark is imported when a function is called: the platform provides it, not this package."""

from typing import TYPE_CHECKING

from taxi_fare_features.keys import SEPARATOR, TEST_BELOW
from taxi_fare_features.rules import KEY, PICKUP, RULES, SOURCE_COLUMNS, SPLIT, SPLIT_SEED, TARGET, TIME, Rules, check_columns
from taxi_fare_features.rules import Column as SourceColumn
from taxi_fare_features.sql import feature_sql, filter_sql

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_TEXT = "__trip_text"
_OCCURRENCE = "__occurrence"


def feature_columns(trips: "DataFrame", table: str = "source table", *, rules: Rules = RULES) -> "DataFrame":
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
        trips.where(filter_sql(rules=rules))
        .withColumn(_TEXT, f.concat_ws(SEPARATOR, *texts))
        .withColumn(_OCCURRENCE, f.row_number().over(duplicates) - 1)
    )
    return numbered.select(
        _key(f.col(_OCCURRENCE)).alias(KEY),
        f.col(PICKUP).alias(TIME),
        *[f.expr(expression).alias(name) for name, expression in feature_sql(rules=rules).items()],
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
