"""What a connection on the short way does when data comes at the least convenient moment."""

import asyncio
from collections.abc import Mapping
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from harness.http.direct import Plan, Send, protocol

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Wire(asyncio.Transport):
    """The server's end of a connection that remembers what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[bytes] = []
        self.closing = False

    def write(self, data: Any) -> None:
        self.said.append(bytes(data))

    def close(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Held:
    """Routes whose answers wait until the test gives them."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, Send]] = []

    def plan(self, _method: bytes, _target: bytes, _headers: Mapping[bytes, bytes]) -> Plan:
        return self

    def begin(self, body: bytes, send: Send) -> None:
        self.calls.append((body, send))


def request(body: bytes) -> bytes:
    return b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_rest_of_a_pipelined_request_may_come_with_the_answer_before_it() -> None:
    """With uvloop an answer and the client's next bytes are seen in one turn of the loop; the bytes belong behind those that were held."""

    async def play() -> tuple[list[bytes], bool]:
        routes, wire = Held(), Wire()
        config = uvicorn.Config(lambda *_: None, log_level="error")
        config.load()
        connection = protocol(routes)(config=config, server_state=ServerState(), app_state={})
        connection.connection_made(wire)
        second = request(b"second")
        connection.data_received(request(b"first") + second[:40])
        routes.calls[0][1](OK)
        connection.data_received(second[40:])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        closed = wire.closing
        connection.connection_lost(None)
        return [body for body, _ in routes.calls], closed

    assert asyncio.run(play()) == ([b"first", b"second"], False)
