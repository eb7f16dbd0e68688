"""What travels between the harness and a model server: length-prefixed frames on a Unix socket, many in flight at once.

The harness's side of the same format is `harness/serving/link.py`; a test compares the two.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from socket import socket

# length of what follows it, id, kind, length of the content type; then content type and body
REQUEST = struct.Struct("<IIBH")
# length of what follows it, id, HTTP status, microseconds of inference, length of the content type; then content type and body
RESPONSE = struct.Struct("<IIHIH")
PROBE = 0
SCORE = 1
SCORE_WITHOUT_CONTENT_TYPE = 2
LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Request:
    """One call for the model; a probe has no body."""

    id: int
    kind: int
    content_type: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model server says to one request."""

    status: int
    content_type: str
    body: bytes
    microseconds: int = 0


def requests(connection: socket) -> Iterator[Request]:
    """Yield the requests that arrive until the other side closes."""
    with connection.makefile("rb", buffering=1 << 16) as stream:
        while len(head := stream.read(REQUEST.size)) == REQUEST.size:
            length, number, kind, type_length = REQUEST.unpack(head)
            rest = stream.read(length - (REQUEST.size - LENGTH_BYTES))
            content_type = rest[:type_length].decode("latin-1") if kind == SCORE else None
            yield Request(number, kind, content_type, rest[type_length:])


def packed(number: int, answer: Answer) -> bytes:
    """Return the frame of `answer` to request `number`."""
    content_type = answer.content_type.encode("latin-1")
    length = RESPONSE.size - LENGTH_BYTES + len(content_type) + len(answer.body)
    head = RESPONSE.pack(length, number, answer.status, min(answer.microseconds, 0xFFFFFFFF), len(content_type))
    return head + content_type + answer.body
