"""One run under way: starts tasks as their dependencies end, tries them again, ends them all when it is cancelled or out of time."""

import logging
import threading
from queue import SimpleQueue

import msgspec

from harness.clock import millis
from harness.jobs import graph, states
from harness.jobs.attempting import Attempting
from harness.jobs.model import Result, Run, Settings, State, Task, TaskRun
from harness.jobs.surroundings import Bounds, RunEvent, Surroundings

log = logging.getLogger(__name__)


class Execution:
    """Brings one run to its end; `execute` is called once, in a thread of its own."""

    def __init__(self, run: Run, settings: Settings, around: Surroundings) -> None:
        self._run_id = run.run_id
        self._run = run
        self._settings = settings
        self._tasks = graph.selected(settings.tasks, run.request.only)
        self._around = around
        self._clock = around.clock
        self._runs = around.runs
        self._bounds = Bounds(around.clock)
        self._doing = Attempting(run, settings, self._tasks, around, self._bounds, self._tries)
        self._ended: SimpleQueue[tuple[str, Result]] = SimpleQueue()

    def cancel(self) -> None:
        """End its tasks and start no more; returns at once."""
        self._bounds.cancelled.set()

    def execute(self) -> None:
        """Run the graph to its end."""
        self._bounds.deadline = self._bounds.after(self._settings.timeout_seconds or None)
        self._tell(self._change(states.RUNNING))
        results = self._before()
        running: set[str] = set()
        while True:
            ready, skipped = self._settle(results, running)
            results |= skipped
            for task in ready:
                running.add(task.task_key)
                name = f"task-{self._run_id}-{task.task_key}"
                threading.Thread(target=self._attempts, args=(task,), name=name, daemon=True).start()
            if not running:
                break
            key, result = self._ended.get()
            running.remove(key)
            results[key] = result
        self._finish(results)

    def _before(self) -> dict[str, Result]:
        """Return the results of the tasks that a repair leaves as they are; none in a new run."""
        run = self._runs.get(self._run_id)
        kept = [task for task in (run.latest(task.task_key) for task in self._tasks) if task.state.ended]
        self._doing.outcomes |= {task.task_key: task.outcome for task in kept if task.outcome is not None}
        return {task.task_key: task.state.result_state for task in kept if task.state.result_state is not None}

    def _settle(self, results: dict[str, Result], running: set[str]) -> tuple[list[Task], dict[str, Result]]:
        if self._bounds.cancelled.is_set() or self._bounds.late:
            ready: list[Task] = []
            skipped: dict[str, Result] = {
                task.task_key: "CANCELED" for task in self._tasks if task.task_key not in results and task.task_key not in running
            }
        else:
            found, skipped = graph.settle(self._tasks, results, self._doing.outcomes)
            ready = [task for task in found if task.task_key not in running]
        for key, result in skipped.items():
            self._change_task(self._runs.get(self._run_id).latest(key), state=states.skipped(result), end_time=self._now())
        return ready, skipped

    def _finish(self, results: dict[str, Result]) -> None:
        result = graph.run_result(self._tasks, results)
        if self._bounds.cancelled.is_set() and any(found in graph.STOPPED for found in results.values()):
            result = "CANCELED"
        elif self._bounds.late and result == "FAILED":
            result = "TIMEDOUT"
        run = self._runs.get(self._run_id)
        latest = [run.latest(task.task_key) for task in self._tasks]
        self._tell(self._change(states.run_ended(result, latest), end_time=self._now()))
        log.info("run %d of job %d ended: %s", run.run_id, run.job_id, result)

    def _attempts(self, task: Task) -> None:
        """Try `task` as often as it may be; whatever happens, say how it ended."""
        result: Result = "FAILED"
        try:
            result = self._tries(task, self._runs.get(self._run_id).latest(task.task_key))
        finally:
            self._ended.put((task.task_key, result))

    def _tries(self, task: Task, first: TaskRun) -> Result:
        attempt, tried = first, 0
        while True:
            result = self._attempt(task, attempt)
            if self._bounds.cancelled.is_set() or self._bounds.late or not graph.should_retry(task, result, tried):
                return result
            tried += 1
            attempt = self._runs.add_task(self._run_id, self._again(attempt))
            self._bounds.pause(task.min_retry_interval_millis / 1000)

    def _again(self, attempt: TaskRun) -> TaskRun:
        return TaskRun(
            self._around.ids.number(),
            attempt.task_key,
            State("WAITING_FOR_RETRY"),
            attempt_number=attempt.attempt_number + 1,
            iteration=attempt.iteration,
            iteration_of=attempt.iteration_of,
            input=attempt.input,
        )

    def _attempt(self, task: Task, attempt: TaskRun) -> Result:
        started = self._now()
        self._tell(self._change_task(attempt, state=states.PENDING, start_time=started))
        running = started

        def on_running() -> None:
            nonlocal running
            running = self._now()
            self._tell(self._change_task(attempt, state=states.RUNNING, setup_duration=running - started))

        outcome, code = self._doing.outcome(task, attempt, on_running)
        ended = self._now()
        self._tell(
            self._change_task(
                attempt,
                state=states.ended(outcome.result, outcome.message, code),
                end_time=ended,
                execution_duration=ended - running,
                error=outcome.error,
                error_trace=outcome.error_trace,
                notebook_result=outcome.notebook_result,
            )
        )
        return outcome.result

    def _change(self, state: State, end_time: int = 0) -> Run:
        return self._runs.change(self._run_id, lambda run: msgspec.structs.replace(run, state=state, end_time=end_time))

    def _change_task(self, attempt: TaskRun, **changes: object) -> TaskRun:
        return self._runs.change_task(self._run_id, attempt.run_id, **changes)

    def _tell(self, what: Run | TaskRun) -> None:
        if isinstance(what, TaskRun) and what.iteration is not None:
            return  # Assumption: people are told of the For each task, not of each iteration
        if isinstance(what, Run):
            event = RunEvent(what.run_id, what.job_id, what.state)
        else:
            event = RunEvent(self._run_id, self._run.job_id, what.state, what.task_key, what.run_id, what.attempt_number)
        self._around.on_event(event)

    def _now(self) -> int:
        return millis(self._clock.now())
