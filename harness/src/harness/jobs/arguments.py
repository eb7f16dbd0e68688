"""What a task is given: its own parameters, those of run-now, the job's. Pure."""

from collections.abc import Collection, Mapping

import msgspec

from harness.jobs.model import NotebookTask, PythonWheelTask, RunJobTask, RunRequest, Settings, SparkPythonTask
from harness.jobs.references import Context, resolve
from harness.jobs.settings import OTHER_PARAMETERS, invalid, not_emulated

MAX_TOKEN = 64  # docs.databricks.com/api/workspace/jobs/runnow, idempotency_token
MAX_BYTES = 10_000  # the same page: of the JSON of each kind of parameters
OLDER_PARAMETERS = ("notebook_params", "python_params", "python_named_params")


def check_request(request: RunRequest, settings: Settings) -> None:
    """Raise the platform's 400 for a run-now that does not fit the job."""
    for name in OTHER_PARAMETERS:
        if getattr(request, name):
            raise not_emulated(f"run-now with '{name}'")
    if len(request.idempotency_token) > MAX_TOKEN:
        raise invalid(f"idempotency_token has at most {MAX_TOKEN} characters")
    declared = [parameter.name for parameter in settings.parameters]
    unknown = sorted(set(request.job_parameters) - set(declared))
    if unknown:
        raise invalid(f"Job parameter '{unknown[0]}' is not declared by the job; declared: {', '.join(declared) or 'none'}")
    given = [name for name in OLDER_PARAMETERS if getattr(request, name) is not None]
    if declared and given:
        # Assumption: the wording; the official client refuses this before it asks.
        raise invalid(f"'{given[0]}' cannot be used with a job that declares parameters; use job_parameters")
    for name in given:
        if len(msgspec.json.encode({name: getattr(request, name)})) > MAX_BYTES:
            raise invalid(f"The JSON of '{name}' cannot exceed {MAX_BYTES} bytes")
    if request.python_params is not None and request.python_named_params is not None:
        raise invalid("'python_params' and 'python_named_params' exclude each other")
    if not settings.tasks:
        raise invalid("The job has no tasks; nothing can be run")


def job_parameters(request: RunRequest, settings: Settings) -> dict[str, str]:
    """Return the values of the job's parameters in a run."""
    return {parameter.name: request.job_parameters.get(parameter.name, parameter.default) for parameter in settings.parameters}


def arguments(wheel: PythonWheelTask, request: RunRequest, context: Context) -> tuple[str, ...]:
    """Return the command-line arguments of a wheel task; `ReferenceProblemError` when a reference stands for nothing."""
    named = request.python_named_params if request.python_named_params is not None else wheel.named_parameters
    if request.python_params is not None:
        return tuple(resolve(text, context) for text in request.python_params)
    if named is None:
        return tuple(resolve(text, context) for text in wheel.parameters)
    # docs.databricks.com/jobs/parameters: job parameters are pushed down to wheel tasks with keyword arguments, and win there.
    pushed: Mapping[str, str] = {**named, **context.parameters}
    return tuple(f"--{name}={resolve(value, context)}" for name, value in pushed.items())


def script_arguments(script: SparkPythonTask, request: RunRequest, context: Context) -> tuple[str, ...]:
    """Return the command-line arguments of a script."""
    given = request.python_params if request.python_params is not None else script.parameters
    return tuple(resolve(text, context) for text in given)


def widgets(notebook: NotebookTask, request: RunRequest, context: Context) -> dict[str, str]:
    """Return the values of a notebook's widgets: its own, over them the job's parameters, over them those of run-now."""
    # docs.databricks.com/jobs/parameters: job parameters are pushed down and win over a task's of the same name.
    given = {**notebook.base_parameters, **context.parameters, **(request.notebook_params or {})}
    return {name: resolve(value, context) for name, value in given.items()}


def request_for(other: RunJobTask, context: Context, declared: Collection[str]) -> RunRequest:
    """Return what a Run Job task asks of the other job; `ReferenceProblemError` when a reference stands for nothing.

    docs.databricks.com/jobs/job-parameters: a job's parameters are pushed down to Run Job tasks, and win there over the task's own.
    Assumption: those of them that the other job has `declared`, for it refuses others.
    """
    positional, named = other.python_params, other.python_named_params
    pushed = {name: value for name, value in context.parameters.items() if name in declared}
    return RunRequest(
        job_id=other.job_id,
        job_parameters={name: resolve(value, context) for name, value in {**other.job_parameters, **pushed}.items()},
        python_params=None if positional is None else tuple(resolve(text, context) for text in positional),
        python_named_params=None if named is None else {name: resolve(value, context) for name, value in named.items()},
        notebook_params={name: resolve(value, context) for name, value in other.notebook_params.items()} or None,
    )
