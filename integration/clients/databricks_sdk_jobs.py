"""`w.jobs`: a job of a notebook and a condition, run, looked at, repaired, changed, deleted; a run without a job.

`python databricks_sdk_jobs.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import base64
import uuid
from datetime import timedelta

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, OperationFailed
from databricks.sdk.service.jobs import (
    ConditionTask,
    ConditionTaskOp,
    JobParameterDefinition,
    JobSettings,
    NotebookTask,
    Run,
    RunResultState,
    SubmitTask,
    Task,
    TaskDependency,
)
from databricks.sdk.service.workspace import ImportFormat, Language

NAME = f"j_{uuid.uuid4().hex[:8]}"
NOTEBOOK = """# Databricks notebook source
dbutils.widgets.text("city", "nowhere")
city = dbutils.widgets.get("city")
dbutils.jobs.taskValues.set("length", len(city))

# COMMAND ----------

if city == "Atlantis":
    raise ValueError("no such city")
dbutils.notebook.exit(city.upper())
"""
PATIENCE = timedelta(minutes=5)


def main() -> None:
    """Play it through."""
    client = WorkspaceClient()
    home = f"/Users/{client.current_user.me().user_name}/{NAME}"
    client.workspace.mkdirs(home)
    content = base64.b64encode(NOTEBOOK.encode()).decode()
    client.workspace.import_(f"{home}/cities", content=content, format=ImportFormat.SOURCE, language=Language.PYTHON)
    job_id = client.jobs.create(name=NAME, tasks=tasks(f"{home}/cities"), parameters=[JobParameterDefinition("city", "Rome")]).job_id or 0
    try:
        runs(client, job_id)
        changes(client, job_id)
        once(client, f"{home}/cities")
    finally:
        client.jobs.delete(job_id)
        client.workspace.delete(home, recursive=True)
    try:
        client.jobs.get(job_id)
    except DatabricksError as error:
        assert "does not exist" in str(error)
    else:
        raise AssertionError("a job that is gone")


def tasks(path: str) -> list[Task]:
    """Return a notebook, a condition on what it says, and what depends on that."""
    return [
        Task(task_key="cities", notebook_task=NotebookTask(path, {"city": "{{job.parameters.city}}"})),
        Task(
            task_key="is_short",
            depends_on=[TaskDependency("cities")],
            condition_task=ConditionTask(ConditionTaskOp.LESS_THAN, "{{tasks.cities.values.length}}", "6"),
        ),
        Task(
            task_key="only_short",
            depends_on=[TaskDependency("is_short", outcome="true")],
            notebook_task=NotebookTask(path, {"city": "Oslo"}),
        ),
    ]


def states(run: Run) -> dict[str, RunResultState | None]:
    """Return how each task of a run ended."""
    return {task.task_key: task.state.result_state if task.state else None for task in run.tasks or []}


def runs(client: WorkspaceClient, job_id: int) -> None:
    """Run it, with other parameters, and wrongly; repair what failed."""
    run = client.jobs.run_now_and_wait(job_id, timeout=PATIENCE)
    assert set(states(run).values()) == {RunResultState.SUCCESS}, states(run)
    first = next(task for task in run.tasks or [] if task.task_key == "cities")
    output = client.jobs.get_run_output(first.run_id or 0).notebook_output
    assert output is not None
    assert output.result == "ROME"

    longer = client.jobs.run_now_and_wait(job_id, job_parameters={"city": "Samarkand"}, timeout=PATIENCE)
    assert states(longer)["only_short"] is RunResultState.EXCLUDED, states(longer)

    begun = client.jobs.run_now(job_id, job_parameters={"city": "Atlantis"})
    try:
        client.jobs.wait_get_run_job_terminated_or_skipped(begun.run_id, timeout=PATIENCE)
    except OperationFailed as error:
        assert "cities" in str(error)
    failed = client.jobs.get_run(begun.run_id)
    assert states(failed)["cities"] is RunResultState.FAILED
    assert states(failed)["only_short"] is not RunResultState.SUCCESS
    wrong = next(task for task in failed.tasks or [] if task.task_key == "cities")
    assert "no such city" in (client.jobs.get_run_output(wrong.run_id or 0).error or "")

    repaired = client.jobs.repair_run_and_wait(begun.run_id, rerun_all_failed_tasks=True, job_parameters={"city": "Lima"}, timeout=PATIENCE)
    assert set(states(repaired).values()) == {RunResultState.SUCCESS}, states(repaired)
    assert {each.run_id for each in client.jobs.list_runs(job_id=job_id)} == {run.run_id, longer.run_id, begun.run_id}


def changes(client: WorkspaceClient, job_id: int) -> None:
    """Rename it, and find it by its name."""
    client.jobs.update(job_id, new_settings=JobSettings(name=f"{NAME}_renamed"))
    assert [each.job_id for each in client.jobs.list(name=f"{NAME}_renamed")] == [job_id]
    settings = client.jobs.get(job_id).settings
    assert settings is not None
    assert [task.task_key for task in settings.tasks or []] == ["cities", "is_short", "only_short"]


def once(client: WorkspaceClient, path: str) -> None:
    """Run a notebook without a job."""
    tasks_once = [SubmitTask(task_key="once", notebook_task=NotebookTask(path, {"city": "Bern"}))]
    run = client.jobs.submit_and_wait(run_name=NAME, tasks=tasks_once, timeout=PATIENCE)
    assert set(states(run).values()) == {RunResultState.SUCCESS}


if __name__ == "__main__":
    main()
