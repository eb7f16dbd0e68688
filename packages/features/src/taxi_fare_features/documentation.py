"""The rules in words, made from the rules: `python -m taxi_fare_features.documentation --write docs/features.md`."""

import argparse
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from taxi_fare_features.rules import (
    KEY,
    PICKUP,
    RULES,
    SOURCE_COLUMNS,
    SPLIT,
    SPLIT_SEED,
    TARGET,
    TEST_SHARE,
    TIME,
    Between,
    Copied,
    Definition,
    Feature,
    OneIf,
    Part,
    Present,
    Rules,
)
from taxi_fare_features.sql import feature_sql, filter_sql, named_struct_sql

_ABOUT = (
    "Everything here is derived from `packages/features/src/taxi_fare_features/rules.py`, as are the Spark columns, the pandas frame, "
    "plain Python, the SQL and the model's signature."
)
_REQUEST = (
    "Nothing is cast: the feature table has DOUBLE and INT, JSON carries a DOUBLE with every digit that tells it from its neighbours and "
    "an INT as the whole number that the model reads as its `long`. No form has a FLOAT, which would be another number (2.3 becomes "
    "2.299999952316284) and would not find its label again."
)
_PARTS: Mapping[Part, str] = {"hour": "hour", "dayofweek": "day of the week (Sunday = 1)", "month": "month"}
_TIME_ZONE = (
    "A TIMESTAMP counts as its wall clock in **UTC**, whatever the session's time zone: the taxi commission publishes wall clocks of "
    "New York without a zone, and the source table holds them as if they were UTC. In Python a datetime without a zone is the wall clock "
    "that it shows, one with a zone is taken to UTC. A source column of type TIMESTAMP_NTZ is refused, since what a cast makes "
    "of it depends on the session: cast it yourself, in a session in UTC. Days follow the Gregorian calendar, as far back as there are "
    "years. Spark and pandas take every microsecond that 64 bits hold; a Python datetime ends at years 1 and 9999, and one whose wall "
    "clock in UTC lies beyond is refused. Of nanoseconds the microsecond counts that they lie in."
)
_OTHERS = (
    (f"`{KEY}`", "STRING", "SHA-256 over all source columns and the number of the copy among equal trips"),
    (f"`{TIME}`", "TIMESTAMP", f"`{PICKUP}`"),
    (f"`{TARGET}`", "DOUBLE", "the label"),
    (f"`{SPLIT}`", "STRING", f"`test` for {TEST_SHARE:.0%} of the trips, else `train`: follows from key and seed ({SPLIT_SEED}) alone"),
)


def documentation(*, rules: Rules = RULES) -> str:
    """Return the page about source, filters, features, key, split and request, in Markdown."""
    parts = [
        "# The features of a trip",
        "<!-- made by python -m taxi_fare_features.documentation --write docs/features.md; a test compares -->",
        _ABOUT,
        "## Source",
        _table(("column", "type"), [(f"`{column.name}`", column.type.upper()) for column in SOURCE_COLUMNS]),
        "## Filters",
        "\n".join(f"- {_kept(rule)}" for rule in rules.filters),
        "## Features",
        _table(("feature", "type", "model's type", "pandas", "rule"), [_row(feature, rules) for feature in rules.features]),
        "## Other columns of the feature table",
        _table(("column", "type", "meaning"), _OTHERS),
        "## Time zone",
        _TIME_ZONE,
        "## As SQL over the source",
        _code(_select(rules)),
        "## The request, as SQL over the feature table",
        _code(f"ai_query('…', {named_struct_sql('source', rules=rules)})"),
        _REQUEST,
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Print the page, or write it to a file."""
    parser = argparse.ArgumentParser(prog="python -m taxi_fare_features.documentation", description="The feature rules in words.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there instead of printing it")
    options = parser.parse_args()
    if options.write is None:
        sys.stdout.write(documentation())
    else:
        options.write.write_text(documentation(), encoding="utf-8")


def _row(feature: Feature, rules: Rules) -> tuple[str, ...]:
    types = (feature.type.upper(), f"`{rules.model_types[feature.name]}`", f"`{rules.pandas_types[feature.name]}`")
    return f"`{feature.name}`", *types, _words(feature.definition)


def _select(rules: Rules) -> str:
    columns = ",\n  ".join(f"{expression} AS {name}" for name, expression in feature_sql(rules=rules).items())
    return f"SELECT\n  {columns}\nFROM source\nWHERE {filter_sql(rules=rules)}"


def _code(text: str) -> str:
    return f"```sql\n{text}\n```"


def _words(definition: Definition) -> str:
    match definition:
        case Copied(source):
            return f"`{source}`, unchanged"
        case OneIf(when, members):
            return f"1 when the {_PARTS[when.part]} of `{when.source}` is {_listed(members)}, else 0"
        case _:
            return f"{_PARTS[definition.part]} of `{definition.source}`"


def _listed(members: tuple[int, ...]) -> str:
    *first, last = map(str, members)
    return f"{', '.join(first)} or {last}" if first else last


def _kept(rule: Between | Present) -> str:
    if isinstance(rule, Present):
        return f"`{rule.source}` is there"
    below = f" and below {rule.below:g}" if math.isfinite(rule.below) else " and finite"
    return f"`{rule.source}` is above {rule.above:g}{below}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
