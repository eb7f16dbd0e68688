"""Tokens: JSON Web Tokens, signed with HMAC-SHA-256. Pure.

Only tokens made here are ever read here, with one algorithm and one header, so the standard library's `hmac` is the whole of it.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

import msgspec

from harness.identity.model import Claims


def sign(claims: Claims, key: bytes) -> str:
    """Return a token that says `claims`."""
    signed = _HEADER + b"." + _encoded(msgspec.json.encode(claims))
    return (signed + b"." + _encoded(_signature(signed, key))).decode()


def read(token: str, key: bytes) -> Claims | None:
    """Return what `token` says, or None unless it was signed with `key`; whether it has ended is for the caller to see."""
    signed, _, signature = token.encode().rpartition(b".")
    header, _, payload = signed.partition(b".")
    # The signature first, as text: nothing of what a stranger sends is decoded, and a token has one spelling.
    if header != _HEADER or not hmac.compare_digest(signature, _encoded(_signature(signed, key))):
        return None
    try:
        return msgspec.json.decode(urlsafe_b64decode(payload + b"=="), type=Claims)
    except (Base64Error, msgspec.MsgspecError):
        return None  # signed with this key for another purpose


def derived(key: bytes, purpose: str) -> str:
    """Return 32 hexadecimal digits that depend on `key` and `purpose` and tell nothing about either."""
    return hmac.digest(key, purpose.encode(), hashlib.sha256).hex()[:32]


def _signature(signed: bytes, key: bytes) -> bytes:
    return hmac.digest(key, signed, hashlib.sha256)


def _encoded(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


_HEADER = _encoded(b'{"alg":"HS256","typ":"JWT"}')
