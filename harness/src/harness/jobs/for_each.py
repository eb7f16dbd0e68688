"""A task for each input: what the inputs are, so many at a time, and what their results make of the task."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from harness.jobs.model import Result, TaskRun
from harness.jobs.ports import Outcome

MAX_CONCURRENCY = 100  # docs.databricks.com/jobs/for-each
MAX_INPUTS = 5000  # the same page: iterations of one For each task
_SHOWN = 5


class InputsProblemError(Exception):
    """The inputs are none; the message says what was found, and what is expected."""


def inputs(text: str) -> Sequence[object]:
    """Return the inputs in `text`, a JSON array, or raise `InputsProblemError`."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InputsProblemError(f"inputs: expected a JSON array; found {_short(text)} ({error})") from error
    if not isinstance(found, list):
        raise InputsProblemError(f"inputs: expected a JSON array; found {_short(text)}")
    if len(found) > MAX_INPUTS:
        raise InputsProblemError(f"inputs: at most {MAX_INPUTS} are possible; found {len(found)}")
    return found


def each(items: Sequence[object], concurrency: int, act: Callable[[int, object], Result]) -> list[Result]:
    """Return what `act` makes of each item, `concurrency` of them at a time, begun in their order."""
    with ThreadPoolExecutor(max_workers=min(concurrency, len(items)) or 1, thread_name_prefix="for-each") as pool:
        return list(pool.map(act, range(len(items)), items))


def outcome(items: Sequence[object], results: Sequence[Result]) -> Outcome:
    """Return how the task ends.

    Assumption: an iteration that fails holds up none of the others, and fails the task in the end.
    """
    for stopped in ("CANCELED", "TIMEDOUT"):
        if stopped in results and "FAILED" not in results:
            message = f"{results.count(stopped)} of {len(items)} iterations ended so."
            return Outcome("CANCELED" if stopped == "CANCELED" else "TIMEDOUT", message)
    failed = [item for item, result in zip(items, results, strict=True) if result != "SUCCESS"]
    if not failed:
        return Outcome("SUCCESS")
    shown = ", ".join(_short(msgspec.json.encode(item).decode()) for item in failed[:_SHOWN])
    more = f" and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    message = f"{len(failed)} of {len(items)} iterations failed, for the inputs {shown}{more}."
    return Outcome("FAILED", message, error=message)


def stats(total: int, iterations: Sequence[TaskRun]) -> dict[str, Any]:
    """Return how far it is, as the API shows it. Of an iteration that was tried again the last try counts."""
    latest = {iteration.iteration: iteration for iteration in iterations}.values()
    ended = [iteration.state.result_state for iteration in latest if iteration.state.ended]
    return {
        "task_run_stats": {
            "total_iterations": total,
            "scheduled_iterations": len(latest),
            "active_iterations": len(latest) - len(ended),
            "completed_iterations": len(ended),
            "succeeded_iterations": ended.count("SUCCESS"),
            "failed_iterations": sum(result in ("FAILED", "TIMEDOUT") for result in ended),
        }
    }


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}…"
