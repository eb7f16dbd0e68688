"""The `harness` command."""

import sys

import typer
from rich.console import Console

from harness.errors import ApiError, UserError


def main() -> None:
    """Run the command line; bad input ends with one sentence and status 2."""
    try:
        _commands()(standalone_mode=False)
    except UserError as error:
        fail(str(error))
    except ApiError as error:
        fail(f"{error.error_code}: {error.message}")
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except typer.Abort:
        sys.exit(130)


def fail(message: str) -> None:
    """Print one error to standard error and leave with status 2."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]error:[/] {message}")
    sys.exit(2)


def _commands() -> typer.Typer:
    from harness.cli import bundle, doctor, lifecycle, pages, routes

    app = typer.Typer(help="A Databricks workspace on one machine.", no_args_is_help=True, pretty_exceptions_enable=False)
    for module in (lifecycle, bundle, pages, doctor, routes):
        module.mount(app)
    return app
