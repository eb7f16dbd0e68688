"""Primary and foreign keys as they lie in a table: a property `harness.constraint.NAME` each, whoever declares it. Pure.

`java_sources/harness/Keys.java` reads and writes the same.
"""

from collections.abc import Mapping

import msgspec

from harness.unity.model import Constraint

PREFIX = "harness.constraint."


class _Key(msgspec.Struct, omit_defaults=True):
    type: str
    columns: list[str]
    rely: bool | None = None  # always written
    parent: str = ""
    parent_columns: list[str] = []
    timeseries_columns: list[str] = []


def declared(properties: Mapping[str, str]) -> list[Constraint]:
    """Return the keys that a table's properties declare, in the order of their names."""
    return [_read(name.removeprefix(PREFIX), value) for name, value in sorted(properties.items()) if name.startswith(PREFIX)]


def undeclared(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that are no keys."""
    return {name: value for name, value in properties.items() if not name.startswith(PREFIX)}


def written(key: Constraint) -> dict[str, str]:
    """Return a key as a property.

    >>> written(Constraint("pk", ["id"]))
    {'harness.constraint.pk': '{"type":"PRIMARY_KEY","columns":["id"],"rely":false}'}
    """
    kind = "FOREIGN_KEY" if key.parent_table else "PRIMARY_KEY"
    told = _Key(kind, key.child_columns, key.rely, key.parent_table, key.parent_columns, key.timeseries_columns)
    return {f"{PREFIX}{key.name}": msgspec.json.encode(told).decode()}


def _read(name: str, value: str) -> Constraint:
    found = msgspec.json.decode(value, type=_Key)
    return Constraint(name, found.columns, found.parent, found.parent_columns, found.timeseries_columns, bool(found.rely))
