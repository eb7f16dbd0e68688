"""What the statements need of others."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

Act = Callable[[], object]


class Files(Protocol):
    """Volumes as files."""

    def locate(self, path: str) -> Path:
        """Return where `/Volumes/…` lies on this machine, or raise the platform's error."""
        ...
