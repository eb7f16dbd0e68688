"""`harness deploy`, `plan`, `run`, `summary` and `destroy`: a bundle, any bundle, on the running harness."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from harness.cli.opening import Approve, Folder, ForceLock, IgnoreHost, Opened, State, Target, Variables, open_bundle, pairs
from harness.cli.schedules import live_jobs
from harness.errors import UserError

if TYPE_CHECKING:  # the official client takes a second to import; other commands do not wait for it
    from databricks.sdk import WorkspaceClient

    from harness.bundle import RunResult

_LINES_OF_TRACE = 15


def mount(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (deploy, plan, run, summary, destroy):
        app.command()(command)


def deploy(
    target: Target = None,
    var: Variables = None,
    bundle: Folder = None,
    state: State = None,
    *,
    plan_only: Annotated[bool, typer.Option("--plan", help="Say what would change, and change nothing.")] = False,
    auto_approve: Approve = False,
    force_lock: ForceLock = False,
    ignore_host: IgnoreHost = False,
) -> None:
    """Build the bundle's wheels and bring its files and resources to the workspace; what is there already and the same is left alone."""
    at = _open(target, var, bundle, state, ignore_host=ignore_host)
    if plan_only:
        _plan(at)
    else:
        _deploy(at, auto_approve=auto_approve, force_lock=force_lock)


def plan(
    target: Target = None, var: Variables = None, bundle: Folder = None, state: State = None, *, ignore_host: IgnoreHost = False
) -> None:
    """Say what `harness deploy` would change, and change nothing (wheels are built)."""
    _plan(_open(target, var, bundle, state, ignore_host=ignore_host))


def run(
    job: Annotated[str, typer.Argument(help="Key of a job in the bundle.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- ARGUMENTS]",
            help="`--key value` of the job's parameters; where it has none, of its notebooks; else words for its Python tasks.",
        ),
    ] = None,
    target: Target = None,
    var: Variables = None,
    params: Annotated[list[str] | None, typer.Option("--params", help="name=value of a job parameter; may be given again.")] = None,
    notebook_params: Annotated[
        list[str] | None, typer.Option("--notebook-params", help="name=value for the notebooks of a job without parameters of its own.")
    ] = None,
    python_params: Annotated[
        list[str] | None,
        typer.Option("--python-params", help="A word for the Python tasks of a job without parameters; may be given again."),
    ] = None,
    python_named_params: Annotated[
        list[str] | None, typer.Option("--python-named-params", help="name=value for the wheel tasks of a job without parameters.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Key of a task to run, instead of all; may be given again.")] = None,
    bundle: Folder = None,
    state: State = None,
    *,
    restart: Annotated[bool, typer.Option("--restart", help="End the runs of the job that are under way before.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Start the job and leave.")] = False,
    deploy_first: Annotated[bool, typer.Option("--deploy", help="Deploy the bundle before, as `harness deploy` does.")] = False,
    ignore_host: IgnoreHost = False,
) -> None:
    """Run a deployed job: stream its task states and output; exit 0 when it succeeds, 1 when it fails, 2 for bad input."""
    from harness.bundle import RunParameters, job_of, start_job

    given = RunParameters(
        pairs(params, "--params"),
        pairs(notebook_params, "--notebook-params"),
        python_params or (),
        pairs(python_named_params, "--python-named-params"),
        only or (),
        arguments or (),
    )
    at = _open(target, var, bundle, state, ignore_host=ignore_host)
    given.body(job_of(at.bundle, job))
    if deploy_first:
        _deploy(at, auto_approve=False, force_lock=False)
    run_id = start_job(at.bundle, at.workspace, job, params=given, restart=restart)
    console = _console()
    console.print(f"{escape(job)}: run {run_id} started")
    if not no_wait:
        _follow(at, job, run_id, console)


def summary(
    target: Target = None, var: Variables = None, bundle: Folder = None, state: State = None, *, ignore_host: IgnoreHost = False
) -> None:
    """Say what of the bundle is deployed, and where."""
    from harness.bundle import load_deployed

    at = _open(target, var, bundle, state, ignore_host=ignore_host)
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
    target: Target = None,
    var: Variables = None,
    bundle: Folder = None,
    state: State = None,
    *,
    auto_approve: Approve = False,
    force_lock: ForceLock = False,
    ignore_host: IgnoreHost = False,
) -> None:
    """Delete everything that was deployed of the bundle."""
    from harness.bundle import destroy as destroy_bundle
    from harness.bundle import load_deployed

    at = _open(target, var, bundle, state, ignore_host=ignore_host)
    console = _console()
    found = load_deployed(at.workspace, at.bundle.paths.state)
    if found is None:
        console.print("No active deployment found to destroy!")
        return
    for path, entry in found.resources.items():
        console.print(f"  delete {escape(path)} ({escape(entry.id)})")
    if not auto_approve:
        _ask(f"Delete these and {at.bundle.paths.root}?")
    destroy_bundle(at.bundle, at.workspace, progress=lambda line: console.print(escape(line)), force_lock=force_lock)
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


def _open(target: str | None, var: Sequence[str] | None, folder: Path | None, state: Path | None, *, ignore_host: bool) -> Opened:
    at = open_bundle(target, var, folder, state, ignore_host=ignore_host)
    if ignore_host:
        _warn([f"--ignore-host: whatever host the bundle pins, this is {at.workspace.config.host}"])
    return at


def _deploy(at: Opened, *, auto_approve: bool, force_lock: bool) -> None:
    from harness.bundle import deploy as deploy_bundle

    console = _console()
    done = deploy_bundle(
        at.bundle,
        at.workspace,
        folder=at.folder,
        progress=lambda line: console.print(escape(line)),
        approve=auto_approve,
        ask=typer.confirm if sys.stdin.isatty() else None,
        force_lock=force_lock,
    )
    _warn(done.warnings)
    console.print(f"[green]deployed[/] {escape(at.bundle.name)} to target {escape(at.bundle.target)}")
    for line in live_jobs(at.workspace, {each.name for each in at.bundle.resources if each.kind == "jobs"}):
        console.print(f"[yellow]live:[/] {line}; pause_status PAUSED stops that")


def _plan(at: Opened) -> None:
    from harness.bundle import foreseen

    console = _console()
    ahead = foreseen(at.bundle, at.workspace, folder=at.folder, progress=lambda line: console.print(escape(line)))
    for remote in sorted(ahead.uploads.send):
        console.print(f"  send {escape(remote)}")
    for remote in sorted(ahead.uploads.remove):
        console.print(f"  remove {escape(remote)}")
    for step in ahead.plan.steps:
        console.print(f"  {escape(str(step))}")
    console.print(str(ahead.plan))


def _follow(at: Opened, job: str, run_id: int, console: Console) -> None:
    from harness.bundle import cancel, follow

    try:
        result = follow(at.workspace, job, run_id, display=Lines(console))
    except KeyboardInterrupt:
        cancel(at.workspace, run_id)
        console.print(f"[yellow]cancelled[/] run {run_id}")
        sys.exit(130)
    for task in result.tasks:
        if task.notebook_result:
            console.print(f"[bold]{escape(task.task_key)}[/] ended with: {escape(task.notebook_result)}")
    colour = "green" if result.succeeded else "red"
    console.print(f"[{colour}]{result.result_state}[/] {escape(job)} in {result.seconds:.1f} s")
    if not result.succeeded:
        explain(result, at.logs)
        sys.exit(1)


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
