"""`dbutils.secrets`: secrets of the workspace; their values never appear in what a task prints."""

import base64
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

REDACTED = "[REDACTED]"


class SecretMetadata(NamedTuple):
    """One secret's name."""

    key: str


class SecretScope(NamedTuple):
    """One scope's name."""

    name: str

    def getName(self) -> str:  # noqa: N802 - the platform's name
        """Return the name."""
        return self.name


class Secrets:
    """`dbutils.secrets`, over the workspace's API. `values` holds every value that was read, to be kept out of the output."""

    def __init__(self) -> None:
        self.values: set[str] = set()

    def get(self, scope: str, key: str) -> str:
        """Return a secret as text."""
        return self.getBytes(scope, key).decode()

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802 - the platform's name
        """Return a secret's bytes."""
        value = base64.b64decode(_client().secrets.get_secret(scope, key).value or "")
        if not self.values:
            sys.stdout, sys.stderr = Redacting(sys.stdout, self), Redacting(sys.stderr, self)
        self.values.add(value.decode(errors="replace"))
        return value

    def list(self, scope: str) -> Sequence[SecretMetadata]:
        """Return the names of a scope's secrets."""
        return [SecretMetadata(found.key) for found in _client().secrets.list_secrets(scope)]

    def listScopes(self) -> Sequence[SecretScope]:  # noqa: N802 - the platform's name
        """Return the scopes."""
        return [SecretScope(found.name) for found in _client().secrets.list_scopes()]

    def redacted(self, text: str) -> str:
        """Return `text` without the values that were read."""
        for value in self.values:
            if value:
                text = text.replace(value, REDACTED)
        return text


class Redacting:
    """A stream on which no secret is written. What a program of its own prints, or binary output, is not looked at."""

    def __init__(self, stream: Any, secrets: Secrets) -> None:
        self._stream = stream
        self._secrets = secrets

    def write(self, text: str) -> int:
        """Write `text` with every secret in it replaced."""
        self._stream.write(self._secrets.redacted(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _client() -> Any:
    from databricks.sdk import WorkspaceClient

    return WorkspaceClient()
