"""A workspace per test: `with platform() as running, running.workspace() as workspace: workspace.spark.sql("SELECT 1")`.

With pytest there is nothing to import: the fixtures `harness` and `workspace` are there once the package is installed (`pytest_plugin`).
"""

from harness.testing.platform import Platform, platform
from harness.testing.workspace import Workspace

__all__ = ["Platform", "Workspace", "platform"]
