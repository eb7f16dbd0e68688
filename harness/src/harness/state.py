"""The harness's memory: typed JSON documents in one SQLite file, changed in transactions.

Every service keeps its state here, so that a `kill -9` at any line leaves either the old or the new state.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

_SCHEMA = "CREATE TABLE IF NOT EXISTS documents (kind TEXT, key TEXT, body BLOB NOT NULL, PRIMARY KEY (kind, key))"


class Store:
    """One SQLite file. `transaction()` serialises writers; nested calls join the outer transaction."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(_SCHEMA)
        self._lock = threading.RLock()
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock; commit at the end of the outermost block, roll back when it raises."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def execute(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Run one statement under the lock and return its rows."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        """Close the file; twice without harm."""
        with self._lock:
            self._connection.close()


class Documents(Generic[T]):
    """All documents of one kind: frozen dataclasses (or msgspec structs) by key, in key order."""

    def __init__(self, store: Store, kind: str, type_: type[T]) -> None:
        self._store = store
        self._kind = kind
        self._decoder = msgspec.json.Decoder(type_)

    def get(self, key: str) -> T | None:
        """Return the document under `key`, or None."""
        rows = self._store.execute("SELECT body FROM documents WHERE kind = ? AND key = ?", self._kind, key)
        return self._decode(rows[0][0]) if rows else None

    def put(self, key: str, document: T) -> T:
        """Write `document` under `key`, replacing what was there, and return it."""
        body = msgspec.json.encode(document)
        self._store.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", self._kind, key, body)
        return document

    def delete(self, key: str) -> None:
        """Remove what is under `key`, if anything is."""
        self._store.execute("DELETE FROM documents WHERE kind = ? AND key = ?", self._kind, key)

    def list(self, prefix: str = "") -> list[T]:
        """Return the documents whose keys start with `prefix`, in key order."""
        sql = "SELECT body FROM documents WHERE kind = ? AND substr(key, 1, ?) = ? ORDER BY key"
        return [self._decode(row[0]) for row in self._store.execute(sql, self._kind, len(prefix), prefix)]

    def transaction(self) -> AbstractContextManager[None]:
        """Return the store's transaction."""
        return self._store.transaction()

    def _decode(self, body: object) -> T:
        assert isinstance(body, bytes)  # noqa: S101 - what `put` wrote
        return self._decoder.decode(body)
