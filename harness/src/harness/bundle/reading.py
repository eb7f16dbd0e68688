"""A bundle read from disk for a workspace that is there."""

from pathlib import Path

from databricks.sdk import WorkspaceClient

from harness.bundle.files import read_sources
from harness.bundle.model import Bundle, Choice, Identity
from harness.bundle.resolver import resolve


def read_bundle(folder: Path, workspace: WorkspaceClient, choice: Choice) -> Bundle:
    """Return the bundle in `folder`, resolved for whoever `workspace` says we are."""
    user = workspace.current_user.me().user_name or ""
    return resolve(read_sources(folder), choice=choice, identity=Identity(user, workspace.config.host))
