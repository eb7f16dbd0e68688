"""`harness deploy`, `run`, `summary` and `destroy`: a bundle, any bundle, on the running harness."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from harness.cli.connection import DEFAULT_STATE, require
from harness.config import Layout
from harness.errors import UserError

if TYPE_CHECKING:  # the official client takes a second to import; other commands do not wait for it
    from databricks.sdk import WorkspaceClient

    from harness.bundle import Bundle, Choice, RunResult

Target = Annotated[str | None, typer.Option("--target", "-t", help="Target of the bundle (default: the one marked 'default: true').")]
Variables = Annotated[list[str] | None, typer.Option("--var", help="name=value of a bundle variable; may be given again.")]
Folder = Annotated[Path | None, typer.Option("--bundle", help="Folder with databricks.yml (default: here or above).")]
State = Annotated[
    Path | None, typer.Option(help=f"State folder of the harness (default: DATABRICKS_HOST and DATABRICKS_TOKEN, else {DEFAULT_STATE}).")
]
Approve = Annotated[bool, typer.Option("--auto-approve", "--yes", help="Delete without asking.")]
_LINES_OF_TRACE = 15


def mount(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(deploy)
    app.command()(run)
    app.command()(summary)
    app.command()(destroy)


def deploy(
    target: Target = None, var: Variables = None, bundle: Folder = None, state: State = None, *, auto_approve: Approve = False
) -> None:
    """Build the bundle's wheels and bring its resources to the workspace; what is there already and the same is left alone."""
    from harness.bundle import deploy as deploy_bundle

    at = _open(target, var, bundle, state)
    console = _console()
    done = deploy_bundle(at.bundle, at.workspace, folder=at.folder, progress=lambda line: console.print(escape(line)), approve=auto_approve)
    _warn(done.warnings)
    console.print(f"[green]deployed[/] {escape(at.bundle.name)} to target {escape(at.bundle.target)}")


def run(
    job: Annotated[str, typer.Argument(help="Key of a job in the bundle.")],
    target: Target = None,
    var: Variables = None,
    params: Annotated[list[str] | None, typer.Option("--params", help="name=value of a job parameter; may be given again.")] = None,
    bundle: Folder = None,
    state: State = None,
    *,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Start the job and leave.")] = False,
) -> None:
    """Run a deployed job: stream its task states and output; exit 0 when it succeeds, 1 when it fails, 2 for bad input."""
    from harness.bundle import cancel, follow, start_job

    at = _open(target, var, bundle, state)
    run_id = start_job(at.bundle, at.workspace, job, params=pairs(params, "--params"))
    console = _console()
    console.print(f"{escape(job)}: run {run_id} started")
    if no_wait:
        return
    try:
        result = follow(at.workspace, job, run_id, display=Lines(console))
    except KeyboardInterrupt:
        cancel(at.workspace, run_id)
        console.print(f"[yellow]cancelled[/] run {run_id}")
        sys.exit(130)
    colour = "green" if result.succeeded else "red"
    console.print(f"[{colour}]{result.result_state}[/] {escape(job)} in {result.seconds:.1f} s")
    if not result.succeeded:
        explain(result, at.logs)
        sys.exit(1)


def summary(target: Target = None, var: Variables = None, bundle: Folder = None, state: State = None) -> None:
    """Say what of the bundle is deployed, and where."""
    from harness.bundle import load_deployed

    at = _open(target, var, bundle, state)
    console = _console()
    found = load_deployed(at.workspace, at.bundle.paths.state)
    entries = found.resources if found is not None else {}
    console.print(f"bundle  {escape(at.bundle.name)}\ntarget  {escape(at.bundle.target)}")
    console.print(f"host    {at.workspace.config.host}\nroot    {escape(at.bundle.paths.root)}")
    for resource in at.bundle.resources:
        entry = entries.get(resource.path)
        where = "[yellow]not deployed[/]" if entry is None else f"{escape(entry.id)}{_page(at.workspace, resource.kind, entry.id)}"
        console.print(f"  {resource.kind}.{escape(resource.key)}  {escape(resource.name)}  {where}")
    for path in entries.keys() - {resource.path for resource in at.bundle.resources}:
        console.print(f"  {escape(path)}  [yellow]deployed, no longer in the bundle[/]")


