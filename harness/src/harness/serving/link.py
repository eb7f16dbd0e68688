"""The harness's end of a model server's socket: calls answered as they come, many in flight on one connection.

The format is that of `harness_guest/model_frames.py`, which this side may not import (it belongs to the model's environment).
"""

import asyncio
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

import msgspec

REQUEST = struct.Struct("<IIBH")
RESPONSE = struct.Struct("<IIHIH")
PROBE = 0
SCORE = 1
SCORE_WITHOUT_CONTENT_TYPE = 2
DESCRIBE = 3
LENGTH = struct.Struct("<I")
LENGTH_BYTES = LENGTH.size
LOOK_SECONDS = 1.0  # how often calls in flight are looked at: exact enough for limits of minutes


class ModelServerGoneError(Exception):
    """The model server's process ended, or closed its socket, before it answered."""


class ModelAnswer(msgspec.Struct, frozen=True, gc=False):
    """What the model server said, and how many microseconds the model took."""

    status: int
    content_type: str
    body: bytes
    microseconds: int


class Waiting(msgspec.Struct, frozen=True):
    """A call in flight: what the caller gave `send`, and when it is given up (monotonic seconds)."""

    call: object
    until: float


Answered = Callable[[Sequence[tuple[object, ModelAnswer]]], None]
"""Takes calls with their answers, all that arrived at once."""
Lost = Callable[[Sequence[object], Exception], None]
"""Takes calls that get no answer: `ModelServerGoneError`, or TimeoutError."""


def head(number: int, kind: int, content_type: str | None, body_length: int) -> bytes:
    """Return what stands before the body in the frame that asks the model server something."""
    text = (content_type or "").encode("latin-1")
    return REQUEST.pack(REQUEST.size - LENGTH_BYTES + len(text) + body_length, number, kind, len(text)) + text


class Pieces:
    """Bytes that arrive in pieces, put together only when a frame may be whole: a large one costs one copy, not one a piece."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._size = 0
        self._wanted = 0

    def whole(self, data: bytes) -> bytes:
        """Return what there is to read with `data`, nothing while the frame that was begun is not whole."""
        if not self._kept:
            return data
        self._kept.append(data)
        self._size += len(data)
        if self._size < self._wanted:
            return b""
        return b"".join(self._kept)

    def keep(self, received: bytes, position: int) -> None:
        """Keep what comes behind `position`, where a frame begins of which not all is there."""
        if not received:
            return
        rest = received[position:]
        self._kept = [rest] if rest else []
        self._size = len(rest)
        self._wanted = LENGTH_BYTES + LENGTH.unpack_from(rest)[0] if len(rest) >= LENGTH_BYTES else 0


class Link(asyncio.Protocol):
    """One connection of one event loop to one model server. What is sent in one turn of the loop leaves in one piece."""

    def __init__(self, answered: Answered, lost: Lost) -> None:
        self._answered = answered
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, Waiting] = {}
        self._number = 0
        self._pieces = Pieces()
        self._sending: list[bytes] = []
        self._content_types: dict[bytes, str] = {}
        self._transport: asyncio.WriteTransport | None = None
        self._watch: asyncio.TimerHandle | None = None

    @classmethod
    async def connect(cls, path: Path, answered: Answered, lost: Lost) -> "Link":
        """Return a link to the server that listens at `path`, or raise `ModelServerGoneError`."""
        try:
            _, link = await asyncio.get_running_loop().create_unix_connection(lambda: cls(answered, lost), str(path))
        except OSError as error:
            raise ModelServerGoneError(str(error)) from error
        return link

    @property
    def closed(self) -> bool:
        """Whether the other side is gone."""
        return self._transport is None

    def send(self, call: object, content_type: str | None, body: bytes, *, seconds: float) -> None:
        """Ask the model; `call` comes back with the answer, or as lost when there is none within `seconds`."""
        kind = SCORE_WITHOUT_CONTENT_TYPE if content_type is None else SCORE
        self._number = number = (self._number + 1) & 0xFFFFFFFF
        self._waiting[number] = Waiting(call, time.monotonic() + seconds)
        if not self._sending:
            self._loop.call_soon(self._flush)
        self._sending += (head(number, kind, content_type, len(body)), body)
        if seconds < LOOK_SECONDS or self._watch is None:
            self._look_in(seconds)

    def close(self) -> None:
        """Close the connection; calls in flight are lost."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.WriteTransport) -> None:  # type: ignore[override]  # a stream's transport can write; uvloop's is no asyncio class
        """Keep the transport (asyncio calls this)."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand over the answers that are complete, all at once (asyncio calls this)."""
        received = self._pieces.whole(data)
        position = 0
        answers = []
        while len(received) - position >= RESPONSE.size:
            length, number, status, microseconds, type_length = RESPONSE.unpack_from(received, position)
            end = position + LENGTH_BYTES + length
            if len(received) < end:
                break
            body = position + RESPONSE.size + type_length
            waiting = self._waiting.pop(number, None)  # nobody waits any more for a call that was given up
            if waiting is not None:
                kind = self._content_type(received[position + RESPONSE.size : body])
                answers.append((waiting.call, ModelAnswer(status, kind, received[body:end], microseconds)))
            position = end
        self._pieces.keep(received, position)
        if answers:
            self._answered(answers)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back what is still in flight (asyncio calls this)."""
        self._transport = None
        if self._watch is not None:
            self._watch.cancel()
        lost = [waiting.call for waiting in self._waiting.values()]
        self._waiting.clear()
        if lost:
            self._lost(lost, ModelServerGoneError(str(exc)))

    def _flush(self) -> None:
        frames, self._sending = self._sending, []
        if self._transport is not None:  # else `connection_lost` has given the calls back, or will
            self._transport.writelines(frames)

    def _content_type(self, text: bytes) -> str:
        known = self._content_types.get(text)
        if known is None:
            known = self._content_types[text] = text.decode("latin-1")
        return known

    def _give_up(self) -> None:
        """Give back the calls whose time is over."""
        now = time.monotonic()
        late = [number for number, waiting in self._waiting.items() if waiting.until <= now]
        if late:
            self._lost([self._waiting.pop(number).call for number in late], TimeoutError())
        self._watch = None
        if self._waiting:
            self._look_in(min(waiting.until - now for waiting in self._waiting.values()))

    def _look_in(self, seconds: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._loop.call_later(max(0.01, min(seconds, LOOK_SECONDS)), self._give_up)


def ask(path: Path, kind: int, seconds: float) -> ModelAnswer:
    """Return what the model server at `path` answers to `PROBE` or `DESCRIBE`, waiting until it has loaded its model.

    Raises `ModelServerGoneError` when it is not there or ends meanwhile, TimeoutError after `seconds`.
    """
    with socket(AF_UNIX, SOCK_STREAM) as client:
        client.settimeout(seconds)
        try:
            client.connect(str(path))
            client.sendall(head(0, kind, None, 0))
            length, _, status, microseconds, type_length = RESPONSE.unpack(_exactly(client, RESPONSE.size))
            rest = _exactly(client, length - (RESPONSE.size - LENGTH_BYTES))
        except (ConnectionError, FileNotFoundError) as error:
            raise ModelServerGoneError(str(error)) from error
        return ModelAnswer(status, rest[:type_length].decode("latin-1"), rest[type_length:], microseconds)


def probe(path: Path, seconds: float) -> ModelAnswer:
    """Return what the model server at `path` answers to a health probe."""
    return ask(path, PROBE, seconds)


def _exactly(client: socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        if not more:
            raise ConnectionResetError("the model server closed its socket")
        data += more
    return data
