"""A short way for requests that come by the ten thousand: from uvicorn's connection to their answer without an ASGI cycle.

Everything else about HTTP stays uvicorn's. A request goes the short way when its head arrives whole, at the start of a message, and a
`DirectRoutes` has a plan for it; heads repeat on a connection word by word, so each is read once. Bodies that come in chunks, upgrades,
`Expect` and whatever is not plain HTTP/1.1 go the long way, to the same answers.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SEEN_HEADS = 4096
MAX_HEAD_BYTES = 8192
HEAD_SECONDS = 30.0  # how long a client may take over a head, and over a body that goes the short way for each megabyte
IDLE_SECONDS = 75.0  # how long a connection may be silent between requests
_LOOK_SECONDS = 1.0
_NOT_DIRECT = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"content-encoding"})

Send = Callable[[bytes], None]
"""Takes a whole HTTP/1.1 answer, from its status line on."""


class Plan(Protocol):
    """What to do with the body of a request whose head is known."""

    def begin(self, body: bytes, send: Send) -> None:
        """Have `send` called once, now or later, on the event loop's thread, with the whole answer from its status line on."""
        ...


class DirectRoutes(Protocol):
    """Tells which requests go the short way."""

    def plan(self, method: bytes, target: bytes, headers: Mapping[bytes, bytes]) -> Plan | None:
        """Return what answers such requests (header names in lower case), or None when they go the long way."""
        ...


class Head(msgspec.Struct, frozen=True, gc=False):
    """A head that goes the short way."""

    plan: Plan
    length: int


class DirectProtocol(HttpToolsProtocol):
    """uvicorn's connection with a short way. Use a subclass that sets `routes` (see `protocol`)."""

    routes: DirectRoutes
    _heads: dict[bytes, Head]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head: Head | None = None  # of the request whose body is still coming
        self._body: list[bytes] = []
        self._missing = 0  # bytes of it
        self._answering = False
        self._held = bytearray()  # what came while an answer was awaited
        self._in_message = False
        self._since = time.monotonic()  # when the current wait for the client began
        self._last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Take the connection (asyncio calls this)."""
        super().connection_made(transport)
        self._since = time.monotonic()
        if len(self.connections) == 1:  # the first: somebody has to look at those that never say anything
            self.loop.call_later(_LOOK_SECONDS, _drop_the_slow, self.connections, self.loop)

    def data_received(self, data: bytes) -> None:
        """Read what came (asyncio calls this)."""
        if self._answering or self._held:  # what is held comes first, and is read in the next turn of the loop
            self._hold(data)
        elif self._head is not None:
            self._continue(self._head, data)
        elif self._in_message or self.pipeline or (self.cycle is not None and not self.cycle.response_complete):
            super().data_received(data)
        else:
            self._begin(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection (asyncio calls this); an answer on its way is dropped."""
        self._head = None
        self._held.clear()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Note that uvicorn's parser is inside a message (the parser calls this)."""
        self._in_message = True
        self._since = time.monotonic()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that it is not (the parser calls this)."""
        self._in_message = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request (uvicorn calls this)."""
        self._since = time.monotonic()
        super().on_response_complete()

    def shutdown(self) -> None:
        """Close the connection after the answer that is due (uvicorn calls this)."""
        if self._answering:
            self._last = True
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Say in the platform's envelope that this is not HTTP (uvicorn calls this)."""
        self._refuse(b"400 Bad Request", "BAD_REQUEST", msg)

    def silent_too_long(self, now: float) -> bool:
        """Return whether the client owes something for too long: the rest of a head or of a short body, or anything at all."""
        waited = now - self._since
        if self._answering:
            return False
        if self._head is not None:
            return waited > HEAD_SECONDS * (1 + self._head.length / 2**20)
        if self._in_message:
            return waited > HEAD_SECONDS and not self.scope.get("method")  # a body that goes the long way is its route's matter
        return waited > IDLE_SECONDS and (self.cycle is None or self.cycle.response_complete)

    def drop(self) -> None:
        """Close the connection, saying why when the client was in the middle of something."""
        if self._head is not None or self._in_message:
            self._refuse(b"408 Request Timeout", "REQUEST_TIMEOUT", "The request did not arrive in time.")
        else:
            self.transport.close()

    def _begin(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
        if end < 0:
            super().data_received(data)
            return
        text = data[:end]
        head = self._heads.get(text) or self._read(text)
        if head is None:
            super().data_received(data)
            return
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if len(data) - end - 4 == head.length:
            self._answer(head, data[end + 4 :])
            return
        self._head = head
        self._missing = head.length
        self._since = time.monotonic()
        self._continue(head, data[end + 4 :])

    def _read(self, text: bytes) -> Head | None:
        if len(self._heads) >= SEEN_HEADS:
            self._heads.clear()
        head = read_head(text, self.routes)
        if head is not None:  # what has no plan today may have one tomorrow: a token, an endpoint
            self._heads[text] = head
        return head

    def _continue(self, head: Head, data: bytes) -> None:
        if len(data) > self._missing:
            self._held += data[self._missing :]
            data = data[: self._missing]
        self._body.append(data)
        self._missing -= len(data)
        if not self._missing:
            body = b"".join(self._body)
            self._body.clear()
            self._head = None
            self._answer(head, body)

    def _answer(self, head: Head, body: bytes) -> None:
        self._answering = True
        head.plan.begin(body, self._send)

    def _send(self, answer: bytes) -> None:
        self._answering = False
        self._since = time.monotonic()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.transport.write(answer)
        if self._last:
            self.transport.close()
        elif self._held:
            self.loop.call_soon(self._go_on)

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > MAX_HEAD_BYTES:
            self.flow.pause_reading()

    def _go_on(self) -> None:
        if self._answering or self.transport.is_closing():
            return
        held, self._held = bytes(self._held), bytearray()
        self.flow.resume_reading()
        if held:
            self.data_received(held)

    def _refuse(self, status: bytes, error_code: str, message: str) -> None:
        body = msgspec.json.encode({"error_code": error_code, "message": message})
        headers = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(b"HTTP/1.1 " + status + b"\r\n" + headers + body)
        self.transport.close()


def protocol(routes: DirectRoutes) -> type[DirectProtocol]:
    """Return the class of connections on which `routes` go the short way: `uvicorn.Config(http=protocol(routes))`."""
    return type("DirectProtocol", (DirectProtocol,), {"routes": routes, "_heads": {}})


class _Parsed:
    """What httptools finds in a head."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))


def read_head(text: bytes, routes: DirectRoutes) -> Head | None:
    """Return how a request with this head (without its empty line) is answered the short way, or None when it is not."""
    parsed = _Parsed()
    parser = httptools.HttpRequestParser(parsed)
    try:
        parser.feed_data(text + b"\r\n\r\n")
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    headers = dict(parsed.headers)
    length = headers.get(b"content-length", b"")
    plain = len(headers) == len(parsed.headers) and not _NOT_DIRECT & headers.keys()
    stays = headers.get(b"connection", b"keep-alive").lower() == b"keep-alive"  # Python's clients say so in every request
    if not (plain and stays and parser.get_http_version() == "1.1" and length.isdigit()):
        return None
    plan = routes.plan(parser.get_method(), parsed.target, headers)
    return None if plan is None else Head(plan, int(length))


def _drop_the_slow(connections: Iterable[Any], loop: asyncio.AbstractEventLoop) -> None:
    now = time.monotonic()
    for connection in list(connections):
        if connection.silent_too_long(now):
            connection.drop()
    if list(connections):
        loop.call_later(_LOOK_SECONDS, _drop_the_slow, connections, loop)
