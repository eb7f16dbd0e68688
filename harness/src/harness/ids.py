"""The only module that draws random identifiers. Services take `Ids`."""

import random
import secrets
import uuid
from typing import Protocol


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
    """Identifiers nobody can guess."""

    def uuid(self) -> str:
        """Return a random UUID."""
        return str(uuid.uuid4())

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
