"""The rules for a pandas frame of trips."""

import pandas as pd

from taxi_fare_features.frame_keys import keys_and_splits
from taxi_fare_features.rules import (
    KEY,
    PICKUP,
    RULES,
    SOURCE_COLUMNS,
    SPLIT,
    TARGET,
    TIME,
    Between,
    Copied,
    Definition,
    OneIf,
    Part,
    Present,
    Rules,
    TimePart,
    check_columns,
)


def feature_frame(trips: pd.DataFrame, table: str = "frame of trips", *, rules: Rules = RULES) -> pd.DataFrame:
    """Return the feature table's rows for the trips that pass the filters, in their order, with their index; `trips` stays as it is.

    Timestamps with a time zone count as their wall clock in UTC. A NaN counts as a missing value: pandas does not tell them apart.
    """
    check_columns(table, [(str(name), _spark_type(dtype)) for name, dtype in trips.dtypes.items()])
    usable = trips.loc[_kept(trips, rules)]
    wall_clocks = {column.name: _wall_clock(usable[column.name]) for column in SOURCE_COLUMNS if column.type == "timestamp"}
    known = usable.assign(**wall_clocks)
    keys, splits = keys_and_splits(known)
    features = {feature.name: _values(feature.definition, known) for feature in rules.features}
    columns = {KEY: _text(keys, known), TIME: usable[PICKUP], **features, TARGET: known[TARGET], SPLIT: _text(splits, known)}
    return pd.DataFrame(columns, index=usable.index).astype(rules.pandas_types)


def _text(values: list[str], trips: pd.DataFrame) -> pd.Series:
    return pd.Series(values, index=trips.index, dtype=object)


def _kept(trips: pd.DataFrame, rules: Rules) -> pd.Series:
    kept = pd.Series(data=True, index=trips.index)
    for rule in rules.filters:
        kept &= _keeps(rule, trips)
    return kept


def _spark_type(dtype: object) -> str:
    text = str(dtype)
    if text.startswith("datetime64"):
        return "timestamp"
    return {"float64": "double", "int32": "int", "Int32": "int"}.get(text, text)


def _wall_clock(moments: pd.Series) -> pd.Series:
    naive = moments if moments.dt.tz is None else moments.dt.tz_convert("UTC").dt.tz_localize(None)
    return naive.astype("datetime64[us]")


def _keeps(rule: Between | Present, trips: pd.DataFrame) -> pd.Series:
    if isinstance(rule, Present):
        return trips[rule.source].notna()
    return trips[rule.source].gt(rule.above) & trips[rule.source].lt(rule.below)


def _values(definition: Definition, trips: pd.DataFrame) -> pd.Series:
    match definition:
        case Copied(source):
            return trips[source]
        case TimePart(source, part):
            return _part(trips[source], part)
        case OneIf(when, members):
            return _values(when, trips).isin(members)


def _part(moments: pd.Series, part: Part) -> pd.Series:
    parts: dict[Part, pd.Series] = {
        "hour": moments.dt.hour,
        "dayofweek": (moments.dt.dayofweek + 1) % 7 + 1,
        "month": moments.dt.month,
    }
    return parts[part]
