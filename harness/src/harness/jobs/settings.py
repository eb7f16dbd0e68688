"""From the JSON of a job to typed settings, refusing what the platform refuses and what the harness cannot run. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from harness.errors import ApiError
from harness.jobs import graph, references
from harness.jobs.for_each import MAX_CONCURRENCY, InputsProblemError, inputs
from harness.jobs.model import (
    ConditionTask,
    ForEachTask,
    NotebookTask,
    Parameter,
    PythonWheelTask,
    RunJobTask,
    Settings,
    SparkPythonTask,
    Task,
)
from harness.jobs.notification_model import JobAlerts

Json = dict[str, object]
WHEEL = "python_wheel_task"
TASK_TYPES = (WHEEL, "spark_python_task", "notebook_task", "condition_task", "run_job_task", "for_each_task")
MAX_TASKS = 1000  # docs.databricks.com/jobs: limits
MAX_CONCURRENT_RUNS = 1000  # docs.databricks.com/api/workspace/jobs/create
ENVIRONMENT_VERSIONS = ("1", "2", "3", "4", "5", "6")
_KEY = re.compile(r"[\w\-]{1,100}", re.ASCII)  # docs.databricks.com/api/workspace/jobs/create, tasks.task_key
_PARAMETER = re.compile(r"[\w\-.]+", re.ASCII)  # docs.databricks.com/jobs/job-parameters
_SUPPORTED = ", ".join(f"'{name}'" for name in TASK_TYPES)
# What run-now and a Run Job task would hand to kinds of tasks that are not emulated.
OTHER_PARAMETERS = ("jar_params", "sql_params", "dbt_commands", "spark_submit_params", "pipeline_params")
_ELSEWHERE = {
    "access_control_list": "write permissions with PUT /api/2.0/permissions/jobs/<job_id>",
    "git_source": "put the files into the workspace, as a bundle's deployment does, and leave 'source' out",
}
_MOVE = "take it out, list wheels and packages as 'dependencies' of one of the job's 'environments', and name that by 'environment_key'"
_COMPUTE = ("new_cluster", "existing_cluster_id", "job_cluster_key", "libraries", "compute")
# How arrays are merged by jobs/update.
_ARRAYS = {"tasks": "task_key", "environments": "environment_key", "job_clusters": "job_cluster_key", "parameters": "name"}


def parse(raw: Mapping[str, object]) -> Settings:
    """Return the typed settings in `raw`, or raise a 400 that names the place, what is wrong and what is expected."""
    _refuse_what_cannot_run(raw)
    try:
        settings = msgspec.convert(raw, Settings, strict=False)
        msgspec.convert(raw, JobAlerts, strict=False)  # read again when something happens (notifications.py)
    except msgspec.ValidationError as error:
        raise invalid(f"Invalid job settings: {error}") from error
    _check_job(settings)
    for index, task in enumerate(settings.tasks):
        _check_task(task, settings, f"tasks[{index}] ('{task.task_key}')")
    _check_graph(settings)
    return settings


def invalid(message: str) -> ApiError:
    """Return the platform's 400."""
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def not_emulated(message: str) -> ApiError:
    """Return a refusal of something the platform can do.

    A 400 and not a 501, because the official clients repeat a 501 of a resource call for half a minute.
    """
    return ApiError(400, "NOT_IMPLEMENTED", f"{message} is not emulated by the harness; see docs/coverage.md")


def merged(before: Mapping[str, object], changes: Mapping[str, object], removed: Sequence[str]) -> Json:
    """Return the settings after jobs/update: top-level fields replaced, known arrays merged by key, `removed` fields taken out."""
    after: Json = {**before, **{name: _merged_field(name, before.get(name), value) for name, value in changes.items()}}
    for path in removed:
        name, _, key = path.partition("/")
        entries = after.get(name)
        if key and name in _ARRAYS and isinstance(entries, list):
            after[name] = [entry for entry in entries if entry.get(_ARRAYS[name]) != key]
        else:
            after.pop(name, None)
    return after


def _merged_field(name: str, before: object, value: object) -> object:
    if name not in _ARRAYS or not isinstance(before, list) or not isinstance(value, list):
        return value
    key = _ARRAYS[name]
    new = {entry.get(key): entry for entry in value}
    return [new.pop(entry.get(key), entry) for entry in before] + list(new.values())


