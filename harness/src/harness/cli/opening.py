"""What the commands for bundles have in common: which bundle, which workspace, and what options say."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.connection import DEFAULT_STATE, require
from harness.config import Layout
from harness.errors import UserError

if TYPE_CHECKING:  # the official client takes a second to import; other commands do not wait for it
    from databricks.sdk import WorkspaceClient

    from harness.bundle import Bundle, Choice

Target = Annotated[str | None, typer.Option("--target", "-t", help="Target of the bundle (default: the one marked 'default: true').")]
Variables = Annotated[list[str] | None, typer.Option("--var", help="name=value of a bundle variable; may be given again.")]
Folder = Annotated[Path | None, typer.Option("--bundle", help="Folder with databricks.yml (default: here or above).")]
State = Annotated[
    Path | None, typer.Option(help=f"State folder of the harness (default: DATABRICKS_HOST and DATABRICKS_TOKEN, else {DEFAULT_STATE}).")
]
Approve = Annotated[bool, typer.Option("--auto-approve", "--yes", help="Delete without asking.")]
IgnoreHost = Annotated[
    bool,
    typer.Option(
        "--ignore-host", help="Take the harness for the workspace whose host the bundle pins (without it, such a bundle is refused)."
    ),
]
ForceLock = Annotated[
    bool, typer.Option("--force-lock", help="Take the lock of the deployment from another one that is no more (its process was killed).")
]


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle, the workspace for it, and where that keeps its logs (None: somewhere else)."""

    bundle: "Bundle"
    folder: Path
    workspace: "WorkspaceClient"
    logs: Path | None


def open_bundle(target: str | None, var: Sequence[str] | None, folder: Path | None, state: Path | None, *, ignore_host: bool) -> Opened:
    """Return the bundle that the options name, resolved for the workspace that they name."""
    from harness.bundle import find_bundle, read_bundle

    found = find_bundle(Path.cwd()) if folder is None else folder
    workspace, logs = connect(state)
    bundle = read_bundle(found, workspace, choice(target, var, ignore_host=ignore_host))
    return Opened(bundle, found, workspace, logs)


def choice(target: str | None, var: Sequence[str] | None, *, ignore_host: bool) -> "Choice":
    """Return what the options and the environment say of a bundle."""
    from harness.bundle import Choice

    named = target or os.environ.get("DATABRICKS_BUNDLE_TARGET") or None
    return Choice(named, pairs(var, "--var"), dict(os.environ), ignore_host=ignore_host)


def connect(state: Path | None) -> "tuple[WorkspaceClient, Path | None]":
    """Return the official client of the running harness and where that keeps its logs, or say how to start one.

    A host that is no harness is refused: these commands never touch a real workspace.
    """
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.config import Config

    host, token = os.environ.get("DATABRICKS_HOST", ""), os.environ.get("DATABRICKS_TOKEN", "")
    logs = None
    if state is not None or not (host and token):
        connection = require(state or DEFAULT_STATE)
        host, token, logs = connection.host, connection.token, Layout(Path(connection.state)).logs
    _check_harness(host)
    return WorkspaceClient(config=Config(host=host, token=token, auth_type="pat", retry_timeout_seconds=30)), logs


def _check_harness(host: str) -> None:
    import httpx

    try:
        answer = httpx.get(f"{host.rstrip('/')}/__harness__/health", timeout=10, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UserError(f"{host}: no harness answers there ({error}); start one with `harness up`, or unset DATABRICKS_HOST") from error
    if answer.status_code != 200:
        message = f"{host} is no harness, and these commands touch nothing else"
        raise UserError(f"{message}; unset DATABRICKS_HOST to use the local one; for a real workspace, see docs/SETUP.md")


def pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """Return what `option`, given as name=value any number of times, says."""
    found = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise UserError(f"{option} {each}: expected name=value")
        found[name] = value
    return found
