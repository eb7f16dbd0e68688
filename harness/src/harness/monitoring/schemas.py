"""The two metric tables: columns, order and types as published outputs of real workspaces show them (databricks-solutions/ai-dev-kit)."""

import pyarrow as pa

from harness.monitoring.kind import Kind

_TIME = pa.timestamp("us", tz="UTC")
_WINDOW = pa.struct([("start", _TIME), ("end", _TIME)])
_TEST = pa.struct([("statistic", pa.float64()), ("pvalue", pa.float64())])
_ITEMS = pa.list_(pa.struct([("item", pa.string()), ("count", pa.int64())]))
_DELTA = pa.struct([("added", pa.int32()), ("missing", pa.int32())])
TABLE = ":table"
ALL_MODELS = "*"

_PROFILE_HEAD = [
    ("window", _WINDOW),
    ("log_type", pa.string()),
    ("logging_table_commit_version", pa.int32()),
    ("monitor_version", pa.int64()),
    ("granularity", pa.string()),
    ("slice_key", pa.string()),
    ("slice_value", pa.string()),
]
_PROFILE_TAIL = [
    ("column_name", pa.string()),
    ("count", pa.int64()),
    ("data_type", pa.string()),
    ("num_nulls", pa.int64()),
    ("avg", pa.float64()),
    ("quantiles", pa.list_(pa.float64())),
    ("min", pa.float64()),
    ("max", pa.float64()),
    ("stddev", pa.float64()),
    ("num_zeros", pa.int64()),
    ("num_nan", pa.int64()),
    ("min_length", pa.float64()),
    ("max_length", pa.float64()),
    ("avg_length", pa.float64()),
    ("non_null_columns", pa.list_(pa.string())),
    ("frequent_items", _ITEMS),
    ("median", pa.float64()),
    ("distinct_count", pa.int64()),
    ("percent_nan", pa.float64()),
    ("percent_null", pa.float64()),
    ("percent_zeros", pa.float64()),
    ("percent_distinct", pa.float64()),
]
_REGRESSION = [
    ("mean_squared_error", pa.float64()),
    ("root_mean_squared_error", pa.float64()),
    ("mean_average_error", pa.float64()),
    # Assumption: the platform's documentation names the mean absolute error `mean_average_error`; readers look for
    # `mean_absolute_error`. It is added as a second column of the same value, so that a query by either name works.
    ("mean_absolute_error", pa.float64()),
    ("mean_absolute_percentage_error", pa.float64()),
    ("r2_score", pa.float64()),
]
_SCORES = pa.struct([("one_vs_all", pa.map_(pa.string(), pa.float64())), ("macro", pa.float64()), ("weighted", pa.float64())])
_CLASSIFICATION = [
    ("accuracy_score", pa.float64()),
    ("confusion_matrix", pa.list_(pa.struct([("prediction", pa.string()), ("label", pa.string()), ("count", pa.int64())]))),
    ("precision", _SCORES),
    ("recall", _SCORES),
    ("f1_score", _SCORES),
]
# Only where the configuration names a column of probabilities, which the newer API cannot.
_PROBABILITIES = [("log_loss", pa.float64()), ("roc_auc_score", _SCORES)]
# Assumption: a map from class to difference, as the documentation's "one-vs-all key-value pairs".
_FAIRNESS = [
    (name, pa.map_(pa.string(), pa.float64()))
    for name in ("predictive_parity", "predictive_equality", "equal_opportunity", "statistical_parity")
]
_DRIFT_HEAD = [
    ("window", _WINDOW),
    ("granularity", pa.string()),
    ("monitor_version", pa.int64()),
    ("slice_key", pa.string()),
    ("slice_value", pa.string()),
]
_DRIFT_TAIL = [
    ("column_name", pa.string()),
    ("data_type", pa.string()),
    ("window_cmp", _WINDOW),
    ("drift_type", pa.string()),
    ("count_delta", pa.int64()),
    ("avg_delta", pa.float64()),
    ("percent_null_delta", pa.float64()),
    ("percent_zeros_delta", pa.float64()),
    ("percent_distinct_delta", pa.float64()),
    ("non_null_columns_delta", _DELTA),
    ("js_distance", pa.float64()),
    ("ks_test", _TEST),
    ("wasserstein_distance", pa.float64()),
    ("population_stability_index", pa.float64()),
    ("chi_squared_test", _TEST),
    ("tv_distance", pa.float64()),
    ("l_infinity_distance", pa.float64()),
]
_QUALITY = (*_REGRESSION, *_CLASSIFICATION, *_PROBABILITIES, *_FAIRNESS)
PROFILE_COLUMNS = frozenset(name for name, _ in (*_PROFILE_HEAD, *_PROFILE_TAIL, *_QUALITY))
RESERVED = PROFILE_COLUMNS | {name for name, _ in (*_DRIFT_HEAD, *_DRIFT_TAIL)}


def profile_schema(kind: Kind) -> pa.Schema:
    """Return the profile table's schema; the model-id column bears the user's name for it."""
    return pa.schema([*_PROFILE_HEAD, *_model(kind), *_PROFILE_TAIL, *_quality(kind)])


def drift_schema(kind: Kind) -> pa.Schema:
    """Return the drift table's schema."""
    return pa.schema([*_DRIFT_HEAD, *_model(kind), *_DRIFT_TAIL])


def unjudged(schema: pa.Schema) -> pa.Schema:
    """Return the drift table's schema before p-values are known: in their place is the number of rows that each is of."""
    return schema.set(
        schema.get_field_index("ks_test"), pa.field("ks_test", pa.struct([("statistic", pa.float64()), ("rows", pa.int64())]))
    )


def _model(kind: Kind) -> list[tuple[str, pa.DataType]]:
    return [] if kind.model_id is None else [(kind.model_id, pa.string())]


def _quality(kind: Kind) -> list[tuple[str, pa.DataType]]:
    # Assumption: only the quality columns of the monitor's own problem type are there.
    if kind.log is None:
        return []
    if kind.log.is_regression:
        return _REGRESSION
    return [*_CLASSIFICATION, *(_PROBABILITIES if kind.log.prediction_proba_column else []), *_FAIRNESS]
