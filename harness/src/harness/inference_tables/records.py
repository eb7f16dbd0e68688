"""How answered calls lie in a journal: a batch is one record, encoded in a few microseconds.

Decoding and the rules of the table's columns are for the one who writes the table (`columns.py`); here is only what must happen before an
answer may leave.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from harness.inference_tables.model import MAX_PAYLOAD_BYTES, Call, client_request_id

_TWO = b"\x92"  # MessagePack: an array of two, the terms and the calls
_encoder = msgspec.msgpack.Encoder()


class Terms(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What was agreed for the calls of a batch when they were answered: it holds for them, whatever is set afterwards."""

    sampling_fraction: float = 1.0
    duplicate_fraction: float = 0.0
    lost_fraction: float = 0.0
    seed: int = 0
    databricks_output: bool = False

    def packed(self) -> bytes:
        """Return the beginning of every record under these terms."""
        return _TWO + _encoder.encode(self)


# Plain tuples, not structs, on either side: half the time. In this order: databricks_request_id, received_ns, status_code, microseconds,
# request and response (None when too large to be logged), served_entity_id, requester, client_request_id.
Noted = tuple[str, int, int, int, bytes | None, bytes | None, str, str | None, str | None]
_decoder = msgspec.msgpack.Decoder(tuple[Terms, list[Noted]])


def record(packed: bytes, calls: Sequence[Call]) -> bytearray:
    """Return the record of `calls` under the `Terms.packed()`; payloads over 1 MiB are not in it."""
    limit = MAX_PAYLOAD_BYTES
    noted = [
        (
            call.databricks_request_id,
            call.received_ns,
            call.status_code,
            call.microseconds,
            call.request if len(call.request) <= limit else None,
            call.response if len(call.response) <= limit else None,
            call.served_entity_id,
            call.requester,
            # The body of a request that is not kept is read for its id now, all others when the table is written.
            call.client_request_id if len(call.request) <= limit else client_request_id(call.request) or call.client_request_id,
        )
        for call in calls
    ]
    whole = bytearray(packed)
    _encoder.encode_into(noted, whole, -1)  # behind it, without another copy of every payload
    return whole


def read(body: bytes | bytearray) -> tuple[Terms, list[Noted]]:
    """Return what `record` was given."""
    return _decoder.decode(body)


def drawn(fraction: float, request_id: str, salt: str = "") -> bool:
    """Return whether a call is among `fraction` of all; the same for the same id and salt, always."""
    digest = hashlib.blake2b(f"{salt}{request_id}".encode(), digest_size=8).digest()  # a checksum's draws depend on each other
    return int.from_bytes(digest) < fraction * 2**64
