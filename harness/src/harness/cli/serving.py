"""`harness serving explain`: how an endpoint answers calls here, and why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from harness.cli.connection import DEFAULT_STATE, require


def mount(app: typer.Typer) -> None:
    """Add the command to `app`."""
    serving = typer.Typer(help="Serving endpoints of the running harness.", no_args_is_help=True)
    serving.command()(explain)
    serving.callback()(lambda: None)  # a group of one command is still a group
    app.add_typer(serving, name="serving")


def explain(
    endpoint: Annotated[str, typer.Argument(help="Name of the serving endpoint.")],
    state: Annotated[Path, typer.Option(help="State folder of the running harness.")] = DEFAULT_STATE,
) -> None:
    """Say of each served entity how its model is scored (the fast path or MLflow's rules) and why, and what it runs on."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import NotFound

    from harness.errors import UserError

    connection = require(state)
    workspace = WorkspaceClient(host=connection.host, token=connection.token)
    try:
        found: Any = workspace.api_client.do("GET", f"/__harness__/serving-endpoints/{endpoint}/explain")
    except NotFound as error:
        known = ", ".join(sorted(each.name or "" for each in workspace.serving_endpoints.list())) or "none"
        raise UserError(f"{error} Endpoints there are: {known}") from error
    out = Console(soft_wrap=True, highlight=False)
    for entity in found["served_entities"]:
        out.print(told(entity))
    if not found["served_entities"]:
        out.print(f"{escape(endpoint)}: nothing was deployed to it yet")


def told(entity: Mapping[str, Any]) -> str:
    """Return the lines about one served entity."""
    state = f"{entity['state']['deployment']} {entity['state'].get('deployment_state_message', '')}".rstrip()
    lines = [
        f"[bold]{escape(entity['name'])}[/]  {escape(entity['model'])}, {entity['traffic_percentage']} % of the traffic",
        f"  state        {escape(state)}",
        f"  scoring      {escape(entity.get('scoring', 'its model server does not run'))}",
        f"  concurrency  {entity['concurrency']} calls at once",
        *(f"  build        {escape(line)}" for line in entity["build"]),
    ]
    return "\n".join(lines)
