"""Where things lie on disk. Nothing else in the harness builds these paths."""

import os
from dataclasses import dataclass
from pathlib import Path

USER_NAME = "developer@harness.local"
WORKSPACE_ID = "1234567890123456"
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
        """Files API and workspace files: `Volumes/…`, `Models/…`, `Workspace/…`."""
        return self.state / "files"

    @property
    def environments(self) -> Path:
        """Overlays of job environments, keyed by content."""
        return self.state / "environments"

    @property
    def logs(self) -> Path:
        """One file a process: `spark.log`, `mlflow.log`, `runs/<run_id>/stdout`, `serving/<entity>.log`."""
        return self.state / "logs"

    @property
    def journal(self) -> Path:
        """Payload rows acknowledged to a client and not yet committed to their Delta table."""
        return self.state / "journal"

    @property
    def connection(self) -> Path:
        """How to reach the running harness: `{"host", "token", "spark_remote", "state", "pid"}`; absent when it is down."""
        return self.state / "harness.json"

    def make(self) -> "Layout":
        """Create the folders that must exist before anything starts, and return self."""
        for folder in (self.state, self.warehouse, self.mlflow, self.files, self.environments, self.logs, self.journal):
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
