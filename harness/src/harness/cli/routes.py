"""`harness routes`: what is emulated, straight from the routes, the official client's source and what runs touched."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from harness.config import Layout

COVERAGE = Path("docs/coverage.md")
TOUCHED = Path("docs/coverage.json")


def mount(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(routes)


def routes(
    *,
    write: Annotated[bool, typer.Option("--write", help=f"Write the table to {COVERAGE}.")] = False,
    runs: Annotated[Path | None, typer.Option(help=f"What tests that ran with HARNESS_COVERAGE=DIR touched: becomes {TOUCHED}.")] = None,
) -> None:
    """List every route the harness answers; all others are 501."""
    from harness.coverage.touched import merged

    if runs is not None:
        merged(sorted(runs.rglob("*.json"))).write(TOUCHED)
    text = coverage(TOUCHED)
    if write:
        COVERAGE.write_text(text)
    else:
        print(text)  # noqa: T201 - the command's answer


def coverage(touched: Path) -> str:
    """Return the coverage table as Markdown."""
    from harness.coverage.client import client_routes
    from harness.coverage.table import Answering, table
    from harness.coverage.touched import read
    from harness.engines.processes import Lifeline
    from harness.http import RawRoute
    from harness.parts import build

    with TemporaryDirectory() as folder:
        lifeline = Lifeline()
        parts = build(Layout(Path(folder)).make(), lifeline, host="http://127.0.0.1:0", token="none")  # noqa: S106 - nothing listens
        answering = [
            Answering(method, route.path, route.doc)
            for route in parts.routes
            for method in (route.methods if isinstance(route, RawRoute) else (route.method,))
        ]
        parts.close()
        lifeline.close()
    return table(answering, read(touched), client_routes())
