"""HTTP of jobs: the same calls under 2.2 and 2.1, those of runs under 2.0 too, and what the harness's own command line streams."""

import msgspec

from harness.http import AnyRoute, Call, Route
from harness.jobs.model import RunRequest
from harness.jobs.repairing import RepairRequest
from harness.jobs.service import JobService
from harness.jobs.settings import Json, invalid
from harness.jobs.view import RunFilters

API = "https://docs.databricks.com/api/workspace/jobs"
VERSIONS = ("2.2", "2.1")
OLDEST = "2.0"  # of runs only: its jobs have no tasks but one, on a cluster
RUN_TYPES = ("JOB_RUN", "WORKFLOW_RUN", "SUBMIT_RUN")


class ResetBody(msgspec.Struct, frozen=True):
    """The body of jobs/reset."""

    job_id: int
    new_settings: Json


class UpdateBody(msgspec.Struct, frozen=True):
    """The body of jobs/update."""

    job_id: int
    new_settings: Json = {}
    fields_to_remove: tuple[str, ...] = ()


class JobBody(msgspec.Struct, frozen=True):
    """A body that names a job."""

    job_id: int


class CancelAllBody(msgspec.Struct, frozen=True):
    """The body of runs/cancel-all."""

    job_id: int | None = None
    all_queued_runs: bool = False


class RunBody(msgspec.Struct, frozen=True):
    """A body that names a run."""

    run_id: int


def routes(service: JobService) -> list[AnyRoute]:
    """Return the routes that `service` answers."""
    of_jobs = [route for version in VERSIONS for route in _jobs(service, version)]
    of_runs = [route for version in (*VERSIONS, OLDEST) for route in _runs(service, version)]
    return of_jobs + of_runs + _own(service)


def _jobs(service: JobService, version: str) -> list[AnyRoute]:
    def create(call: Call) -> object:
        return {"job_id": service.definitions.create(call.json(dict[str, object]), call.user)}

    def reset(call: Call) -> object:
        body = call.json(ResetBody)
        service.definitions.reset(body.job_id, body.new_settings)
        return {}

    def update(call: Call) -> object:
        body = call.json(UpdateBody)
        service.definitions.update(body.job_id, body.new_settings, body.fields_to_remove)
        return {}

    def delete(call: Call) -> object:
        service.definitions.delete(call.json(JobBody).job_id)
        return {}

    def get(call: Call) -> object:
        return service.definitions.get(_number(call, "job_id"), call.query.get("page_token", ""))

    def list_(call: Call) -> object:
        return service.definitions.list(
            name=call.query.get("name"),
            limit=_optional(call, "limit", 20),
            page_token=call.query.get("page_token") or call.query.get("offset", ""),
            expand_tasks=_flag(call, "expand_tasks"),
            shows=call.shows,
        )

    def run_now(call: Call) -> object:
        run_id = service.run_now(call.json(RunRequest), call.user)
        return {"run_id": run_id, "number_in_job": run_id}

    base = f"/api/{version}/jobs"
    return [
        Route("POST", f"{base}/create", create, f"{API}/create"),
        Route("POST", f"{base}/reset", reset, f"{API}/reset"),
        Route("POST", f"{base}/update", update, f"{API}/update"),
        Route("POST", f"{base}/delete", delete, f"{API}/delete"),
        Route("GET", f"{base}/get", get, f"{API}/get"),
        Route("GET", f"{base}/list", list_, f"{API}/list"),
        Route("POST", f"{base}/run-now", run_now, f"{API}/runnow"),
    ]


