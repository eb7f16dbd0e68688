"""Jobs and their runs: definitions, limits, tokens, queues; the runs themselves go on in the background."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.clock import Clock, millis
from harness.config import Layout
from harness.ids import Ids
from harness.jobs import output, states, view
from harness.jobs.arguments import check_request
from harness.jobs.execution import Execution, RunEvent, Surroundings
from harness.jobs.model import Job, Run, RunRequest, Settings, State
from harness.jobs.ports import DependencyFiles, TaskRunner
from harness.jobs.runs import Runs
from harness.jobs.settings import Json, invalid, merged, parse, sleeping_triggers
from harness.jobs.starting import Origin, new_run
from harness.state import Documents, Store

log = logging.getLogger(__name__)
_SECONDS_TO_END = 15.0


@dataclass(frozen=True, slots=True)
class _Executing:
    execution: Execution
    thread: threading.Thread


class JobService:
    """Creates, changes, shows and runs jobs."""

    def __init__(
        self,
        *,
        clock: Clock,
        ids: Ids,
        store: Store,
        layout: Layout,
        runner: TaskRunner,
        files: DependencyFiles,
        host_url: str,
        on_event: Callable[[RunEvent], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._jobs = Documents(store, "job", Job)
        self._tokens = Documents(store, "job_run_token", int)
        self._runs = Runs(store, layout.logs / "runs")
        self._host_url = host_url.rstrip("/")
        self._around = Surroundings(self._runs, self, runner, files, clock, ids, self._host_url, on_event)
        self._executing: dict[int, _Executing] = {}
        self._lock = threading.Lock()
        self._closed = False

    def start(self) -> None:
        """Mark what was active when the last harness ended as failed, and begin what was queued (but for a task that has failed so)."""
        active = self._runs.active()
        queued = [run for run in active if run.state.life_cycle_state == "QUEUED" and not run.parent_task_run_id]
        for run in active:
            if run not in queued and run.run_id not in self._executing:
                self._interrupt(run)
        for run in queued:
            self._start_queued(run.job_id)

    def close(self) -> None:
        """End every task that runs; their runs are marked at the next start. Twice without harm."""
        self._closed = True
        self._runs.freeze()
        with self._lock:
            executing = list(self._executing.values())
        for one in executing:
            one.execution.cancel()
        for one in executing:
            one.thread.join(_SECONDS_TO_END)

    def create(self, raw: Mapping[str, object], user: str) -> int:
        """Keep a new job and return its id."""
        settings = self._checked(raw)
        job = Job(self._ids.number(), user, millis(self._clock.now()), _raw(raw))
        self._jobs.put(_key(job.job_id), job)
        log.info("job %d created: %s", job.job_id, settings.name)
        return job.job_id

    def reset(self, job_id: int, raw: Mapping[str, object]) -> None:
        """Replace all settings of a job. Runs under way keep those they were started with."""
        self._checked(raw)
        with self._jobs.transaction():
            self._jobs.put(_key(job_id), msgspec.structs.replace(self._job(job_id), settings=_raw(raw)))

    def update(self, job_id: int, changes: Mapping[str, object], removed: Sequence[str]) -> None:
        """Change some settings of a job."""
        with self._jobs.transaction():
            job = self._job(job_id)
            raw = merged(msgspec.json.decode(job.settings, type=dict[str, object]), changes, removed)
            self._checked(raw)
            self._jobs.put(_key(job_id), msgspec.structs.replace(job, settings=_raw(raw)))

    def delete(self, job_id: int) -> None:
        """Remove a job; its runs stay. Assumption: runs under way go on."""
        with self._jobs.transaction():
            self._job(job_id)
            self._jobs.delete(_key(job_id))

    def get(self, job_id: int, page_token: str = "") -> Json:
        """Return the job, its settings exactly as they were sent."""
        return view.job(self._job(job_id), page_token)

    def list(self, *, name: str | None = None, limit: int = 20, page_token: str = "", expand_tasks: bool = False) -> Json:
        """Return a page of jobs, latest first; `name` is compared without case."""
        jobs = sorted(self._jobs.list(), key=lambda job: (job.created_time, job.job_id), reverse=True)
        if name is not None:
            jobs = [job for job in jobs if view.name(job).lower() == name.lower()]
        return view.job_page(jobs, limit=limit, page_token=page_token, expand_tasks=expand_tasks)

    def run_now(self, request: RunRequest, user: str, *, parent_task_run_id: int = 0) -> int:
        """Begin a run, for a caller or for an attempt of a Run Job task, and return its id; the same token gives the same run."""
        with self._jobs.transaction():
            job = self._job(request.job_id)
            known = self._tokens.get(request.idempotency_token) if request.idempotency_token else None
            if known is not None:
                return self._runs.get(known).run_id
            settings = parse(msgspec.json.decode(job.settings, type=dict[str, object]))
            check_request(request, settings)
            origin = Origin(user, parent_task_run_id, millis(self._clock.now()))
            run = self._runs.put(new_run(job, settings, request, self._first_state(job.job_id, settings, request), origin, self._ids))
            if request.idempotency_token:
                self._tokens.put(request.idempotency_token, run.run_id)
        self._around.on_event(RunEvent(run.run_id, run.job_id, run.state))
        if run.state == states.PENDING:
            self._begin(run, settings)
        return run.run_id

    def is_over(self, run_id: int) -> bool:
        """Return whether nothing more will happen to a run: it has ended, or the harness is going down."""
        return self._closed or self._runs.get(run_id).state.ended

    def cancel(self, run_id: int) -> None:
        """Begin to end a run; one that has ended already stays as it is."""
        run = self._runs.find(run_id)[0]
        with self._lock:
            one = self._executing.get(run.run_id)
        if one is not None:
            self._runs.change(run.run_id, lambda now: now if now.state.ended else _with_state(now, State("TERMINATING")))
            one.execution.cancel()
        elif not run.state.ended:  # queued
            cancelled = states.skipped("CANCELED")
            tasks = tuple(msgspec.structs.replace(task, state=cancelled) for task in run.tasks)
            now = millis(self._clock.now())
            self._runs.change(
                run.run_id, lambda run: msgspec.structs.replace(run, state=states.ended("CANCELED"), tasks=tasks, end_time=now)
            )

    def cancel_all(self, job_id: int) -> None:
        """Begin to end every active run of a job."""
        for run in self._runs.active(job_id):
            self.cancel(run.run_id)

    def delete_run(self, run_id: int) -> None:
        """Forget a run that has ended."""
        run = self._runs.get(run_id)
        if not run.state.ended:
            raise invalid(f"Run {run_id} is active; cancel it before it is deleted")
        self._runs.delete([run])

    def get_run(self, run_id: int, page_token: str = "") -> Json:
        """Return a run of a job, or one attempt of one of its tasks."""
        run, task = self._runs.find(run_id)
        return view.run(run, self._host_url, only=task, page_token=page_token)

    def list_runs(self, filters: view.RunFilters) -> Json:
        """Return a page of runs, latest first."""
        return view.run_page(self._runs.all(filters.job_id), filters, self._host_url)

    def get_output(self, run_id: int) -> Json:
        """Return what an attempt printed and, if it failed, its error and traceback."""
        run, task = self._runs.find(run_id)
        if task is None:
            if len({found.task_key for found in run.tasks}) > 1:
                message = "Retrieving the output of runs with multiple tasks is not supported."
                raise invalid(f"{message} Please retrieve the output of each individual task run instead.")
            task = run.tasks[-1]
        logs, truncated = output.logs(self._runs.attempt_folder(run.run_id, task))
        metadata = view.run(run, self._host_url, only=task)
        return view.output(metadata, task, logs, truncated=truncated)

    def output_since(self, run_id: int, task_key: str, offset: int) -> output.Piece:
        """Return what the latest attempt of a task has printed to its standard output since `offset` bytes."""
        run = self._runs.get(run_id)
        if not run.attempts(task_key):
            raise invalid(f"Run {run_id} has no task '{task_key}'.")
        task = run.latest(task_key)
        return output.piece(self._runs.attempt_folder(run_id, task), task, offset)

    def task_values(self, run_id: int) -> Mapping[str, Mapping[str, object]]:
        """Return the task values of a run, by task and key."""
        return self._runs.values(self._runs.get(run_id).run_id)

    def log_folder(self, run_id: int, task_key: str) -> Path:
        """Return where the output of the latest attempt of a task lies."""
        run = self._runs.get(run_id)
        return self._runs.attempt_folder(run_id, run.latest(task_key))

    def _checked(self, raw: Mapping[str, object]) -> Settings:
        settings = parse(raw)
        for name in sleeping_triggers(raw):
            log.warning("job '%s': its %s is kept, but the harness starts no job by itself; use run-now", settings.name, name)
        return settings

    def _first_state(self, job_id: int, settings: Settings, request: RunRequest) -> State:
        if len(self._runs.active(job_id)) < settings.max_concurrent_runs:
            return states.PENDING
        queue = request.queue or settings.queue
        return states.QUEUED if queue is not None and queue.enabled else states.skipped("MAXIMUM_CONCURRENT_RUNS_REACHED")

    def _begin(self, run: Run, settings: Settings) -> None:
        execution = Execution(run, settings, self._around)
        thread = threading.Thread(target=self._to_its_end, args=(run, execution), name=f"run-{run.run_id}", daemon=True)
        with self._lock:
            if self._closed:
                return
            self._executing[run.run_id] = _Executing(execution, thread)
            thread.start()

    def _to_its_end(self, run: Run, execution: Execution) -> None:
        try:
            execution.execute()
        finally:
            try:
                if not self._closed:
                    self._interrupt(self._runs.get(run.run_id))  # does nothing to a run that has ended
                    self._start_queued(run.job_id)
            finally:  # last: `close` waits for what is here, and the record is closed after it
                with self._lock:
                    del self._executing[run.run_id]

    def _start_queued(self, job_id: int) -> None:
        with self._jobs.transaction():
            active = self._runs.active(job_id)
            queued = [run for run in active if run.state.life_cycle_state == "QUEUED"]
            if not queued:
                return
            settings = parse(msgspec.json.decode(queued[0].settings, type=dict[str, object]))
            if len(active) - len(queued) >= settings.max_concurrent_runs:
                return
            run = self._runs.change(queued[0].run_id, lambda run: _with_state(run, states.PENDING))
        self._begin(run, settings)

    def _interrupt(self, run: Run) -> None:
        if run.state.ended:
            return
        now = millis(self._clock.now())
        tasks = tuple(
            task if task.state.ended else msgspec.structs.replace(task, state=states.INTERRUPTED, end_time=now) for task in run.tasks
        )
        self._runs.change(run.run_id, lambda run: msgspec.structs.replace(run, state=states.INTERRUPTED, tasks=tasks, end_time=now))
        log.warning("run %d of job %d was active when the harness ended; it is marked as failed", run.run_id, run.job_id)

    def _job(self, job_id: int) -> Job:
        job = self._jobs.get(_key(job_id))
        if job is None:
            raise invalid(f"Job {job_id} does not exist.")  # as for runs (runs.py)
        return job


def _with_state(run: Run, state: State) -> Run:
    return msgspec.structs.replace(run, state=state)


def _raw(raw: Mapping[str, object]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(raw))


def _key(number: int) -> str:
    return f"{number:020d}"
