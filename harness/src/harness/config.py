"""Where things lie on disk. Nothing else in the harness builds these paths."""

import os
from dataclasses import dataclass
from pathlib import Path

USER_NAME = "developer@harness.local"
# The service principal that every harness has; its secret differs from state folder to state folder (`harness up` prints it).
SERVICE_PRINCIPAL_ID = "7c9e1f52-3f0b-4d0a-9a51-6f1d2c8be403"
SERVICE_PRINCIPAL_NAME = "harness"
WORKSPACE_ID = "1234567890123456"
# Users of isolated workspaces are `<catalog>` before this; engines/java_sources/harness/Sessions.java reads it too.
ISOLATED_USERS = "@workspace.harness.local"
CATALOGS = ("main", "samples", "system")


@dataclass(frozen=True, slots=True)
class Layout:
    """The state folder of one harness: everything it knows, and nothing outside it."""

    state: Path

    @property
    def database(self) -> Path:
        """SQLite file with the services' documents."""
        return self.state / "state.db"

    @property
    def warehouse(self) -> Path:
        """`<catalog>/<schema>/<table>` folders with Delta logs in them: the truth about tables."""
        return self.state / "warehouse"

    @property
    def mlflow(self) -> Path:
        """The MLflow server's database and its artifacts."""
        return self.state / "mlflow"

    @property
    def files(self) -> Path:
        """Files API, workspace files and the root of DBFS: `Volumes/…`, `Models/…`, `Workspace/…`, `dbfs/…`."""
        return self.state / "files"

    @property
    def environments(self) -> Path:
        """Overlays of job environments, keyed by content."""
        return self.state / "environments"

    @property
    def udf_python(self) -> Path:
        """What starts Python for functions in Spark, with its user's credentials: a folder for each user."""
        return self.state / "udf-python"

    @property
    def logs(self) -> Path:
        """One file a process: `spark.log`, `mlflow.log`, `runs/<run_id>/stdout`, `serving/<entity>.log`."""
        return self.state / "logs"

    @property
    def journal(self) -> Path:
        """Payload rows acknowledged to a client and not yet committed to their Delta table."""
        return self.state / "journal"

    @property
    def signing_key(self) -> Path:
        """What OAuth tokens are signed with and client secrets are derived from; made at its first use, for its owner's eyes only."""
        return self.state / "signing.key"

    @property
    def connection(self) -> Path:
        """How to reach the running harness (`harness.cli.connection.Connection`), for its owner's eyes only; absent when it is down."""
        return self.state / "harness.json"

    def make(self) -> "Layout":
        """Create the folders that must exist before anything starts, and return self.

        A new state folder is its owner's alone: tokens, keys and secrets lie in it.
        """
        self.state.parent.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(mode=0o700, exist_ok=True)
        for folder in (self.state, self.warehouse, self.mlflow, self.files / "dbfs", self.environments, self.logs, self.journal):
            folder.mkdir(parents=True, exist_ok=True)
        return self


def cache_folder() -> Path:
    """Return the folder, per user, for what every state folder can share: jars, compiled classes, AOT caches, base environments.

    `HARNESS_CACHE` overrides it; else `XDG_CACHE_HOME`, else `~/.cache`.
    """
    override = os.environ.get("HARNESS_CACHE")
    if override:
        return Path(override)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workspace-harness"
