"""What a run is started with: the command line's parameters, in the form that the job takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.bundle.model import Resource
from harness.bundle.nodes import Json
from harness.errors import UserError

_EXPECTED = "expected --key value or --key=value"


@dataclass(frozen=True, slots=True)
class RunParameters:
    """Parameters as given: of the job, of each kind of task, the tasks to run, and what stood behind `--`."""

    job: Mapping[str, str] = field(default_factory=dict)
    notebook: Mapping[str, str] = field(default_factory=dict)
    python: Sequence[str] = ()
    python_named: Mapping[str, str] = field(default_factory=dict)
    only: Sequence[str] = ()
    rest: Sequence[str] = ()

    def body(self, job: Resource) -> dict[str, Json]:
        """Return the fields of run-now for `job`, or raise what does not fit it."""
        declared = _names(job.body.get("parameters"), "name")
        tasks = _names(job.body.get("tasks"), "task_key")
        given = self._with_rest(job, declared)
        _check_known("--params", given.job, declared, job.key, "parameter")
        _check_known("--only", given.only, tasks, job.key, "task")
        of_tasks: dict[str, Json] = {
            "notebook_params": {**given.notebook},
            "python_params": [*given.python],
            "python_named_params": {**given.python_named},
        }
        used = {name: value for name, value in of_tasks.items() if value}
        if used and declared:
            # docs.databricks.com/jobs/parameters: a job with job parameters takes no parameters of tasks
            options = ", ".join(f"--{name.replace('_', '-')}" for name in used)
            raise UserError(
                f"{options}: job '{job.key}' has parameters of its own ({', '.join(declared)}); give them with --params name=value"
            )
        parameters: dict[str, Json] = {"job_parameters": {**given.job}} if given.job else {}
        return {**parameters, **used, **({"only": [*given.only]} if given.only else {})}

    def _with_rest(self, job: Resource, declared: Sequence[str]) -> "RunParameters":
        """Return the parameters with what stood behind `--` where it belongs: the job's, its notebooks' or its Python tasks'."""
        if not self.rest:
            return self
        if declared:
            return RunParameters({**self.job, **_named(self.rest)}, self.notebook, self.python, self.python_named, self.only)
        if _runs_notebooks(job):
            return RunParameters(self.job, {**self.notebook, **_named(self.rest)}, self.python, self.python_named, self.only)
        return RunParameters(self.job, self.notebook, [*self.python, *self.rest], self.python_named, self.only)


def _named(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name or not (equals or rest):
            raise UserError(f"-- {' '.join(words)}: '{word}' is no parameter; {_EXPECTED}")
        found[name] = value if equals else rest.pop(0)
    return found


def _runs_notebooks(job: Resource) -> bool:
    tasks = job.body.get("tasks")
    return any(isinstance(task, dict) and "notebook_task" in task for task in (tasks if isinstance(tasks, list) else ()))


def _names(items: Json, key: str) -> list[str]:
    return [str(each[key]) for each in items if isinstance(each, dict) and key in each] if isinstance(items, list) else []


def _check_known(option: str, given: Mapping[str, str] | Sequence[str], known: Sequence[str], job: str, what: str) -> None:
    for name in given:
        if name not in known:
            raise UserError(f"{option} {name}: job '{job}' has no such {what}; expected one of {', '.join(known) or '(it has none)'}")
