"""Requests to a served model, drawn by Hypothesis: text, not values, since 1E5, 1e400, -0 and `1 ` are all different to a parser."""

# ruff: noqa: E501 - odd texts are read as tables

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from served_models import Column, Kind

JSON = "application/json"
Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: its body and its content type, if it has one."""

    body: bytes
    content_type: str | None = JSON


@dataclass(frozen=True, slots=True)
class Style:
    """How the client writes JSON."""

    comma: str
    colon: str

    def array(self, items: Sequence[str]) -> str:
        """Return the array of these texts."""
        return f"[{self.comma.join(items)}]"

    def object(self, pairs: Pairs) -> str:
        """Return the object of these pairs of texts."""
        return "{" + self.comma.join(key + self.colon + value for key, value in pairs) + "}"


STYLES = st.sampled_from([Style(", ", ": "), Style(",", ":"), Style(" ,\n", "\t: "), Style(",\r\n ", " :")])

ODD_NUMBERS = [
    "1e400", "-1e400", "1e-400", "5e-324", "2.2250738585072011e-308", "1e39", "-1e39", "3.4028235677973366e38", "3.4028235e38", "1E5", "1.5e+3",
    "-0", "-0.0", "0e0", "9007199254740993", "-9223372036854775808", "9223372036854775807", "9223372036854775808", "18446744073709551616",
    "1" + "0" * 25, "1" + "0" * 400, "0." + "1" * 400, "0.1000000000000000055511151231257827", "123456789.12345678901234567890", "2.7", "-2.7",
    "NaN", "Infinity", "-Infinity", "true", "false", "null", "1.0", "100", "2147483648", "3000000000", "-2147483649", "16777217", "1152921573326323713",
]  # fmt: skip
ODD_TEXTS = [
    '"1.5"', '"abc"', '" 1.5 "', '"1_000"', '"1e5"', '"nan"', '"inf"', '"-Infinity"', '"0x10"', '""', '"true"', '"False"', '"None"', '"null"',
    '"\\u0031"', '"\\u0661\\u0662"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"caf\\u00e9"', '"café 😀"', '"\\/\\"\\\\\\n"', '"1,5"', '"2026-01-02"',
    '"2026-01-02T03:04:05.123456789Z"', '"2026-01-02 03:04:05+02:00"', '"not a date"', '"/etc/hostname"', '"9007199254740993"', '"1.0"', '"7"',
]  # fmt: skip
ODD_SHAPES = ["[]", "{}", "[1]", "[1, 2]", '{"a": 1}', "[[1]]", '["x", null]', "[[], [1]]"]
NOT_JSON = [
    "01",
    "+1",
    ".5",
    "1.",
    "nan",
    "-nan",
    "inf",
    "-",
    "'a'",
    "True",
    "None",
    "undefined",
    '"\t"',
    '"\\x"',
    '"\\u12"',
    "1 2",
    "",
    "1e",
    "0x10",
    "/**/1",
]
ODD = st.one_of(st.sampled_from(ODD_NUMBERS), st.sampled_from(ODD_TEXTS), st.sampled_from(ODD_NUMBERS), st.sampled_from(ODD_SHAPES))
FINITE = st.floats(-3e38, 3e38)  # what fits in single precision, which trees compare in; ODD_NUMBERS has what does not
OUTPUTS = st.sampled_from(
    """frame|frame with index|frame with nulls|frame of two equal columns|frame of numbered columns|series|named series|dict|dict of arrays|list
