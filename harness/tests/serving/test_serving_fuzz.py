"""Bad input over raw sockets: a 4xx with the platform's body or a closed connection, never a 500 or a hang; the next client is served."""

import json
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from databricks.sdk.service.serving import (
    AiGatewayConfig,
    AiGatewayInferenceTableConfig,
    EndpointCoreConfigInput,
    ServedEntityInput,
)
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from harness.http import direct
from harness.serving import data_plane

sys.path.append(str(Path(__file__).parent / "conformance"))
from raw_client import ANSWER, CALL, GOOD, PATH, PATIENCE, Client, assert_refused, head, served

pytestmark = pytest.mark.platform
REQUESTS = int(os.environ.get("HARNESS_FUZZ_REQUESTS", "0"))
SEED = int(os.environ.get("HARNESS_FUZZ_SEED", "0"))
TABLE = "main.logs.fuzzed_payload"


class Workspace(Protocol):
    """What conftest.py starts."""

    host: str
    sdk: Any
    http: httpx.Client

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a payload table."""
        ...


@pytest.fixture(scope="module")
def host(workspace: Workspace) -> Iterator[str]:
    """The address of a harness with the endpoint `fuzzed`, which logs its calls."""
    table = AiGatewayInferenceTableConfig(catalog_name="main", schema_name="logs", table_name_prefix="fuzzed", enabled=True)
    config = EndpointCoreConfigInput(name="fuzzed", served_entities=[ServedEntityInput(entity_name="main.ml.adds", entity_version="1")])
    api = workspace.sdk.serving_endpoints
    api.create_and_wait("fuzzed", config=config, ai_gateway=AiGatewayConfig(inference_table_config=table), timeout=timedelta(seconds=120))
    yield workspace.host
    api.delete("fuzzed")


@pytest.fixture
def client(host: str) -> Iterator[Client]:
    """A connection; after the test another client is answered as ever."""
    with Client(host) as client:
        yield client
    served(host)


BROKEN_HEADS = [
    pytest.param(b"\x00\x01\x02\x03\r\n\r\n", id="binary"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50, id="TLS hello"),
    pytest.param(b"hello\r\n\r\n", id="no request line"),
    pytest.param(b"POST " + PATH + b"\r\n\r\n", id="no version"),
    pytest.param(head(version=b"HTTP/9.9", length=2) + b"{}", id="unknown version"),
    pytest.param(head(b"no colon here", length=2) + b"{}", id="header without colon"),
    pytest.param(head(b"bad name: x", length=2) + b"{}", id="space in a header name"),
    pytest.param(head(b"Content-Length: x") + b"{}", id="length that is no number"),
    pytest.param(head(b"Content-Length: -1") + b"{}", id="negative length"),
    pytest.param(head(b"Content-Length: 1e3") + b"{}", id="length as a float"),
    pytest.param(head(b"Content-Length: 2, 2") + b"{}", id="list of lengths"),
    pytest.param(head(b"Content-Length: " + b"9" * 5000) + b"{}", id="length of 5000 digits"),
    pytest.param(head(b"Content-Length: 2", b"Content-Length: 3") + b"{} ", id="two lengths"),
    pytest.param(head(b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n", id="length and chunks"),
    pytest.param(head(b"Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n", id="chunk size that is no number"),
    pytest.param(head(b"Transfer-Encoding: chunked") + b"2\r\n{}0\r\n\r\n", id="chunk longer than it says"),
    pytest.param(b"GET  /  HTTP/1.1\r\n\r\n", id="two spaces"),
    pytest.param(b"POST " + PATH + b" HTTP/1.1\nHost: x\n\n" + b"{}", id="bare newlines"),
    pytest.param(head(b" folded: x", length=2) + b"{}", id="folded header"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
]


@pytest.mark.parametrize("data", BROKEN_HEADS)
def test_what_is_not_http_is_refused(client: Client, data: bytes) -> None:
    """Whatever is not a request ends in a refusal."""
    client.say(data)
    client.socket.shutdown(socket.SHUT_WR)
    assert_refused(client.hear())


@pytest.mark.parametrize("cut", [1, 10, 40, 60, len(CALL) - len(GOOD) - 2, len(CALL) - len(GOOD), len(CALL) - 1])
def test_cut_off_request_is_no_call(workspace: Workspace, client: Client, cut: int) -> None:
    """A client that goes away in the middle of a head or a body gets nothing, and nothing is logged."""
    before = len(workspace.rows(TABLE)) if cut > 60 else 0
    client.say(CALL[:cut])
    client.socket.shutdown(socket.SHUT_WR)
    assert_refused(client.hear())
    if cut > 60:
        assert len(workspace.rows(TABLE)) == before


METHODS = ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "post"]


@pytest.mark.parametrize("method", METHODS)
def test_wrong_method_is_refused(client: Client, method: str) -> None:
    """Only POST invokes."""
    client.say(head(method=method.encode(), length=len(GOOD)) + GOOD)
    assert_refused(client.hear())


@pytest.mark.parametrize(
    ("more", "statuses"),
    [
        pytest.param([b"X-Long: " + b"x" * 200_000], (200, 400, 413, 431), id="one long header"),
        pytest.param([b"X-%d: x" % number for number in range(5000)], (200, 400, 413, 431), id="many headers"),
        pytest.param([b"Content-Encoding: gzip"], (200, 400, 415), id="content encoding"),
        pytest.param([b"Expect: 200-ok"], (200, 400, 417), id="unknown expectation"),
        pytest.param([b"Upgrade: websocket", b"Connection: Upgrade"], (200, 400, 426), id="upgrade"),
        pytest.param([b"Connection: close"], (200,), id="connection close"),
        pytest.param([b"X-\xe9: \xff\xfe"], (200, 400), id="header that is not ASCII"),
    ],
)
def test_odd_header_is_ignored_or_refused(client: Client, more: list[bytes], statuses: tuple[int, ...]) -> None:
    """It may be served, never be a 500."""
    client.say(head(*more, length=len(GOOD)) + GOOD)
    said = client.hear()
    if said is not None and said.status == 200:
        assert 200 in statuses
        assert said.body == ANSWER
    else:
        assert_refused(said, *statuses)


@pytest.mark.parametrize(
    "content_type",
    [b"x" * 70_000, b"a/\xff\xe9", b"application/json; charset=\xe9", b"", b"\t", b"application/json\x01"],
)
def test_odd_content_type_is_refused(client: Client, content_type: bytes) -> None:
    """However long, in whatever encoding; MLflow's 415 is text."""
    lines = [b"POST " + PATH + b" HTTP/1.1", b"Host: x", b"Authorization: Bearer t0ken", b"Content-Type: " + content_type]
    client.say(b"\r\n".join([*lines, b"Content-Length: %d" % len(GOOD)]) + b"\r\n\r\n" + GOOD)
    said = client.hear()
    assert said is None or 400 <= said.status < 500


