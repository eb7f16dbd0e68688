"""The states of runs and tasks, and how a result is told. Pure."""

from collections.abc import Mapping, Sequence

from harness.jobs.model import LifeCycle, Result, State, TaskRun

BLOCKED = State("BLOCKED")
PENDING = State("PENDING")
RUNNING = State("RUNNING")
QUEUED = State("QUEUED", state_message="Queued: the job's maximum of concurrent runs is reached.")
INTERRUPTED = State("INTERNAL_ERROR", "FAILED", "The harness ended while this was active; run it again.", "INTERNAL_ERROR")
_CODES: Mapping[Result, str] = {  # docs.databricks.com/api/workspace/jobs/getrun, status.termination_details.code
    "SUCCESS": "SUCCESS",
    "SUCCESS_WITH_FAILURES": "SUCCESS_WITH_FAILURES",
    "FAILED": "RUN_EXECUTION_ERROR",
    "TIMEDOUT": "CANCELED",
    "CANCELED": "USER_CANCELED",
    "EXCLUDED": "SKIPPED",
    "UPSTREAM_FAILED": "SKIPPED",
    "UPSTREAM_CANCELED": "SKIPPED",
    "DISABLED": "DISABLED",
    "MAXIMUM_CONCURRENT_RUNS_REACHED": "MAX_CONCURRENT_RUNS_EXCEEDED",
}
_SKIPPED: Mapping[Result, str] = {
    "EXCLUDED": "The task's run_if was not met, or a condition did not come to the outcome it depends on.",
    "DISABLED": "The task is disabled.",
    "UPSTREAM_FAILED": "An upstream task failed.",
    "UPSTREAM_CANCELED": "An upstream task was canceled.",
    "CANCELED": "Run cancelled.",
    "MAXIMUM_CONCURRENT_RUNS_REACHED": "Maximum concurrent runs reached.",
}


def ended(result: Result, message: str = "", code: str = "") -> State:
    """Return the state of something that ran and ended with `result`.

    Assumption: a failure shows as life cycle INTERNAL_ERROR, as clients of the platform report; the result state is what counts.
    """
    life_cycle: LifeCycle = "INTERNAL_ERROR" if result == "FAILED" else "TERMINATED"
    return State(life_cycle, result, message, code or _CODES[result])


def skipped(result: Result) -> State:
    """Return the state of something that never ran. Assumption: its life cycle is SKIPPED, as for a run over the limit."""
    return State("SKIPPED", result, _SKIPPED[result], _CODES[result])


def run_ended(result: Result, tasks: Sequence[TaskRun]) -> State:
    """Return the state of a run whose tasks ended."""
    if result == "CANCELED":
        return ended(result, "Run cancelled.")
    if result == "TIMEDOUT":
        return ended(result, "The run took longer than the job's timeout_seconds.")
    failed = [task for task in tasks if task.state.result_state in ("FAILED", "TIMEDOUT")]
    if not failed:
        return ended(result)
    said = f"Task {failed[-1].task_key} failed with message: {failed[-1].state.state_message}."
    return ended(result, said.replace("..", ".") + (" This caused all downstream tasks to get skipped." if result == "FAILED" else ""))


def status(state: State) -> dict[str, object]:
    """Return the newer form of `state`: `{"state", "termination_details"}`."""
    if not state.ended:
        return {"state": "WAITING" if state.life_cycle_state == "WAITING_FOR_RETRY" else state.life_cycle_state}
    good = state.termination_code in ("SUCCESS", "SUCCESS_WITH_FAILURES")
    kind = "SUCCESS" if good else "INTERNAL_ERROR" if state.termination_code == "INTERNAL_ERROR" else "CLIENT_ERROR"
    details = {"code": state.termination_code, "type": kind, "message": state.state_message}
    return {"state": "TERMINATED", "termination_details": details}
