"""`harness doctor`: what is wrong with this machine, and how to put it right."""

import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import typer
from rich.console import Console

from harness.cli.connection import DEFAULT_STATE, find
from harness.config import cache_folder
from harness.errors import UserError

_GIB = 2**30
_NEEDED_GIB = 4.0  # base environment 0.6, jars and start-up cache 0.3, the rest is the user's tables and models


def mount(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(doctor)


def doctor(state: Path = DEFAULT_STATE) -> None:
    """Check Java, jars, disk and versions; exit 1 when something will not work."""
    console = Console(soft_wrap=True, highlight=False)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", _python),
        ("packages", _packages),
        ("java", _java),
        ("delta jars", _jars),
        ("disk", lambda: _disk(state)),
        ("harness", lambda: _running(state)),
    ]
    broken = 0
    for name, check in checks:
        try:
            console.print(f"[green]ok[/]    {name}: {check()}")
        except UserError as error:
            broken += 1
            console.print(f"[red]wrong[/] {name}: {error}")
    raise typer.Exit(1 if broken else 0)


def _python() -> str:
    return f"{platform.python_version()} at {sys.executable}"


def _packages() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("pyspark", "delta-spark", "mlflow", "databricks-sdk", "deltalake"))


def _java() -> str:
    from harness.engines.java import java

    return str(java())


def _jars() -> str:
    from harness.engines.jars import resolve_jars

    return f"{len(resolve_jars(lambda _: None).delta)} in {cache_folder() / 'jars'}"


def _disk(state: Path) -> str:
    there = next(folder for folder in (state.resolve(), *state.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free / _GIB
    if free < _NEEDED_GIB:
        raise UserError(f"{there}: {free:.1f} GiB free, {_NEEDED_GIB:.0f} GiB needed; make room, or put the state elsewhere with --state")
    return f"{free:.0f} GiB free at {there}"


def _running(state: Path) -> str:
    found = find(state)
    return f"nothing runs in {state}" if found is None else f"{found.host} in {found.state} (process {found.pid})"
