"""Delta's schema as the platform's columns. Pure."""

import json
import re
from collections.abc import Mapping, Sequence

import msgspec

from harness.errors import ApiError
from harness.unity.model import ColumnInfo, TableInfo

# Delta's primitive type -> (type_name of the API, text of Spark SQL).
_PRIMITIVES = {
    "string": ("STRING", "string"),
    "long": ("LONG", "bigint"),
    "integer": ("INT", "int"),
    "short": ("SHORT", "smallint"),
    "byte": ("BYTE", "tinyint"),
    "float": ("FLOAT", "float"),
    "double": ("DOUBLE", "double"),
    "boolean": ("BOOLEAN", "boolean"),
    "binary": ("BINARY", "binary"),
    "date": ("DATE", "date"),
    "timestamp": ("TIMESTAMP", "timestamp"),
    "timestamp_ntz": ("TIMESTAMP_NTZ", "timestamp_ntz"),
    "variant": ("VARIANT", "variant"),
}

_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")

DeltaType = str | dict[str, object]


class Field(msgspec.Struct):
    """One field of a Delta schema."""

    name: str
    type: DeltaType
    nullable: bool = True
    metadata: dict[str, object] = {}


class _Struct(msgspec.Struct):
    fields: list[Field]


class _Array(msgspec.Struct, rename="camel"):
    element_type: DeltaType


class _Map(msgspec.Struct, rename="camel"):
    key_type: DeltaType
    value_type: DeltaType


def columns(schema_json: str, partition_columns: Sequence[str]) -> list[ColumnInfo]:
    """Return the columns of a table from its Delta schema, in order."""
    partitions = {name: index for index, name in enumerate(partition_columns)}
    fields = msgspec.json.decode(schema_json, type=_Struct).fields
    return [_column(position, each, partitions) for position, each in enumerate(fields)]


def column_key(table: TableInfo, name: str) -> str:
    """Return what a column is called for as long as it is in its table, however users call it then; raise the platform's 404 for another.

    Delta renames and drops columns only in tables that map their names: github.com/delta-io/delta/blob/master/PROTOCOL.md#column-mapping.
    """
    found = next((each for each in table.columns if each.name.lower() == name.lower()), None)
    if found is None:
        raise ApiError(404, "COLUMN_DOES_NOT_EXIST", f"Column '{name}' does not exist in table '{table.full_name}'.")
    physical = msgspec.json.decode(found.type_json, type=Field).metadata.get("delta.columnMapping.physicalName", found.name)
    return str(physical)


def type_text(delta: DeltaType) -> str:
    """Return the SQL text of a Delta type.

    >>> type_text({"type": "array", "elementType": "long", "containsNull": True})
    'array<bigint>'
    """
    if isinstance(delta, str):
        return _PRIMITIVES[delta][1] if delta in _PRIMITIVES else delta
    match delta["type"]:
        case "array":
            return f"array<{type_text(msgspec.convert(delta, _Array).element_type)}>"
        case "map":
            of = msgspec.convert(delta, _Map)
            return f"map<{type_text(of.key_type)},{type_text(of.value_type)}>"
    return "struct<" + ",".join(f"{each.name}:{type_text(each.type)}" for each in msgspec.convert(delta, _Struct).fields) + ">"


def type_name(delta: DeltaType) -> str:
    """Return the API's `type_name` of a Delta type."""
    if isinstance(delta, str):
        return "DECIMAL" if delta.startswith("decimal") else _PRIMITIVES[delta][0]
    return str(delta["type"]).upper()


def _column(position: int, each: Field, partitions: Mapping[str, int]) -> ColumnInfo:
    comment = each.metadata.get("comment")
    decimal = _DECIMAL.fullmatch(each.type) if isinstance(each.type, str) else None
    return ColumnInfo(
        name=each.name,
        type_text=type_text(each.type),
        type_json=json.dumps(msgspec.to_builtins(each)),
        type_name=type_name(each.type),
        position=position,
        nullable=each.nullable,
        comment=comment if isinstance(comment, str) else None,
        partition_index=partitions.get(each.name),
        type_precision=int(decimal[1]) if decimal else 0,
        type_scale=int(decimal[2]) if decimal else 0,
    )
