"""Jobs and runs as the API shows them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from harness.jobs import for_each, repairing
from harness.jobs.arguments import OLDER_PARAMETERS
from harness.jobs.model import Job, Run, RunRequest, State, TaskRun
from harness.jobs.settings import TASK_TYPES, WHEEL, Json, invalid
from harness.jobs.states import status

T = TypeVar("T")
PER_PAGE = 100  # docs.databricks.com/api/workspace/jobs/get: at most 100 elements of an array a page
MAX_JOBS = 100  # docs.databricks.com/api/workspace/jobs/list, limit
MAX_RUNS = 25  # docs.databricks.com/api/workspace/jobs/listruns, limit
_SETTINGS_ARRAYS = ("tasks", "job_clusters", "parameters", "environments")
_RUN_ARRAYS = ("tasks", "job_clusters", "job_parameters", "repair_history", "iterations")


@dataclass(frozen=True, slots=True)
class RunFilters:
    """Which runs to list."""

    job_id: int | None = None
    active_only: bool = False
    completed_only: bool = False
    run_type: str = ""
    expand_tasks: bool = False
    start_time_from: int = 0
    start_time_to: int | None = None
    limit: int = 20
    page_token: str = ""

    def match(self, run: Run) -> bool:
        """Return whether `run` is among them."""
        if (self.active_only and run.state.ended) or (self.completed_only and not run.state.ended):
            return False
        if self.run_type and run.run_type != self.run_type:
            return False
        return self.start_time_from <= run.start_time and (self.start_time_to is None or run.start_time <= self.start_time_to)


def name(job: Job) -> str:
    """Return the job's name."""
    return str(_settings(job.settings).get("name", "Untitled"))


def job(job: Job, page_token: str = "") -> Json:
    """Return a job with its settings as they were sent; beyond 100 tasks, a page of them."""
    settings = _settings(job.settings)
    found = {**_header(job), "run_as_user_name": _run_as(settings) or job.creator, "settings": settings}
    return found | _paged(settings, _SETTINGS_ARRAYS, page_token)


def job_page(jobs: Sequence[Job], *, limit: int, page_token: str, expand_tasks: bool) -> Json:
    """Return a page of jobs; their tasks only when asked for."""
    shown, tokens = _page(jobs, limit, MAX_JOBS, page_token)
    listed = []
    for one in shown:
        settings = _settings(one.settings)
        if not expand_tasks:
            settings = {key: value for key, value in settings.items() if key not in ("tasks", "job_clusters", "environments")}
        listed.append({**_header(one), "settings": settings})
    return {"jobs": listed, **tokens} if listed else {"has_more": False}


def run(run: Run, host_url: str, *, only: TaskRun | None = None, page_token: str = "", include_history: bool = False) -> Json:
    """Return a run, with its repairs where asked for, or of it `only` one attempt."""
    settings = _settings(run.settings)
    by_key = _sent_by_key(settings)
    listed = run.tasks if only is None else (only,)
    tasks: list[object] = [_task(task, by_key[task.task_key], run, host_url) for task in listed]
    shown = {
        **_summary(run, settings, host_url),
        **_moments(run.start_time, run.end_time, run.state),
        "tasks": tasks,
        "job_parameters": [{"name": name, "value": value, "default": _default(settings, name)} for name, value in run.parameters.items()],
    }
    if include_history and run.repairs:
        shown["repair_history"] = repairing.history(run)
    if only is not None:
        shown |= {"run_id": only.run_id, "number_in_job": only.run_id, **_progress(only), **_states(only.state)}
        iterations = [_task(one, by_key[one.task_key], run, host_url) for one in run.iterations if one.iteration_of == only.run_id]
        shown |= {"iterations": iterations} if iterations else {}
    return shown | _paged(shown, _RUN_ARRAYS, page_token)


def run_page(runs: Sequence[Run], filters: RunFilters, host_url: str) -> Json:
    """Return a page of the runs that match."""
    if filters.active_only and filters.completed_only:
        raise invalid("active_only and completed_only exclude each other")
    shown, tokens = _page([found for found in runs if filters.match(found)], filters.limit, MAX_RUNS, filters.page_token)
    listed = [run(found, host_url) for found in shown]
    if not filters.expand_tasks:
        listed = [{key: value for key, value in found.items() if key != "tasks"} for found in listed]
    return {"runs": listed, **tokens} if listed else {"has_more": False}


def output(metadata: Json, task: TaskRun, logs: str, *, truncated: bool) -> Json:
    """Return what an attempt printed, if tasks of its type do, which run it began and how it failed."""
    shown: Json = {"metadata": metadata}
    if any(kind in found for found in _tasks(metadata) for kind in (WHEEL, "spark_python_task")):
        shown |= {"logs": logs, "logs_truncated": truncated}
    if task.notebook_result is not None:
        shown |= {"notebook_output": {"result": task.notebook_result, "truncated": False}}
    if task.triggered_run_id:
        shown |= {"run_job_output": {"run_id": task.triggered_run_id}}
    if task.error or task.state.result_state in ("FAILED", "TIMEDOUT"):
        shown |= {"error": task.error or task.state.state_message}
    if task.error_trace:
        shown |= {"error_trace": task.error_trace}
    return shown


def _run_as(settings: Json) -> object:
    named = settings.get("run_as")
    return next(iter(named.values()), None) if isinstance(named, Mapping) else None


def _header(job: Job) -> Json:
    return {"job_id": job.job_id, "creator_user_name": job.creator, "created_time": job.created_time}


