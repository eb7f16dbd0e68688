"""Who calls: what a request's `Authorization` header stands for."""

import hmac
import math
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller. `endpoint_id`: the only serving endpoint whose calls a data-plane token is good for; None for whoever may do everything."""

    user: str
    endpoint_id: str | None = None
    expires: float = math.inf
    """When the credential ends, in seconds since 1970."""
    isolated: bool = False
    """Whether the user is that of an isolated workspace: listings show it what is its own."""
    ai_query: bool = False
    """Whether it is the harness's own `ai_query` that calls for `user`: what it calls differs from what users may."""


class Authenticator(Protocol):
    """Tells callers by their credentials."""

    def authenticate(self, authorization: str) -> Identity | None:
        """Return whose `Authorization` header this is; None when it is nobody's. Cheap: it is asked for every request."""
        ...


@dataclass(frozen=True, slots=True)
class OneToken:
    """One user with one personal access token."""

    token: str
    user: str

    def authenticate(self, authorization: str) -> Identity | None:
        """Return the user when the header brings the token."""
        given = credential(authorization)
        return Identity(self.user) if given is not None and hmac.compare_digest(given.encode(), self.token.encode()) else None


def credential(authorization: str) -> str | None:
    """Return the token in an `Authorization` header: `Bearer …`, or the documentation's `curl -u token:…` (Basic)."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return given
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(given).decode().removeprefix("token:")
    except (Base64Error, UnicodeDecodeError):
        return None
