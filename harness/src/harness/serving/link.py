"""The harness's end of a model server's socket: calls answered as they come, many in flight on one connection.

The format is that of `harness_guest/model_frames.py`, which this side may not import (it belongs to the model's environment).
"""

import asyncio
import struct
from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

REQUEST = struct.Struct("<IIBH")
RESPONSE = struct.Struct("<IIHIH")
PROBE = 0
SCORE = 1
SCORE_WITHOUT_CONTENT_TYPE = 2
LENGTH_BYTES = 4


class ModelServerGoneError(Exception):
    """The model server's process ended, or closed its socket, before it answered."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What the model server said, and how many microseconds the model took."""

    status: int
    content_type: str
    body: bytes
    microseconds: int


def packed(number: int, content_type: str | None, body: bytes) -> bytes:
    """Return the frame that asks the model to score `body`."""
    kind = SCORE_WITHOUT_CONTENT_TYPE if content_type is None else SCORE
    text = (content_type or "").encode("latin-1")
    return REQUEST.pack(REQUEST.size - LENGTH_BYTES + len(text) + len(body), number, kind, len(text)) + text + body


class Link(asyncio.Protocol):
    """One connection of one event loop to one model server."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[ModelAnswer]] = {}
        self._number = 0
        self._received = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    @classmethod
    async def connect(cls, path: Path) -> "Link":
        """Return a link to the server that listens at `path`, or raise `ModelServerGoneError`."""
        try:
            _, link = await asyncio.get_running_loop().create_unix_connection(cls, str(path))
        except OSError as error:
            raise ModelServerGoneError(str(error)) from error
        return link

    @property
    def closed(self) -> bool:
        """Whether the other side is gone."""
        return self._transport is None

    async def call(self, content_type: str | None, body: bytes) -> ModelAnswer:
        """Return the model's answer to `body`, or raise `ModelServerGoneError`."""
        if self._transport is None:
            raise ModelServerGoneError
        self._number = number = (self._number + 1) & 0xFFFFFFFF
        answer: asyncio.Future[ModelAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._transport.write(packed(number, content_type, body))
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    def close(self) -> None:
        """Close the connection; calls in flight raise `ModelServerGoneError`."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.WriteTransport) -> None:  # type: ignore[override]  # a stream's transport can write; uvloop's is no asyncio class
        """Keep the transport (asyncio calls this)."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand out every answer that is whole (asyncio calls this)."""
        received, position = self._received, 0
        received += data
        while len(received) - position >= RESPONSE.size:
            length, number, status, microseconds, type_length = RESPONSE.unpack_from(received, position)
            end = position + LENGTH_BYTES + length
            if len(received) < end:
                break
            body = position + RESPONSE.size + type_length
            kind = received[position + RESPONSE.size : body].decode("latin-1")
            self._answer(number, ModelAnswer(status, kind, bytes(received[body:end]), microseconds))
            position = end
        del received[:position]

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is still in flight (asyncio calls this)."""
        self._transport = None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ModelServerGoneError(str(exc)))

    def _answer(self, number: int, answer: ModelAnswer) -> None:
        waiting = self._waiting.get(number)  # nobody waits any more for a call that timed out
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


def probe(path: Path, seconds: float) -> ModelAnswer:
    """Return what the model server at `path` answers to a health probe, waiting until it has loaded its model.

    Raises `ModelServerGoneError` when it is not there or ends meanwhile, TimeoutError after `seconds`.
    """
    with socket(AF_UNIX, SOCK_STREAM) as client:
        client.settimeout(seconds)
        try:
            client.connect(str(path))
            client.sendall(REQUEST.pack(REQUEST.size - LENGTH_BYTES, 0, PROBE, 0))
            length, _, status, microseconds, type_length = RESPONSE.unpack(_exactly(client, RESPONSE.size))
            rest = _exactly(client, length - (RESPONSE.size - LENGTH_BYTES))
        except (ConnectionError, FileNotFoundError) as error:
            raise ModelServerGoneError(str(error)) from error
        return ModelAnswer(status, rest[:type_length].decode("latin-1"), rest[type_length:], microseconds)


def _exactly(client: socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        if not more:
            raise ConnectionResetError("the model server closed its socket")
        data += more
    return data