def _refuse_what_cannot_run(raw: Mapping[str, object]) -> None:
    for name in raw:
        if name.endswith("_task"):
            raise not_emulated(f"'{name}' at the top level of a job (Jobs 2.0); put it in 'tasks'. It")
        if name in _ELSEWHERE:
            raise not_emulated(f"'{name}' in a job's settings ({_ELSEWHERE[name]})")
    tasks = raw.get("tasks")
    for index, task in enumerate(tasks if isinstance(tasks, list) else []):
        if isinstance(task, Mapping):
            _refuse_task(task, f"tasks[{index}] ('{task.get('task_key', '?')}')")


def _refuse_task(task: Mapping[str, object], where: str) -> None:
    for name in task:
        if name.endswith("_task") and name not in TASK_TYPES:
            raise not_emulated(f"{where}: task type '{name}' (supported: {_SUPPORTED})")
        if name in _COMPUTE:
            raise not_emulated(f"{where}: '{name}' (supported: serverless compute; {_MOVE})")
    found = [name for name in TASK_TYPES if task.get(name) is not None]
    if len(found) != 1:
        raise invalid(f"{where}: {' and '.join(found) or 'no task type'}; expected exactly one of {_SUPPORTED}")
    repeated = task.get("for_each_task")
    inner = repeated.get("task") if isinstance(repeated, Mapping) else None
    if isinstance(inner, Mapping):
        _refuse_task(inner, f"{where}.for_each_task.task ('{inner.get('task_key', '?')}')")
    job_to_run = task.get("run_job_task")
    for name in job_to_run if isinstance(job_to_run, Mapping) else ():
        if name in OTHER_PARAMETERS:
            raise not_emulated(
                f"{where}: 'run_job_task.{name}' (supported: job_parameters, notebook_params, python_params, python_named_params)"
            )


def _check_job(settings: Settings) -> None:
    if len(settings.tasks) > MAX_TASKS:
        raise invalid(f"A job has at most {MAX_TASKS} tasks; this one has {len(settings.tasks)}")
    if not 0 <= settings.max_concurrent_runs <= MAX_CONCURRENT_RUNS:
        raise invalid(f"max_concurrent_runs must be between 0 and {MAX_CONCURRENT_RUNS}; got {settings.max_concurrent_runs}")
    repeated = [task.for_each_task.task for task in settings.tasks if task.for_each_task is not None]
    _unique("tasks", "task_key", [task.task_key for task in (*settings.tasks, *repeated)])
    _unique("environments", "environment_key", [environment.environment_key for environment in settings.environments])
    _check_parameters(settings.parameters)
    for index, environment in enumerate(settings.environments):
        if environment.spec.version not in ENVIRONMENT_VERSIONS:
            where = f"environments[{index}] ('{environment.environment_key}'): environment_version '{environment.spec.version}'"
            raise invalid(f"{where} is not known; expected one of {', '.join(ENVIRONMENT_VERSIONS)}")


def _check_parameters(parameters: Sequence[Parameter]) -> None:
    _unique("parameters", "name", [parameter.name for parameter in parameters])
    wrong = next((parameter.name for parameter in parameters if not _PARAMETER.fullmatch(parameter.name)), None)
    if wrong is not None:
        raise invalid(f"Job parameter '{wrong}': a name has letters, digits, '_', '-' and '.' only")
    try:
        references.check_defaults({parameter.name: parameter.default for parameter in parameters})
    except references.ReferenceProblemError as error:
        raise invalid(str(error)) from error


def _check_task(task: Task, settings: Settings, where: str) -> None:
    if not _KEY.fullmatch(task.task_key):
        raise invalid(f"{where}: task_key must be 1 to 100 letters, digits, hyphens and underscores")
    if isinstance(task.work, PythonWheelTask | SparkPythonTask | NotebookTask):
        _check_environment(task, settings, where)
    if isinstance(task.work, PythonWheelTask) and task.work.parameters and task.work.named_parameters is not None:
        raise invalid(f"{where}: 'parameters' and 'named_parameters' exclude each other")
    if isinstance(task.work, SparkPythonTask | NotebookTask) and task.work.source == "GIT":
        raise not_emulated(f"{where}: 'source: GIT' (supported: WORKSPACE)")
    if isinstance(task.work, ForEachTask):
        _check_repeated(task.work, settings, f"{where}.for_each_task")
    if task.max_retries < -1 or task.min_retry_interval_millis < 0 or task.timeout_seconds < 0:
        raise invalid(f"{where}: max_retries must be -1 or more, min_retry_interval_millis and timeout_seconds 0 or more")


