"""Dynamic values in task parameters: `{{job.parameters.x}}`, `{{tasks.train.values.run_id}}`, `{{task.name}}` … Pure.

The list is the one of docs.databricks.com/jobs/dynamic-value-references, without what needs a SQL task. As there, a reference into a
namespace that is none of the platform's is a text like any other, and one that a known namespace does not have is an error.
"""

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.config import WORKSPACE_ID

# Names and dots only: JSON such as {"a": {"b": 1}} in a parameter is no reference. Names with other characters stand in backticks.
_NAME = r"(?:`[^`]+`|\[?[\w\-]+\]?)"
REFERENCE = re.compile(r"\{\{\s*(" + _NAME + r"(?:\." + _NAME + r")*)\s*\}\}")
_PART = re.compile(r"`([^`]+)`|([^.`]+)")


@dataclass(frozen=True, slots=True)
class Finished:
    """What a task that has ended tells others."""

    run_id: int
    result_state: str
    execution_count: int
    termination_code: str = ""
    notebook_path: str = ""

    @property
    def error_code(self) -> str:
        """The reason of a failure, as in RunExecutionError; empty for a success."""
        if self.result_state != "FAILED":  # Assumption: only a failure has one
            return ""
        return "".join(word.capitalize() for word in self.termination_code.split("_"))


@dataclass(frozen=True, slots=True)
class Context:
    """What the references of one attempt of one task stand for."""

    job_id: int
    job_name: str
    run_id: int
    parameters: Mapping[str, str]
    start_time: dt.datetime
    task_name: str
    task_run_id: int
    execution_count: int
    finished: Mapping[str, Finished]
    values: Mapping[str, Mapping[str, object]]
    workspace_url: str
    trigger: str = "one_time"
    trigger_time: dt.datetime | None = None
    trigger_location: str = ""
    notebook_path: str = ""
    repair_count: int = 0
    iteration: tuple[object, ...] = ()
    """The input of an iteration of a for-each task, or nothing."""


class ReferenceProblemError(Exception):
    """A reference that stands for nothing; the message says which, and why."""


def check(texts: Sequence[str], *, parameters: Sequence[str], upstream: Sequence[str], repeated: bool = False) -> None:
    """Raise `ReferenceProblemError` for a reference that can never be resolved in a task that comes after `upstream`.

    `repeated` tasks are those of a for-each task, which alone have an input.
    """
    for reference in (found for text in texts for found in REFERENCE.findall(text)):
        match _parts(reference):
            case ["job", "parameters", *name] if ".".join(name) not in parameters:
                known = ", ".join(parameters) or "none"
                raise ReferenceProblemError(f"{{{{{reference}}}}}: the job declares no such parameter; declared: {known}")
            case ["tasks", task, *_] if task not in upstream:
                raise ReferenceProblemError(f"{{{{{reference}}}}}: task '{task}' does not come before this one (depends_on)")
            case ["job", "parameters", *_] | ["tasks", _, "values", _, *_]:
                pass
            case ["tasks", _, name] if name in TASKS:
                pass
            case ["input", *_] if repeated:
                pass
            case ["input", *_]:
                raise ReferenceProblemError(f"{{{{{reference}}}}} stands for nothing outside the task of a for_each_task")
            case [namespace, *_] as parts if namespace in _NAMESPACES and ".".join(parts) not in NAMES:
                raise ReferenceProblemError(f"{{{{{reference}}}}} is not a dynamic value; known: {', '.join(sorted(NAMES))}, {_OTHERS}")


def check_defaults(defaults: Mapping[str, str]) -> None:
    """Raise `ReferenceProblemError` for a job parameter whose value refers to what the job itself does not know."""
    for name, text in defaults.items():
        for reference in REFERENCE.findall(text):
            namespace = _parts(reference)[0]
            if namespace in ("task", "tasks", "input") or reference.startswith("job.parameters."):
                # Assumption: a job's parameters are settled before its tasks, and do not refer to each other.
                raise ReferenceProblemError(f"job parameter '{name}': {{{{{reference}}}}} is not known when the run begins")
        check([text], parameters=(), upstream=())


def resolve(text: str, context: Context) -> str:
    """Return `text` with each reference replaced; `ReferenceProblemError` when one stands for nothing."""
    return REFERENCE.sub(lambda found: _value(found[0], found[1], context), text)


def referred_values(text: str, context: Context) -> Iterator[tuple[str, object]]:
    """Yield the task values that `text` refers to, as they were set, with their references; those never set are left out."""
    for reference in REFERENCE.findall(text):
        match _parts(reference):
            case ["tasks", task, "values", *key] if ".".join(key) in context.values.get(task, {}):
                yield reference, context.values[task][".".join(key)]


def rendered(value: object) -> str:
    """Return a task value as text: strings as they are, everything else as JSON ("true", "12.5", "[1, 2]")."""
    return value if isinstance(value, str) else json.dumps(value)


