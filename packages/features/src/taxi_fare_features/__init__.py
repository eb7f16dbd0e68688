"""The feature rules of the taxi fare model: one definition, as plain Python, pandas and Spark columns."""

from taxi_fare_features.frames import feature_frame
from taxi_fare_features.keys import trip_id
from taxi_fare_features.plain import feature_row, passes_filters
from taxi_fare_features.rules import (
    FEATURE_COLUMNS,
    FEATURES,
    FILTERS,
    KEY,
    REQUEST_COLUMNS,
    SOURCE_COLUMNS,
    SPLIT,
    TABLE_COLUMNS,
    TARGET,
    TIME,
    MissingColumnError,
)
from taxi_fare_features.spark_columns import feature_columns

__all__ = [
    "FEATURES",
    "FEATURE_COLUMNS",
    "FILTERS",
    "KEY",
    "REQUEST_COLUMNS",
    "SOURCE_COLUMNS",
    "SPLIT",
    "TABLE_COLUMNS",
    "TARGET",
    "TIME",
    "MissingColumnError",
    "feature_columns",
    "feature_frame",
    "feature_row",
    "passes_filters",
    "trip_id",
]
