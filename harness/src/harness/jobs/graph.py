"""Which tasks may start, which never will, and what their results make of the run. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from harness.jobs.model import Dependency, Result, RunIf, Task, Truth

Fate = Literal["WAIT", "RUN"] | Result
# docs.databricks.com/jobs/run-if: excluded tasks are skipped and treated as successful.
# Assumption: so are tasks that are disabled.
PASSED_OVER: frozenset[Result] = frozenset({"EXCLUDED", "DISABLED"})
STOPPED: frozenset[Result] = frozenset({"CANCELED", "UPSTREAM_CANCELED"})
FAILURES: frozenset[Result] = STOPPED | {"FAILED", "TIMEDOUT", "UPSTREAM_FAILED"}
NO_OUTCOMES: Mapping[str, Truth] = {}
HANDLES_FAILURES: frozenset[RunIf] = frozenset({"AT_LEAST_ONE_FAILED", "ALL_FAILED"})


def settle(
    tasks: Sequence[Task], finished: Mapping[str, Result], outcomes: Mapping[str, Truth] = NO_OUTCOMES
) -> tuple[list[Task], dict[str, Result]]:
    """Return the tasks whose dependencies let them run, in file order, and the results of those that never will.

    Skipping one task decides others, so the second part is followed through the graph. `outcomes` are those of the conditions
    that have been evaluated.
    """
    results = dict(finished)
    skipped: dict[str, Result] = {}
    while True:
        decided: dict[str, Result] = {}
        for task in tasks:
            found = fate(task, results, outcomes)
            if task.task_key not in results and found != "WAIT" and found != "RUN":  # noqa: PLR1714 - mypy narrows a literal by each comparison
                decided[task.task_key] = found
        if not decided:
            return next_tasks(tasks, results, outcomes), skipped
        skipped |= decided
        results |= decided


def next_tasks(tasks: Sequence[Task], finished: Mapping[str, Result], outcomes: Mapping[str, Truth] = NO_OUTCOMES) -> list[Task]:
    """Return the unfinished tasks that may run now, in file order."""
    return [task for task in tasks if task.task_key not in finished and fate(task, finished, outcomes) == "RUN"]


def fate(task: Task, finished: Mapping[str, Result], outcomes: Mapping[str, Truth] = NO_OUTCOMES) -> Fate:
    """Return whether `task` waits, runs, or with which result it is passed over."""
    if task.disabled:
        return "DISABLED"
    if not all(key in finished for key in task.upstream):
        return "WAIT"
    upstream = [finished[key] for key in task.upstream]
    if upstream and all(result in PASSED_OVER for result in upstream):
        return "EXCLUDED"  # docs, run-if: whatever its own condition
    if not upstream or condition_holds(task.run_if, upstream):
        # docs.databricks.com/api/workspace/jobs/create, depends_on.outcome: it must be met for the task to run.
        # Assumption: whatever its run_if, and where run_if already keeps the task from running, that result stands.
        return "RUN" if all(_met(dependency, outcomes) for dependency in task.depends_on) else "EXCLUDED"
    if task.run_if in HANDLES_FAILURES:
        return "EXCLUDED"
    failures = [result for result in upstream if result in FAILURES]
    return "UPSTREAM_CANCELED" if failures and all(result in STOPPED for result in failures) else "UPSTREAM_FAILED"


def condition_holds(run_if: RunIf, upstream: Collection[Result]) -> bool:
    """Return whether `run_if` lets a task run after dependencies with these results."""
    failed = sum(result in FAILURES for result in upstream)
    succeeded = sum(result == "SUCCESS" for result in upstream)
    match run_if:
        case "ALL_SUCCESS":
            return failed == 0
        case "AT_LEAST_ONE_SUCCESS":
            return succeeded > 0
        case "NONE_FAILED":
            return failed == 0 and succeeded > 0
        case "ALL_DONE":
            return True
        case "AT_LEAST_ONE_FAILED":
            return failed > 0
        case "ALL_FAILED":
            return failed == len(upstream)


def run_result(tasks: Sequence[Task], results: Mapping[str, Result]) -> Result:
    """Return the run's result: its leaves decide (docs, run-if: how the job run's status is determined).

    Assumption: a leaf that was cancelled or timed out by itself counts as failed.
    """
    inner = {key for task in tasks for key in task.upstream}
    if any(results[task.task_key] in FAILURES for task in tasks if task.task_key not in inner):
        return "FAILED"
    return "SUCCESS_WITH_FAILURES" if any(result in FAILURES for result in results.values()) else "SUCCESS"


def should_retry(task: Task, result: Result, attempt: int) -> bool:
    """Return whether a task that ended with `result` at its `attempt` (0 is the first) is tried again; -1 retries are endless."""
    if task.condition_task is not None:  # docs.databricks.com/api/workspace/jobs/create: conditions support no retries
        return False
    again = result == "FAILED" or (result == "TIMEDOUT" and task.retry_on_timeout)
    return again and (task.max_retries < 0 or attempt < task.max_retries)


def cycle(upstream: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the keys of one cycle in file order of following, or nothing."""
    settled: set[str] = set()
    for start in upstream:
        path = _follow(start, upstream, settled)
        if path:
            return path
    return []


