"""Starting and ending runs of jobs: limits, tokens, queues; the runs themselves go on in the background."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import msgspec

from harness.clock import Clock, millis
from harness.config import Layout
from harness.errors import ApiError
from harness.ids import Ids
from harness.jobs import repairing, states
from harness.jobs.arguments import check_request
from harness.jobs.definitions import Definitions, decoded, encoded
from harness.jobs.execution import Execution
from harness.jobs.model import Job, Run, RunRequest, Settings, State, TaskRun
from harness.jobs.notifications import Notifications
from harness.jobs.ports import DependencyFiles, TaskRunner
from harness.jobs.records import Records
from harness.jobs.repairing import RepairRequest
from harness.jobs.runs import Runs
from harness.jobs.settings import parse
from harness.jobs.starting import Origin, new_run
from harness.jobs.submitting import one_time
from harness.jobs.surroundings import RunEvent, Surroundings
from harness.jobs.trigger_model import BY_CALLER, Fired
from harness.jobs.triggers import Triggers, WatchedData
from harness.state import Documents, Store

log = logging.getLogger(__name__)
_SECONDS_TO_END = 15.0


@dataclass(frozen=True, slots=True)
class _Executing:
    execution: Execution
    thread: threading.Thread


class JobService:
    """Runs jobs; `definitions` has the jobs themselves, `records` what became of their runs."""

    def __init__(
        self,
        *,
        clock: Clock,
        ids: Ids,
        store: Store,
        layout: Layout,
        runner: TaskRunner,
        files: DependencyFiles,
        data: WatchedData,
        host_url: str,
        on_event: Callable[[RunEvent], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self.definitions = Definitions(clock=clock, ids=ids, store=store)
        self._tokens = Documents(store, "job_run_token", int)
        self._runs = Runs(store, layout.logs / "runs")
        host_url = host_url.rstrip("/")
        self.records = Records(self._runs, host_url)
        self.notifications = Notifications(clock=clock, store=store, runs=self._runs)
        self._on_event = on_event
        self._around = Surroundings(self._runs, self, runner, files, clock, ids, host_url, self._told)
        self.triggers = Triggers(
            clock=clock, definitions=self.definitions, runs=self._runs, starter=self, data=data, on_look=self._check_durations
        )
        self._executing: dict[int, _Executing] = {}
        self._lock = threading.Lock()
        self._closed = False

    def start(self) -> None:
        """Go on with what was there when the last harness ended.

        What was active is marked as failed, what was queued begins (but for a task that has failed so), jobs start by themselves.
        """
        active = self._runs.active()
        queued = [run for run in active if run.state.life_cycle_state == "QUEUED" and not run.parent_task_run_id]
        for run in active:
            if run not in queued and run.run_id not in self._executing:
                self._interrupt(run)
        for run in queued:
            self._start_queued(run.job_id)
        self.triggers.start()

    def close(self) -> None:
        """End every task that runs; their runs are marked at the next start. Twice without harm."""
        self._closed = True
        self.triggers.close()
        self._runs.freeze()
        with self._lock:
            executing = list(self._executing.values())
        for one in executing:
            one.execution.cancel()
        for one in executing:
            one.thread.join(_SECONDS_TO_END)

    def run_now(self, request: RunRequest, user: str, *, parent_task_run_id: int = 0, fired: Fired = BY_CALLER) -> int:
        """Begin a run, for a caller, a trigger or an attempt of a Run Job task, and return its id; the same token gives the same run."""
        origin = Origin(user, parent_task_run_id, millis(self._clock.now()), fired)
        with self._tokens.transaction():
            job = self.definitions.job(request.job_id)
            known = self._known(request.idempotency_token)
            if known is not None:
                return known.run_id
            settings = parse(decoded(job.settings))
            check_request(request, settings)
            run = self._record(job, settings, request, origin)
        return self._launched(run, settings)

    def repair(self, request: RepairRequest) -> int:
        """Run tasks of a run that has ended once more, in the same run, and return the repair's id."""
        repairing.check(request, self._runs.get(request.run_id))
        self._wait_for_thread(request.run_id)
        with self._tokens.transaction():
            run = self._runs.get(request.run_id)
            repairing.check(request, run)
            settings = parse(decoded(run.settings))
            check_request(RunRequest(run.job_id, job_parameters=request.job_parameters), settings)
            run = repairing.repaired(run, settings, request, ids=self._ids, now=millis(self._clock.now()))
            self._runs.put(run)
        self._launched(run, settings)
        return run.repairs[-1].repair_id

    def submit(self, body: Mapping[str, object], user: str) -> int:
        """Begin a run of tasks that belong to no job, and return its id; the same token gives the same run."""
        raw, token = one_time(body)
        origin = Origin(user, 0, millis(self._clock.now()), run_type="SUBMIT_RUN")
        with self._tokens.transaction():
            known = self._known(token)
            if known is not None:
                return known.run_id
            settings = parse(raw)
            # Assumption: such a run has a job id of its own, under which no job is found.
            request = RunRequest(self._ids.number(), idempotency_token=token)
            check_request(request, settings)
            run = self._record(Job(request.job_id, user, origin.at, encoded(raw)), settings, request, origin)
        return self._launched(run, settings)

    def declared(self, job_id: int) -> Collection[str]:
        """Return the names of a job's parameters; none when there is no such job."""
        return self.definitions.parameters(job_id)

    def run(self, run_id: int) -> Run | None:
        """Return a run, or None when there is no such run."""
        try:
            return self._runs.get(run_id)
        except ApiError:
            return None

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
            run = self._runs.change(
                run.run_id, lambda run: msgspec.structs.replace(run, state=states.ended("CANCELED"), tasks=tasks, end_time=now)
            )
            self._told(RunEvent(run.run_id, run.job_id, run.state))

    def cancel_all(self, job_id: int | None, *, queued_only: bool = False) -> None:
        """Begin to end every active run, or only those that wait for others to end, of a job or of all."""
        for run in self._runs.active(job_id):
            if not queued_only or run.state.life_cycle_state == "QUEUED":
                self.cancel(run.run_id)

    def delete_of(self, creator: str) -> None:
        """Remove the jobs of `creator`, and the runs that were begun for them once those under way have been ended."""
        for job in self.definitions.all():
            if job.creator == creator:
                self.definitions.delete(job.job_id)
        runs = [run for run in self._runs.all() if run.creator == creator]
        for run in runs:
            self.cancel(run.run_id)
        for run in runs:
            self._wait_for_thread(run.run_id)
            self._tokens.delete(run.request.idempotency_token)
        self._runs.delete(runs)

    def _told(self, event: RunEvent) -> None:
        if not self._closed:
            self.notifications.record(event)
        self._on_event(event)

    def _check_durations(self) -> None:
        with self._lock:
            executing = list(self._executing)
        for run_id in executing:
            self.notifications.check_durations(run_id)

    def _wait_for_thread(self, run_id: int) -> None:
        """Return when nobody works at a run that has ended: its end is told a moment before its thread is done."""
        with self._lock:
            one = self._executing.get(run_id)
        if one is not None:
            one.thread.join()

    def _known(self, token: str) -> Run | None:
        run_id = self._tokens.get(token) if token else None
        return None if run_id is None else self._runs.get(run_id)

    def _record(self, job: Job, settings: Settings, request: RunRequest, origin: Origin) -> Run:
        run = self._runs.put(new_run(job, settings, request, self._first_state(job.job_id, settings, request), origin, self._ids))
        if request.idempotency_token:
            self._tokens.put(request.idempotency_token, run.run_id)
        return run

    def _launched(self, run: Run, settings: Settings) -> int:
        self._told(RunEvent(run.run_id, run.job_id, run.state))
        if run.state == states.PENDING:
            self._begin(run, settings)
        return run.run_id

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
        with self._tokens.transaction():
            active = self._runs.active(job_id)
            queued = [run for run in active if run.state.life_cycle_state == "QUEUED"]
            if not queued:
                return
            settings = parse(decoded(queued[0].settings))
            if len(active) - len(queued) >= settings.max_concurrent_runs:
                return
            run = self._runs.change(queued[0].run_id, lambda run: _with_state(run, states.PENDING))
        self._begin(run, settings)

    def _interrupt(self, run: Run) -> None:
        if run.state.ended:
            return
        now = millis(self._clock.now())

        def interrupted(tasks: tuple[TaskRun, ...]) -> tuple[TaskRun, ...]:
            return tuple(
                task if task.state.ended else msgspec.structs.replace(task, state=states.INTERRUPTED, end_time=now) for task in tasks
            )

        tasks, iterations = interrupted(run.tasks), interrupted(run.iterations)
        self._runs.change(
            run.run_id,
            lambda run: msgspec.structs.replace(run, state=states.INTERRUPTED, tasks=tasks, iterations=iterations, end_time=now),
        )
        log.warning("run %d of job %d was active when the harness ended; it is marked as failed", run.run_id, run.job_id)


def _with_state(run: Run, state: State) -> Run:
    return msgspec.structs.replace(run, state=state)
