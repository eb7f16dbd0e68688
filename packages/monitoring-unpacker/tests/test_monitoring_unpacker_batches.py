"""Whole batches: the same rows as one request at a time, every request once, each read by its own version's schema."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitoring_unpacker import PACKINGS, Field, MonitoringError, Payload, Quarantined, Schema, batches, pack, unpack
from monitoring_unpacker.arrow import arrow_schema
from monitoring_unpacker.batches import BatchUnpacker
from monitoring_unpacker.plain import MOST_LAYOUTS, PlainReader
from monitoring_unpacker.versions import Reading, plan_reading

KEY, PREDICTION = Field("id", "STRING"), Field("prediction", "DOUBLE")
SCHEMA = Schema((Field("a", "DOUBLE"), Field("b", "BIGINT"), Field("c", "BOOLEAN"), Field("t", "TIMESTAMP")), KEY, PREDICTION)
READING = plan_reading(SCHEMA)
LOGGED = pa.schema(
    [
        ("databricks_request_id", pa.string()),
        ("client_request_id", pa.string()),
        ("request_time", pa.timestamp("us", tz="UTC")),
        ("request_date", pa.date32()),
        ("status_code", pa.int32()),
        ("served_entity_id", pa.string()),
        ("request", pa.string()),
        ("response", pa.string()),
    ]
)
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)


def logged(payloads: Sequence[Payload], *, entities: Sequence[str | None] = ()) -> pa.RecordBatch:
    """A batch of an inference table; ids are numbers from 0."""
    rows = [
        {
            "databricks_request_id": str(number),
            "request_time": MOMENT,
            "request_date": MOMENT.date(),
            "status_code": payload.status_code,
            "served_entity_id": entities[number] if entities else "e",
            "request": payload.request,
            "response": payload.response,
        }
        for number, payload in enumerate(payloads)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=LOGGED)


def unpacked(batch: pa.RecordBatch, *, reading: Reading = READING, fast: bool = True) -> list[dict[str, Any]]:
    """What becomes of a batch, by request and row."""
    columns = arrow_schema(reading)
    table = pa.Table.from_batches(BatchUnpacker(reading, columns, fast=fast).unpacked(batch), schema=columns)
    return sorted(table.to_pylist(), key=lambda row: (int(row["databricks_request_id"]), row["row_index"] or 0))


def is_plain(payload: Payload, schema: Schema = SCHEMA) -> bool:
    """Whether the fast way takes a payload."""
    return PlainReader(schema).read(payload.request or "", payload.response or "") is not None


rows = st.fixed_dictionaries(
    {
        "a": st.none() | st.floats(allow_nan=False),
        "b": st.none() | st.integers(-(2**63), 2**63 - 1),
        "c": st.none() | st.booleans(),
        "t": st.sampled_from([None, "2026-01-02T03:04:05", "2026-01-02 03:04:05.678901+02:00"]),
        "id": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
        "prediction": st.none() | st.floats(allow_nan=False),
    },
)
requests = st.tuples(st.lists(rows, min_size=1, max_size=3), st.sampled_from(PACKINGS)).map(lambda sent: pack(sent[0], packing=sent[1]))

odd = st.sampled_from(
    [
        *("NaN", "Infinity", "-Infinity", "-0", "-0.0", "1e400", "1.0", "2.7", "1e3", "true", "null", "4.35", "01", "[1]", '{"p": 1}', ""),
        *("9007199254740993", "9223372036854775808", "18446744073709551616", "1" * 30),
        *('"1"', '"x"', '"2026-01-02"', '"\\ud800"', '"\\ud83d\\ude00"'),
    ]
)
cells = odd | st.floats(allow_nan=False).map(repr) | st.integers().map(str) | st.text(max_size=3).map(json.dumps)
names = st.sampled_from(["a", "b", "c", "t", "id", "x", "prediction", 'q"', "\\u0061"])


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in pairs) + "}"


objects = st.lists(st.tuples(names.filter(lambda name: name != 'q"'), cells), max_size=6).map(_object)
lists_of_cells = st.lists(cells, max_size=5).map(lambda values: f"[{', '.join(values)}]")
contents = (
    st.lists(objects | lists_of_cells, max_size=3).map(lambda values: f"[{', '.join(values)}]")
    | st.tuples(st.lists(names, max_size=5), st.lists(lists_of_cells, max_size=3)).map(
        lambda parts: f'{{"columns": {json.dumps(parts[0])}, "data": [{", ".join(parts[1])}]}}'
    )
    | st.lists(st.tuples(names.filter(lambda name: name != 'q"'), lists_of_cells), max_size=4).map(_object)
)
members = st.sampled_from(["dataframe_split", "dataframe_records", "inputs", "instances", "params", "client_request_id", "other"])
bodies = st.lists(st.tuples(members, contents | cells), max_size=3).map(_object)
answers = st.lists(
    st.tuples(st.sampled_from(["predictions", "outputs", "databricks_output"]), lists_of_cells | contents | cells), max_size=2
).map(_object)


@st.composite
def mutated(draw: st.DrawFn) -> Payload:
    """A request that was whole, and is now cut, doubled or has other characters in it."""
    payload = draw(requests)
    texts = [payload.request or "", payload.response or ""]
    which = draw(st.integers(0, 1))
    begin, length = draw(st.integers(0, len(texts[which]))), draw(st.integers(0, 4))
    texts[which] = texts[which][:begin] + draw(cells | st.text(max_size=2)) + texts[which][begin + length :]
    return Payload(200, *texts)


payloads = requests | mutated() | st.builds(Payload, st.sampled_from([200, 400, None]), st.none() | bodies, st.none() | answers)
SPLIT = '{"dataframe_split": {"columns": ["a", "b", "id"], "data": [[%s, %s, %s]]}}'


@pytest.mark.property
@settings(max_examples=200, deadline=None)
@example([Payload(200, SPLIT % ("-0", 1, '"x"'), '{"predictions": [-0]}'), Payload(200, SPLIT % (1, 1, '"x"'), '{"predictions": [-0.0]}')])
@example([Payload(200, SPLIT % ("18446744073709551617", 1, '"x"'), '{"predictions": [123456789012345678901234567890]}')])
@example([Payload(200, '{"dataframe_records": [{"a": 1, "a": 2, "id": "x", "id": null}]}', '{"predictions": [1], "predictions": [2]}')])
@example([Payload(200, '{"dataframe_records": [{"t": "no moment"}]}', '{"predictions": [1]}')])
@given(st.lists(payloads, min_size=1, max_size=6))
def test_batches_give_what_single_requests_give(found: list[Payload]) -> None:
    """Law: read together or one by one, the rows are the same to the last bit, whatever the texts."""
    batch = logged([Payload(payload.status_code, *map(_storable, (payload.request, payload.response))) for payload in found])
    assert repr(unpacked(batch)) == repr(unpacked(batch, fast=False))


def _storable(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "replace").decode()


@pytest.mark.property
@settings(max_examples=200, deadline=None)
@given(st.lists(payloads, min_size=1, max_size=6))
def test_f09_every_request_is_rows_or_a_reason_and_the_counts_add_up(found: list[Payload]) -> None:
    """F9: nothing is lost, padded or read twice: each request is its rows, in order, or one reason with its texts."""
    found = [Payload(payload.status_code, *map(_storable, (payload.request, payload.response))) for payload in found]
    result = unpacked(logged(found))
    for number, payload in enumerate(found):
        mine = [row for row in result if row["databricks_request_id"] == str(number)]
        expected = unpack(payload, SCHEMA)
        if isinstance(expected, Quarantined):
            reasons = [(row["reason"], row["row_index"], row["request"], row["response"]) for row in mine]
            assert reasons == [(expected.reason, None, payload.request, payload.response)]
        else:
            found_rows = [(row["row_index"], row["reason"], row["request"]) for row in mine]
            assert found_rows == [(index, None, None) for index in range(len(expected))]


WHOLE = [
    {"a": 1.5, "b": 2, "c": True, "t": None, "id": "x", "prediction": 3.5},
    {"a": 2.0, "b": 3, "c": None, "t": None, "id": "y", "prediction": 4.5},
]


def notebook_rows(request: str, response: str) -> list[tuple[Any, Any]]:
    """The faulty double: what the platform's example notebook makes of a request, records zipped with answers (F9)."""
    body, answer = json.loads(request), json.loads(response)
    if "dataframe_split" in body:
        records = [dict(zip(body["dataframe_split"]["columns"], row, strict=False)) for row in body["dataframe_split"]["data"]]
    else:
        records = list(next((body[name] for name in ("dataframe_records", "instances", "inputs") if name in body), []))
    found = [{"prediction": value} for value in answer.get("predictions", [])]
    longest = max(len(records), len(found))
    return [(*records[at : at + 1], *found[at : at + 1]) for at in range(longest)]