def _parts(reference: str) -> list[str]:
    # Assumption: [iso_date] is iso_date, as the documentation once wrote the argument of a time.
    return [quoted or plain.strip("[]") for quoted, plain in _PART.findall(reference)]


def _value(text: str, reference: str, context: Context) -> str:
    parts = _parts(reference)
    match parts:
        case ["job", "parameters", *name] if ".".join(name) in context.parameters:
            # A parameter's own value may refer to the run, not to other parameters.
            return resolve(context.parameters[".".join(name)], dataclasses.replace(context, parameters={}))
        case ["tasks", task, "values", *key]:
            values = context.values.get(task, {})
            if ".".join(key) not in values:
                known = ", ".join(sorted(values)) or "none"
                raise ReferenceProblemError(f"{{{{{reference}}}}}: task '{task}' has set no such value; it has set: {known}")
            return rendered(values[".".join(key)])
        case ["tasks", task, name] if name in TASKS and task in context.finished:
            return str(TASKS[name](context.finished[task]))
        case ["input", *keys] if context.iteration:
            return rendered(_inside(context.iteration[0], keys, reference))
        case ["backfill", *_]:
            raise ReferenceProblemError(f"{{{{{reference}}}}}: this run is no backfill; the harness makes none")
        case _ if ".".join(parts) in NAMES:
            return str(NAMES[".".join(parts)](context))
        case [namespace, *_] if namespace not in _NAMESPACES:
            return text
    raise ReferenceProblemError(f"{{{{{reference}}}}} stands for nothing in this run")


def _inside(value: object, keys: Sequence[str], reference: str) -> object:
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            raise ReferenceProblemError(f"{{{{{reference}}}}}: the input has no '{key}'; it is {json.dumps(value)}")
        value = value[key]
    return value


_TIME: Mapping[str, Callable[[dt.datetime], object]] = {
    "iso_date": lambda time: time.date().isoformat(),
    "iso_datetime": lambda time: f"{time:%Y-%m-%dT%H:%M:%S}Z",
    "timestamp_ms": lambda time: int(time.timestamp() * 1000),
    "year": lambda time: time.year,
    "month": lambda time: time.month,
    "day": lambda time: time.day,
    "hour": lambda time: time.hour,
    "minute": lambda time: time.minute,
    "second": lambda time: time.second,
    "is_weekday": lambda time: str(time.isoweekday() <= 5).lower(),
}


def _trigger_time(context: Context) -> dt.datetime:
    """docs: when the run was triggered, down to the minute for a schedule (whose times are given whole)."""
    return context.trigger_time or context.start_time


def _times(prefix: str, time: Callable[[Context], dt.datetime]) -> dict[str, Callable[[Context], object]]:
    def shown(show: Callable[[dt.datetime], object]) -> Callable[[Context], object]:
        return lambda context: show(time(context))

    return {f"{prefix}.{name}": shown(show) for name, show in _TIME.items()}


NAMES: Mapping[str, Callable[[Context], object]] = {
    "job.id": lambda context: context.job_id,
    "job.name": lambda context: context.job_name,
    "job.run_id": lambda context: context.run_id,
    "job.repair_count": lambda context: context.repair_count,
    "job.trigger.type": lambda context: context.trigger,
    "job.trigger.file_arrival.location": lambda context: context.trigger_location,
    **_times("job.trigger.time", _trigger_time),
    **_times("job.start_time", lambda context: context.start_time),
    "task.name": lambda context: context.task_name,
    "task.run_id": lambda context: context.task_run_id,
    "task.execution_count": lambda context: context.execution_count,
    "task.notebook_path": lambda context: context.notebook_path,
    "workspace.id": lambda _: WORKSPACE_ID,
    "workspace.url": lambda context: context.workspace_url,
    **dict.fromkeys((f"backfill.{name}" for name in _TIME), lambda _: ""),
    # The older spellings, still accepted (docs: deprecated parameter variables).
    "job_id": lambda context: context.job_id,
    "run_id": lambda context: context.task_run_id,
    "parent_run_id": lambda context: context.run_id,
    "task_key": lambda context: context.task_name,
    "start_date": lambda context: context.start_time.date().isoformat(),
    "start_time": lambda context: int(context.start_time.timestamp() * 1000),
    "task_retry_count": lambda context: context.execution_count - 1,
}
TASKS: Mapping[str, Callable[[Finished], object]] = {
    "run_id": lambda finished: finished.run_id,
    "result_state": lambda finished: finished.result_state.lower(),
    "error_code": lambda finished: finished.error_code,
    "execution_count": lambda finished: finished.execution_count,
    "notebook_path": lambda finished: finished.notebook_path,
}
_NAMESPACES = frozenset({"job", "task", "tasks", "workspace", "input", "backfill"})
_OTHERS = f"job.parameters.<name>, input.<key>, tasks.<task>.values.<key>, tasks.<task>.<{'|'.join(TASKS)}>"