def _check_repeated(repeated: ForEachTask, settings: Settings, where: str) -> None:
    if not 1 <= repeated.concurrency <= MAX_CONCURRENCY:
        raise invalid(f"{where}: concurrency must be between 1 and {MAX_CONCURRENCY}; got {repeated.concurrency}")
    if isinstance(repeated.task.work, ForEachTask | ConditionTask):  # docs.databricks.com/jobs/for-each: any other type can be nested
        raise invalid(f"{where}.task: {_kind(repeated.task)} cannot be run for each input")
    if repeated.task.depends_on:
        raise invalid(f"{where}.task: 'depends_on' belongs to the For each task")
    if not references.REFERENCE.search(repeated.inputs):
        try:
            inputs(repeated.inputs)
        except InputsProblemError as error:
            raise invalid(f"{where}: {error}") from error
    _check_task(repeated.task, settings, f"{where}.task ('{repeated.task.task_key}')")


def _check_environment(task: Task, settings: Settings, where: str) -> None:
    if isinstance(task.work, NotebookTask) and not task.environment_key:
        return  # docs.databricks.com/api/workspace/jobs/create: only a notebook may leave it to itself
    if task.environment_key not in [environment.environment_key for environment in settings.environments]:
        found = (
            f"environment_key '{task.environment_key}' is not among the job's environments"
            if task.environment_key
            else "no environment_key"
        )
        raise invalid(f"{where}: {found}; {_kind(task)} on serverless compute needs one")


def _check_outcomes(settings: Settings) -> None:
    conditions = {task.task_key for task in settings.tasks if task.condition_task is not None}
    for dependency in (dependency for task in settings.tasks for dependency in task.depends_on):
        if dependency.outcome is not None and dependency.task_key not in conditions:
            # The platform's words, as users report them: github.com/Nike-Inc/brickflow/issues/172
            message = f'The dependency on a non-if/else condition "{dependency.task_key}" specifies an outcome "{dependency.outcome}".'
            raise invalid(f"{message} Outcomes can only be specified for if/else condition dependencies.")


def _check_graph(settings: Settings) -> None:
    upstream = {task.task_key: task.upstream for task in settings.tasks}
    for dependent, before in upstream.items():
        missing = next((key for key in before if key not in upstream), None)
        if missing is not None:
            raise invalid(f"Task '{dependent}' depends on task '{missing}', which does not exist; tasks: {', '.join(upstream)}")
    circle = graph.cycle(upstream)
    if circle:
        raise invalid(f"The tasks' dependencies form a cycle: {' -> '.join(circle)}")
    _check_outcomes(settings)
    parameters = [parameter.name for parameter in settings.parameters]
    for task in settings.tasks:
        earlier = sorted(graph.reachable(task.task_key, upstream))
        try:
            references.check(list(_texts(task)), parameters=parameters, upstream=earlier)
            if task.for_each_task is not None:
                references.check(list(_texts(task.for_each_task.task)), parameters=parameters, upstream=earlier, repeated=True)
        except references.ReferenceProblemError as error:
            raise invalid(f"Task '{task.task_key}': {error}") from error


def _texts(task: Task) -> Iterator[str]:
    match task.work:
        case PythonWheelTask() as wheel:
            yield from wheel.parameters
            yield from (wheel.named_parameters or {}).values()
        case SparkPythonTask() as script:
            yield from script.parameters
        case NotebookTask() as notebook:
            yield from notebook.base_parameters.values()
        case ConditionTask() as condition:
            yield from (condition.left, condition.right)
        case RunJobTask() as other:
            yield from other.job_parameters.values()
            yield from other.python_params or ()
            yield from (other.python_named_params or {}).values()
            yield from other.notebook_params.values()
        case ForEachTask() as repeated:
            yield repeated.inputs


def _kind(task: Task) -> str:
    name = next(name for name in TASK_TYPES if getattr(task, name) is not None)
    return f"a {name}"


def _unique(where: str, field: str, keys: Sequence[str]) -> None:
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise invalid(f"{where}: {field} '{twice[0]}' is given more than once")
