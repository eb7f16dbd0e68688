"""Schedules and triggers of a running harness, on its own volumes and tables."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.jobs import (
    ConditionTask,
    ConditionTaskOp,
    CronSchedule,
    FileArrivalTriggerConfiguration,
    JobEmailNotifications,
    Run,
    TableUpdateTriggerConfiguration,
    Task,
    TriggerSettings,
)

pytestmark = pytest.mark.platform
TASK = Task("check", condition_task=ConditionTask(op=ConditionTaskOp.EQUAL_TO, left="{{job.trigger.type}}", right="one_time"))


@contextmanager
def made(workspace: WorkspaceClient, **settings: Any) -> Iterator[int]:
    """A job of one condition that is removed afterwards."""
    job_id = workspace.jobs.create(name="by itself", tasks=[TASK], **settings).job_id
    assert job_id is not None
    yield job_id
    workspace.jobs.delete(job_id)


def first_run(workspace: WorkspaceClient, job_id: int) -> Run:
    """Wait for a run that nobody asked for, and for its end."""
    deadline = time.monotonic() + 60
    while not (runs := list(workspace.jobs.list_runs(job_id=job_id))):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return workspace.jobs.wait_get_run_job_terminated_or_skipped(runs[-1].run_id or 0)


def test_a_schedule_starts_a_job_and_people_would_be_told(workspace: WorkspaceClient) -> None:
    """Every second second; who would have had an email is on record."""
    told = JobEmailNotifications(on_success=["me@example.com"])
    with made(workspace, schedule=CronSchedule("0/2 * * * * ?", "Europe/Berlin"), email_notifications=told) as job_id:
        run = first_run(workspace, job_id)

    kept: Any = workspace.api_client.do("GET", "/__harness__/notifications", query={"run_id": run.run_id})
    assert run.trigger is not None
    assert run.trigger.value == "PERIODIC"
    assert [(one["event"], one["to"]) for one in kept["notifications"]] == [("on_success", ["me@example.com"])]


def test_a_file_in_a_volume_starts_a_job(workspace: WorkspaceClient, catalog: str) -> None:
    """One that is uploaded after the harness has looked once."""
    workspace.schemas.create("raw", catalog)
    workspace.volumes.create(catalog, "raw", "landing", VolumeType.MANAGED)
    folder = f"/Volumes/{catalog}/raw/landing/"
    workspace.files.upload(f"{folder}old.csv", io.BytesIO(b"1"))
    trigger = TriggerSettings(file_arrival=FileArrivalTriggerConfiguration(folder))
    with made(workspace, trigger=trigger) as job_id:
        time.sleep(3)
        assert list(workspace.jobs.list_runs(job_id=job_id)) == []
        workspace.files.upload(f"{folder}new.csv", io.BytesIO(b"2"))
        run = first_run(workspace, job_id)

    assert run.trigger is not None
    assert run.trigger.value == "FILE_ARRIVAL"


def test_a_changed_table_starts_a_job(workspace: WorkspaceClient, spark: Any, catalog: str) -> None:
    """By whatever statement."""
    spark.sql(f"CREATE SCHEMA {catalog}.raw")
    spark.sql(f"CREATE TABLE {catalog}.raw.trips (id INT)")
    trigger = TriggerSettings(table_update=TableUpdateTriggerConfiguration([f"{catalog}.raw.trips"]))
    with made(workspace, trigger=trigger) as job_id:
        time.sleep(3)
        assert list(workspace.jobs.list_runs(job_id=job_id)) == []
        spark.sql(f"INSERT INTO {catalog}.raw.trips VALUES (1)")  # noqa: S608 - the name is the test's own
        run = first_run(workspace, job_id)

    assert run.trigger is not None
    assert run.trigger.value == "TABLE"
