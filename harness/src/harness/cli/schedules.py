"""`harness schedules`: which jobs start by themselves while the harness is up, and when."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from harness.cli.connection import DEFAULT_STATE, require

if TYPE_CHECKING:  # the official client takes a second to import; other commands do not wait for it
    from databricks.sdk import WorkspaceClient


def mount(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(schedules)


def schedules(state: Annotated[Path, typer.Option(help="State folder of the running harness.")] = DEFAULT_STATE) -> None:
    """Say which jobs start by themselves while the harness is up, and when next; a job that is paused does not."""
    from databricks.sdk import WorkspaceClient

    connection = require(state)
    out = Console(soft_wrap=True, highlight=False)
    for line in live_jobs(WorkspaceClient(host=connection.host, token=connection.token)) or ["no job starts by itself"]:
        out.print(line)


def live_jobs(workspace: "WorkspaceClient", names: Collection[str] | None = None) -> Sequence[str]:
    """Return a line for each job (of these names) that starts by itself; none where `workspace` is not a harness."""
    from databricks.sdk.errors.base import DatabricksError

    try:
        found: Any = workspace.api_client.do("GET", "/__harness__/schedules")
    except DatabricksError:
        return []
    return [_line(job) for job in found["schedules"] if names is None or job["name"] in names]


def _line(job: dict[str, Any]) -> str:
    when = f", next at {job['next_time']}" if job["next_time"] else ""
    return escape(f"job {job['job_id']} '{job['name']}' starts by itself: {job['starts_by']}{when}")
