"""The `harness` command."""

import sys
from importlib.metadata import entry_points
from typing import Never

import typer
from rich.console import Console
from rich.markup import escape

from harness.errors import ApiError, UserError


def main() -> None:
    """Run the command line; bad input ends with one sentence and status 2."""
    run(_commands())


def run(app: typer.Typer) -> None:
    """Run `app` and leave with its status; 2 for bad input."""
    try:
        app()
    except UserError as error:
        fail(str(error))
    except ApiError as error:
        fail(f"{error.error_code}: {error.message}")


def fail(message: str) -> Never:
    """Print one error to standard error and leave with status 2."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]error:[/] {escape(message)}")
    sys.exit(2)


def _commands() -> typer.Typer:
    from harness.cli import bundle, calls, doctor, environments, lifecycle, pages, routes, schedules, serving, validating

    app = typer.Typer(help="A Databricks workspace on one machine.", no_args_is_help=True, pretty_exceptions_enable=False)
    for module in (lifecycle, validating, bundle, serving, pages, doctor, environments, schedules, calls, routes):
        module.mount(app)
    # What other distributions bring: each names a function that adds its commands to the application.
    for entry in sorted(entry_points(group="harness.commands"), key=lambda entry: entry.name):
        entry.load()(app)
    return app