def _runs(service: JobService, version: str) -> list[AnyRoute]:
    def get(call: Call) -> object:
        return service.records.get_run(
            _number(call, "run_id"), call.query.get("page_token", ""), include_history=_flag(call, "include_history")
        )

    def repair(call: Call) -> object:
        return {"repair_id": service.repair(call.json(RepairRequest))}

    def get_output(call: Call) -> object:
        return service.records.get_output(_number(call, "run_id"))

    def list_(call: Call) -> object:
        return service.records.list_runs(
            RunFilters(
                job_id=_number(call, "job_id") if "job_id" in call.query else None,
                active_only=_flag(call, "active_only"),
                completed_only=_flag(call, "completed_only"),
                run_type=_run_type(call),
                expand_tasks=_flag(call, "expand_tasks"),
                start_time_from=_optional(call, "start_time_from", 0),
                start_time_to=_number(call, "start_time_to") if "start_time_to" in call.query else None,
                limit=_optional(call, "limit", 20),
                page_token=call.query.get("page_token") or call.query.get("offset", ""),
            ),
            call.shows,
        )

    def cancel(call: Call) -> object:
        service.cancel(call.json(RunBody).run_id)
        return {}

    def cancel_all(call: Call) -> object:
        body = call.json(CancelAllBody)
        if body.job_id is None and not body.all_queued_runs:
            raise invalid("cancel-all needs job_id, or all_queued_runs")
        # Assumption: both together cancel the queued runs of the job.
        service.cancel_all(body.job_id, queued_only=body.all_queued_runs)
        return {}

    def delete(call: Call) -> object:
        service.records.delete_run(call.json(RunBody).run_id)
        return {}

    def submit(call: Call) -> object:
        return {"run_id": service.submit(call.json(dict[str, object]), call.user)}

    base = f"/api/{version}/jobs/runs"
    return [
        Route("POST", f"{base}/submit", submit, f"{API}/submit"),
        Route("GET", f"{base}/get", get, f"{API}/getrun"),
        Route("GET", f"{base}/get-output", get_output, f"{API}/getrunoutput"),
        Route("GET", f"{base}/list", list_, f"{API}/listruns"),
        Route("POST", f"{base}/repair", repair, f"{API}/repairrun"),
        Route("POST", f"{base}/cancel", cancel, f"{API}/cancelrun"),
        Route("POST", f"{base}/cancel-all", cancel_all, f"{API}/cancelallruns"),
        Route("POST", f"{base}/delete", delete, f"{API}/deleterun"),
    ]


def _own(service: JobService) -> list[AnyRoute]:
    def output(call: Call) -> object:
        return service.records.output_since(_whole(call.params["run_id"], "run_id"), call.require("task_key"), _optional(call, "offset", 0))

    def values(call: Call) -> object:
        return service.records.task_values(_whole(call.params["run_id"], "run_id"))

    def schedules(_: Call) -> object:
        return {"schedules": service.triggers.upcoming()}

    def notifications(call: Call) -> object:
        wanted = {name: _number(call, name) for name in ("job_id", "run_id") if name in call.query}
        return {"notifications": service.notifications.all(**wanted)}

    return [
        Route("GET", "/__harness__/notifications", notifications, "docs/coverage.md"),
        Route("GET", "/__harness__/schedules", schedules, "docs/coverage.md"),
        Route("GET", "/__harness__/runs/{run_id}/output", output, "docs/coverage.md"),
        Route("GET", "/__harness__/runs/{run_id}/task-values", values, "docs/coverage.md"),
    ]


def _run_type(call: Call) -> str:
    wanted = call.query.get("run_type", "")
    if wanted and wanted not in RUN_TYPES:
        raise invalid(f"run_type '{wanted}' is not known; expected one of {', '.join(RUN_TYPES)}")
    return wanted


def _number(call: Call, key: str) -> int:
    return _whole(call.require(key), key)


def _optional(call: Call, key: str, otherwise: int) -> int:
    return _number(call, key) if key in call.query else otherwise


def _whole(text: str, key: str) -> int:
    if not text.isdecimal():
        raise invalid(f"'{key}' must be a whole number; got '{text}'")
    return int(text)


def _flag(call: Call, key: str) -> bool:
    return call.query.get(key, "false").lower() == "true"
