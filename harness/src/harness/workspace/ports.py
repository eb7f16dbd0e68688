"""What the workspace needs from others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from harness.workspace.model import WorkspaceObject


class Volumes(Protocol):
    """Who knows which Unity Catalog volumes and model versions exist."""

    def volume_path(self, catalog: str, schema: str, volume: str) -> Path:
        """Return the folder of a volume, or raise the platform's 404."""
        ...

    def model_path(self, catalog: str, schema: str, model: str, version: str) -> Path:
        """Return the folder of a model version, or raise the platform's 404."""
        ...


class Tree(Protocol):
    """Who knows the objects of the workspace, and what holds them."""

    def by_id(self, object_id: int) -> WorkspaceObject | None:
        """Return the object with this id, or None."""
        ...

    def above(self, found: WorkspaceObject) -> Sequence[WorkspaceObject]:
        """Return the directories that hold `found`, the root first."""
        ...
