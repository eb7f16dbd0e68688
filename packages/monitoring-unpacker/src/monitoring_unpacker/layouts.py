"""Decoders for plain bodies: one of four formats, known names, in every cell a value that already has its column's type.

What the server would coerce, fill in or refuse is none of theirs: they decline it, and `unpack` decides. So whatever they take they read
exactly as `unpack` does: `msgspec` refuses NaN, booleans for numbers, texts for numbers, fractions in integers, broken JSON; nothing in a
body that is taken nests without bound.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any

from monitoring_unpacker.schema import Schema

Columns = list[Sequence[Any]]
_Fields = list[tuple[str, Any] | tuple[str, Any, Any]]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the bodies of one format with the same names are read.

    Attributes:
        decode: gives the body; raises what `msgspec` raises for a body of another layout.
        rows: how many rows a body has; None when its columns are of unequal lengths.
        columns: the values of many bodies, column by column, in the order of `names`.
        names: the names of the columns.
    """

    decode: Callable[[str], Any]
    rows: Callable[[Any], int | None]
    columns: Callable[[Sequence[Any]], Columns]
    names: tuple[str, ...]


def layout_key(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Return format and column names of a body; None when it is none of the plain ones."""
    import msgspec

    try:
        body = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
    found = [(name, body[name]) for name in ("dataframe_split", *_RECORDS, "inputs") if name in body] if isinstance(body, dict) else []
    if len(found) != 1:
        return None
    name, content = found[0]
    if name == "dataframe_split":
        names = content.get("columns") if isinstance(content, dict) else None
    elif isinstance(content, list):
        names = list(content[0]) if content and isinstance(content[0], dict) else None
    else:
        name, names = "inputs by column", list(content) if isinstance(content, dict) and name == "inputs" else None
    if not isinstance(names, list) or not names or not all(isinstance(column, str) and _is_plain(column) for column in names):
        return None
    return (name, tuple(names)) if len(set(names)) == len(names) else None


def make_layout(name: str, names: tuple[str, ...], schema: Schema) -> Layout:
    """Return the layout of a format with these column names."""
    known = {field.name: field.type for field in schema.columns}
    types = [value_type(known[column]) if column in known else _scalar() for column in names]
    if name == "dataframe_split":
        return _split_layout(names, types)
    if name == "inputs by column":
        return _column_layout(names, types)
    return _record_layout(name, names, types)


def value_type(sql_type: str) -> Any:
    """Return the type of the JSON values that need no coercion for a column of this SQL type."""
    from msgspec import Meta

    types: Mapping[str, Any] = {
        "BOOLEAN": bool,
        "INT": Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
        "BIGINT": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
        "DOUBLE": float,
    }
    return types.get(sql_type, str) | None


_RECORDS = ("dataframe_records", "instances")


def _is_plain(name: str) -> bool:
    """Return whether `msgspec` takes this name of a field."""
    return name.isprintable() and not {'"', "\\"} & set(name)


def _scalar() -> Any:
    return str | int | float | bool | None


def _body(name: str, content: Any) -> Callable[[str], Any]:
    import msgspec

    scalar = _scalar()
    flat: Any = dict[str, scalar] | None  # type: ignore[valid-type]
    fields: _Fields = [(name, content), ("client_request_id", scalar, None)]
    fields += [(other, flat, None) for other in ("params", "databricks_options", "usage_context")]
    body = msgspec.defstruct("Body", fields, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(body).decode


def _split_layout(names: tuple[str, ...], types: list[Any]) -> Layout:
    import msgspec

    row: Any = tuple[tuple(types)]  # type: ignore[misc]
    fields: _Fields = [("columns", list[str]), ("data", list[row]), ("index", list[int | str | None] | None, None)]
    split = msgspec.defstruct("Split", fields, forbid_unknown_fields=True, gc=False)
    wanted = list(names)

    def rows(body: Any) -> int | None:
        content = body.dataframe_split
        return len(content.data) if content.columns == wanted else None

    def columns(bodies: Sequence[Any]) -> Columns:
        return list(zip(*chain.from_iterable(body.dataframe_split.data for body in bodies), strict=True))

    return Layout(_body("dataframe_split", split), rows, columns, names)


def _record_layout(name: str, names: tuple[str, ...], types: list[Any]) -> Layout:
    import msgspec

    places = [f"f{index}" for index in range(len(names))]
    fields: _Fields = [(place, kind, None) for place, kind in zip(places, types, strict=True)]
    rename = dict(zip(places, names, strict=True))
    record = msgspec.defstruct("Record", fields, forbid_unknown_fields=True, gc=False, rename=rename)
    content = attrgetter(name)

    def columns(bodies: Sequence[Any]) -> Columns:
        rows = list(chain.from_iterable(map(content, bodies)))
        return [list(map(attrgetter(place), rows)) for place in places]

    return Layout(_body(name, list[record]), lambda body: len(content(body)), columns, names)  # type: ignore[valid-type]


def _column_layout(names: tuple[str, ...], types: list[Any]) -> Layout:
    import msgspec

    places = [f"f{index}" for index in range(len(names))]
    fields: _Fields = [(place, list[kind]) for place, kind in zip(places, types, strict=True)]  # type: ignore[valid-type]
    inputs = msgspec.defstruct("Inputs", fields, forbid_unknown_fields=True, gc=False, rename=dict(zip(places, names, strict=True)))
    cells = [attrgetter(f"inputs.{place}") for place in places]

    def rows(body: Any) -> int | None:
        lengths = {len(cell(body)) for cell in cells}
        return lengths.pop() if len(lengths) == 1 else None

    def columns(bodies: Sequence[Any]) -> Columns:
        return [list(chain.from_iterable(map(cell, bodies))) for cell in cells]

    return Layout(_body("inputs", inputs), rows, columns, names)
