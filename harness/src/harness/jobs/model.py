"""What a job is, and what a run of one is. Field names are those of the Jobs API 2.2."""

from typing import Literal

import msgspec

from harness.jobs.trigger_model import BY_CALLER, Continuous, Fired, Schedule, Trigger

RunIf = Literal["ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"]
Result = Literal[
    "SUCCESS",
    "FAILED",
    "TIMEDOUT",
    "CANCELED",
    "EXCLUDED",
    "DISABLED",
    "UPSTREAM_FAILED",
    "UPSTREAM_CANCELED",
    "SUCCESS_WITH_FAILURES",
    "MAXIMUM_CONCURRENT_RUNS_REACHED",
]
LifeCycle = Literal[
    "QUEUED", "PENDING", "BLOCKED", "WAITING_FOR_RETRY", "RUNNING", "TERMINATING", "TERMINATED", "SKIPPED", "INTERNAL_ERROR"
]
ConditionOp = Literal["EQUAL_TO", "NOT_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"]
Truth = Literal["true", "false"]
RunType = Literal["JOB_RUN", "SUBMIT_RUN"]
ENDED: frozenset[LifeCycle] = frozenset({"TERMINATED", "SKIPPED", "INTERNAL_ERROR"})


class PythonWheelTask(msgspec.Struct, frozen=True):
    """Which function of which distribution to call, with what."""

    package_name: str
    entry_point: str
    parameters: tuple[str, ...] = ()
    named_parameters: dict[str, str] | None = None


class SparkPythonTask(msgspec.Struct, frozen=True):
    """Which file to run as a program, with what."""

    python_file: str
    parameters: tuple[str, ...] = ()
    source: Literal["WORKSPACE", "GIT"] = "WORKSPACE"


class NotebookTask(msgspec.Struct, frozen=True):
    """Which notebook to run, with which values of its widgets."""

    notebook_path: str
    base_parameters: dict[str, str] = {}
    source: Literal["WORKSPACE", "GIT"] = "WORKSPACE"


class ConditionTask(msgspec.Struct, frozen=True):
    """Two texts to compare; references in them are resolved first."""

    op: ConditionOp
    left: str
    right: str


class RunJobTask(msgspec.Struct, frozen=True):
    """Which other job to run, with what."""

    job_id: int
    job_parameters: dict[str, str] = {}
    python_params: tuple[str, ...] | None = None
    python_named_params: dict[str, str] | None = None
    notebook_params: dict[str, str] = {}


class ForEachTask(msgspec.Struct, frozen=True):
    """Which task to run for each of the inputs, a JSON array once its references are resolved."""

    inputs: str
    task: "Task"
    concurrency: int = 1


Work = PythonWheelTask | SparkPythonTask | NotebookTask | ConditionTask | RunJobTask | ForEachTask


class Dependency(msgspec.Struct, frozen=True):
    """An edge of the graph; `outcome` is what the condition it comes from must have come to."""

    task_key: str
    outcome: Truth | None = None


class Task(msgspec.Struct, frozen=True):
    """A node of the graph, of one type: one of the `…_task` fields is there."""

    task_key: str
    python_wheel_task: PythonWheelTask | None = None
    spark_python_task: SparkPythonTask | None = None
    notebook_task: NotebookTask | None = None
    condition_task: ConditionTask | None = None
    run_job_task: RunJobTask | None = None
    for_each_task: ForEachTask | None = None
    environment_key: str = ""
    depends_on: tuple[Dependency, ...] = ()
    run_if: RunIf = "ALL_SUCCESS"
    max_retries: int = 0
    min_retry_interval_millis: int = 0
    retry_on_timeout: bool = False
    timeout_seconds: int = 0
    disabled: bool = False

    @property
    def upstream(self) -> tuple[str, ...]:
        """The keys of the tasks it waits for."""
        return tuple(dependency.task_key for dependency in self.depends_on)

    @property
    def work(self) -> Work:
        """What it does; parsing has checked that there is one."""
        kinds = (
            self.python_wheel_task,
            self.spark_python_task,
            self.notebook_task,
            self.condition_task,
            self.run_job_task,
            self.for_each_task,
        )
        found = next((kind for kind in kinds if kind is not None), None)
        if found is None:
            raise ValueError(f"task '{self.task_key}' has no type")
        return found


