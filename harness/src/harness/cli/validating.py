"""`harness validate`: whether a bundle is right, before anything is built or sent."""

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from harness.cli.connection import DEFAULT_STATE, find
from harness.cli.opening import Folder, IgnoreHost, State, Target, Variables, choice, open_bundle

if TYPE_CHECKING:
    from harness.bundle import Bundle


class Output(StrEnum):
    """How the result is shown."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class _Read:
    bundle: "Bundle"
    folder: Path
    offline: bool


def mount(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(validate)


def validate(
    target: Target = None,
    var: Variables = None,
    bundle: Folder = None,
    state: State = None,
    *,
    output: Annotated[Output, typer.Option("--output", "-o", help="json prints the resolved configuration.")] = Output.TEXT,
    ignore_host: IgnoreHost = False,
) -> None:
    """Resolve and check a bundle: exit 0 when it can be deployed here, 2 with the place when not. Nothing is built or sent.

    Without a running harness it is checked for the harness's usual user; only lookups of variables need one that runs.
    """
    from harness.bundle.emulated import check_emulated
    from harness.bundle.local_paths import check_local_files

    read = _read(target, var, bundle, state, ignore_host=ignore_host)
    check_emulated(read.bundle)
    check_local_files(read.bundle.tree, read.folder)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    for warning in read.bundle.warnings:
        errors.print(f"[yellow]warning:[/] {escape(str(warning))}")
    if read.offline:
        errors.print("[dim]no harness is running: checked for its usual user[/]")
    if output is Output.JSON:
        typer.echo(json.dumps(read.bundle.tree.plain(), indent=2))
        return
    found = read.bundle
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"bundle  {escape(found.name)}\ntarget  {escape(found.target)}\nroot    {escape(found.paths.root)}")
    for resource in found.resources:
        console.print(f"  {resource.kind}.{escape(resource.key)}  {escape(resource.name)}")
    console.print(f"[green]valid[/], {len(found.warnings)} warning{'' if len(found.warnings) == 1 else 's'}")


def _read(target: str | None, var: list[str] | None, bundle: Path | None, state: Path | None, *, ignore_host: bool) -> _Read:
    from harness.bundle import Identity, find_bundle, read_offline
    from harness.config import USER_NAME

    named = bool(os.environ.get("DATABRICKS_HOST") and os.environ.get("DATABRICKS_TOKEN"))
    if named or find(state or DEFAULT_STATE) is not None:
        at = open_bundle(target, var, bundle, state, ignore_host=ignore_host)
        return _Read(at.bundle, at.folder, offline=False)
    folder = find_bundle(Path.cwd()) if bundle is None else bundle
    chosen = choice(target, var, ignore_host=ignore_host)
    return _Read(read_offline(folder, Identity(USER_NAME, "http://127.0.0.1"), chosen), folder, offline=True)
