"""The record of runs: what is known about each, in documents, so that a killed harness loses none."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from harness.errors import ApiError
from harness.jobs.model import Run, TaskRun
from harness.jobs.settings import invalid
from harness.state import Documents, Store


class Runs:
    """Runs and their attempts by id; each change is one transaction. After `freeze` nothing changes any more."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._runs = Documents(store, "job_run", Run)
        self._owners = Documents(store, "job_task_run", int)
        self._folder = folder
        self._frozen = False

    def freeze(self) -> None:
        """Write nothing more: the harness is going down, and what was active stays active in the record, as after a crash."""
        self._frozen = True

    def put(self, run: Run) -> Run:
        """Write a run and its attempts."""
        with self._runs.transaction():
            for task in run.tasks:
                self._owners.put(_key(task.run_id), run.run_id)
            return self._write(run)

    def find(self, run_id: int) -> tuple[Run, TaskRun | None]:
        """Return the run `run_id`, or the run that holds the attempt `run_id` together with that attempt; the platform's 400 else."""
        run = self._runs.get(_key(run_id))
        if run is not None:
            return run, None
        owner = self._owners.get(_key(run_id))
        run = self._runs.get(_key(owner)) if owner is not None else None
        if run is None:
            raise _unknown(run_id)
        return run, next(task for task in (*run.tasks, *run.iterations) if task.run_id == run_id)

    def get(self, run_id: int) -> Run:
        """Return the job run `run_id`, or raise the platform's 400."""
        run, task = self.find(run_id)
        if task is not None:
            raise invalid(f"Run {run_id} is a task of run {run.run_id}, not a run of a job.")
        return run

    def all(self, job_id: int | None = None) -> list[Run]:
        """Return the runs (of one job), latest first."""
        found = [run for run in self._runs.list() if job_id is None or run.job_id == job_id]
        return sorted(found, key=lambda run: (run.start_time, run.queued_time, run.run_id), reverse=True)

    def active(self, job_id: int | None = None) -> list[Run]:
        """Return the runs that have not ended, first come first."""
        return [run for run in reversed(self.all(job_id)) if not run.state.ended]

    def change(self, run_id: int, change: Callable[[Run], Run]) -> Run:
        """Apply `change` to the run as it is now, and return what it became."""
        with self._runs.transaction():
            run = self.get(run_id)
            return run if self._frozen else self._write(change(run))

    def change_task(self, run_id: int, task_run_id: int, **changes: object) -> TaskRun:
        """Change one attempt and return it."""

        def changed(tasks: tuple[TaskRun, ...]) -> tuple[TaskRun, ...]:
            return tuple(msgspec.structs.replace(task, **changes) if task.run_id == task_run_id else task for task in tasks)

        after = self.change(run_id, lambda run: msgspec.structs.replace(run, tasks=changed(run.tasks), iterations=changed(run.iterations)))
        return next(task for task in (*after.tasks, *after.iterations) if task.run_id == task_run_id)

    def add_task(self, run_id: int, task: TaskRun) -> TaskRun:
        """Add an attempt of a task, or of an iteration, and return it."""

        def longer(run: Run) -> Run:
            if task.iteration is None:
                return msgspec.structs.replace(run, tasks=(*run.tasks, task))
            return msgspec.structs.replace(run, iterations=(*run.iterations, task))

        with self._runs.transaction():
            self._owners.put(_key(task.run_id), run_id)
            self.change(run_id, longer)
        return task

    def delete(self, runs: Iterable[Run]) -> None:
        """Forget `runs` and what their tasks printed."""
        for run in runs:
            with self._runs.transaction():
                for task in (*run.tasks, *run.iterations):
                    self._owners.delete(_key(task.run_id))
                self._runs.delete(_key(run.run_id))
            shutil.rmtree(self._folder / str(run.run_id), ignore_errors=True)

    def attempt_folder(self, run_id: int, task: TaskRun) -> Path:
        """Return where an attempt's output lies."""
        folder = self._folder / str(run_id)
        if task.iteration is None:
            return folder / f"{task.task_key}.{task.attempt_number}"
        return folder / str(task.iteration_of) / f"{task.task_key}.{task.iteration}.{task.attempt_number}"

    def values_folder(self, run_id: int) -> Path:
        """Return where the task values of a run lie, one file a task."""
        return self._folder / str(run_id) / "values"

    def values(self, run_id: int) -> dict[str, dict[str, object]]:
        """Return the task values of a run by task and key."""
        files = self.values_folder(run_id).glob("*.json")
        return {file.stem: msgspec.json.decode(file.read_bytes(), type=dict[str, object]) for file in files}

    def _write(self, run: Run) -> Run:
        return self._runs.put(_key(run.run_id), run)


def _unknown(run_id: int) -> ApiError:
    """A 400, not a 404: the official client's table of overrides (databricks.sdk.errors.overrides) shows that the platform says so."""
    return invalid(f"Run {run_id} does not exist.")


def _key(run_id: int) -> str:
    return f"{run_id:020d}"
