"""Bodies of plain numbers, read straight into rows and written straight from predictions; whatever is not plain is left to MLflow.

A body is plain when it has one of MLflow's four formats, names exactly the model's columns, has a number in every cell, and nothing else
but a `client_request_id`. What MLflow would coerce, complete, drop or refuse (texts, nulls, booleans, extra columns, `params`, duplicate
names, NaN, broken JSON) is not plain, so its answers and its error texts stay its own (but for other columns in `dataframe_split`, which
`fast_wide.py` reads).
"""

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np
import orjson

from harness_guest.fast_arithmetic import TOO_LARGE, Numbers

FORMATS = ("dataframe_split", "dataframe_records", "inputs", "instances")
_LARGEST_WHOLE = 2.0**53  # beyond it a float64 may not be the integer that was sent
# Numbers that MLflow takes as they are, by the type of their column; it refuses, cuts off, wraps around or rounds others.
_CELLS: Mapping[str, Any] = {
    "double": Annotated[float, msgspec.Meta(gt=-TOO_LARGE, lt=TOO_LARGE)],
    "float": Annotated[float, msgspec.Meta(gt=-_LARGEST_WHOLE, lt=_LARGEST_WHOLE)],  # a whole one beyond would be rounded twice
    "long": Annotated[float, msgspec.Meta(gt=-_LARGEST_WHOLE, lt=_LARGEST_WHOLE, multiple_of=1.0)],
    "integer": Annotated[float, msgspec.Meta(gt=-(2.0**31), lt=2.0**31, multiple_of=1.0)],
}


class BodyReader:
    """Reads the plain bodies of one model; `kinds` are the types of its columns in its signature, "double" if nothing is said."""

    def __init__(self, columns: Sequence[str], kinds: Sequence[str] = (), formats: Sequence[str] = FORMATS) -> None:
        self.columns = list(columns)
        self._width = len(columns)
        self._singles = [place for place, kind in enumerate(kinds) if kind == "float"]
        self._alike = len(set(kinds)) <= 1
        types = cells(kinds or ["double"] * len(columns))
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_body_type(self.columns, types, formats))

    def rows(self, body: bytes) -> Sequence[Sequence[float]] | None:
        """Return the rows of `body` in the order of the model's columns; None when it is not plain."""
        if not body.isascii():  # what is skipped is not checked for UTF-8; MLflow checks all of it
            return None
        try:
            read = self._decoder.decode(body)
        except (msgspec.MsgspecError, RecursionError):
            return None
        given = [value for name in FORMATS if (value := getattr(read, name, None)) is not None]
        if len(given) != 1:
            return None
        return self._rows(given[0]) or None  # no rows at all: MLflow has something to say about that

    def numbers(self, rows: Sequence[Sequence[float]]) -> Numbers:
        """Return `rows` as an array."""
        array = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * self._width).reshape(-1, self._width)
        if self._singles:
            array[:, self._singles] = array[:, self._singles].astype(np.float32)
        return array

    def _rows(self, given: Any) -> Sequence[Sequence[float]] | None:
        if isinstance(given, list):
            return [msgspec.structs.astuple(record) for record in given]
        if hasattr(given, "columns"):
            return self._split(given)
        lists = msgspec.structs.astuple(given)
        return list(zip(*lists, strict=True)) if len({len(values) for values in lists}) == 1 else None

    def _split(self, split: Any) -> Sequence[Sequence[float]] | None:
        if split.index is not None and len(split.index) != len(split.data):
            return None
        rows: Sequence[Sequence[float]] = split.data
        if split.columns == self.columns:
            return rows
        if not self._alike or sorted(split.columns) != sorted(self.columns):  # each cell was read as its place's type
            return None
        order = [split.columns.index(name) for name in self.columns]
        return [[row[position] for position in order] for row in rows]


def cells(kinds: Sequence[str]) -> list[Any]:
    """Return what a cell of each column may hold."""
    return [_CELLS[kind] for kind in kinds]


def _body_type(columns: Sequence[str], held: Sequence[Any], formats: Sequence[str]) -> type:
    """Return the type of a plain body; unknown keys are refused everywhere. Of a key given twice the last wins, here as in Python."""
    names = [(f"c{number}", cell, msgspec.field(name=name)) for number, (name, cell) in enumerate(zip(columns, held, strict=True))]
    record = msgspec.defstruct("Record", names, forbid_unknown_fields=True)
    lists = [(field, list[cell], msgspec.field(name=info.name)) for field, cell, info in names]  # type: ignore[valid-type]  # made at run time
    columnar = msgspec.defstruct("Columns", lists, forbid_unknown_fields=True)
    row: Any = tuple[tuple(held)]  # type: ignore[misc]  # made at run time
    split = msgspec.defstruct(
        "Split",
        [("columns", list[str]), ("data", list[row]), ("index", list[int | float | str] | None, None)],
        forbid_unknown_fields=True,
    )
    types: dict[str, Any] = {"dataframe_split": split, "dataframe_records": list[record], "inputs": list[record] | columnar}  # type: ignore[valid-type]  # made at run time
    types["instances"] = list[record]  # type: ignore[valid-type]  # the same
    fields: list[Any] = [(name, types[name] | msgspec.UnsetType, None) for name in formats]
    fields.append(("client_request_id", str | int | None, None))
    return msgspec.defstruct("Body", fields, forbid_unknown_fields=True)


def answers(predictions: Numbers, counts: Sequence[int]) -> list[bytes]:
    """Return MLflow's answer for each request, given the predictions of all their rows one after the other."""
    texts = numbers_text(predictions)
    bodies = []
    start = 0
    for count in counts:
        bodies.append(b'{"predictions": [' + b", ".join(texts[start : start + count]) + b"]}")
        start += count
    return bodies


def numbers_text(numbers: Numbers) -> list[bytes]:
    """Return each number as Python's `repr` writes it (the shortest text that reads back the same)."""
    text = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    if b"n" in text:  # NaN and infinity, which are null there
        return [json.dumps(number).encode() for number in numbers.tolist()]
    texts = text.split(b",")
    # Both write shortest texts; they differ in when they turn to exponents, and how those look.
    return [_as_python(each) for each in texts] if b"e" in text or b"0.0000" in text else texts


def _as_python(text: bytes) -> bytes:
    """Return a number's text as Python writes it, given orjson's."""
    return json.dumps(float(text)).encode() if b"e" in text or b"0.0000" in text else text
