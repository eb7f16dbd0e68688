"""The worker's side of ai_query against a real HTTP server on this machine."""

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

from harness.ai_query.client import Scorer
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
        scorer = Scorer(replace(base, **changes), pool, sleep=(waits if waits is not None else []).append)  # type: ignore[arg-type] # any field
        try:
            return list(scorer(batch).to_pylist())
        finally:
            scorer.close()


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
