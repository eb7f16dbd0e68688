"""Bodies in `dataframe_split` with more columns than the model has: a key that travels with every row, say, as batch scoring sends it.

MLflow drops what is not in the signature. Such a body is read in one pass like a plain one, by a reader made for its columns; the head of a
body says which those are, and batches of one table have the same head.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec

LAYOUTS = 64
_HEAD_BYTES = 16384
_OTHER_CELL = str | int | float | bool | None


class _Columns(msgspec.Struct):
    columns: list[str]


class _Head(msgspec.Struct):
    dataframe_split: _Columns


Rows = Sequence[Sequence[float]]


class WideReader:
    """Reads bodies that have the model's columns, in any order, and others; `cells` are the types of the model's columns by name."""

    def __init__(self, cells: Mapping[str, Any]) -> None:
        self._cells = cells
        self._layouts: dict[bytes, Callable[[bytes], Rows | None]] = {}

    def rows(self, body: bytes) -> Rows | None:
        """Return the model's columns of `body`, in the model's order; None when that is for MLflow to say."""
        end = body.find(b'"data":', 0, _HEAD_BYTES)
        if end < 0 or not body.isascii():
            return None
        try:
            read = self._layouts.get(body[:end]) or self._known(body[:end])
            return read(body)
        except (msgspec.MsgspecError, RecursionError):
            return None

    def _known(self, head: bytes) -> Callable[[bytes], Rows | None]:
        columns = _decode_head(head.rstrip(b", ") + b"}}").dataframe_split.columns
        fits = len(set(columns)) == len(columns) and set(self._cells) <= set(columns)
        if len(self._layouts) >= LAYOUTS:
            self._layouts.clear()
        self._layouts[head] = read = _reader(columns, self._cells) if fits else _nothing
        return read


def _reader(columns: list[str], cells: Mapping[str, Any]) -> Callable[[bytes], Rows | None]:
    """Return what reads bodies of exactly these columns, and refuses unknown keys as it does for plain bodies."""
    row: Any = tuple[tuple(cells.get(name, _OTHER_CELL) for name in columns)]  # type: ignore[misc]  # made at run time
    fields: list[Any] = [("columns", list[str]), ("data", list[row]), ("index", list[int | float | str] | None, None)]
    split = msgspec.defstruct("Split", fields, forbid_unknown_fields=True)
    body_fields: list[Any] = [("dataframe_split", split), ("client_request_id", str | int | None, None)]
    decode = msgspec.json.Decoder(msgspec.defstruct("Body", body_fields, forbid_unknown_fields=True)).decode
    places = [columns.index(name) for name in cells]
    pick: Callable[[Any], Sequence[float]] = itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)

    def read(body: bytes) -> Rows | None:
        found = decode(body).dataframe_split  # type: ignore[attr-defined]  # made at run time
        if found.columns != columns or not found.data or (found.index is not None and len(found.index) != len(found.data)):
            return None
        return list(map(pick, found.data))

    return read


def _nothing(body: bytes) -> None:
    del body


_decode_head = msgspec.json.Decoder(_Head).decode
