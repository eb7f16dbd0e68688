"""What travels between the harness and a model server: length-prefixed frames on a Unix socket, many in flight at once.

The harness's side of the same format is `harness/serving/link.py`; a test compares the two.
"""

import struct
from typing import NamedTuple

# length of what follows it, id, kind, length of the content type; then content type and body
REQUEST = struct.Struct("<IIBH")
# length of what follows it, id, HTTP status, microseconds of inference, length of the content type; then content type and body
RESPONSE = struct.Struct("<IIHIH")
PROBE = 0
SCORE = 1
SCORE_WITHOUT_CONTENT_TYPE = 2
DESCRIBE = 3
LENGTH_BYTES = 4


class Request(NamedTuple):
    """One call for the model; a probe and the question for a description have no body."""

    id: int
    kind: int
    content_type: str | None
    body: bytes


class Answer(NamedTuple):
    """What the model server says to one request."""

    status: int
    content_type: str
    body: bytes
    microseconds: int = 0


class Requests:
    """The requests in a stream of bytes that comes in (large) pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def fed(self, data: bytes) -> list[Request]:
        """Return the requests that `data` completes."""
        received = self._rest + data if self._rest else data
        found = []
        position = 0
        while len(received) - position >= REQUEST.size:
            length, number, kind, type_length = REQUEST.unpack_from(received, position)
            end = position + LENGTH_BYTES + length
            if len(received) < end:
                break
            body = position + REQUEST.size + type_length
            content_type = received[position + REQUEST.size : body].decode("latin-1") if kind == SCORE else None
            found.append(Request(number, kind, content_type, received[body:end]))
            position = end
        self._rest = received[position:]
        return found


def packed(number: int, answer: Answer) -> bytes:
    """Return the frame of `answer` to request `number`."""
    content_type = answer.content_type.encode("latin-1")
    length = RESPONSE.size - LENGTH_BYTES + len(content_type) + len(answer.body)
    head = RESPONSE.pack(length, number, answer.status, min(answer.microseconds, 0xFFFFFFFF), len(content_type))
    return head + content_type + answer.body
