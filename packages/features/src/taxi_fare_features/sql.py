"""The rules as SQL text: what Spark evaluates for the feature table, and the request that `ai_query` sends."""

import math

from taxi_fare_features.rules import RULES, Between, Copied, Definition, OneIf, Part, Present, Rules, TimePart

_DAY = 86_400_000_000
_HOUR = 3_600_000_000


def feature_sql(*, rules: Rules = RULES) -> dict[str, str]:
    """Return each feature as an expression over the columns of the source table, with the feature table's type.

    >>> feature_sql()["trip_distance"]
    'CAST(`trip_distance` AS DOUBLE)'
    """
    return {feature.name: f"CAST({definition_sql(feature.definition)} AS {feature.type.upper()})" for feature in rules.features}


def filter_sql(*, rules: Rules = RULES) -> str:
    """Return the condition under which a row of the source table may be used at all."""
    return " AND ".join(_keeps(rule) for rule in rules.filters) or "TRUE"


def named_struct_sql(alias: str = "source", *, key: bool = True, rules: Rules = RULES) -> str:
    """Return the request of one row of the feature table `alias`: the key (unless told not to) and the features, under their names.

    No value is cast. The feature table has DOUBLE and INT; JSON carries a DOUBLE with every digit that tells it from its neighbours, and
    an INT as the whole number that the model reads as its `long`. A cast to FLOAT, or a decimal literal, would change the number.

    >>> named_struct_sql("f")[:52]
    "named_struct('trip_id', f.`trip_id`, 'trip_distance'"
    """
    names = rules.request_columns if key else rules.feature_columns
    fields = ", ".join(f"'{name}', {alias}.{identifier(name)}" for name in names)
    return f"named_struct({fields})"


def identifier(name: str) -> str:
    """Return a column's name in backticks, so that any word may be one."""
    return f"`{name.replace('`', '``')}`"


def definition_sql(definition: Definition) -> str:
    """Return one definition as an expression over the source's columns."""
    match definition:
        case Copied(source):
            return identifier(source)
        case TimePart(source, part):
            return _part(source, part)
        case OneIf(when, members):
            return f"{_part(when.source, when.part)} IN ({', '.join(map(str, members))})"


def _part(source: str, part: Part) -> str:
    """Return a part of the wall clock in UTC; `hour(timestamp)` would follow the session's time zone instead."""
    micros = f"UNIX_MICROS({identifier(source)})"
    of_day = f"PMOD({micros}, {_DAY})"
    if part == "hour":
        return f"({of_day} DIV {_HOUR})"
    date = f"DATE_FROM_UNIX_DATE(CAST(({micros} - {of_day}) DIV {_DAY} AS INT))"
    return f"{part.upper()}({date})"


def _keeps(rule: Between | Present) -> str:
    name = identifier(rule.source)
    if isinstance(rule, Present):
        return f"{name} IS NOT NULL"
    return f"{name} > {_number(rule.above)} AND {name} < {_number(rule.below)}"


def _number(value: float) -> str:
    return f"{value!r}D" if math.isfinite(value) else f"DOUBLE('{value}')"