list of dicts|str|number|none|float64|float32|float16|int|uint8|bool|text array|object array|bytes|datetime array|timedelta array|datetime|timestamp
scalar|scalar array|2-d|3-d|empty|not finite|extremes|nested|tuple|int keys|tuple keys|set|decimal|object|categories|nullable
raise|raise mlflow|raise not found|raise unavailable|raise in a cause|recurse|nothing of this""".replace("\n", "|").split("|")
)


def _short(number: float) -> str:
    return f"{number:.3f}"


GOOD: dict[str, SearchStrategy[str]] = {
    "double": st.one_of(
        st.floats(-3, 3).map(repr),
        st.floats(-3, 3).map(_short),
        st.integers(-5, 5).map(str),
        FINITE.map(repr),
        FINITE.map("{:.17e}".format),
    ),
    "float": st.floats(-3, 3, width=32).map(repr),
    "long": st.one_of(st.integers(-100, 100), st.integers(-(2**63), 2**63 - 1)).map(str),
    "integer": st.integers(-(2**31), 2**31 - 1).map(str),
    "boolean": st.sampled_from(["true", "false"]),
    "string": st.one_of(st.sampled_from(["red", "blue", "grün", "x"]), st.text(max_size=8)).map(json.dumps),
    "datetime": st.datetimes().map(lambda moment: json.dumps(moment.isoformat())),
    "output": OUTPUTS.map(json.dumps),
}


def near(thresholds: Sequence[float]) -> SearchStrategy[str]:
    """Return numbers at `thresholds` and next to them, in double and in single precision, where trees compare."""

    def text(threshold: float, step: str) -> str:
        import numpy as np

        single = np.float32(threshold)
        there = {
            "at": threshold,
            "above": math.nextafter(threshold, math.inf),
            "below": math.nextafter(threshold, -math.inf),
            "single": float(single),
            "single above": float(np.nextafter(single, np.float32(math.inf))),
            "single below": float(np.nextafter(single, np.float32(-math.inf))),
            "half above": (float(single) + float(np.nextafter(single, np.float32(math.inf)))) / 2,
            "half below": (float(single) + float(np.nextafter(single, np.float32(-math.inf)))) / 2,
        }
        return repr(there[step])

    steps = ["at", "above", "below", "single", "single above", "single below", "half above", "half below"]
    return st.builds(text, st.sampled_from(list(thresholds)), st.sampled_from(steps))


@st.composite
def _rows(draw: DrawFn, cells: Sequence[SearchStrategy[str]], most: int) -> list[list[str]]:
    """Rows of cells: a few values drawn for each column, and many rows made of them, so that 50 rows cost no more than 5."""
    pools = [draw(st.lists(cell, min_size=1, max_size=6)) for cell in cells]
    count = draw(st.one_of(st.just(1), st.integers(0, 4), st.integers(1, most)))
    if count <= 1:
        return [[pool[0] for pool in pools]] * count
    dice = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311 - of a drawn seed: examples stay the same
    return [[dice.choice(pool) for pool in pools] for _ in range(count)]


def _name(draw: DrawFn, name: str) -> str:
    quoted = json.dumps(name, ensure_ascii=draw(st.booleans()))
    return f'"\\u{ord(name[0]):04x}{quoted[2:]}' if name and ord(name[0]) < 0x80 and draw(st.integers(0, 15)) == 15 else quoted


def _columns(draw: DrawFn, columns: Sequence[Column], change: str) -> list[Column]:
    found = list(columns)
    if change == "permuted":
        return draw(st.permutations(found))
    at = draw(st.integers(0, len(found) - 1)) if found and change != "none" else 0
    if change == "dropped":
        del found[at]
    if change == "added":
        found.insert(
            at, Column(draw(st.sampled_from(["extra", "", "0", "index", "columns", "é"])), draw(st.sampled_from(["double", "string"])))
        )
    if change == "doubled":
        found.append(found[at])
    if change == "renamed":
        found[at] = Column(found[at].name.upper() + " ", found[at].kind)
    return found


def _formatted(draw: DrawFn, style: Style, names: Sequence[str], rows: Sequence[Sequence[str]], form: str) -> Pairs:
    """Return the top-level pairs that carry the rows in this form."""
    records = [style.object(list(zip(names, row, strict=False))) for row in rows]
    lists = [style.array(row) for row in rows]
    by_column = [(name, style.array([row[i] for row in rows if i < len(row)])) for i, name in enumerate(names)]
    if form == "split":
        pairs = [('"columns"', style.array(names)), ('"data"', style.array(lists))]
        if draw(st.integers(0, 3)) == 0:
            indices = [
                style.array([str(i + 7) for i in range(len(rows))]), style.array(['"a"'] * len(rows)), "null", "[]", "[1.5]", "3", '{"a": 1}', "[null, [1]]"
            ]  # fmt: skip
            pairs.insert(draw(st.integers(0, 2)), ('"index"', draw(st.sampled_from([indices[0], *indices]))))
        if draw(st.integers(0, 15)) == 15:
            pairs = draw(
                st.sampled_from(
                    [pairs[1:], pairs[:1], [*pairs, ('"name"', "1")], [*pairs, pairs[0]], pairs[::-1], [*pairs, ('"columns"', "null")]]
                )
            )
        return [('"dataframe_split"', style.object(pairs))]
    values = {
        "records": style.array(records),
        "columns": style.object(by_column),
        "rows": style.array(lists),
        "scalars": style.object([(name, cells[1:-1].split(style.comma)[0]) for name, cells in by_column]),
        "list": by_column[0][1] if by_column else "[]",
        "one": rows[0][0] if rows and rows[0] else "null",
    }
    key, _, kind = form.partition(" ")
    return [(json.dumps(key), values[kind])]


FORMS = [
    "split", "split", "split", "dataframe_records records", "dataframe_records records", "inputs columns", "inputs records", "inputs scalars",
    "inputs rows", "inputs list", "inputs one", "instances records", "instances rows", "instances columns", "instances list", "instances scalars",
    "dataframe_records columns", "dataframe_records rows", "dataframe_records scalars", "dataframe_split records",
]  # fmt: skip
SHAPED = {
    "table": st.sampled_from(FORMS[:8] * 2 + FORMS),
    "tensor": st.sampled_from([form for form in FORMS if form.startswith("in")] * 2 + FORMS),
    "outputs": st.sampled_from(FORMS[:4]),
    "hinted": st.sampled_from(["inputs records"] * 4 + FORMS),
}
EXTRAS = st.sampled_from(
    [('"client_request_id"', '"r1"'), ('"databricks_options"', '{"return_trace": true}'), ('"usage_context"', "{}"), ('"x"', "[1, NaN]"), ('""', "null"),
     ('"client_request_id"', "1"), ('"signature_name"', '"serving_default"'), ('"temperature"', "0.1"), ('"columns"', '["a"]')]
)  # fmt: skip
CHAT = st.sampled_from(
    [
        ('"messages"', '[{"role": "user", "content": "hi"}]'),
        ('"messages"', "[]"),
        ('"prompt"', '"hi"'),
        ('"input"', '[1, "a"]'),
        ('"input"', "{}"),
    ]
)
CONTENT_TYPES = [
    "application/json; charset=utf-8", "application/json;charset=UTF-8", "application/json; charset=latin-1", "application/json;", "application/json ;",
    "application/json; format=pandas-split", 'application/json; charset="utf-8"', "APPLICATION/JSON", "application/json, text/csv", "text/csv", "text/plain",
    "text/json", "", ";", "application/xml", "application/vnd.apache.parquet", "multipart/form-data; boundary=x", "application/json; charset", "a/é",
    "application/x-www-form-urlencoded", "*/*", "application/json; charset=utf-8; charset=latin-1", "application/json;charset=utf8",
]  # fmt: skip


def _params(draw: DrawFn, style: Style, known: Sequence[str]) -> tuple[str, str]:
    if draw(st.integers(0, 7)) == 7:
        return '"params"', draw(st.sampled_from(["null", "[]", '[["n", 1]]', "1", '"n"', "{}", '{"1": 2}']))
    names = draw(st.lists(st.sampled_from([*known, "nope", ""]), max_size=3))
    likely = st.sampled_from(["0.1", "1", '"a"', "true", "null", '["x", "y"]', "[]", "2.5", '[1, "x"]', "-0.0"])
    return '"params"', style.object([(json.dumps(name), draw(st.one_of(likely, likely, ODD))) for name in names])


def _damaged(draw: DrawFn, body: bytes) -> bytes:
    at = draw(st.integers(0, len(body)))
    damages = [
        body[:at],
        body[:at] + draw(st.binary(min_size=1, max_size=2)) + body[at + 1 :],
        body[:at] + draw(st.sampled_from([b",", b"}", b"]", b"[", b'"', b"\\", b"\x00", b" ", b"\xff", b"\xc3", b"NaN", b"/*x*/", b"e", b"-", b"."])) + body[at:],
        b"\xef\xbb\xbf" + body,
        body + draw(st.sampled_from([b" \n\t", b"\n{}", b"x", b"\x00", b"]", b"}"])),
        body.decode().encode(draw(st.sampled_from(["utf-16", "utf-16-le", "utf-32", "utf-16-be"]))),
        b"[" + body + b"]",
        draw(st.sampled_from([b"", b"{}", b"[]", b"null", b"1", b'"a"', b"NaN", b"{", b" ", b"[" * 200, b'{"a":' * 200, b"\x00\x00", b"\xff\xfe", b'{"inputs": 1, "inputs": 2}'])),
    ]  # fmt: skip
    return draw(st.sampled_from(damages))


def _csv(draw: DrawFn, names: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    comma = draw(st.sampled_from([",", ",", ",", ";", ", "]))
    lines = [comma.join(name.strip('"') for name in names), *(comma.join(row) for row in rows)]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return (end.join(lines) + draw(st.sampled_from(["", end, end + end]))).encode()


@st.composite
def asks(draw: DrawFn, kind: Kind, good: Callable[[Column], SearchStrategy[str]], most: int = 8) -> Ask:
    """Draw any request to a model of this kind: half of them as they should be, the others odd in one or more ways."""
    wrong = draw(
        st.sampled_from(
            ["", "", "", "cells", "columns", "columns", "more keys", "bytes", "content type", "csv", "not json", "ragged", "all"]
        )
    )
    style = draw(STYLES)
    changes = ["permuted", "dropped", "added", "doubled", "renamed"]
    change = draw(st.sampled_from(changes)) if wrong in ("columns", "all") else "none"
    columns = _columns(draw, kind.columns, change)
    cells = [good(column) for column in columns]
    if wrong in ("cells", "all", "csv"):
        cells = [st.one_of(cell, ODD) for cell in cells]
    if wrong == "not json" and cells:
        cells[-1] = st.sampled_from(NOT_JSON)
    rows = draw(_rows(cells, most))
    if wrong == "ragged" and rows:
        row = draw(st.integers(0, len(rows) - 1))
        rows[row] = draw(st.sampled_from([rows[row][:-1], [*rows[row], "1"], []]))
    names = [_name(draw, column.name) for column in columns]
    if wrong == "csv":
        return Ask(
            _csv(draw, names, rows), draw(st.sampled_from(["text/csv", "text/csv", "text/csv; charset=utf-8", "text/csv; header=present"]))
        )
    form = draw(SHAPED[kind.shape])
    pairs = _formatted(draw, style, names, rows, form)
    if wrong in ("more keys", "all") or (kind.params and draw(st.booleans())):
        pairs.append(_params(draw, style, kind.params))
    if wrong in ("more keys", "all"):
        other = _formatted(draw, style, names, rows, draw(st.sampled_from(FORMS)))
        more = st.one_of(EXTRAS, EXTRAS, CHAT, st.sampled_from(other))
        pairs += draw(st.lists(more, max_size=3))
        pairs = draw(st.permutations(pairs))
    body = style.object(pairs).encode()
    if wrong in ("bytes", "all") and draw(st.booleans()):
        body = _damaged(draw, body)
    return Ask(body, draw(st.sampled_from([*CONTENT_TYPES, None])) if wrong == "content type" else JSON)


@st.composite
def plain(draw: DrawFn, kind: Kind, good: Callable[[Column], SearchStrategy[str]]) -> Ask:
    """Draw 1 to 50 rows of plain numbers in one of the usual forms, as clients send them."""
    style = draw(STYLES)
    columns = _columns(draw, kind.columns, draw(st.sampled_from(["none", "none", "permuted", "added"])))
    rows = draw(_rows([good(column) for column in columns], 50)) or [["0.5"] * len(columns)]
    names = [_name(draw, column.name) for column in columns]
    pairs = _formatted(draw, style, names, rows, draw(st.sampled_from(FORMS[:8])))
    return Ask(style.object(pairs).encode(), draw(st.sampled_from([JSON, JSON, JSON, "application/json; charset=utf-8"])))


def in_every_format(columns: Sequence[Column], row: Sequence[str]) -> list[Ask]:
    """Return the requests that carry this one row of texts, one in each of the usual forms."""
    style = Style(", ", ": ")
    names = [json.dumps(column.name) for column in columns]
    record = style.object(list(zip(names, row, strict=True)))
    split = style.object([('"columns"', style.array(names)), ('"data"', style.array([style.array(row)]))])
    lists = style.object([(name, style.array([cell])) for name, cell in zip(names, row, strict=True)])
    forms = {"dataframe_split": split, "dataframe_records": f"[{record}]", "inputs": lists, "instances": f"[{record}]"}
    return [Ask(style.object([(json.dumps(key), value)]).encode()) for key, value in forms.items()]
