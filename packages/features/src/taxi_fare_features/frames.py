"""The rules for a pandas frame of trips."""

import pandas as pd

from taxi_fare_features.keys import key_of, split_of, trip_text
from taxi_fare_features.rules import (
    FEATURES,
    FILTERS,
    KEY,
    PICKUP,
    SOURCE_COLUMNS,
    SPLIT,
    TABLE_COLUMNS,
    TARGET,
    TIME,
    Between,
    Copied,
    Definition,
    OneIf,
    Part,
    Present,
    SparkType,
    TimePart,
    check_columns,
)

_DTYPES: dict[SparkType, str] = {"double": "float64", "int": "int32"}


def feature_frame(trips: pd.DataFrame, table: str = "frame of trips") -> pd.DataFrame:
    """Return the feature table's rows for the trips that pass the filters, in their order, with their index; `trips` stays as it is.

    Timestamps with a time zone count as their wall clock in UTC.
    """
    check_columns(table, [(str(name), _spark_type(dtype)) for name, dtype in trips.dtypes.items()])
    wall_clocks = {column.name: _wall_clock(trips[column.name]) for column in SOURCE_COLUMNS if column.type == "timestamp"}
    known = trips.assign(**wall_clocks)
    texts = _texts(known)
    occurrences = texts.groupby(texts, sort=False).cumcount()
    rows = pd.DataFrame(
        {
            KEY: [key_of(text, number) for text, number in zip(texts, occurrences, strict=True)],
            TIME: trips[PICKUP],
            TARGET: trips[TARGET],
            SPLIT: texts.map(split_of),
        },
        index=trips.index,
    )
    kept = pd.concat([_keeps(rule, known) for rule in FILTERS], axis="columns").all(axis="columns")
    features = {feature.name: _values(feature.definition, known.loc[kept]) for feature in FEATURES}
    types = {feature.name: _DTYPES[feature.type] for feature in FEATURES}
    return rows.loc[kept].assign(**features).astype(types)[list(TABLE_COLUMNS)]


def _spark_type(dtype: object) -> str:
    text = str(dtype)
    if text.startswith("datetime64"):
        return "timestamp"
    return {"float64": "double", "int32": "int", "Int32": "int"}.get(text, text)


def _wall_clock(moments: pd.Series) -> pd.Series:
    naive = moments if moments.dt.tz is None else moments.dt.tz_convert("UTC").dt.tz_localize(None)
    return naive.astype("datetime64[us]")


def _texts(trips: pd.DataFrame) -> pd.Series:
    names = [column.name for column in SOURCE_COLUMNS]
    values = trips[names].astype(object).where(trips[names].notna(), None)
    texts = [trip_text(dict(zip(names, row, strict=True))) for row in values.itertuples(index=False)]
    return pd.Series(texts, index=trips.index, dtype=object)


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
