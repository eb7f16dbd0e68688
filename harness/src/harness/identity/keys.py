"""The key of a state folder."""

import os
import secrets
from pathlib import Path

_KEY_BYTES = 32


def signing_key(path: Path) -> bytes:
    """Return the key kept at `path`, drawn at its first use and readable by its owner only."""
    if not path.exists():
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        draft.rename(path)  # so that a key is there whole or not at all
    return path.read_bytes()
