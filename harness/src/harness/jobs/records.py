"""Runs as they are looked at afterwards, or while they go on: states, output, task values."""

from collections.abc import Callable, Mapping
from pathlib import Path

from harness.jobs import output, view
from harness.jobs.runs import Runs
from harness.jobs.settings import Json, invalid


class Records:
    """What is known of runs."""

    def __init__(self, runs: Runs, host_url: str) -> None:
        self._runs = runs
        self._host_url = host_url

    def get_run(self, run_id: int, page_token: str = "", *, include_history: bool = False) -> Json:
        """Return a run of a job, or one attempt of one of its tasks."""
        run, task = self._runs.find(run_id)
        return view.run(run, self._host_url, only=task, page_token=page_token, include_history=include_history)

    def list_runs(self, filters: view.RunFilters, shows: Callable[[str], bool] = lambda _: True) -> Json:
        """Return a page of runs, latest first; `shows` is asked for each creator."""
        found = [run for run in self._runs.all(filters.job_id) if shows(run.creator)]
        return view.run_page(found, filters, self._host_url)

    def get_output(self, run_id: int) -> Json:
        """Return what an attempt printed and, if it failed, its error and traceback."""
        run, task = self._runs.find(run_id)
        if task is None:
            if len({found.task_key for found in run.tasks}) > 1:
                message = "Retrieving the output of runs with multiple tasks is not supported."
                raise invalid(f"{message} Please retrieve the output of each individual task run instead.")
            task = run.tasks[-1]
        logs, truncated = output.logs(self._runs.attempt_folder(run.run_id, task))
        metadata = view.run(run, self._host_url, only=task)
        return view.output(metadata, task, logs, truncated=truncated)

    def output_since(self, run_id: int, task_key: str, offset: int) -> output.Piece:
        """Return what the latest attempt of a task has printed to its standard output since `offset` bytes."""
        run = self._runs.get(run_id)
        if not run.attempts(task_key):
            raise invalid(f"Run {run_id} has no task '{task_key}'.")
        task = run.latest(task_key)
        return output.piece(self._runs.attempt_folder(run_id, task), task, offset)

    def task_values(self, run_id: int) -> Mapping[str, Mapping[str, object]]:
        """Return the task values of a run, by task and key."""
        return self._runs.values(self._runs.get(run_id).run_id)

    def log_folder(self, run_id: int, task_key: str) -> Path:
        """Return where the output of the latest attempt of a task lies."""
        run = self._runs.get(run_id)
        return self._runs.attempt_folder(run_id, run.latest(task_key))

    def delete_run(self, run_id: int) -> None:
        """Forget a run that has ended."""
        run = self._runs.get(run_id)
        if not run.state.ended:
            raise invalid(f"Run {run_id} is active; cancel it before it is deleted")
        self._runs.delete([run])
