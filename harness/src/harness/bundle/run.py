"""Running a deployed job to its end: what each task does and prints, as it happens, and how it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.jobs import Run, RunTask

from harness.bundle import calls, deployed
from harness.bundle.model import Bundle, Resource
from harness.bundle.parameters import RunParameters
from harness.bundle.telling import Display, Telling, has_ended, latest, seconds_of, state_of
from harness.clock import Clock, SystemClock
from harness.errors import UserError

_SECONDS_BETWEEN = 0.5
_EXPLAINED = {"FAILED", "TIMEDOUT", "INTERNAL_ERROR"}


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How a task's last attempt stands; `error` and `error_trace` where it failed."""

    task_key: str
    run_id: int
    attempt_number: int
    result_state: str
    seconds: float
    error: str = ""
    error_trace: str = ""
    notebook_result: str = ""
    """What a notebook ended with (`dbutils.notebook.exit`)."""
    inner: "RunResult | None" = None
    """The run that a Run Job task began, where that failed."""
    is_notebook: bool = False

    @property
    def log(self) -> str:
        """Folder of what the attempt printed, below the harness's logs: `runs/<run>/<task>.<attempt>`."""
        return f"{self.task_key}.{self.attempt_number}"


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run of a job stands: its result, or its life cycle state while it has none."""

    job: str
    name: str
    run_id: int
    page_url: str
    result_state: str
    message: str
    seconds: float
    tasks: Sequence[TaskResult]

    @property
    def succeeded(self) -> bool:
        """Whether every task that had to succeed did."""
        return self.result_state == "SUCCESS"

    @property
    def failed_task(self) -> TaskResult | None:
        """The task at fault: the first that failed by itself."""
        return next((task for task in self.tasks if task.result_state in _EXPLAINED), None)


def start_job(
    bundle: Bundle, workspace: WorkspaceClient, job: str, *, params: RunParameters, restart: bool = False, clock: Clock | None = None
) -> int:
    """Start a deployed job and return the run's id; `restart` ends the runs of it that are under way before."""
    body = params.body(job_of(bundle, job))
    state = deployed.load(workspace, bundle.paths.state)
    entry = state.resources.get(f"resources.jobs.{job}") if state is not None else None
    if entry is None:
        raise UserError(f"job '{job}' is not deployed to target '{bundle.target}'; deploy it with `harness deploy -t {bundle.target}`")
    if restart:
        _end_runs(workspace, int(entry.id), clock or SystemClock())
    try:
        answer = calls.call(workspace, "POST", "/api/2.2/jobs/run-now", body={"job_id": int(entry.id), **body})
    except (InvalidParameterValue, NotFound) as error:
        raise UserError(f"job '{job}' cannot be started: {error}; deploy again with `harness deploy -t {bundle.target}`") from error
    return int(str(answer["run_id"]))


def job_of(bundle: Bundle, job: str) -> Resource:
    """Return a job of the bundle, or say which there are."""
    jobs = bundle.of_kind("jobs")
    if job not in jobs:
        raise UserError(f"unknown job '{job}'; the bundle has {', '.join(jobs) or 'none'}")
    return jobs[job]


def run_job(
    bundle: Bundle,
    workspace: WorkspaceClient,
    job: str,
    *,
    display: Display,
    params: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> RunResult:
    """Start a deployed job, tell `display` what happens, and return how it ended."""
    return follow(workspace, job, start_job(bundle, workspace, job, params=RunParameters(params or {})), display=display, clock=clock)


def follow(workspace: WorkspaceClient, job: str, run_id: int, *, display: Display, clock: Clock | None = None) -> RunResult:
    """Tell `display` what a run does until it has ended, and return how."""
    time = clock or SystemClock()
    telling = Telling(workspace, run_id, display)
    while True:
        run = telling.tell()
        if has_ended(run):
            return _explained(workspace, look(job, run))
        time.sleep(_SECONDS_BETWEEN)


def _end_runs(workspace: WorkspaceClient, job_id: int, clock: Clock) -> None:
    under_way = [run.run_id for run in workspace.jobs.list_runs(job_id=job_id, active_only=True) if run.run_id is not None]
    for run_id in under_way:
        cancel(workspace, run_id)
    for run_id in under_way:
        while not has_ended(workspace.jobs.get_run(run_id)):
            clock.sleep(_SECONDS_BETWEEN)


def cancel(workspace: WorkspaceClient, run_id: int) -> None:
    """Ask for the end of a run."""
    calls.call(workspace, "POST", "/api/2.2/jobs/runs/cancel", body={"run_id": run_id})


def look(job: str, run: Run) -> RunResult:
    """Return how a run stands."""
    return RunResult(
        job=job,
        name=run.run_name or job,
        run_id=run.run_id or 0,
        page_url=run.run_page_url or "",
        result_state=state_of(run.state),
        message=(run.state.state_message if run.state is not None else None) or "",
        seconds=seconds_of(run),
        tasks=tuple(_task(task) for task in latest(run)),
    )


def _task(task: RunTask) -> TaskResult:
    key, attempt = task.task_key, task.attempt_number or 0
    return TaskResult(key, task.run_id or 0, attempt, state_of(task.state), seconds_of(task), is_notebook=task.notebook_task is not None)


def _explained(workspace: WorkspaceClient, result: RunResult) -> RunResult:
    return replace(result, tasks=tuple(_explained_task(workspace, task) for task in result.tasks))


def _explained_task(workspace: WorkspaceClient, task: TaskResult) -> TaskResult:
    if task.result_state not in _EXPLAINED:
        return _with_result(workspace, task) if task.is_notebook and task.result_state == "SUCCESS" else task
    try:
        output = workspace.jobs.get_run_output(task.run_id)
        began = output.run_job_output.run_id if output.run_job_output is not None else None
        inner = _explained(workspace, look(task.task_key, workspace.jobs.get_run(began))) if began else None
    except DatabricksError as error:
        return replace(task, error=f"its output cannot be had: {error}")
    return replace(task, error=output.error or "", error_trace=output.error_trace or "", inner=inner)


def _with_result(workspace: WorkspaceClient, task: TaskResult) -> TaskResult:
    output = workspace.jobs.get_run_output(task.run_id).notebook_output
    return replace(task, notebook_result=(output.result if output is not None else None) or "")
