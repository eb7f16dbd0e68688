"""`harness dashboard`: the page of what the workspace holds."""

import datetime as dt
import os
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.cli.connection import DEFAULT_STATE, Connection, require
from harness.clock import SystemClock
from harness.config import Layout


def mount(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(dashboard)


def dashboard(
    state: Annotated[Path, typer.Option(help="State folder of the running harness.")] = DEFAULT_STATE,
    output: Annotated[Path | None, typer.Option(help="Where to write the page (default: dashboard.html in the state folder).")] = None,
    *,
    browse: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write one self-contained HTML page: jobs, model, predictions, errors, drift, payloads."""
    connection = require(state)
    path = output or Layout(state).state / "dashboard.html"
    write_page(connection, path, source=str(state), started=SystemClock().now(), seconds=0.0)
    Console(soft_wrap=True, highlight=False).print(str(path.resolve()))
    if browse:
        webbrowser.open(path.resolve().as_uri())


def write_page(
    connection: Connection, path: Path, *, source: str, started: dt.datetime, seconds: float, run_ids: list[int] | None = None
) -> None:
    """Write the page of `run_ids` (None: each job's newest run) to `path`, whole or not at all."""
    from databricks.sdk import WorkspaceClient

    from harness.dashboard.gather import Told, gather
    from harness.dashboard.render import render

    os.environ.update(connection.environment())  # mlflow's client reads nothing else
    workspace = WorkspaceClient(host=connection.host, token=connection.token)
    told = Told("Dry run" if run_ids is not None else "Workspace", source, started, seconds)
    text = render(gather(workspace, Layout(Path(connection.state)).warehouse, told, run_ids=run_ids))
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text)
    unfinished.replace(path)
