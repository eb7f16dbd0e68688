"""The only module that draws random identifiers. Services take `Ids`."""

import os
import random
import secrets
import uuid
from typing import Protocol

_DRAWN_AT_ONCE = 256
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}  # RFC 9562, a UUID's variant bits


class Ids(Protocol):
    """The platform's three shapes of identifier."""

    def uuid(self) -> str:
        """Return a UUID with dashes (tables, schemas, requests)."""
        ...

    def hex32(self) -> str:
        """Return 32 hexadecimal digits (endpoints, served entities, logged models)."""
        ...

    def number(self) -> int:
        """Return a positive 15-digit integer (jobs, runs, refreshes); it fits a JavaScript number."""
        ...


class RandomIds:
    """Identifiers nobody can guess. UUIDs are drawn many at a time: every call to a served model needs one, and drawing costs most."""

    def __init__(self) -> None:
        self._digits: list[str] = []

    def _drawn(self) -> str:
        """Return 32 random digits nobody else gets; `pop` is atomic, so any thread may ask."""
        try:
            return self._digits.pop()
        except IndexError:
            digits = os.urandom(16 * _DRAWN_AT_ONCE).hex()
            drawn = [digits[start : start + 32] for start in range(0, len(digits), 32)]
            last = drawn.pop()
            self._digits += drawn
            return last

    def uuid(self) -> str:
        """Return a random UUID."""
        digits = self._drawn()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"

    def hex32(self) -> str:
        """Return 32 random hexadecimal digits."""
        return secrets.token_hex(16)

    def number(self) -> int:
        """Return a random 15-digit integer."""
        return 10**14 + secrets.randbelow(9 * 10**14)


class SeededIds:
    """The same identifiers in the same order, for tests."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def uuid(self) -> str:
        """Return the next UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def hex32(self) -> str:
        """Return the next 32 hexadecimal digits."""
        return f"{self._random.getrandbits(128):032x}"

    def number(self) -> int:
        """Return the next 15-digit integer."""
        return self._random.randrange(10**14, 10**15)