def test_f09_the_notebooks_way_loses_columnar_inputs() -> None:
    """F9: the check rejects the reference's way: columnar inputs become their column names there, two rows become six."""
    payload = pack(WHOLE, packing="inputs by column")
    assert len(notebook_rows(payload.request or "", payload.response or "")) != len(WHOLE)
    assert [row["id"] for row in unpacked(logged([payload]))] == ["x", "y"]


@pytest.mark.parametrize("packing", PACKINGS)
def test_plain_payloads_take_the_fast_way(packing: str) -> None:
    """The formats that clients send are read together, not one by one: the law above is no empty one."""
    assert is_plain(pack(WHOLE, packing=packing))


@pytest.mark.parametrize(
    "response",
    [
        pytest.param('{"predictions": [3.5, 4.5], "databricks_output": {"trace": null, "databricks_request_id": "r"}}', id="as logged"),
        pytest.param('{"predictions": [{"0": 3.5}, {"0": 4.5}]}', id="records of a series"),
        pytest.param('{"predictions": [[3.5], [4.5]]}', id="column vector"),
    ],
)
def test_plain_answers_take_the_fast_way(response: str) -> None:
    """So are the answers' usual shapes."""
    payload = Payload(200, pack(WHOLE).request, response)
    assert is_plain(payload)
    assert [row["prediction"] for row in unpacked(logged([payload]))] == [3.5, 4.5]


