"""Dynamic values in task parameters: `{{job.parameters.x}}`, `{{tasks.train.values.run_id}}`, `{{task.name}}` … Pure.

The list is the one of docs.databricks.com/jobs/dynamic-value-references, without what needs a notebook, a table trigger or a repair.
"""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.config import WORKSPACE_ID

# Names and dots only: JSON such as {"a": {"b": 1}} in a parameter is no reference.
REFERENCE = re.compile(r"\{\{\s*([A-Za-z_][\w.\-]*)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Finished:
    """What a task that has ended tells others."""

    run_id: int
    result_state: str
    execution_count: int


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


class ReferenceProblemError(Exception):
    """A reference that stands for nothing; the message says which, and why."""


def check(texts: Sequence[str], *, parameters: Sequence[str], upstream: Sequence[str]) -> None:
    """Raise `ReferenceProblemError` for a reference that can never be resolved in a task that comes after `upstream`."""
    for reference in (found for text in texts for found in REFERENCE.findall(text)):
        match reference.split("."):
            case ["job", "parameters", *name] if ".".join(name) not in parameters:
                known = ", ".join(parameters) or "none"
                raise ReferenceProblemError(f"{{{{{reference}}}}}: the job declares no such parameter; declared: {known}")
            case ["tasks", task, *_] if task not in upstream:
                raise ReferenceProblemError(f"{{{{{reference}}}}}: task '{task}' does not come before this one (depends_on)")
            case ["job", "parameters", *_] | ["tasks", _, "values", _, *_]:
                pass
            case ["tasks", _, name] if name in TASKS:
                pass
            case _ if reference not in NAMES:
                raise ReferenceProblemError(f"{{{{{reference}}}}} is not a dynamic value; known: {', '.join(sorted(NAMES))}, {_OTHERS}")


def resolve(text: str, context: Context) -> str:
    """Return `text` with each reference replaced; `ReferenceProblemError` when one stands for nothing."""
    return REFERENCE.sub(lambda found: _value(found[1], context), text)


def referred_values(text: str, context: Context) -> Iterator[tuple[str, object]]:
    """Yield the task values that `text` refers to, as they were set, with their references; those never set are left out."""
    for reference in REFERENCE.findall(text):
        match reference.split("."):
            case ["tasks", task, "values", *key] if ".".join(key) in context.values.get(task, {}):
                yield reference, context.values[task][".".join(key)]


def _value(reference: str, context: Context) -> str:
    match reference.split("."):
        case ["job", "parameters", *name] if ".".join(name) in context.parameters:
            return context.parameters[".".join(name)]
        case ["tasks", task, "values", *key]:
            values = context.values.get(task, {})
            if ".".join(key) not in values:
                known = ", ".join(sorted(values)) or "none"
                raise ReferenceProblemError(f"{{{{{reference}}}}}: task '{task}' has set no such value; it has set: {known}")
            return rendered(values[".".join(key)])
        case ["tasks", task, name] if name in TASKS and task in context.finished:
            return str(TASKS[name](context.finished[task]))
        case _ if reference in NAMES:
            return str(NAMES[reference](context))
    raise ReferenceProblemError(f"{{{{{reference}}}}} stands for nothing in this run")


def rendered(value: object) -> str:
    """Return a task value as text: strings as they are, everything else as JSON ("true", "12.5", "[1, 2]")."""
    return value if isinstance(value, str) else json.dumps(value)


NAMES: Mapping[str, Callable[[Context], object]] = {
    "job.id": lambda context: context.job_id,
    "job.name": lambda context: context.job_name,
    "job.run_id": lambda context: context.run_id,
    "job.repair_count": lambda _: 0,
    "job.trigger.type": lambda context: context.trigger,
    "job.start_time.iso_date": lambda context: context.start_time.date().isoformat(),
    "job.start_time.iso_datetime": lambda context: f"{context.start_time:%Y-%m-%dT%H:%M:%S}Z",
    "job.start_time.timestamp_ms": lambda context: int(context.start_time.timestamp() * 1000),
    "job.start_time.year": lambda context: context.start_time.year,
    "job.start_time.month": lambda context: context.start_time.month,
    "job.start_time.day": lambda context: context.start_time.day,
    "job.start_time.hour": lambda context: context.start_time.hour,
    "job.start_time.minute": lambda context: context.start_time.minute,
    "job.start_time.second": lambda context: context.start_time.second,
    "job.start_time.is_weekday": lambda context: str(context.start_time.weekday() < 5).lower(),
    "task.name": lambda context: context.task_name,
    "task.run_id": lambda context: context.task_run_id,
    "task.execution_count": lambda context: context.execution_count,
    "workspace.id": lambda _: WORKSPACE_ID,
    "workspace.url": lambda context: context.workspace_url,
    # The older spellings, still accepted (docs: deprecated parameter variables).
    "job_id": lambda context: context.job_id,
    "run_id": lambda context: context.task_run_id,
    "parent_run_id": lambda context: context.run_id,
    "task_key": lambda context: context.task_name,
    "start_date": lambda context: context.start_time.date().isoformat(),
}
TASKS: Mapping[str, Callable[[Finished], object]] = {
    "run_id": lambda finished: finished.run_id,
    "result_state": lambda finished: finished.result_state.lower(),
    "execution_count": lambda finished: finished.execution_count,
}
_OTHERS = "job.parameters.<name>, tasks.<task>.values.<key>, tasks.<task>.<run_id|result_state|execution_count>"
