"""Running another job as a task: how deep that may go, waiting for the other run, and what its end makes of the task."""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from harness.errors import ApiError
from harness.jobs.model import Result, Run, RunRequest, TaskRun
from harness.jobs.ports import Outcome
from harness.jobs.runs import Runs
from harness.jobs.settings import invalid

MAX_NESTED = 3  # docs.databricks.com/jobs/run-job: jobs that nest more than three Run Job tasks are not supported
_LOOK_SECONDS = 0.05
# Assumption: a run that ends as SUCCESS_WITH_FAILURES makes its task a success, one that never ran (over its job's limit) a failure.
_AS_TASK: Mapping[Result, Result] = {
    "SUCCESS": "SUCCESS",
    "SUCCESS_WITH_FAILURES": "SUCCESS",
    "TIMEDOUT": "TIMEDOUT",
    "CANCELED": "CANCELED",
}


class JobRuns(Protocol):
    """Whoever begins and ends runs of jobs."""

    def run_now(self, request: RunRequest, user: str, *, parent_task_run_id: int = 0) -> int:
        """Begin a run and return its id; `ApiError` when the request does not fit the job."""
        ...

    def declared(self, job_id: int) -> Collection[str]:
        """Return the names of a job's parameters; none when there is no such job."""
        ...

    def cancel(self, run_id: int) -> None:
        """Begin to end a run."""
        ...

    def is_over(self, run_id: int) -> bool:
        """Return whether nothing more will happen to a run."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends the waiting early: a cancelled task, or one that is out of time."""

    cancelled: threading.Event
    late: Callable[[], bool]


def check_nesting(runs: Runs, outer: Run, job_id: int) -> None:
    """Raise a 400 when a run of `outer`'s task would close a circle of jobs or lie too deep.

    Assumption: the platform calls both unsupported without saying what happens; here the task fails and says so.
    """
    line = [outer]
    while line[-1].parent_task_run_id:
        line.append(runs.find(line[-1].parent_task_run_id)[0])
    jobs = [run.job_id for run in reversed(line)]
    if job_id in jobs:
        circle = " -> ".join(str(each) for each in (*jobs[jobs.index(job_id) :], job_id))
        raise invalid(f"Run Job tasks trigger each other in a circle: jobs {circle}")
    if len(jobs) > MAX_NESTED:
        raise invalid(f"Run Job tasks are nested more than {MAX_NESTED} deep: jobs {' -> '.join(str(each) for each in (*jobs, job_id))}")


def wait(jobs: JobRuns, runs: Runs, run_id: int, limits: Limits) -> Outcome:
    """Return how the run `run_id` ended, as the end of the task that began it; end the run when the task must end."""
    ending = late = False
    pause = threading.Event()
    while not jobs.is_over(run_id):
        if not ending and (limits.cancelled.is_set() or limits.late()):
            ending, late = True, not limits.cancelled.is_set()
            jobs.cancel(run_id)
        pause.wait(_LOOK_SECONDS)
    if late:
        return Outcome("TIMEDOUT", f"Run {run_id} took longer than the task may; it was cancelled.")
    return _mirrored(runs.get(run_id))


def begin(jobs: JobRuns, runs: Runs, request: RunRequest, outer: Run, attempt: TaskRun) -> int:
    """Begin the other job's run for `attempt` and return its id, or raise the platform's refusal."""
    check_nesting(runs, outer, request.job_id)
    try:
        return jobs.run_now(request, outer.creator, parent_task_run_id=attempt.run_id)
    except ApiError as error:
        raise invalid(f"Job {request.job_id} could not be run: {error.message}") from error


def _mirrored(run: Run) -> Outcome:
    found = run.state.result_state or "CANCELED"  # no result: the harness is going down
    result = _AS_TASK.get(found, "FAILED")
    if result == "SUCCESS":
        return Outcome("SUCCESS")
    # Assumption: the wording.
    message = f"Run {run.run_id} of job {run.job_id} ended with {found}: {run.state.state_message}".rstrip(": ")
    match result:
        case "TIMEDOUT" | "CANCELED":
            return Outcome(result, message)
        case _:
            return Outcome("FAILED", message, error=message)
