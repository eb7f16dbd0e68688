"""What is recorded of a run when it is asked for."""

from dataclasses import dataclass

from harness.ids import Ids
from harness.jobs import graph, states
from harness.jobs.arguments import job_parameters
from harness.jobs.model import Job, Run, RunRequest, RunType, Settings, State, TaskRun
from harness.jobs.settings import invalid
from harness.jobs.trigger_model import BY_CALLER, Fired


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for a run, and when: a caller, or an attempt of a Run Job task for whom the outer run was started."""

    user: str
    parent_task_run_id: int
    at: int
    fired: Fired = BY_CALLER
    run_type: RunType = "JOB_RUN"


def new_run(job: Job, settings: Settings, request: RunRequest, state: State, origin: Origin, ids: Ids) -> Run:
    """Return the record of a run that begins in `state`; a 400 when the request names a task that the job has not."""
    try:
        tasks = graph.selected(settings.tasks, request.only)
    except KeyError as error:
        raise invalid(f"'only': the job has no task {error}; tasks: {', '.join(task.task_key for task in settings.tasks)}") from error
    # Assumption: tasks of a run over the limit show the run's own state.
    waiting = [state if state.ended else states.BLOCKED if task.depends_on else states.PENDING for task in tasks]
    return Run(
        run_id=ids.number(),
        job_id=job.job_id,
        creator=origin.user,
        state=state,
        settings=job.settings,
        request=request,
        parameters=job_parameters(request, settings),
        tasks=tuple(TaskRun(ids.number(), task.task_key, found) for task, found in zip(tasks, waiting, strict=True)),
        start_time=origin.at,
        end_time=origin.at if state.ended else 0,
        queued_time=origin.at if state == states.QUEUED else 0,
        parent_task_run_id=origin.parent_task_run_id,
        fired=Fired("RUN_JOB_TASK") if origin.parent_task_run_id else origin.fired,
        run_type=origin.run_type,
    )
