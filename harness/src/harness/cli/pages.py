"""`harness dashboard`: the page of what the workspace holds, or the dashboard of one monitor."""

import datetime as dt
import os
import webbrowser
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console

from harness.cli.connection import DEFAULT_STATE, Connection, require
from harness.clock import SystemClock
from harness.config import Layout
from harness.errors import UserError

_SECONDS_TO_DRAW = 300.0


def mount(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(dashboard)


def dashboard(
    state: Annotated[Path, typer.Option(help="State folder of the running harness.")] = DEFAULT_STATE,
    output: Annotated[Path | None, typer.Option(help="Where to write the page (default: dashboard.html in the state folder).")] = None,
    monitor: Annotated[str | None, typer.Option(help="A monitored table, catalog.schema.table: write its monitor's dashboard.")] = None,
    *,
    browse: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write one self-contained HTML page: jobs, model, predictions, errors, drift, payloads; or what a monitor found."""
    connection = require(state)
    path = output or Layout(state).state / ("dashboard.html" if monitor is None else f"{monitor}-monitor.html")
    if monitor is None:
        write_page(connection, path, source=str(state), started=SystemClock().now(), seconds=0.0)
    else:
        write_monitor(connection, monitor, path)
    Console(soft_wrap=True, highlight=False).print(str(path.resolve()))
    if browse:
        webbrowser.open(path.resolve().as_uri())


def write_page(
    connection: Connection, path: Path, *, source: str, started: dt.datetime, seconds: float, run_ids: list[int] | None = None
) -> None:
    """Write the page of `run_ids` (None: each job's newest run) to `path`, whole or not at all, and its monitor's dashboard beside it."""
    from dataclasses import replace

    from databricks.sdk import WorkspaceClient

    from harness.dashboard.gather import Told, gather
    from harness.dashboard.render import render

    os.environ.update(connection.environment())  # mlflow's client reads nothing else
    workspace = WorkspaceClient(host=connection.host, token=connection.token)
    told = Told("Dry run" if run_ids is not None else "Workspace", source, started, seconds)
    page = gather(workspace, Layout(Path(connection.state)).warehouse, told, run_ids=run_ids)
    if page.monitor is not None:
        beside = path.with_name(f"{path.stem}-monitor.html")
        write_monitor(connection, page.monitor, beside)
        page = replace(page, board=beside.name)
    _write(path, render(page))


def write_monitor(connection: Connection, table: str, path: Path) -> None:
    """Write the dashboard of a table's monitor to `path`, whole or not at all."""
    import httpx

    headers = {"Authorization": f"Bearer {connection.token}"}
    address = f"{connection.host}/__harness__/monitors/{quote(table, safe='')}/file"
    answer = httpx.get(address, headers=headers, timeout=_SECONDS_TO_DRAW, trust_env=False)
    if answer.status_code != 200:
        raise UserError(f"--monitor {table}: {answer.json().get('message', answer.text)}")
    _write(path, answer.text)


def _write(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text)
    unfinished.replace(path)
