"""A client over a raw socket, which says exactly what it is told, and what it expects of refusals."""

import json
import socket
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

GOOD = b'{"dataframe_records": [{"a": 1, "b": 2}]}'
ANSWER = b'{"predictions": [3.0]}'
PATH = b"/serving-endpoints/fuzzed/invocations"
PATIENCE = 20.0  # for an answer or the end of the connection; longer than that is a hang


@dataclass(frozen=True)
class Said:
    """One answer: its status, headers and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """A client that says exactly what it is told."""

    def __init__(self, host: str) -> None:
        parts = urlsplit(host)
        assert parts.hostname is not None
        assert parts.port is not None
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def say(self, *pieces: bytes) -> None:
        """Send the pieces one by one; whoever has closed the connection does not hear them."""
        for piece in pieces:
            try:
                self.socket.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                return

    def hear(self) -> Said | None:
        """Return the next answer, or None when the connection was closed without one."""
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            if not self._more():
                return None
        lines = self._received[:end].decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        self._received = self._received[end + 4 :]
        if status == 100:
            return self.hear()
        length = int(headers["content-length"])
        while len(self._received) < length:
            assert self._more(), "closed in the middle of an answer"
        body, self._received = self._received[:length], self._received[length:]
        return Said(status, headers, body)

    def closed(self) -> bool:
        """Return whether the server has nothing more to say and closes."""
        return not self._received and not self._more()

    def _more(self) -> bool:
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            return False
        self._received += data
        return bool(data)


def head(*more: bytes, method: bytes = b"POST", path: bytes = PATH, version: bytes = b"HTTP/1.1", length: int | None = None) -> bytes:
    """Return the head of a well-formed call, with these lines more."""
    lines = [method + b" " + path + b" " + version, b"Host: x", b"Authorization: Bearer t0ken", b"Content-Type: application/json", *more]
    if length is not None:
        lines.append(b"Content-Length: %d" % length)
    return b"\r\n".join(lines) + b"\r\n\r\n"


CALL = head(length=len(GOOD)) + GOOD


def served(host: str) -> None:
    """Fail unless a well-formed call on a connection of its own is answered."""
    with Client(host) as other:
        other.say(CALL)
        said = other.hear()
    assert said is not None
    assert (said.status, said.body) == (200, ANSWER)


def assert_refused(said: Said | None, *statuses: int) -> None:
    """A 4xx in the platform's envelope, or the end of the connection."""
    if said is None:
        return
    assert 400 <= said.status < 500, said
    assert not statuses or said.status in statuses, said
    assert set(json.loads(said.body)) >= {"error_code", "message"}, said