@pytest.mark.parametrize(
    "authorization", [b"", b"Bearer", b"Bearer wrong", b"Bearer \xff\xfe", b"Basic !!", b"Basic dG9rZW46\xe9", b"Digest x"]
)
def test_unknown_caller_is_refused_and_not_logged(workspace: Workspace, client: Client, authorization: bytes) -> None:
    """401 before any model: no row."""
    before = len(workspace.rows(TABLE))
    lines = [b"POST " + PATH + b" HTTP/1.1", b"Host: x", b"Authorization: " + authorization, b"Content-Length: %d" % len(GOOD)]
    client.say(b"\r\n".join(lines) + b"\r\n\r\n" + GOOD)
    assert_refused(client.hear(), 401, 400)
    assert len(workspace.rows(TABLE)) == before


BAD_BODIES = [
    pytest.param(b"", id="empty"),
    pytest.param(GOOD[:-3], id="truncated"),
    pytest.param(b"[" * 100_000, id="deep list"),
    pytest.param(b'{"a":' * 100_000, id="deep object"),
    pytest.param(b'{"dataframe_records": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep and closed"),
    pytest.param(b'{"inputs": ' + b"1" * 10_000 + b"}", id="10,000 digits"),
    pytest.param(b'{"dataframe_records": [{"a": 1' + b"0" * 400 + b', "b": 1}]}', id="400 digits"),
    pytest.param(b"\xff\xfe\xfd", id="not UTF-8"),
    pytest.param(b"\xef\xbb\xbf" + GOOD[:-1], id="byte order mark"),
    pytest.param('{"dataframe_records": [{"a": "é", "b": 1}]}'.encode("latin-1"), id="Latin-1"),
    pytest.param(b'{"dataframe_records": [{"a": "\x00", "b": 1}]}', id="NUL"),
    pytest.param(b'{"dataframe_records": [{"a": "\\ud800", "b": 1}]}', id="half a surrogate pair"),
    pytest.param(b'{"dataframe_records": [{"a": 1, "b": NaN}]}', id="NaN in a long column"),
    pytest.param(b'{"dataframe_records": [], "dataframe_records": [{"a": 1}]}', id="duplicate key"),
    pytest.param(GOOD + GOOD, id="two documents"),
    pytest.param(b" " * (1 << 20), id="a megabyte of blanks"),
]


@pytest.mark.parametrize("body", BAD_BODIES)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_bad_body_is_the_models_400_and_is_logged(workspace: Workspace, client: Client, body: bytes, *, chunked: bool) -> None:
    """What reached the model has a row with the status and the answer's text, unless the answer is larger than a row may hold."""
    if chunked:
        pieces = [body[at : at + 50_000] for at in range(0, len(body), 50_000)]
        client.say(head(b"Transfer-Encoding: chunked"), *(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n")
    else:
        client.say(head(length=len(body)) + body)
    said = client.hear()
    assert said is not None
    assert_refused(said, 400)
    rows = {row["databricks_request_id"]: row for row in workspace.rows(TABLE)}
    row = rows[said.headers["x-databricks-request-id"]]
    assert row["status_code"] == 400
    assert row["response"] == (said.body.decode() if len(said.body) <= 1 << 20 else None)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_body_of_more_than_16_mib_is_refused(workspace: Workspace, client: Client, *, chunked: bool) -> None:
    """413 before the model, so no row; the client may still be sending."""
    before, piece = len(workspace.rows(TABLE)), b" " * (1 << 20)
    if chunked:
        client.say(head(b"Transfer-Encoding: chunked"), *[b"%x\r\n%s\r\n" % (len(piece), piece)] * 17, b"0\r\n\r\n")
    else:
        client.say(head(length=17 << 20), *[piece] * 17)
    assert_refused(client.hear(), 413)
    assert len(workspace.rows(TABLE)) == before


def test_length_that_lies(client: Client) -> None:
    """Shorter than the body: the rest is the next, broken, request. Longer: no call until the rest comes."""
    client.say(head(length=len(GOOD)) + GOOD + b"rest of a body\r\n\r\n")
    first = client.hear()
    assert first is not None
    assert first.body == ANSWER
    assert_refused(client.hear())
    assert client.closed()


def test_http_1_0_is_served_and_closed(client: Client) -> None:
    """As curl -0 calls."""
    client.say(head(version=b"HTTP/1.0", length=len(GOOD)) + GOOD)
    said = client.hear()
    assert said is not None
    assert (said.status, said.body) == (200, ANSWER)
    assert client.closed()


def test_expect_100_continue(client: Client) -> None:
    """The client waits for the server to ask for the body, as curl does with large ones."""
    client.say(head(b"Expect: 100-continue", length=len(GOOD)))
    assert client.socket.recv(100).startswith(b"HTTP/1.1 100")
    client.say(GOOD)
    said = client.hear()
    assert said is not None
    assert said.body == ANSWER


def test_chunked_body_is_served(client: Client) -> None:
    """One byte a chunk, with extensions and trailers."""
    chunks = [b"1;x=y\r\n%c\r\n" % byte for byte in GOOD]
    client.say(head(b"Transfer-Encoding: chunked"), *chunks, b"0\r\nX-Trailer: x\r\n\r\n")
    said = client.hear()
    assert said is not None
    assert said.body == ANSWER


@pytest.mark.parametrize("dice", range(5))
def test_pipelined_requests_are_answered_in_order(client: Client, dice: int) -> None:
    """Many requests in a row, cut anywhere: short way and long way, good and bad, each gets its own answer, in order."""
    random_ = random.Random(dice)  # noqa: S311 - the same cuts each time
    data, expected = b"", []
    for number in range(200):
        body = b'{"dataframe_records": [{"a": %d, "b": 0}]}' % number
        kind = random_.choice(["good", "good", "chunked", "bad"])
        if kind == "chunked":
            data += head(b"Transfer-Encoding: chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            body = body if kind == "good" else body[1:]
            data += head(length=len(body)) + body
        expected.append((400, None) if kind == "bad" else (200, [float(number)]))
    cuts = sorted(random_.sample(range(len(data)), 300))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    sender = threading.Thread(target=client.say, args=pieces)
    sender.start()
    answers = [client.hear() for _ in expected]
    sender.join()
    found = [said and (said.status, json.loads(said.body).get("predictions")) for said in answers]
    assert found == expected


def test_slow_clients_block_nobody_and_are_dropped(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads and bodies that come byte by byte: others are served meanwhile, and the slow end with a 408 or a closed connection."""
    monkeypatch.setattr(direct, "HEAD_SECONDS", 3.0)
    monkeypatch.setattr(data_plane, "BODY_SECONDS", 3.0)
    starts = [b"", CALL[:30], head(length=len(GOOD)), head(b"Transfer-Encoding: chunked"), head(b"Transfer-Encoding: chunked") + b"5\r\n"]
    slow = [Client(host) for _ in range(10) for _ in starts]
    try:
        for number, client in enumerate(slow):
            client.say(starts[number % len(starts)])
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            for client in slow:
                client.say(b"1" if client is not slow[0] else b"P")
            served(host)
            time.sleep(0.5)
        for client in slow:
            assert_refused(client.hear(), 408, 400)
    finally:
        for client in slow:
            client.socket.close()
    served(host)


def test_clients_that_leave_are_forgotten(workspace: Workspace, host: str) -> None:
    """In the middle of a body, and before the answer: a call that was whole is logged, whoever is there to hear the answer."""
    before = len(workspace.rows(TABLE))
    for cut in (len(CALL) - 5, len(CALL)):
        for _ in range(20):
            with Client(host) as client:
                client.say(CALL[:cut])
    served(host)
    ends = time.monotonic() + PATIENCE
    while (rows := len(workspace.rows(TABLE)) - before) < 21 and time.monotonic() < ends:
        time.sleep(0.1)
    assert rows == 21


@st.composite
def damaged_calls(draw: st.DrawFn) -> bytes:
    """Draw a call with a few bytes changed, cut, doubled or inserted, in its head more often than in its body."""
    data = CALL
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.one_of(st.integers(0, len(CALL) - len(GOOD)), st.integers(0, len(data))))
        to = draw(st.integers(at, min(len(data), at + 12)))
        new = draw(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from(
                    [b"\r\n", b"\n", b"\r\n\r\n", b":", b" ", b"\x00", b"%", b"..", b"Transfer-Encoding: chunked\r\n", data[at:to] * 2]
                ),
            )
        )
        data = data[:at] + new + data[to:]
    return data


@pytest.mark.property
def test_any_damaged_call_is_answered_or_dropped(host: str) -> None:
    """Whatever a call was before its bytes were changed: no 500, no hang."""

    def law(data: bytes) -> None:
        with Client(host) as client:
            client.say(data)
            client.socket.shutdown(socket.SHUT_WR)
            said = client.hear()
        assert said is None or said.status < 500 or said.status == 501, (data, said)

    count = max(100, REQUESTS // 20)
    checks = [HealthCheck.too_slow]
    for number, start in enumerate(range(0, count, 2000)):
        chosen = settings(max_examples=min(2000, count - start), database=None, suppress_health_check=checks)
        seed(SEED + number)(chosen(given(damaged_calls())(law)))()
    served(host)
