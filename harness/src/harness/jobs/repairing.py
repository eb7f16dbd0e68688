"""Repairing a run that has ended: which of its tasks run once more, and what is recorded of it. Pure."""

from collections.abc import Sequence

import msgspec

from harness.ids import Ids
from harness.jobs import graph, states
from harness.jobs.arguments import job_parameters
from harness.jobs.model import Repair, Run, RunRequest, Settings, Task, TaskRun
from harness.jobs.settings import Json, invalid


class RepairRequest(msgspec.Struct, frozen=True):
    """The body of runs/repair."""

    run_id: int
    rerun_tasks: tuple[str, ...] | None = None
    rerun_all_failed_tasks: bool = False
    rerun_dependent_tasks: bool = False
    latest_repair_id: int | None = None
    job_parameters: dict[str, str] = {}
    notebook_params: dict[str, str] | None = None
    python_params: tuple[str, ...] | None = None
    python_named_params: dict[str, str] | None = None


def check(request: RepairRequest, run: Run) -> None:
    """Raise the platform's 400 for a repair that does not fit the run."""
    if not run.state.ended:
        raise invalid(f"Run {run.run_id} is active; only a run that has ended can be repaired")
    if bool(request.rerun_tasks) == request.rerun_all_failed_tasks:
        raise invalid("Exactly one of rerun_tasks and rerun_all_failed_tasks is needed")
    known = {task.task_key for task in run.tasks}
    unknown = next((key for key in request.rerun_tasks or () if key not in known), None)
    if unknown is not None:
        raise invalid(f"rerun_tasks: the run has no task '{unknown}'; tasks: {', '.join(sorted(known))}")
    latest = run.repairs[-1].repair_id if run.repairs else None
    if request.latest_repair_id != latest and not (latest is None and request.latest_repair_id == 0):
        # docs.databricks.com/api/workspace/jobs/repairrun: not needed for the first repair, then it must be that of the last one
        raise invalid(f"latest_repair_id {request.latest_repair_id} is not the run's latest repair, which is {latest or 'none'}")


def to_rerun(tasks: Sequence[Task], run: Run, request: RepairRequest) -> set[str]:
    """Return the keys of the tasks that run again: those asked for, and those after them that had never run."""
    latest = {task.task_key: run.latest(task.task_key) for task in tasks}
    if request.rerun_all_failed_tasks:
        wanted = {key for key, task in latest.items() if task.state.result_state in graph.FAILURES}
    else:
        wanted = set(request.rerun_tasks or ())
    after: dict[str, set[str]] = {key: set() for key in latest}
    for task in tasks:
        for key in task.upstream:
            after[key].add(task.task_key)
    below = {key for one in wanted for key in graph.reachable(one, after)}
    if request.rerun_dependent_tasks:
        return wanted | below
    return wanted | {key for key in below if latest[key].state.life_cycle_state == "SKIPPED"}


def repaired(run: Run, settings: Settings, request: RepairRequest, *, ids: Ids, now: int) -> Run:
    """Return the run as it is when its repair begins."""
    tasks = graph.selected(settings.tasks, run.request.only)
    again = to_rerun(tasks, run, request)
    if not again:
        raise invalid(f"Run {run.run_id} has no failed task; name those to run again in rerun_tasks")
    attempts = tuple(_attempt(task, run, ids) for task in tasks if task.task_key in again)
    begun = Repair(ids.number(), states.PENDING, now, 0, tuple(attempt.run_id for attempt in attempts))
    asked = _merged(run.request, request)
    return msgspec.structs.replace(
        run,
        request=asked,
        parameters={**run.parameters, **{name: job_parameters(asked, settings)[name] for name in request.job_parameters}},
        state=states.PENDING,
        end_time=0,
        tasks=(*run.tasks, *attempts),
        repairs=(*_closed(run), begun),
        original=run.original or Repair(0, run.state, run.start_time, run.end_time, tuple(task.run_id for task in run.tasks)),
    )


def history(run: Run) -> list[Json]:
    """Return the run and its repairs, first to last, as the API shows them."""
    if run.original is None:
        return []
    return [_shown(run.original, "ORIGINAL"), *(_shown(repair, "REPAIR") for repair in _closed(run))]


def _closed(run: Run) -> tuple[Repair, ...]:
    """Return the repairs, the last with the state that the run has now."""
    if not run.repairs:
        return ()
    return (*run.repairs[:-1], msgspec.structs.replace(run.repairs[-1], state=run.state, end_time=run.end_time))


def _shown(repair: Repair, kind: str) -> Json:
    result = {"result_state": repair.state.result_state} if repair.state.result_state is not None else {}
    return {
        **({"id": repair.repair_id} if repair.repair_id else {}),
        "type": kind,
        "start_time": repair.start_time,
        "end_time": repair.end_time,
        "state": {"life_cycle_state": repair.state.life_cycle_state, **result, "state_message": repair.state.state_message},
        "status": states.status(repair.state),
        "task_run_ids": list(repair.task_run_ids),
    }


def _attempt(task: Task, run: Run, ids: Ids) -> TaskRun:
    number = run.latest(task.task_key).attempt_number + 1
    return TaskRun(ids.number(), task.task_key, states.BLOCKED if task.depends_on else states.PENDING, attempt_number=number)


def _merged(before: RunRequest, request: RepairRequest) -> RunRequest:
    """Assumption: what a repair does not give stays as the run was asked for."""
    given = {
        name: value for name in ("notebook_params", "python_params", "python_named_params") if (value := getattr(request, name)) is not None
    }
    return msgspec.structs.replace(before, job_parameters={**before.job_parameters, **request.job_parameters}, **given)