def _summary(run: Run, settings: Json, host_url: str) -> Json:
    return {
        "job_id": run.job_id,
        "run_id": run.run_id,
        "number_in_job": run.run_id,
        "original_attempt_run_id": run.run_id,
        "creator_user_name": run.creator,
        "run_name": settings.get("name", "Untitled"),
        "run_page_url": f"{host_url}/jobs/{run.job_id}/runs/{run.run_id}",
        "run_type": run.run_type,
        "trigger": run.fired.type,
        **({"trigger_info": {"run_id": run.parent_task_run_id}} if run.parent_task_run_id else {}),
        "format": "MULTI_TASK",
        **_states(run.state),
        **_overriding(run.request),
        **({"schedule": settings["schedule"]} if "schedule" in settings else {}),
    }


def _overriding(request: RunRequest) -> Json:
    given = {name: value for name in OLDER_PARAMETERS if (value := getattr(request, name)) is not None}
    return {"overriding_parameters": given} if given else {}


def _task(task: TaskRun, sent: Json, run: Run, host_url: str) -> Json:
    kept = {key: sent[key] for key in ("depends_on", "description", "environment_key", "timeout_seconds", "max_retries") if key in sent}
    return {
        "run_id": task.run_id,
        "task_key": task.task_key,
        **kept,
        "run_if": sent.get("run_if", "ALL_SUCCESS"),
        **_work(task, sent, run),
        "run_page_url": f"{host_url}/jobs/{run.job_id}/runs/{task.run_id}",
        **_progress(task),
        **_states(task.state),
    }


def _sent_by_key(settings: Json) -> dict[str, Json]:
    """Return each task as it was sent, those of For each tasks among them."""
    found = {str(task["task_key"]): task for task in _tasks(settings)}
    inner = [msgspec.convert(task["for_each_task"], dict[str, Any])["task"] for task in found.values() if task.get("for_each_task")]
    return found | {str(task["task_key"]): task for task in inner}


def _work(task: TaskRun, sent: Json, run: Run) -> Json:
    """Return what the task does, as it was sent but for what only the run knows."""
    name = next(name for name in TASK_TYPES if sent.get(name) is not None)
    work = msgspec.convert(sent[name], dict[str, object])
    if task.arguments:
        work["parameters"] = task.arguments
    if task.outcome is not None:
        work["outcome"] = task.outcome
    if name == "for_each_task":
        own = [one for one in run.iterations if one.iteration_of == task.run_id]
        work["stats"] = for_each.stats(task.inputs_total, own)
    return {name: work, **({"resolved_values": {name: task.resolved}} if task.resolved else {})}


def _progress(task: TaskRun) -> Json:
    return {
        "attempt_number": task.attempt_number,
        "start_time": task.start_time,
        "end_time": task.end_time,
        "setup_duration": task.setup_duration,
        "execution_duration": task.execution_duration,
        "cleanup_duration": 0,
    }


def _moments(start: int, end: int, state: State) -> Json:
    """A run's own durations are 0 but for the whole (docs: multitask job runs)."""
    whole = {"run_duration": end - start} if state.ended else {}
    return {"start_time": start, "end_time": end, "setup_duration": 0, "execution_duration": 0, "cleanup_duration": 0, **whole}


def _states(state: State) -> Json:
    result = {"result_state": state.result_state} if state.result_state is not None else {}
    stopped = state.result_state in ("CANCELED", "TIMEDOUT")
    older = {
        "life_cycle_state": state.life_cycle_state,
        **result,
        "state_message": state.state_message,
        "user_cancelled_or_timedout": stopped,
    }
    return {"state": older, "status": status(state)}


def _paged(shown: Json, arrays: Sequence[str], page_token: str) -> Json:
    """Return what replaces `shown`'s parts when its tasks do not fit one page."""
    found = ((name, items) for name in ("tasks", "iterations") if isinstance(items := shown.get(name), list) and len(items) > PER_PAGE)
    name, items = next(found, ("", []))
    if not items:
        return {}
    start = _offset(page_token)
    # The official client extends each array by the next page's, so each must be there.
    parts: Json = {array: shown[array] if start == 0 else [] for array in arrays if array in shown or array == "tasks"}
    parts[name] = items[start : start + PER_PAGE]
    more = {"next_page_token": str(start + PER_PAGE)} if start + PER_PAGE < len(items) else {}
    return {"settings": {**shown, **parts}, **more} if "environments" in arrays else {**parts, **more}


def _page(items: Sequence[T], limit: int, most: int, page_token: str) -> tuple[Sequence[T], Json]:
    if not 0 <= limit <= most:
        raise invalid(f"limit must be between 1 and {most}; got {limit}")
    start, size = _offset(page_token), limit or most
    tokens: Json = {"has_more": start + size < len(items)}
    if start + size < len(items):
        tokens["next_page_token"] = str(start + size)
    if start > 0:
        tokens["prev_page_token"] = str(max(0, start - size))
    return items[start : start + size], tokens


def _offset(page_token: str) -> int:
    if page_token and not page_token.isdecimal():
        raise invalid(f"page_token '{page_token}' is not one that was handed out")
    return int(page_token or 0)


def _settings(raw: msgspec.Raw) -> Json:
    return msgspec.json.decode(raw, type=dict[str, object])


def _tasks(settings: Json) -> list[Json]:
    return msgspec.convert(settings.get("tasks", []), list[dict[str, object]])


def _default(settings: Json, name: str) -> object:
    declared = msgspec.convert(settings.get("parameters", []), list[dict[str, object]])
    return next(parameter["default"] for parameter in declared if parameter["name"] == name)
