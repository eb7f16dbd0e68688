"""`harness routes`: what is emulated, straight from the routes."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from harness.config import Layout

COVERAGE = Path("docs/coverage.md")


def mount(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(routes)


def routes(*, write: Annotated[bool, typer.Option("--write", help=f"Write the table to {COVERAGE}.")] = False) -> None:
    """List every route the harness answers; all others are 501."""
    text = coverage()
    if write:
        COVERAGE.write_text(text)
    else:
        print(text)  # noqa: T201 - the command's answer


def coverage() -> str:
    """Return the coverage table as Markdown."""
    from harness.engines.processes import Lifeline
    from harness.http import RawRoute
    from harness.parts import build

    with TemporaryDirectory() as folder:
        lifeline = Lifeline()
        parts = build(Layout(Path(folder)).make(), lifeline, host="http://127.0.0.1:0", token="none")  # noqa: S106 - nothing listens
        lines = []
        for route in parts.routes:
            methods = ", ".join(route.methods) if isinstance(route, RawRoute) else route.method
            lines.append(f"| {methods} | `{route.path}` | {route.doc} |")
        parts.close()
        lifeline.close()
    head = [
        "# Routes the harness answers",
        "",
        "Written by `harness routes --write`; a test compares it with the code. Every other route answers 501 and names itself.",
        "",
        "| methods | path | source |",
        "| --- | --- | --- |",
    ]
    return "\n".join([*head, *sorted(lines, key=lambda line: line.split("`")[1]), ""])