class EnvironmentSpec(msgspec.Struct, frozen=True):
    """What a task's interpreter holds. Older bundles send `client` for `environment_version`."""

    environment_version: str = ""
    client: str = ""
    dependencies: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The version, by either name."""
        return self.environment_version or self.client


class JobEnvironment(msgspec.Struct, frozen=True):
    """A named environment of the job."""

    environment_key: str
    spec: EnvironmentSpec = EnvironmentSpec()


class Parameter(msgspec.Struct, frozen=True):
    """A job parameter and its value where a run gives none."""

    name: str
    default: str


class Queue(msgspec.Struct, frozen=True):
    """Whether a run above the limit waits."""

    enabled: bool


class Settings(msgspec.Struct, frozen=True):
    """The part of a job's settings that the harness acts on; the rest is kept and echoed."""

    name: str = "Untitled"
    tasks: tuple[Task, ...] = ()
    environments: tuple[JobEnvironment, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    schedule: Schedule | None = None
    trigger: Trigger | None = None
    continuous: Continuous | None = None
    max_concurrent_runs: int = 1
    timeout_seconds: int = 0
    queue: Queue | None = None

    def task(self, key: str) -> Task:
        """Return the task under `key`, which may be that of a For each task."""
        inner = (task.for_each_task.task for task in self.tasks if task.for_each_task is not None)
        return next(task for task in (*self.tasks, *inner) if task.task_key == key)

    def environment(self, key: str) -> EnvironmentSpec:
        """Return the spec under `key`, which parsing has checked."""
        return next(environment.spec for environment in self.environments if environment.environment_key == key)


class Job(msgspec.Struct, frozen=True):
    """A job as it is stored: its settings exactly as they were sent."""

    job_id: int
    creator: str
    created_time: int
    settings: msgspec.Raw


class State(msgspec.Struct, frozen=True):
    """Where a run, or a task of one, stands."""

    life_cycle_state: LifeCycle
    result_state: Result | None = None
    state_message: str = ""
    termination_code: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self.life_cycle_state in ENDED


class TaskRun(msgspec.Struct, frozen=True):
    """One attempt of one task."""

    run_id: int
    task_key: str
    state: State
    attempt_number: int = 0
    start_time: int = 0
    end_time: int = 0
    setup_duration: int = 0
    execution_duration: int = 0
    arguments: tuple[str, ...] = ()
    resolved: dict[str, object] = {}
    """What the references of a condition, a notebook or a job to run stood for."""
    outcome: Truth | None = None
    """What a condition came to."""
    triggered_run_id: int = 0
    """The run that a Run Job task began."""
    error: str = ""
    error_trace: str = ""
    notebook_result: str | None = None
    """What a notebook gave to `dbutils.notebook.exit`."""
    iteration: int | None = None
    """Which one it is, from 0, where it is an iteration of a For each task."""
    iteration_of: int = 0
    """The attempt of the For each task that it belongs to."""
    input: str = ""
    """The iteration's input, as JSON."""
    inputs_total: int = 0
    """How many inputs a For each task has."""


class RunRequest(msgspec.Struct, frozen=True):
    """The body of run-now."""

    job_id: int
    job_parameters: dict[str, str] = {}
    python_params: tuple[str, ...] | None = None
    python_named_params: dict[str, str] | None = None
    only: tuple[str, ...] | None = None
    idempotency_token: str = ""
    queue: Queue | None = None
    notebook_params: dict[str, str] | None = None
    jar_params: tuple[str, ...] | None = None
    sql_params: dict[str, str] | None = None
    dbt_commands: tuple[str, ...] | None = None
    spark_submit_params: tuple[str, ...] | None = None
    pipeline_params: dict[str, bool] | None = None


class Repair(msgspec.Struct, frozen=True):
    """One repair of a run: some of its tasks once more."""

    repair_id: int
    state: State
    start_time: int
    end_time: int
    task_run_ids: tuple[int, ...]


class Run(msgspec.Struct, frozen=True):
    """A run of a job, with the settings the job had when it was started."""

    run_id: int
    job_id: int
    creator: str
    state: State
    settings: msgspec.Raw
    request: RunRequest
    parameters: dict[str, str]
    tasks: tuple[TaskRun, ...]
    start_time: int
    end_time: int = 0
    queued_time: int = 0
    parent_task_run_id: int = 0
    """The attempt of a Run Job task that began it; 0 when nobody but a caller did."""
    fired: Fired = BY_CALLER
    run_type: RunType = "JOB_RUN"
    iterations: tuple[TaskRun, ...] = ()
    """Of For each tasks, as they began."""
    repairs: tuple[Repair, ...] = ()
    original: Repair | None = None
    """How the run ended before it was repaired for the first time."""

    def attempts(self, task_key: str) -> tuple[TaskRun, ...]:
        """Return the attempts of a task, first to last."""
        return tuple(task for task in self.tasks if task.task_key == task_key)

    def latest(self, task_key: str) -> TaskRun:
        """Return the last attempt of a task."""
        return self.attempts(task_key)[-1]
