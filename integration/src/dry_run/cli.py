"""`dry-run`: the command behind `./run dry-run`."""

import os
import signal
from pathlib import Path
from typing import Annotated, Never

import msgspec
import typer
from rich.console import Console

from dry_run.progress import Display
from dry_run.report import Report
from dry_run.screen import show
from dry_run.workflow import Options, Workflow
from harness.cli import run

INTERRUPTED = 130


def main() -> None:
    """Run the command line: 0 when all succeeded, 1 when a task failed, 2 for bad input, 130 when interrupted."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(dry_run)
    run(app)


def dry_run(
    data: Annotated[Path | None, typer.Option(help="Real trips for samples.nyctaxi.trips; without it, synthetic ones.")] = None,
    state: Annotated[Path, typer.Option(help="Where everything lives; run again in the same folder to challenge the Champion.")] = Path(
        ".harness"
    ),
    report: Annotated[Path | None, typer.Option(help="Write the summary as JSON.")] = None,
    target: Annotated[str | None, typer.Option("-t", "--target", help="Target of databricks.yml (default: its default).")] = None,
    var: Annotated[list[str] | None, typer.Option(help="Bundle variable, name=value; may be given several times.")] = None,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the workspace running afterwards, until Ctrl-C.")] = False,
) -> None:
    """Run the whole workflow on this machine: train, validate, deploy, score, unpack, monitor."""
    signal.signal(signal.SIGTERM, _interrupted)
    console = Console(highlight=False)
    options = Options(state=state, data=data, target=target, variables=tuple(var or ()))
    try:
        with Display(console) as display, Workflow(options, display.say) as workflow:
            told = workflow.run()
            _write(told, report)
            show(told, console, state=str(state), next_steps=_next_steps(told, state))
            if keep:
                _stay(workflow, console)
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started has been ended")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(0 if told.succeeded else 1)


def _write(told: Report, path: Path | None) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(told)))


def _next_steps(told: Report, state: Path) -> list[str]:
    if not told.succeeded:
        return [f"./run harness up --state {state}   then   ./run harness run JOB --state {state}   to look further"]
    return [
        f"open {told.dashboard}",
        f"./run dry-run --state {state}   again: the new model challenges the Champion",
        f"./run harness up --state {state}   and query {told.endpoint.name if told.endpoint else 'the endpoint'} yourself",
    ]


def _stay(workflow: Workflow, console: Console) -> None:
    for name, value in workflow.environment().items():
        console.print(f"export {name}={value}", soft_wrap=True)
    console.print("[dim]the workspace stays until Ctrl-C[/]")
    signal.pause()


def _interrupted(number: int, _: object) -> Never:
    raise KeyboardInterrupt(f"signal {number} to process {os.getpid()}")
