"""The rules as SQL text: what Spark evaluates for the feature table, and the request that `ai_query` sends."""

import math
import re

from taxi_fare_features.rules import FEATURES, FILTERS, REQUEST_COLUMNS, Between, Copied, Definition, OneIf, Part, Present, TimePart

_DAY = 86_400_000_000
_HOUR = 3_600_000_000


def feature_sql() -> dict[str, str]:
    """Return each feature as an expression over the columns of the source table, with the feature table's type.

    >>> feature_sql()["trip_distance"]
    'CAST(trip_distance AS DOUBLE)'
    """
    return {feature.name: f"CAST({definition_sql(feature.definition)} AS {feature.type.upper()})" for feature in FEATURES}


def filter_sql() -> str:
    """Return the condition under which a row of the source table may be used at all."""
    return " AND ".join(_keeps(rule) for rule in FILTERS)


def named_struct_sql(alias: str = "source") -> str:
    """Return the request of one row of the feature table `alias`: the key and the features, under their names.

    No value is cast: the feature table has DOUBLE and INT, JSON writes an INT as the model's `long` reads it, and no FLOAT stands
    anywhere, so what the model gets is what the table has, bit for bit.
    """
    fields = ", ".join(f"'{name}', {alias}.{identifier(name)}" for name in REQUEST_COLUMNS)
    return f"named_struct({fields})"


def identifier(name: str) -> str:
    """Return a column's name as SQL writes it: in backticks unless it is a plain word."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else f"`{name.replace('`', '``')}`"


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
