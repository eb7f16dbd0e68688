"""One run under way: starts tasks as their dependencies end, tries them again, ends them all when it is cancelled or out of time."""

import datetime as dt
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

import msgspec

from harness.clock import Clock, millis, moment
from harness.errors import ApiError, UserError
from harness.ids import Ids
from harness.jobs import conditions, for_each, graph, nested, states
from harness.jobs.arguments import arguments, request_for, script_arguments, widgets
from harness.jobs.conditions import ConditionProblemError
from harness.jobs.model import (
    ConditionTask,
    EnvironmentSpec,
    ForEachTask,
    NotebookTask,
    PythonWheelTask,
    Result,
    Run,
    RunJobTask,
    Settings,
    SparkPythonTask,
    State,
    Task,
    TaskRun,
    Truth,
)
from harness.jobs.ports import DependencyFiles, NotebookProgram, Outcome, Program, ScriptProgram, TaskProcess, TaskRunner, WheelProgram
from harness.jobs.references import Context, Finished, ReferenceProblemError, resolve
from harness.jobs.requirements import local
from harness.jobs.runs import Runs

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.1
InProcess = PythonWheelTask | SparkPythonTask | NotebookTask
# Assumption: a notebook that names no environment has the newest version whose libraries are known here.
NO_ENVIRONMENT = EnvironmentSpec(environment_version="5")


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Something that happened to a run (`task_key` empty) or to an attempt of one of its tasks."""

    run_id: int
    job_id: int
    state: State
    task_key: str = ""
    task_run_id: int = 0
    attempt_number: int = 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every execution needs."""

    runs: Runs
    jobs: nested.JobRuns
    runner: TaskRunner
    files: DependencyFiles
    clock: Clock
    ids: Ids
    host_url: str
    on_event: Callable[[RunEvent], None]


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
        self._cancelled = threading.Event()
        self._outcomes: dict[str, Truth] = {}  # of conditions; written before their end is told
        self._ended: SimpleQueue[tuple[str, Result]] = SimpleQueue()
        self._deadline: dt.datetime | None = None
        self._limits: dict[str, dt.datetime | None] = {}  # until when the tasks of For each tasks may run

    def cancel(self) -> None:
        """End its tasks and start no more; returns at once."""
        self._cancelled.set()

    def execute(self) -> None:
        """Run the graph to its end."""
        if self._settings.timeout_seconds:
            self._deadline = self._clock.now() + dt.timedelta(seconds=self._settings.timeout_seconds)
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
        self._outcomes |= {task.task_key: task.outcome for task in kept if task.outcome is not None}
        return {task.task_key: task.state.result_state for task in kept if task.state.result_state is not None}

    def _settle(self, results: dict[str, Result], running: set[str]) -> tuple[list[Task], dict[str, Result]]:
        if self._cancelled.is_set() or self._late():
            ready: list[Task] = []
            skipped: dict[str, Result] = {
                task.task_key: "CANCELED" for task in self._tasks if task.task_key not in results and task.task_key not in running
            }
        else:
            found, skipped = graph.settle(self._tasks, results, self._outcomes)
            ready = [task for task in found if task.task_key not in running]
        for key, result in skipped.items():
            self._change_task(self._runs.get(self._run_id).latest(key), state=states.skipped(result), end_time=self._now())
        return ready, skipped

    def _finish(self, results: dict[str, Result]) -> None:
        result = graph.run_result(self._tasks, results)
        if self._cancelled.is_set() and any(found in graph.STOPPED for found in results.values()):
            result = "CANCELED"
        elif self._late() and result == "FAILED":
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
            if self._cancelled.is_set() or self._late() or not graph.should_retry(task, result, tried):
                return result
            tried += 1
            attempt = self._runs.add_task(self._run_id, self._again(attempt))
            self._pause(task.min_retry_interval_millis / 1000)

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

        outcome, code = self._outcome(task, attempt, on_running)
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

    def _outcome(self, task: Task, attempt: TaskRun, on_running: Callable[[], None]) -> tuple[Outcome, str]:
        """Return how the attempt ended, and the termination code where it is not the result's own."""
        if self._cancelled.is_set():
            return Outcome("CANCELED", "Run cancelled."), ""
        try:
            return self._do(task, attempt, on_running)
        except (ReferenceProblemError, ConditionProblemError, for_each.InputsProblemError) as error:
            return _failed(str(error)), "INVALID_RUN_CONFIGURATION"
        except ApiError as error:  # of the other job: no such job, parameters that do not fit, too deep
            return _failed(error.message), "INVALID_RUN_CONFIGURATION"
        except Exception as error:  # a bug of ours fails the task, never the run that waits for it
            log.exception("run %d: task %s could not be run", self._run_id, task.task_key)
            return _failed(f"The harness could not run the task: {error!r}"), "INTERNAL_ERROR"

    def _do(self, task: Task, attempt: TaskRun, on_running: Callable[[], None]) -> tuple[Outcome, str]:
        match task.work:
            case PythonWheelTask() | SparkPythonTask() | NotebookTask() as work:
                return self._run_process(task, work, attempt, on_running)
            case ConditionTask() as condition:
                return self._compare(condition, attempt, on_running), ""
            case RunJobTask() as other:
                return self._run_job(task, other, attempt, on_running), ""
            case ForEachTask() as repeated:
                return self._for_each(task, repeated, attempt, on_running), ""

    def _for_each(self, task: Task, repeated: ForEachTask, attempt: TaskRun, on_running: Callable[[], None]) -> Outcome:
        text = resolve(repeated.inputs, self._context(attempt))
        self._change_task(attempt, resolved={"inputs": text})
        items = for_each.inputs(text)
        self._change_task(attempt, inputs_total=len(items))
        seconds = self._timeout(task)
        until = None if seconds is None else self._clock.now() + dt.timedelta(seconds=seconds)
        self._limits[repeated.task.task_key] = until
        on_running()

        def one(number: int, item: object) -> Result:
            if self._cancelled.is_set():
                return "CANCELED"
            if until is not None and self._clock.now() >= until:
                return "TIMEDOUT"
            text = msgspec.json.encode(item).decode()
            begun = TaskRun(
                self._around.ids.number(), repeated.task.task_key, states.PENDING, iteration=number, iteration_of=attempt.run_id, input=text
            )
            return self._tries(repeated.task, self._runs.add_task(self._run_id, begun))

        return for_each.outcome(items, for_each.each(items, repeated.concurrency, one))

    def _compare(self, condition: ConditionTask, attempt: TaskRun, on_running: Callable[[], None]) -> Outcome:
        on_running()
        operands = conditions.resolved(condition, self._context(attempt))
        self._change_task(attempt, resolved={"left": operands.left, "right": operands.right})
        outcome = conditions.outcome(operands)
        self._change_task(attempt, outcome=outcome)
        self._outcomes[attempt.task_key] = outcome
        return Outcome("SUCCESS")

    def _run_job(self, task: Task, other: RunJobTask, attempt: TaskRun, on_running: Callable[[], None]) -> Outcome:
        request = request_for(other, self._context(attempt), self._around.jobs.declared(other.job_id))
        self._change_task(attempt, resolved={"job_parameters": request.job_parameters})
        seconds = self._timeout(task)
        until = None if seconds is None else self._clock.now() + dt.timedelta(seconds=seconds)
        run_id = nested.begin(self._around.jobs, self._runs, request, self._run, attempt)
        self._change_task(attempt, triggered_run_id=run_id)
        on_running()
        limits = nested.Limits(self._cancelled, lambda: until is not None and self._clock.now() >= until)
        return nested.wait(self._around.jobs, self._runs, run_id, limits)

    def _run_process(self, task: Task, work: InProcess, attempt: TaskRun, on_running: Callable[[], None]) -> tuple[Outcome, str]:
        try:
            program = self._program(work, attempt)
        except ApiError as error:  # no such notebook or file
            return _failed(error.message), "RESOURCE_NOT_FOUND"
        try:
            process = self._process(task, program, attempt)
            return self._around.runner.run(process, cancelled=self._cancelled, on_running=on_running), ""
        except (ApiError, UserError) as error:
            return _failed(f"Library installation failed: {error}"), "LIBRARY_INSTALLATION_ERROR"

    def _program(self, work: InProcess, attempt: TaskRun) -> Program:
        request, context, files = self._run.request, self._context(attempt), self._around.files
        match work:
            case PythonWheelTask():
                given = arguments(work, request, context)
                self._change_task(attempt, arguments=given)
                return WheelProgram(work.package_name, work.entry_point, given)
            case SparkPythonTask():
                given = script_arguments(work, request, context)
                self._change_task(attempt, arguments=given)
                return ScriptProgram(work.python_file, files.file(work.python_file), given)
            case NotebookTask():
                values = widgets(work, request, context)
                self._change_task(attempt, resolved={"base_parameters": values})
                return NotebookProgram(work.notebook_path, files.file(work.notebook_path), values)

    def _process(self, task: Task, program: Program, attempt: TaskRun) -> TaskProcess:
        values = self._runs.values_folder(self._run_id)
        # Assumption: the task values of an iteration are its own, and no other task's to read.
        key = task.task_key if attempt.iteration is None else f"{task.task_key}.{attempt.iteration}"
        (values / f"{key}.json").unlink(missing_ok=True)  # Assumption: a new attempt begins without the values of the one before
        environment = self._settings.environment(task.environment_key) if task.environment_key else NO_ENVIRONMENT
        return TaskProcess(
            run_id=self._run_id,
            task_run_id=attempt.run_id,
            task_key=key,
            folder=self._runs.attempt_folder(self._run_id, attempt),
            values=values,
            program=program,
            environment=environment,
            dependencies=tuple(local(dependency, self._around.files) for dependency in environment.dependencies),
            timeout_seconds=self._timeout(task),
        )

    def _context(self, attempt: TaskRun) -> Context:
        run = self._runs.get(self._run_id)
        latest = [run.latest(task.task_key) for task in self._tasks]
        return Context(
            job_id=run.job_id,
            job_name=self._settings.name,
            run_id=run.run_id,
            parameters=run.parameters,
            start_time=moment(run.start_time),
            task_name=attempt.task_key,
            task_run_id=attempt.run_id,
            execution_count=attempt.attempt_number + 1,
            finished={
                task.task_key: Finished(
                    task.run_id,
                    task.state.result_state,
                    task.attempt_number + 1,
                    task.state.termination_code,
                    self._notebook_path(task.task_key),
                )
                for task in latest
                if task.state.result_state is not None
            },
            values=self._runs.values(self._run_id),
            workspace_url=self._around.host_url,
            trigger=run.fired.type.lower(),  # Assumption: the words are those of the API in lower case
            trigger_time=moment(run.fired.time) if run.fired.time else None,
            trigger_location=run.fired.location,
            notebook_path=self._notebook_path(attempt.task_key),
            repair_count=len(run.repairs),
            iteration=() if attempt.iteration is None else (msgspec.json.decode(attempt.input),),
        )

    def _notebook_path(self, key: str) -> str:
        work = self._settings.task(key).work
        return work.notebook_path if isinstance(work, NotebookTask) else ""

    def _timeout(self, task: Task) -> float | None:
        own: list[float] = [task.timeout_seconds] if task.timeout_seconds else []
        ends = [until for until in (self._deadline, self._limits.get(task.task_key)) if until is not None]
        return min([*own, *(max(0.0, (until - self._clock.now()).total_seconds()) for until in ends)], default=None)

    def _late(self) -> bool:
        return self._deadline is not None and self._clock.now() >= self._deadline

    def _pause(self, seconds: float) -> None:
        until = self._clock.now() + dt.timedelta(seconds=seconds)
        while not self._cancelled.is_set() and (left := (until - self._clock.now()).total_seconds()) > 0:
            self._clock.sleep(min(left, _LOOK_SECONDS))

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


def _failed(message: str) -> Outcome:
    return Outcome("FAILED", message, error=message)
