"""What the workspace needs from others."""

from pathlib import Path
from typing import Protocol


class Volumes(Protocol):
    """Who knows which Unity Catalog volumes and model versions exist."""

    def volume_path(self, catalog: str, schema: str, volume: str) -> Path:
        """Return the folder of a volume, or raise the platform's 404."""
        ...

    def model_path(self, catalog: str, schema: str, model: str, version: str) -> Path:
        """Return the folder of a model version, or raise the platform's 404."""
        ...
