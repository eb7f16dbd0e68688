"""Running a deployed job to its end: what each task does and prints, as it happens, and how it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.errors import NotImplemented as NotImplementedThere
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.jobs import Run, RunLifeCycleState, RunState, RunTask

from harness.bundle import calls, deployed
from harness.bundle.model import Bundle
from harness.clock import Clock, SystemClock
from harness.errors import UserError

_ENDED = {RunLifeCycleState.TERMINATED, RunLifeCycleState.SKIPPED, RunLifeCycleState.INTERNAL_ERROR}
_SECONDS_BETWEEN = 0.5
_EXPLAINED = {"FAILED", "TIMEDOUT", "INTERNAL_ERROR"}


class Display(Protocol):
    """Who is told while a job runs."""

    def task(self, task_key: str, state: str, seconds: float) -> None:
        """A task has entered a state; `seconds` is how long it has run."""
        ...

    def output(self, task_key: str, text: str) -> None:
        """A task has printed whole lines."""
        ...


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


def start_job(bundle: Bundle, workspace: WorkspaceClient, job: str, *, params: Mapping[str, str]) -> int:
    """Start a deployed job and return the run's id; `params` are its job parameters."""
    jobs = bundle.of_kind("jobs")
    if job not in jobs:
        raise UserError(f"unknown job '{job}'; the bundle has {', '.join(jobs) or 'none'}")
    declared = jobs[job].body.get("parameters")
    names = [str(each["name"]) for each in declared if isinstance(each, dict)] if isinstance(declared, list) else []
    for name in params:
        if name not in names:
            raise UserError(f"--params {name}: job '{job}' has no such parameter; expected one of {', '.join(names) or '(it has none)'}")
    state = deployed.load(workspace, bundle.paths.state)
    entry = state.resources.get(f"resources.jobs.{job}") if state is not None else None
    if entry is None:
        raise UserError(f"job '{job}' is not deployed to target '{bundle.target}'; deploy it with `harness deploy -t {bundle.target}`")
    try:
        answer = calls.call(workspace, "POST", "/api/2.2/jobs/run-now", body={"job_id": int(entry.id), "job_parameters": {**params}})
    except (InvalidParameterValue, NotFound) as error:
        raise UserError(f"job '{job}' cannot be started: {error}; deploy again with `harness deploy -t {bundle.target}`") from error
    return int(str(answer["run_id"]))


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
    return follow(workspace, job, start_job(bundle, workspace, job, params=params or {}), display=display, clock=clock)


def follow(workspace: WorkspaceClient, job: str, run_id: int, *, display: Display, clock: Clock | None = None) -> RunResult:
    """Tell `display` what a run does until it has ended, and return how."""
    time = clock or SystemClock()
    telling = _Telling(workspace, run_id, display)
    while True:
        run = workspace.jobs.get_run(run_id)
        ended = run.state is not None and run.state.life_cycle_state in _ENDED
        telling.tell(_latest(run))
        if ended:
            result = look(job, run)
            return replace(result, tasks=tuple(_explained(workspace, task) for task in result.tasks))
        time.sleep(_SECONDS_BETWEEN)


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
        result_state=_state(run.state),
        message=(run.state.state_message if run.state is not None else None) or "",
        seconds=_seconds(run.start_time, run.end_time),
        tasks=tuple(_task(task) for task in _latest(run)),
    )


class _Telling:
    """Remembers what a display has been told already."""

    def __init__(self, workspace: WorkspaceClient, run_id: int, display: Display) -> None:
        self._workspace = workspace
        self._run_id = run_id
        self._display = display
        self._states: dict[str, tuple[int, str]] = {}
        self._read: dict[tuple[str, int], int] = {}
        self._unfinished: dict[str, str] = {}  # a line of which the end is not there yet
        self._streams = True

    def tell(self, tasks: Sequence[RunTask]) -> None:
        for task in tasks:
            now = _task(task)
            began = task.start_time is not None and task.start_time > 0
            if began and (self._states.get(now.task_key) != (now.attempt_number, now.result_state) or now.result_state == "RUNNING"):
                self._output(now)
            if self._states.get(now.task_key) != (now.attempt_number, now.result_state):
                if task.end_time and now.task_key in self._unfinished:
                    self._display.output(now.task_key, self._unfinished.pop(now.task_key) + "\n")
                self._states[now.task_key] = (now.attempt_number, now.result_state)
                self._display.task(now.task_key, now.result_state, now.seconds)

    def _output(self, task: TaskResult) -> None:
        key = (task.task_key, task.attempt_number)
        while self._streams:
            query = {"task_key": task.task_key, "offset": str(self._read.get(key, 0))}
            try:
                piece = calls.call(self._workspace, "GET", f"/__harness__/runs/{self._run_id}/output", query=query)
            except (NotFound, NotImplementedThere):  # a workspace that does not stream: states only
                self._streams = False
                return
            text, offset = str(piece.get("text", "")), piece.get("offset", piece.get("next_offset"))
            if not text or not isinstance(offset, int) or piece.get("attempt_number", task.attempt_number) != task.attempt_number:
                return
            self._read[key] = offset
            whole, newline, rest = (self._unfinished.pop(task.task_key, "") + text).rpartition("\n")
            if rest:
                self._unfinished[task.task_key] = rest
            if newline:
                self._display.output(task.task_key, whole + newline)


def _latest(run: Run) -> list[RunTask]:
    """Return each task's last attempt, in the order of the job."""
    found: dict[str, RunTask] = {}
    for task in run.tasks or []:
        before = found.get(task.task_key)
        if before is None or (task.attempt_number or 0) >= (before.attempt_number or 0):
            found[task.task_key] = task
    return list(found.values())


def _task(task: RunTask) -> TaskResult:
    seconds = _seconds(task.start_time, task.end_time)
    return TaskResult(task.task_key, task.run_id or 0, task.attempt_number or 0, _state(task.state), seconds)


def _state(state: RunState | None) -> str:
    if state is None:
        return "PENDING"
    shown = state.result_state or state.life_cycle_state
    return shown.value if shown is not None else "PENDING"


def _seconds(start: int | None, end: int | None) -> float:
    return round((end - start) / 1000, 3) if start and end else 0.0


def _explained(workspace: WorkspaceClient, task: TaskResult) -> TaskResult:
    if task.result_state not in _EXPLAINED:
        return task
    try:
        output = workspace.jobs.get_run_output(task.run_id)
    except DatabricksError as error:
        return replace(task, error=f"its output cannot be had: {error}")
    return replace(task, error=output.error or "", error_trace=output.error_trace or "")
