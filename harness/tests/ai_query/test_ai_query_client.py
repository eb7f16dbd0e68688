"""The worker's side of ai_query against a real HTTP server on this machine."""

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.ai_query import model
from harness.ai_query.client import Scorer, scorer, table
from harness.ai_query.model import AiQueryError, Settings

Answer = Callable[[list[list[object]]], tuple[int, dict[str, str], object]]


class Endpoint:
    """A server whose answers a test chooses; keeps what it was sent."""

    def __init__(self) -> None:
        self.answer: Answer = lambda rows: (200, {}, {"predictions": [row[0] for row in rows]})
        self.requests: list[tuple[list[object], list[list[object]]]] = []
        self.url = ""


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    """One server for this module."""
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else every answer waits 40 ms

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["dataframe_split"]
            endpoint.requests.append((sent["columns"], sent["data"]))
            status, headers, content = endpoint.answer(sent["data"])
            body = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    endpoint.url = f"http://127.0.0.1:{http.server_address[1]}"
    yield endpoint
    http.shutdown()
    http.server_close()


@pytest.fixture
def endpoint(server: Endpoint) -> Endpoint:
    """The server, as new."""
    server.answer = Endpoint().answer
    server.requests.clear()
    return server


def score(endpoint: Endpoint, batch: pa.Array, *, waits: list[float] | None = None, **changes: object) -> list[object]:
    """Score one batch of DOUBLEs and return Python values."""
    base = Settings(harness_url=endpoint.url, token="t", endpoint="e p", column="x", return_type='"double"')
    with ThreadPoolExecutor(4) as pool:
        made = Scorer(replace(base, **changes), pool, sleep=(waits if waits is not None else []).append)  # type: ignore[arg-type] # any field
        try:
            return list(made(batch).to_pylist())
        finally:
            made.close()


def test_struct_travels_as_columns_and_null_as_null(endpoint: Endpoint) -> None:
    """Field names are columns; a row that is NULL as a whole is a row of nulls."""
    batch = pa.array([{"a": 1.0, "b": "x"}, None, {"a": None, "b": "y"}], pa.struct([("a", pa.float64()), ("b", pa.string())]))
    assert score(endpoint, batch) == [1.0, None, None]
    assert endpoint.requests == [(["a", "b"], [[1.0, "x"], [None, None], [None, "y"]])]


def test_order_is_kept_over_many_requests(endpoint: Endpoint) -> None:
    """Requests that run side by side give their results in the order of the rows."""
    assert score(endpoint, pa.array(range(25), pa.float64()), rows_per_request=4) == [float(n) for n in range(25)]
    assert sorted(len(rows) for _, rows in endpoint.requests) == [1, 4, 4, 4, 4, 4, 4]


def test_empty_batch_sends_nothing(endpoint: Endpoint) -> None:
    """No rows, no request."""
    assert score(endpoint, pa.array([], pa.float64())) == []
    assert endpoint.requests == []


def test_busy_endpoint_is_asked_again_as_it_wishes(endpoint: Endpoint) -> None:
    """429 and 503 are tried again: after Retry-After where given, else after growing waits."""
    answers: list[tuple[int, dict[str, str], object]] = [(429, {"Retry-After": "3"}, {}), (503, {}, {}), (200, {}, {"predictions": [1]})]
    endpoint.answer = lambda _: answers.pop(0)
    waits: list[float] = []
    assert score(endpoint, pa.array([1.0]), waits=waits) == [1.0]
    assert waits == [3.0, 0.4]


def test_endpoint_that_stays_busy_times_out(endpoint: Endpoint) -> None:
    """After ten more tries the platform's error names the last status."""
    endpoint.answer = lambda _: (429, {}, {})
    with pytest.raises(AiQueryError, match=r"REMOTE_FUNCTION_HTTP_RETRY_TIMEOUT.*retrying 10 times; .* was 429"):
        score(endpoint, pa.array([1.0]))
    assert len(endpoint.requests) == 11


def test_other_refusals_are_not_tried_again(endpoint: Endpoint) -> None:
    """A 403 fails the query at once, with the endpoint's own words."""
    endpoint.answer = lambda _: (403, {}, {"error_code": "PERMISSION_DENIED"})
    with pytest.raises(AiQueryError, match=r"code 403.*PERMISSION_DENIED"):
        score(endpoint, pa.array([1.0]))
    assert len(endpoint.requests) == 1


def test_a_body_stays_so_small_that_it_is_logged_whole(endpoint: Endpoint) -> None:
    """No request of several rows is over 1 MiB, from where on an inference table keeps no text."""
    batch = pa.array([f"{number:06}" * 50_000 for number in range(9)])
    endpoint.answer = lambda rows: (200, {}, {"predictions": [float(str(row[0])[:6]) for row in rows]})
    assert score(endpoint, batch) == [float(number) for number in range(9)]
    assert max(len(json.dumps(rows)) for _, rows in endpoint.requests) < 1 << 20
    assert sorted(len(rows) for _, rows in endpoint.requests) == [2, 2, 2, 3]


