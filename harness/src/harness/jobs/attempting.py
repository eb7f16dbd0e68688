"""One attempt of a task: what it is given, doing it, and how it ended."""

import logging
from collections.abc import Callable, Sequence

import msgspec

from harness.clock import moment
from harness.errors import ApiError, UserError
from harness.jobs import conditions, for_each, nested, states
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
    Task,
    TaskRun,
    Truth,
)
from harness.jobs.ports import NotebookProgram, Outcome, Program, ScriptProgram, TaskProcess, WheelProgram
from harness.jobs.references import Context, Finished, ReferenceProblemError, resolve
from harness.jobs.requirements import local
from harness.jobs.surroundings import Bounds, Surroundings

log = logging.getLogger(__name__)
InProcess = PythonWheelTask | SparkPythonTask | NotebookTask
# Assumption: a notebook that names no environment has the newest version whose libraries are known here.
NO_ENVIRONMENT = EnvironmentSpec(environment_version="5")
Tries = Callable[[Task, TaskRun], Result]


class Attempting:
    """Does what the tasks of one run are for. `outcomes` are those of conditions, written before their end is told."""

    def __init__(self, run: Run, settings: Settings, tasks: Sequence[Task], around: Surroundings, bounds: Bounds, tries: Tries) -> None:
        """`tasks` are those of the run; `tries` runs a task of a For each task, as often as it may be tried."""
        self._run = run
        self._settings = settings
        self._tasks = tasks
        self._around = around
        self._runs = around.runs
        self._bounds = bounds
        self._tries = tries
        self.outcomes: dict[str, Truth] = {}

    def outcome(self, task: Task, attempt: TaskRun, on_running: Callable[[], None]) -> tuple[Outcome, str]:
        """Return how the attempt ended, and the termination code where it is not the result's own."""
        if self._bounds.cancelled.is_set():
            return Outcome("CANCELED", "Run cancelled."), ""
        try:
            return self._do(task, attempt, on_running)
        except (ReferenceProblemError, ConditionProblemError, for_each.InputsProblemError) as error:
            return _failed(str(error)), "INVALID_RUN_CONFIGURATION"
        except ApiError as error:  # of the other job: no such job, parameters that do not fit, too deep
            return _failed(error.message), "INVALID_RUN_CONFIGURATION"
        except Exception as error:  # a bug of ours fails the task, never the run that waits for it
            log.exception("run %d: task %s could not be run", self._run.run_id, task.task_key)
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
        self._runs.change_task(self._run.run_id, attempt.run_id, resolved={"inputs": text})
        items = for_each.inputs(text)
        self._runs.change_task(self._run.run_id, attempt.run_id, inputs_total=len(items))
        until = self._bounds.after(self._bounds.seconds(task))
        self._bounds.repeated[repeated.task.task_key] = until
        on_running()

        def one(number: int, item: object) -> Result:
            if self._bounds.cancelled.is_set():
                return "CANCELED"
            if until is not None and self._around.clock.now() >= until:
                return "TIMEDOUT"
            text = msgspec.json.encode(item).decode()
            begun = TaskRun(
                self._around.ids.number(), repeated.task.task_key, states.PENDING, iteration=number, iteration_of=attempt.run_id, input=text
            )
            return self._tries(repeated.task, self._runs.add_task(self._run.run_id, begun))

        return for_each.outcome(items, for_each.each(items, repeated.concurrency, one))

    def _compare(self, condition: ConditionTask, attempt: TaskRun, on_running: Callable[[], None]) -> Outcome:
        on_running()
        operands = conditions.resolved(condition, self._context(attempt))
        self._runs.change_task(self._run.run_id, attempt.run_id, resolved={"left": operands.left, "right": operands.right})
        outcome = conditions.outcome(operands)
        self._runs.change_task(self._run.run_id, attempt.run_id, outcome=outcome)
        self.outcomes[attempt.task_key] = outcome
        return Outcome("SUCCESS")

    def _run_job(self, task: Task, other: RunJobTask, attempt: TaskRun, on_running: Callable[[], None]) -> Outcome:
        request = request_for(other, self._context(attempt), self._around.jobs.declared(other.job_id))
        self._runs.change_task(self._run.run_id, attempt.run_id, resolved={"job_parameters": request.job_parameters})
        until = self._bounds.after(self._bounds.seconds(task))
        run_id = nested.begin(self._around.jobs, self._runs, request, self._run, attempt)
        self._runs.change_task(self._run.run_id, attempt.run_id, triggered_run_id=run_id)
        on_running()
        limits = nested.Limits(self._bounds.cancelled, lambda: until is not None and self._around.clock.now() >= until)
        return nested.wait(self._around.jobs, self._runs, run_id, limits)

    def _run_process(self, task: Task, work: InProcess, attempt: TaskRun, on_running: Callable[[], None]) -> tuple[Outcome, str]:
        try:
            program = self._program(work, attempt)
        except ApiError as error:  # no such notebook or file
            return _failed(error.message), "RESOURCE_NOT_FOUND"
        try:
            process = self._process(task, program, attempt)
            return self._around.runner.run(process, cancelled=self._bounds.cancelled, on_running=on_running), ""
        except (ApiError, UserError) as error:
            return _failed(f"Library installation failed: {error}"), "LIBRARY_INSTALLATION_ERROR"

    def _program(self, work: InProcess, attempt: TaskRun) -> Program:
        request, context, files = self._run.request, self._context(attempt), self._around.files
        match work:
            case PythonWheelTask():
                given = arguments(work, request, context)
                self._runs.change_task(self._run.run_id, attempt.run_id, arguments=given)
                return WheelProgram(work.package_name, work.entry_point, given)
            case SparkPythonTask():
                given = script_arguments(work, request, context)
                self._runs.change_task(self._run.run_id, attempt.run_id, arguments=given)
                return ScriptProgram(work.python_file, files.file(work.python_file), given)
            case NotebookTask():
                values = widgets(work, request, context)
                self._runs.change_task(self._run.run_id, attempt.run_id, resolved={"base_parameters": values})
                return NotebookProgram(work.notebook_path, files.file(work.notebook_path), values)

    def _process(self, task: Task, program: Program, attempt: TaskRun) -> TaskProcess:
        values = self._runs.values_folder(self._run.run_id)
        # Assumption: the task values of an iteration are its own, and no other task's to read.
        key = task.task_key if attempt.iteration is None else f"{task.task_key}.{attempt.iteration}"
        (values / f"{key}.json").unlink(missing_ok=True)  # Assumption: a new attempt begins without the values of the one before
        environment = self._settings.environment(task.environment_key) if task.environment_key else NO_ENVIRONMENT
        return TaskProcess(
            run_id=self._run.run_id,
            task_run_id=attempt.run_id,
            task_key=key,
            folder=self._runs.attempt_folder(self._run.run_id, attempt),
            values=values,
            program=program,
            environment=environment,
            dependencies=tuple(local(dependency, self._around.files) for dependency in environment.dependencies),
            timeout_seconds=self._bounds.seconds(task),
            user=self._run.creator,
        )

    def _context(self, attempt: TaskRun) -> Context:
        run = self._runs.get(self._run.run_id)
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
            values=self._runs.values(self._run.run_id),
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


def _failed(message: str) -> Outcome:
    return Outcome("FAILED", message, error=message)
