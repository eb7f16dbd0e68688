"""`harness up` and `harness down`."""

import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.cli.connection import DEFAULT_STATE, find
from harness.config import USER_NAME, Layout
from harness.errors import UserError

State = Annotated[Path, typer.Option(help="Folder that holds everything the harness knows; it survives a restart.")]
_SECONDS_TO_END = 30.0


def mount(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(up)
    app.command()(down)


def up(
    state: State = DEFAULT_STATE,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    data: Annotated[Path | None, typer.Option(help="Parquet file for samples.nyctaxi.trips; without it, a synthetic table.")] = None,
    user: Annotated[
        str, typer.Option(help="Whose workspace it is: an email address, or a service principal's application id (a UUID).")
    ] = USER_NAME,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when everything answers.")] = False,
) -> None:
    """Start a workspace and stay until it is ended (Ctrl-C, or `harness down`)."""
    from harness import sample_data
    from harness.app import Harness

    layout = Layout(state)
    keep_log(layout)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    trips = sample_data.load_parquet(data) if data is not None else sample_data.generate()  # bad ones are told before anything starts
    with Harness(layout, lambda line: console.print(f"[dim]{line}[/]"), port=port, user=user) as harness:
        sample_data.write_table(trips, layout.warehouse)
        if json:
            print(harness.connection.line(), flush=True)  # noqa: T201 - the command's answer
        else:
            for name, value in harness.connection.environment().items():
                print(f"export {name}={value}", flush=True)  # noqa: T201 - meant for the user's shell
            principal = " ".join(f"{name}={value}" for name, value in harness.connection.principal_environment().items())
            print(f"# as a service principal, without DATABRICKS_TOKEN: {principal}", flush=True)  # noqa: T201 - the same
            print(f"# MLflow's pages: {harness.connection.pages()}", flush=True)  # noqa: T201 - the same
        harness.train_when_idle()
        ended.wait()
        console.print("[dim]ending[/]")


def down(state: State = DEFAULT_STATE) -> None:
    """End the workspace that runs in the state folder, and everything it started."""
    running = find(state)
    if running is None:
        Console(stderr=True).print(f"nothing runs in {state}")
        return
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _SECONDS_TO_END
    while find(state) is not None:
        if time.monotonic() > deadline:
            os.kill(running.pid, signal.SIGKILL)
            message = f"{state}: process {running.pid} did not end within {_SECONDS_TO_END:.0f} s and was killed"
            raise UserError(f"{message}; its log is {state}/logs/harness.log")
        time.sleep(0.05)


def keep_log(layout: Layout) -> None:
    """Have the harness's own log lines kept in `logs/harness.log`."""
    layout.make()
    logging.basicConfig(
        filename=layout.logs / "harness.log", level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