def selected(tasks: Sequence[Task], only: Sequence[str] | None) -> list[Task]:
    """Return the tasks a run is limited to; `+key` brings what is upstream of it, `key+` what is downstream.

    Assumption: a task does not wait for one that the run leaves out. Raises `KeyError` for a key that no task has.
    """
    if only is None:
        return list(tasks)
    wanted: set[str] = set()
    for pattern in only:
        wanted |= _matching(tasks, pattern)
    return [_without(task, wanted) for task in tasks if task.task_key in wanted]


def _matching(tasks: Sequence[Task], pattern: str) -> set[str]:
    key = pattern.removeprefix("+").removesuffix("+")
    upstream = {task.task_key: set(task.upstream) for task in tasks}
    if key not in upstream:
        raise KeyError(key)
    downstream = {other: {task for task, before in upstream.items() if other in before} for other in upstream}
    above = reachable(key, upstream) if pattern.startswith("+") else set()
    below = reachable(key, downstream) if pattern.endswith("+") else set()
    return {key} | above | below


def reachable(start: str, edges: Mapping[str, Collection[str]]) -> set[str]:
    """Return what can be reached from `start` along `edges`, without `start` itself unless a cycle leads back."""
    found: set[str] = set()
    ahead = list(edges.get(start, ()))
    while ahead:
        key = ahead.pop()
        if key not in found:
            found.add(key)
            ahead.extend(edges.get(key, ()))
    return found


def _met(dependency: Dependency, outcomes: Mapping[str, Truth]) -> bool:
    """Assumption: a condition that was excluded or failed has come to nothing, so no branch of it is taken."""
    return dependency.outcome is None or outcomes.get(dependency.task_key) == dependency.outcome


def _without(task: Task, wanted: Collection[str]) -> Task:
    kept: tuple[Dependency, ...] = tuple(dependency for dependency in task.depends_on if dependency.task_key in wanted)
    return msgspec.structs.replace(task, depends_on=kept)


def _follow(start: str, upstream: Mapping[str, Iterable[str]], settled: set[str]) -> list[str]:
    """Walk up from `start` without recursion (a job may have 1,000 tasks in a row)."""
    path = [start]
    ahead = [iter(upstream[start])]
    while ahead:
        key = next(ahead[-1], None)
        if key is None:
            ahead.pop()
            settled.add(path.pop())
        elif key in path:
            return [*path[path.index(key) :], key]
        elif key not in settled:
            path.append(key)
            ahead.append(iter(upstream[key]))
    return []
