"""Jobs as the model registry sees them; put in place by `parts.py`."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.errors import ApiError
from harness.jobs import JobService
from harness.jobs.model import LifeCycle, Result, Run, RunRequest, State
from harness.unity.ports import DeploymentRun

log = logging.getLogger(__name__)
_FAILED: frozenset[Result] = frozenset({"FAILED", "TIMEDOUT", "CANCELED"})
_RUN_STATES: Mapping[LifeCycle, Literal["PENDING", "RUNNING"]] = {
    "QUEUED": "PENDING",
    "PENDING": "PENDING",
    "BLOCKED": "PENDING",
    "WAITING_FOR_RETRY": "RUNNING",
    "RUNNING": "RUNNING",
    "TERMINATING": "RUNNING",
}


@dataclass(frozen=True, slots=True)
class DeploymentJobs:
    """Jobs as the model registry sees them; `jobs` is asked at each call, for it is made later."""

    jobs: Callable[[], JobService]

    def parameters(self, job_id: str) -> Collection[str] | None:
        """Return the names of a job's parameters, or None when there is no such job."""
        try:
            return self.jobs().declared(self.jobs().definitions.job(int(job_id)).job_id)
        except (ApiError, ValueError):
            return None

    def start(self, job_id: str, parameters: Mapping[str, str], user: str) -> str:
        """Begin a run as `user` and return its id, empty when the job cannot run."""
        try:
            return str(self.jobs().run_now(RunRequest(int(job_id), job_parameters=dict(parameters)), user))
        except ApiError as error:
            log.warning("deployment job %s could not be started: %s", job_id, error.message)
            return ""

    def run(self, run_id: str) -> DeploymentRun | None:
        """Return a run: the task that it is at, or that ended it."""
        found = self.jobs().run(int(run_id))
        if found is None:
            return None
        return DeploymentRun(_RUN_STATES.get(found.state.life_cycle_state) or _ended(found.state), _task(found))


def _task(run: Run) -> str:
    """Return the task that a run is at, or that it failed with."""
    latest = {task.task_key: task.state for task in run.tasks}
    at = [key for key, state in latest.items() if not state.ended and state.life_cycle_state != "BLOCKED"]
    failed = [key for key, state in latest.items() if state.result_state in _FAILED]
    return next(iter(at or failed), "")


def _ended(state: State) -> Literal["SUCCEEDED", "FAILED"]:
    return "SUCCEEDED" if state.result_state == "SUCCESS" else "FAILED"
