"""Batches of an inference table in, batches of unpacked rows out: plain payloads together by their layout, the others one by one."""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from monitoring_unpacker.envelope import ENVELOPE
from monitoring_unpacker.layouts import Layout
from monitoring_unpacker.plain import PlainReader
from monitoring_unpacker.schema import TYPES, Field, Schema
from monitoring_unpacker.unpacking import Payload, Quarantined, unpack
from monitoring_unpacker.versions import Reading

if TYPE_CHECKING:
    import pyarrow as pa

# Rows held at once: what a batch of 10,000 requests of 1,000 rows each would need otherwise does not fit a worker.
MOST_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class _Lane:
    """How the requests that one served entity answered are read: by a schema, or not at all, for a reason."""

    schema: Schema
    reader: PlainReader | None
    refused: str | None = None


@dataclass(slots=True)
class _Group:
    """Requests of one layout, or (without a layout) requests read one by one, and where in the batch they stand."""

    lane: _Lane
    layout: Layout | None = None
    places: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    answers: list[Sequence[Any]] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)

    def add(self, place: int, body: Any, answers: Sequence[Any]) -> None:
        """Add a request that was read."""
        self.places.append(place)
        self.counts.append(len(answers))
        self.bodies.append(body)
        self.answers.append(answers)


class BatchUnpacker:
    """Unpacks the batches of one partition.

    Args:
        reading: which schema types which request.
        columns: the columns of the batches that come out.
        fast: whether plain payloads are read together; what comes out is the same.
    """

    def __init__(self, reading: Reading, columns: "pa.Schema", *, fast: bool = True) -> None:
        self._reading = reading
        self._columns = columns
        self._fast = fast and _can_read_plain()
        self._lanes: dict[str | None, _Lane] = {}

    def unpacked(self, batch: "pa.RecordBatch") -> "Iterator[pa.RecordBatch]":
        """Give the rows of one batch: each request's rows together, requests of one layout together."""
        names = ("served_entity_id", "status_code", "request", "response")
        logged = enumerate(zip(*(batch.column(name).to_pylist() for name in names), strict=True))
        while groups := self._read_some(logged):
            yield from self._written(batch, groups.values())

    def _read_some(self, logged: Iterator[tuple[int, tuple[str | None, int | None, str | None, str | None]]]) -> dict[int, _Group]:
        """Read requests until enough rows are held; return them in their groups."""
        groups: dict[int, _Group] = {}
        held = 0
        with _no_collection():
            for place, (entity, status, request, response) in logged:
                lane = self._lanes.get(entity) or self._lane(entity)
                plain = None
                if lane.reader is not None and status == 200 and request is not None and response is not None:
                    plain = lane.reader.read(request, response)
                if plain is None:
                    held += _add_one(groups, lane, place, Payload(status, request, response))
                else:
                    layout, body, answers = plain
                    group = groups.get(id(layout))
                    if group is None:
                        group = groups[id(layout)] = _Group(lane, layout)
                    group.add(place, body, answers)
                    held += len(answers)
                if held >= MOST_ROWS:
                    break
        return groups

    def _lane(self, entity: str | None) -> "_Lane":
        schema = self._reading.schema_for(entity)
        if isinstance(schema, str):
            lane = _Lane(self._reading.schema, None, schema)
        else:
            same = next((lane for lane in self._lanes.values() if lane.schema == schema and lane.refused is None), None)
            lane = same or _Lane(schema, PlainReader(schema) if self._fast else None)
        self._lanes[entity] = lane
        return lane

    def _written(self, batch: "pa.RecordBatch", groups: Iterable[_Group]) -> "Iterator[pa.RecordBatch]":
        for group in groups:
            if group.layout is None:
                yield self._batch(batch, group, self._rows(group))
                continue
            try:
                values = self._plain_columns(group, group.layout)
            except (ValueError, OverflowError):  # a text that is no moment, or no text that a table can hold: each request for itself
                yield from self._written(batch, _one_by_one(batch, group))
            else:
                yield self._batch(batch, group, values)

    def _plain_columns(self, group: _Group, layout: Layout) -> "dict[str, pa.Array]":
        """Return the columns of plain requests; what they do not have stays out.

        Raises:
            ValueError: a value that looked plain is none.
        """
        sent: dict[str, Sequence[Any]] = dict(zip(layout.names, layout.columns(group.bodies), strict=True))
        sent["prediction"] = list(chain.from_iterable(group.answers))
        fields = [one for one in (*group.lane.schema.columns, group.lane.schema.prediction) if one.name in sent]
        for one in fields:
            if one.type == "TIMESTAMP":
                sent[one.name] = [None if value is None else TYPES["TIMESTAMP"](value) for value in sent[one.name]]
        return self._arrays(group.lane.schema, {one: sent[one.name] for one in fields})

    def _rows(self, group: _Group) -> "dict[str, pa.Array]":
        rows = list(chain.from_iterable(group.bodies))
        fields = (*group.lane.schema.columns, group.lane.schema.prediction)
        return self._arrays(group.lane.schema, {one: [row.get(one.name) for row in rows] for one in fields})

    def _arrays(self, schema: Schema, values: Mapping[Field, Sequence[Any]]) -> "dict[str, pa.Array]":
        import pyarrow as pa

        names = self._reading.names.get(schema, {})
        columns = {names.get(one.name, one.name): found for one, found in values.items()}
        return {name: pa.array(found, self._columns.field(name).type) for name, found in columns.items()}

    def _batch(self, batch: "pa.RecordBatch", group: _Group, values: "dict[str, pa.Array]") -> "pa.RecordBatch":
        """Return the rows of a group: the envelope repeated, index or reason with the texts, the data."""
        import numpy as np
        import pyarrow as pa

        counts = np.array(group.counts)
        places = np.repeat(group.places, counts)
        columns = {name: batch.column(name).take(pa.array(places)) for name, _ in ENVELOPE}
        within = np.arange(len(places)) - np.repeat(counts.cumsum() - counts, counts)
        faulty = np.repeat([reason is not None for reason in group.reasons], counts) if group.reasons else np.zeros(len(places), bool)
        columns["row_index"] = pa.array(within, pa.int32(), mask=faulty)
        if faulty.any():
            columns["reason"] = pa.array(np.repeat(np.array(group.reasons, object), counts), pa.string())
            columns |= {name: batch.column(name).take(pa.array(places, mask=~faulty)) for name in ("request", "response")}
        columns |= values
        arrays = [columns[one.name].cast(one.type) if one.name in columns else pa.nulls(len(places), one.type) for one in self._columns]
        return pa.RecordBatch.from_arrays(arrays, schema=self._columns)


def _add_one(groups: dict[int, _Group], lane: _Lane, place: int, payload: Payload) -> int:
    """Unpack one request into the group of such requests; return how many rows it has."""
    result = unpack(payload, lane.schema) if lane.refused is None else Quarantined(lane.refused)
    group = groups.setdefault(id(lane), _Group(lane))
    group.reasons.append(result.reason if isinstance(result, Quarantined) else None)
    rows: Sequence[Any] = [{}] if isinstance(result, Quarantined) else result
    group.add(place, rows, rows)
    return len(rows)


def _one_by_one(batch: "pa.RecordBatch", group: _Group) -> Iterable[_Group]:
    groups: dict[int, _Group] = {}
    for place in group.places:
        request, response = (batch.column(name)[place].as_py() for name in ("request", "response"))
        _add_one(groups, group.lane, place, Payload(200, request, response))
    return groups.values()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hold Python's search for cycles: it would look again and again at all rows held, and there is none in them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _can_read_plain() -> bool:
    """Return whether `msgspec` is there: the wheel asks for it, workers that have not the wheel may lack it."""
    try:
        import msgspec  # noqa: F401 - whether it can be imported is the question
    except ImportError:
        return False
    return True
