"""The feature rules of the taxi fare model: one definition, as plain Python, pandas, Spark columns, SQL and the model's types."""

from taxi_fare_features.frames import feature_frame
from taxi_fare_features.keys import trip_id
from taxi_fare_features.plain import feature_row, passes_filters
from taxi_fare_features.rules import (
    FEATURE_COLUMNS,
    FEATURES,
    FILTERS,
    KEY,
    MODEL_TYPES,
    PANDAS_TYPES,
    REQUEST_COLUMNS,
    RULES,
    SOURCE_COLUMNS,
    SPLIT,
    TABLE_COLUMNS,
    TARGET,
    TIME,
    MissingColumnError,
    Rules,
)
from taxi_fare_features.spark_columns import feature_columns
from taxi_fare_features.sql import feature_sql, filter_sql, named_struct_sql

__all__ = [
    "FEATURES",
    "FEATURE_COLUMNS",
    "FILTERS",
    "KEY",
    "MODEL_TYPES",
    "PANDAS_TYPES",
    "REQUEST_COLUMNS",
    "RULES",
    "SOURCE_COLUMNS",
    "SPLIT",
    "TABLE_COLUMNS",
    "TARGET",
    "TIME",
    "MissingColumnError",
    "Rules",
    "feature_columns",
    "feature_frame",
    "feature_row",
    "feature_sql",
    "filter_sql",
    "named_struct_sql",
    "passes_filters",
    "trip_id",
]
