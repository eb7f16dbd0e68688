"""What a valid bundle may ask of the platform and the harness does not do: refused before anything is written."""

from collections.abc import Iterator

from harness.bundle.checks import task_types
from harness.bundle.model import Bundle
from harness.bundle.nodes import Node
from harness.bundle.starts import refused_starts
from harness.errors import NotEmulated

# The harness's Jobs API runs these; keep in step with harness/jobs/settings.py.
TASK_TYPES = ("python_wheel_task", "spark_python_task", "notebook_task", "condition_task", "run_job_task", "for_each_task")
_PARAMETERS = ("job_id", "job_parameters", "notebook_params", "python_params", "python_named_params")
_COMPUTE = ("new_cluster", "existing_cluster_id", "job_cluster_key", "libraries", "compute")


def check_emulated(bundle: Bundle) -> None:
    """Raise `NotEmulated`, with the place, for the first thing the harness would refuse half-way through a deployment."""
    for found, what in _refused(bundle.tree):
        raise NotEmulated(f"{found.at}: {what}")
    for path in (bundle.paths.state, bundle.paths.files):
        if not path.startswith("/Workspace/"):
            raise NotEmulated(f"a deployment in {path} (expected a path below /Workspace)")
    if not bundle.paths.artifacts.startswith(("/Workspace/", "/Volumes/")):
        raise NotEmulated(f"wheels in {bundle.paths.artifacts} (expected a path below /Workspace or /Volumes)")


def _refused(tree: Node) -> Iterator[tuple[Node, str]]:
    for key, job in _entries(tree.find("resources", "jobs")):
        yield from _refused_in_job(job, f"resources.jobs.{key}")


def _refused_in_job(job: Node, path: str) -> Iterator[tuple[Node, str]]:
    source = job.child("git_source")
    if source is not None:
        yield source, f"{path}.git_source"
    yield from refused_starts(job, path)
    tasks = job.child("tasks")
    for number, task in enumerate(tasks.items() if tasks is not None else ()):
        for name, value in task.entries().items():
            if name in _COMPUTE or (name in task_types() and name not in TASK_TYPES):
                yield value, f"{path}.tasks[{number}].{name} (supported: {', '.join(TASK_TYPES)} on serverless compute, by environment_key)"
        for name, value in _entries(task.child("run_job_task")):
            if name not in _PARAMETERS:
                yield value, f"{path}.tasks[{number}].run_job_task.{name} (supported: {', '.join(_PARAMETERS)})"


def _entries(section: Node | None) -> Iterator[tuple[str, Node]]:
    yield from (section.entries().items() if section is not None else ())