def test_formats_may_alternate() -> None:
    """Requests of many layouts in one batch keep their rows, and what has too many layouts is read one by one."""
    found = [
        Payload(200, json.dumps({"dataframe_records": [{"id": str(number), f"extra {number}": 1}]}), '{"predictions": [1]}')
        for number in range(MOST_LAYOUTS + 8)
    ]
    assert [row["id"] for row in unpacked(logged(found))] == [str(number) for number in range(len(found))]


def test_large_batches_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are given away before all are read: memory follows neither the number nor the size of requests."""
    monkeypatch.setattr(batches, "MOST_ROWS", 4)
    parts = list(BatchUnpacker(READING, arrow_schema(READING)).unpacked(logged([pack(WHOLE)] * 10)))
    assert [part.num_rows for part in parts] == [4, 4, 4, 4, 4]


def test_without_msgspec_the_rows_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that lacks the library reads one by one."""
    expected = unpacked(logged([pack(WHOLE)]))
    monkeypatch.setitem(__import__("sys").modules, "msgspec", None)
    assert unpacked(logged([pack(WHOLE)])) == expected


OLDER = Schema((Field("a", "DOUBLE"), Field("b", "STRING")), KEY, PREDICTION)
NEWER = Schema((Field("a", "DOUBLE"), Field("b", "BIGINT"), Field("n", "INT")), KEY, PREDICTION)


def test_each_version_is_read_by_its_own_schema() -> None:
    """A column that changed its type gets a second one, a new one is added; nothing is coerced to the other version's type."""
    reading = plan_reading(NEWER, by_entity={"old": OLDER, "new": NEWER})
    assert [(one.name, one.type) for one in reading.columns] == [
        ("a", "DOUBLE"),
        ("b", "BIGINT"),
        ("n", "INT"),
        ("b__string", "STRING"),
        ("id", "STRING"),
    ]
    old = pack([{"a": 1.0, "b": "007", "id": "x", "prediction": 1.0}])
    new = pack([{"a": 2.0, "b": 7, "n": 3, "id": "y", "prediction": 2.0}])
    result = unpacked(logged([old, new, new], entities=["old", "new", "unheard of"]), reading=reading)
    assert [(row["b"], row["b__string"], row["n"]) for row in result] == [(None, "007", None), (7, None, 3), (7, None, 3)]


def test_columns_that_are_there_keep_their_types() -> None:
    """What the table has decides; an INT stands in a BIGINT or DOUBLE column without loss, a BIGINT not in a DOUBLE one."""
    small = Schema((Field("b", "INT"), Field("a", "BIGINT")), KEY, PREDICTION)
    reading = plan_reading(small, existing=(Field("A", "DOUBLE"), Field("b", "BIGINT")))
    assert [(one.name, one.type) for one in reading.columns] == [("b", "BIGINT"), ("a__bigint", "BIGINT"), ("id", "STRING")]
    (row,) = unpacked(logged([pack([{"b": 1, "a": 2**53 + 1, "id": "x", "prediction": 1.0}])]), reading=reading)
    assert (row["b"], row["a__bigint"]) == (1, 2**53 + 1)


def test_a_feature_may_be_called_as_the_training_marker() -> None:
    """The labels' marker keeps its column, the feature gets its own."""
    reading = plan_reading(Schema((Field("split", "STRING"),), KEY, PREDICTION), taken=("split",))
    assert [one.name for one in reading.columns] == ["split__string", "id"]


def test_requests_of_a_version_without_signature_say_so() -> None:
    """They go to quarantine with that reason; so do those of a version whose predictions the table cannot hold."""
    texts = Schema((), KEY, Field("prediction", "STRING"))
    reading = plan_reading(NEWER, by_entity={"bare": "model m version 1: has no signature", "texts": texts})
    result = unpacked(logged([pack(WHOLE), pack(WHOLE)], entities=["bare", "texts"]), reading=reading)
    assert [row["reason"] for row in result] == [
        "model m version 1: has no signature",
        "the version predicts STRING, the processed table's predictions are DOUBLE",
    ]


def test_f10_ids_are_stable() -> None:
    """F10: request id and row index identify a row; both come out the same in every run, whatever else is in the batch."""
    alone = [(row["databricks_request_id"], row["row_index"]) for row in unpacked(logged([pack(WHOLE)]))]
    again = unpacked(logged([pack(WHOLE), Payload(400, "?", "!"), pack(WHOLE[:1])]))
    assert alone == [("0", 0), ("0", 1)]
    assert [(row["databricks_request_id"], row["row_index"]) for row in again][:2] == alone


@pytest.mark.parametrize("name", ["request", "Reason"])
def test_reserved_names_stay_reserved(name: str) -> None:
    """A version's feature may not be called as a column of ours."""
    with pytest.raises(MonitoringError, match="reserved"):
        Schema((Field(name, "DOUBLE"),), KEY, PREDICTION)
