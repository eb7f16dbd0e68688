"""The short way through uvicorn's connections: the same HTTP, whatever the pieces it arrives in."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import pairwise

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from harness.http import direct
from harness.http.direct import DirectProtocol, Plan, Send, protocol, read_head

HEAD = b"POST /short HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"


class Echo:
    """Answers a body with itself, from another thread's time when it begins with `later`."""

    def begin(self, body: bytes, send: Send) -> None:
        """Answer."""
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        if body.startswith(b"later"):
            import asyncio

            asyncio.get_running_loop().call_later(0.05, send, answer)
        else:
            send(answer)


class ShortPath:
    """`POST /short` goes the short way."""

    def plan(self, method: bytes, target: bytes, headers: Mapping[bytes, bytes]) -> Plan | None:
        """Return the plan."""
        return Echo() if method == b"POST" and target == b"/short" and b"x-long" not in headers else None


async def _long(request: Request) -> Response:
    return PlainTextResponse((b"" if request.url.path == "/short" else b"long ") + await request.body())


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[uvicorn.Server, type[DirectProtocol]]]:
    """A server whose `/short` has a short way; the long one, which a head in pieces takes, gives the same answers, as it should."""
    kind = protocol(ShortPath())
    app = Starlette(routes=[Route("/{path:path}", _long, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, http=kind, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2))
    listening = socket.create_server(("127.0.0.1", 0))
    server.config.app = app
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    server.port = listening.getsockname()[1]  # type: ignore[attr-defined]  # for `connect`
    yield server, kind
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def connect(server: tuple[uvicorn.Server, type[DirectProtocol]]) -> Iterator[Callable[[], socket.socket]]:
    """Open connections to the server."""
    made: list[socket.socket] = []

    def connect() -> socket.socket:
        made.append(socket.create_connection(("127.0.0.1", server[0].port), timeout=10))  # type: ignore[attr-defined]  # set above
        return made[-1]

    yield connect
    for each in made:
        each.close()


def bodies(connection: socket.socket, count: int) -> list[bytes]:
    """Return the bodies of the next `count` answers."""
    stream = connection.makefile("rb")
    found = []
    for _ in range(count):
        length = 0
        while (line := stream.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        found.append(stream.read(length))
    return found


def request(body: bytes, *, short: bool = True) -> bytes:
    head = HEAD if short else HEAD.replace(b"/short", b"/other")
    return head % len(body) + body


@given(
    sent=st.lists(
        st.tuples(st.sampled_from([b"", b"x", b"later", b"later" * 9, b"\r\n\r\n", b"y" * 3000]), st.booleans()), min_size=1, max_size=6
    ),
    cuts=st.lists(st.integers(0, 4000), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_answers_come_whole_and_in_order(
    server: tuple[uvicorn.Server, type[DirectProtocol]], sent: list[tuple[bytes, bool]], cuts: list[int]
) -> None:
    """Requests of both ways, pipelined and cut anywhere, are answered one by one in their order."""
    text = b"".join(request(body, short=short) for body, short in sent)
    edges = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    with socket.create_connection(("127.0.0.1", server[0].port), timeout=10) as connection:  # type: ignore[attr-defined]  # set above
        for start, end in pairwise(edges):
            connection.sendall(text[start:end])
            time.sleep(0.002)
        wanted = [body if short else b"long " + body for body, short in sent]
        assert bodies(connection, len(sent)) == wanted


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(b"Transfer-Encoding: chunked\r\n", id="chunked"),
        pytest.param(b"Expect: 100-continue\r\n", id="expect"),
        pytest.param(b"Connection: close\r\n", id="close"),
        pytest.param(b"Host: again\r\n", id="header twice"),
        pytest.param(b"Content-Encoding: gzip\r\n", id="encoded"),
        pytest.param(b"X-Long: 1\r\n", id="no plan"),
    ],
)
def test_what_is_not_plain_goes_the_long_way(extra: bytes) -> None:
    plain = (HEAD % 3).removesuffix(b"\r\n\r\n")
    assert read_head(plain, ShortPath()) is not None
    assert read_head(plain + b"\r\nConnection: Keep-Alive", ShortPath()) is not None
    assert read_head(plain + b"\r\n" + extra.rstrip(), ShortPath()) is None


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"", b"3, 3", b"\xb2"])
def test_a_length_that_is_no_number_goes_the_long_way(length: bytes) -> None:
    assert read_head(b"POST /short HTTP/1.1\r\nHost: h\r\nContent-Length: " + length, ShortPath()) is None


def test_what_is_no_http_is_told_in_the_platforms_envelope(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(b"\x16\x03\x01 this is TLS\r\n\r\n")
    [body] = bodies(connection, 1)
    assert json.loads(body) == {"error_code": "BAD_REQUEST", "message": "Invalid HTTP request received."}
    assert connection.recv(1) == b""


@pytest.mark.parametrize("sent", [b"POST /short HT", HEAD % 5 + b"ab"], ids=["head", "body"])
def test_a_client_that_dawdles_is_dropped(connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """Whoever does not finish a request in time is told 408 and dropped; the others are answered meanwhile."""
    monkeypatch.setattr(direct, "HEAD_SECONDS", 0.2)
    slow, quick = connect(), connect()
    slow.sendall(sent)
    quick.sendall(request(b"quick"))
    assert bodies(quick, 1) == [b"quick"]
    [body] = bodies(slow, 1)
    assert json.loads(body)["error_code"] == "REQUEST_TIMEOUT"
    assert slow.recv(1) == b""


def test_a_silent_connection_is_closed(connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "IDLE_SECONDS", 0.2)
    connection = connect()
    connection.sendall(request(b"once"))
    assert bodies(connection, 1) == [b"once"]
    assert connection.recv(1) == b""


def test_a_client_that_leaves_is_forgotten(connect: Callable[[], socket.socket]) -> None:
    """An answer nobody waits for any more is dropped, and the next client is served."""
    gone = connect()
    gone.sendall(request(b"later"))
    gone.close()
    time.sleep(0.1)
    connection = connect()
    connection.sendall(request(b"next"))
    assert bodies(connection, 1) == [b"next"]


def test_the_answer_under_way_is_sent_before_the_server_ends() -> None:
    """A server that is told to end answers what it has begun, and closes the connection after it."""
    kind = protocol(ShortPath())
    app = Starlette(routes=[])
    server = uvicorn.Server(uvicorn.Config(app, http=kind, log_config=None, lifespan="off", timeout_graceful_shutdown=2))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    with socket.create_connection(listening.getsockname(), timeout=10) as connection:
        connection.sendall(request(b"later"))
        time.sleep(0.01)
        server.should_exit = True
        assert bodies(connection, 1) == [b"later"]
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    thread.join(10)
    assert not thread.is_alive()