def test_a_row_over_the_limit_goes_alone(endpoint: Endpoint) -> None:
    """A row that is too large for the log is still scored."""
    endpoint.answer = lambda rows: (200, {}, {"predictions": [1.0] * len(rows)})
    assert score(endpoint, pa.array(["x" * (2 << 20), "y"])) == [1.0, 1.0]
    assert sorted(len(rows) for _, rows in endpoint.requests) == [1, 1]


def test_the_first_batch_goes_alone_and_the_next_ones_ahead(endpoint: Endpoint) -> None:
    """A query that stops after its first rows has sent no others; one that goes on finds the next batches under way."""
    taken: list[int] = []

    def batches() -> Iterator[pa.Array]:
        for number in range(6):
            taken.append(number)
            yield pa.array([float(number)])

    settings_ = Settings(harness_url=endpoint.url, token="t", endpoint="e p", column="x", return_type='"double"')
    results = scorer(settings_)(batches())
    assert next(results).to_pylist() == [0.0]
    assert taken == [0]
    assert next(results).to_pylist() == [1.0]
    assert taken == [0, 1, 2, 3]
    assert [value for array in results for value in array.to_pylist()] == [2.0, 3.0, 4.0, 5.0]


_COLUMNS = st.sampled_from(
    [
        (pa.float64(), st.floats()),
        (pa.float32(), st.floats(width=32)),
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.int8(), st.integers(-128, 127)),
        (pa.bool_(), st.booleans()),
        (pa.string(), st.text(st.characters(codec="utf-8"))),
        (pa.binary(), st.binary()),
        (pa.date32(), st.dates()),
        (pa.timestamp("us", tz="UTC"), st.datetimes(timezones=st.just(dt.UTC))),
        (pa.decimal128(10, 2), st.decimals(-1000, 1000, places=2)),
        (pa.list_(pa.float64()), st.lists(st.floats(allow_nan=False), max_size=3)),
        (
            pa.map_(pa.string(), pa.int64()),
            st.dictionaries(st.text("abc", max_size=2), st.integers(0, 9), max_size=2).map(lambda d: list(d.items())),
        ),
    ]
)


@st.composite
def structs(draw: st.DrawFn) -> pa.StructArray:
    """A batch of some columns of any types, with NULLs in them and as whole rows, and cut out of a longer one."""
    count = draw(st.integers(1, 8))
    arrays = []
    for kind, values in draw(st.lists(_COLUMNS, min_size=1, max_size=4)):
        arrays.append(pa.array(draw(st.lists(values | st.none(), min_size=count, max_size=count)), kind))
    whole = pa.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    batch = pa.StructArray.from_arrays(arrays, names=[f"c{number}" for number in range(len(arrays))], mask=whole)
    return batch.slice(draw(st.integers(0, count - 1)))


@pytest.mark.property
@settings(deadline=None, max_examples=200)
@given(batch=structs())
def test_requests_are_those_of_single_values(batch: pa.StructArray) -> None:
    """However columns are read, the body is byte for byte that of each row's Python values."""
    rows = [tuple((row or dict.fromkeys(field.name for field in batch.type)).values()) for row in batch.to_pylist(maps_as_pydicts="strict")]
    assert model.request_body(*table(batch, "x")) == model.request_body([field.name for field in batch.type], rows)


@pytest.mark.property
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.booleans(), max_size=24))
def test_only_rows_at_fault_carry_an_error(endpoint: Endpoint, rows: list[bool]) -> None:
    """Whatever rows are bad, exactly they have errorMessage, and the others their results."""

    def answer(data: list[list[object]]) -> tuple[int, dict[str, str], object]:
        return (400, {}, {"message": "bad"}) if [0.0] in data else (200, {}, {"predictions": [1.0] * len(data)})

    endpoint.answer = answer
    found = score(endpoint, pa.array([float(good) for good in rows], pa.float64()), fail_on_error=False, rows_per_request=10)
    assert [row["errorMessage"] is None for row in found] == rows  # type: ignore[index] # structs
    assert [row["result"] == 1.0 for row in found] == rows  # type: ignore[index] # structs


def test_prediction_that_does_not_parse_is_its_rows_error(endpoint: Endpoint) -> None:
    """With failOnError false a wrong element leaves the other rows of its request alone."""
    endpoint.answer = lambda _: (200, {}, {"predictions": [1.0, "soon"]})
    first, second = score(endpoint, pa.array([1.0, 2.0]), fail_on_error=False)
    assert first == {"result": 1.0, "errorMessage": None}
    assert "REMOTE_FUNCTION_HTTP_RESULT_PARSE_ERROR" in second["errorMessage"]  # type: ignore[index] # a struct
