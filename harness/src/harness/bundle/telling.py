"""Telling somebody what a run does, as it happens: states, lines, what conditions come to, and the same of runs that tasks begin."""

from dataclasses import dataclass
from typing import Protocol

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.errors import NotImplemented as NotImplementedThere
from databricks.sdk.service.jobs import Run, RunLifeCycleState, RunState, RunTask

from harness.bundle import calls

_ENDED = {RunLifeCycleState.TERMINATED, RunLifeCycleState.SKIPPED, RunLifeCycleState.INTERNAL_ERROR}


class Display(Protocol):
    """Who is told while a job runs. A task of a run that another task began is called `outer/inner`."""

    def task(self, task_key: str, state: str, seconds: float) -> None:
        """A task has entered a state; `seconds` is how long it has run."""
        ...

    def output(self, task_key: str, text: str) -> None:
        """A task has printed whole lines."""
        ...


def has_ended(run: Run) -> bool:
    """Return whether nothing more happens to a run."""
    return run.state is not None and run.state.life_cycle_state in _ENDED


def latest(run: Run) -> list[RunTask]:
    """Return each task's last attempt, in the order of the job."""
    found: dict[str, RunTask] = {}
    for task in run.tasks or []:
        before = found.get(task.task_key)
        if before is None or (task.attempt_number or 0) >= (before.attempt_number or 0):
            found[task.task_key] = task
    return list(found.values())


def state_of(state: RunState | None) -> str:
    """Return the result, or the life cycle where there is none yet."""
    if state is None:
        return "PENDING"
    shown = state.result_state or state.life_cycle_state
    return shown.value if shown is not None else "PENDING"


def seconds_of(what: Run | RunTask) -> float:
    """Return how long something took that has ended."""
    start, end = what.start_time, what.end_time
    return round((end - start) / 1000, 3) if start and end else 0.0


@dataclass(frozen=True, slots=True)
class _Below:
    """A display for a run that a task began: what it is told is told on, below that task."""

    display: Display
    above: str

    def task(self, task_key: str, state: str, seconds: float) -> None:
        self.display.task(f"{self.above}/{task_key}", state, seconds)

    def output(self, task_key: str, text: str) -> None:
        self.display.output(f"{self.above}/{task_key}", text)


class Telling:
    """Remembers what a display has been told already."""

    def __init__(self, workspace: WorkspaceClient, run_id: int, display: Display) -> None:
        self._workspace = workspace
        self._run_id = run_id
        self._display = display
        self._states: dict[str, tuple[int, str]] = {}
        self._read: dict[tuple[str, int], int] = {}
        self._unfinished: dict[str, str] = {}  # a line of which the end is not there yet
        self._streams = True
        self._below: dict[int, Telling] = {}  # by attempt of a Run Job task, until the run has ended
        self._told: set[int] = set()  # those attempts whose run has been told to its end

    def tell(self) -> Run:
        """Tell what is new, and return the run as it stands."""
        run = self._workspace.jobs.get_run(self._run_id)
        for task in latest(run):
            self._tell_task(task)
        return run

    def _tell_task(self, task: RunTask) -> None:
        now = (task.attempt_number or 0, state_of(task.state))
        new = self._states.get(task.task_key) != now
        if task.start_time and (new or now[1] == "RUNNING"):
            self._progress(task)
        if new:
            if task.end_time and task.task_key in self._unfinished:
                self._display.output(task.task_key, self._unfinished.pop(task.task_key) + "\n")
            self._states[task.task_key] = now
            self._display.task(task.task_key, now[1], seconds_of(task))

    def _progress(self, task: RunTask) -> None:
        if task.condition_task is not None:
            self._condition(task)
        elif task.run_job_task is not None:
            self._other_run(task)
        else:
            self._output(task)

    def _condition(self, task: RunTask) -> None:
        condition = task.condition_task
        if condition is None or condition.outcome is None or not task.end_time:
            return
        resolved = task.resolved_values.condition_task if task.resolved_values is not None else None
        left, right = (resolved.left, resolved.right) if resolved is not None else (condition.left, condition.right)
        self._display.output(task.task_key, f"'{left}' {condition.op.value} '{right}': {condition.outcome}\n")

    def _other_run(self, task: RunTask) -> None:
        attempt = task.run_id or 0
        if attempt in self._told:
            return
        if attempt not in self._below:
            began = self._workspace.jobs.get_run_output(attempt).run_job_output
            if began is None or began.run_id is None:  # not yet, or never
                return
            self._display.output(task.task_key, f"run {began.run_id}\n")
            self._below[attempt] = Telling(self._workspace, began.run_id, _Below(self._display, task.task_key))
        if has_ended(self._below[attempt].tell()):
            self._told.add(attempt)

    def _output(self, task: RunTask) -> None:
        number = task.attempt_number or 0
        key = (task.task_key, number)
        while self._streams:
            query = {"task_key": task.task_key, "offset": str(self._read.get(key, 0))}
            try:
                piece = calls.call(self._workspace, "GET", f"/__harness__/runs/{self._run_id}/output", query=query)
            except (NotFound, NotImplementedThere):  # a workspace that does not stream: states only
                self._streams = False
                return
            text, offset = str(piece.get("text", "")), piece.get("offset", piece.get("next_offset"))
            if not text or not isinstance(offset, int) or piece.get("attempt_number", number) != number:
                return
            self._read[key] = offset
            whole, newline, rest = (self._unfinished.pop(task.task_key, "") + text).rpartition("\n")
            if rest:
                self._unfinished[task.task_key] = rest
            if newline:
                self._display.output(task.task_key, whole + newline)