def destroy(
    target: Target = None, var: Variables = None, bundle: Folder = None, state: State = None, *, auto_approve: Approve = False
) -> None:
    """Delete everything that was deployed of the bundle."""
    from harness.bundle import destroy as destroy_bundle
    from harness.bundle import load_deployed

    at = _open(target, var, bundle, state)
    console = _console()
    found = load_deployed(at.workspace, at.bundle.paths.state)
    if found is None:
        console.print("No active deployment found to destroy!")
        return
    for path, entry in found.resources.items():
        console.print(f"  delete {escape(path)} ({escape(entry.id)})")
    if not auto_approve:
        _ask(f"Delete these and {at.bundle.paths.root}?")
    destroy_bundle(at.bundle, at.workspace, progress=lambda line: console.print(escape(line)))
    console.print("[green]destroyed[/]")


@dataclass(slots=True)
class Lines:
    """A run as lines of text: one a state, one a line that a task prints."""

    console: Console

    def task(self, task_key: str, state: str, seconds: float) -> None:
        """Print a task's new state."""
        took = f" in {seconds:.1f} s" if seconds else ""
        colour = {"SUCCESS": "green", "RUNNING": "cyan", "FAILED": "red", "TIMEDOUT": "red"}.get(state, "dim")
        self.console.print(f"[bold]{escape(task_key)}[/] [{colour}]{state}[/]{took}")

    def output(self, task_key: str, text: str) -> None:
        """Print what a task printed."""
        for line in text.splitlines():
            self.console.print(f"[dim]{escape(task_key)} │[/] {escape(line)}")


def explain(result: "RunResult", logs: Path | None) -> None:
    """Print to standard error which task failed and why, where its log is, and how to look further."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    task = result.failed_task
    if task is None:
        console.print(f"[red]error:[/] {escape(result.job)}: {escape(result.message) or 'no task ran'}")
        return
    console.print(f"[red]error:[/] task {escape(task.task_key)} {task.result_state}: {escape(task.error or result.message)}")
    if task.inner is not None:
        explain(task.inner, logs)
        return
    for line in task.error_trace.splitlines()[-_LINES_OF_TRACE:]:
        console.print(f"  [dim]{escape(line)}[/]")
    if logs is not None:
        folder = logs / "runs" / str(result.run_id) / task.log
        console.print(f"log: {escape(str(folder))}")
        console.print(f"look further: cat {escape(str(folder / 'stdout'))} {escape(str(folder / 'stderr'))}")
    else:
        console.print(f"look further: GET /api/2.2/jobs/runs/get-output?run_id={task.run_id}")


@dataclass(frozen=True, slots=True)
class _Opened:
    """A bundle, the workspace for it, and where that keeps its logs (None: somewhere else)."""

    bundle: "Bundle"
    folder: Path
    workspace: "WorkspaceClient"
    logs: Path | None


def _open(target: str | None, var: Sequence[str] | None, folder: Path | None, state: Path | None) -> _Opened:
    from harness.bundle import find_bundle, read_bundle

    found = find_bundle(Path.cwd()) if folder is None else folder
    workspace, logs = connect(state)
    bundle = read_bundle(found, workspace, _choice(target, var))
    return _Opened(bundle, found, workspace, logs)


def _choice(target: str | None, var: Sequence[str] | None) -> "Choice":
    from harness.bundle import Choice

    return Choice(target or os.environ.get("DATABRICKS_BUNDLE_TARGET") or None, pairs(var, "--var"), dict(os.environ))


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


def _page(workspace: "WorkspaceClient", kind: str, id_: str) -> str:
    return f"  {workspace.config.host}/jobs/{id_}" if kind == "jobs" else ""


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise UserError(f"{question} Nobody can answer here; nothing was deleted; say yes with --auto-approve")
    typer.confirm(question, abort=True)


def _warn(warnings: Sequence[str]) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for warning in warnings:
        console.print(f"[yellow]warning:[/] {escape(warning)}")


def _console() -> Console:
    return Console(soft_wrap=True, highlight=False)
