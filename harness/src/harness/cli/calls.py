"""`harness calls`: what the running harness was asked, and what of it is not emulated."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from harness.cli.connection import DEFAULT_STATE, require


def mount(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(calls)


def calls(
    state: Annotated[Path, typer.Option(help="State folder of the running harness.")] = DEFAULT_STATE,
    *,
    every: Annotated[bool, typer.Option("--all", help="List the calls that were answered, too.")] = False,
) -> None:
    """Say which calls the harness could not answer because it does not emulate them, since it started."""
    from databricks.sdk import WorkspaceClient

    connection = require(state)
    found: Any = WorkspaceClient(host=connection.host, token=connection.token).api_client.do("GET", "/__harness__/calls")
    out = Console(soft_wrap=True, highlight=False)
    missing = [f"501 {each['method']} {each['path']} ({each['calls']} ×)" for each in found["not_emulated"]]
    for line in missing or ["nothing was asked that is not emulated"]:
        out.print(escape(line))
    if every:
        for each in found["answered"]:
            out.print(escape(f"{each['status']} {each['method']} {each['route']} ({each['calls']} ×)"))
