"""Jobs that start by themselves: schedules, triggers, continuous jobs."""

import time
from typing import Any

import pytest
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.jobs import JobSettings

DAILY = {"quartz_cron_expression": "0 30 9 * * ?", "timezone_id": "Europe/Berlin"}  # 8:30 UTC; the clock of the tests begins at 8:00


def later(workspace: Any, seconds: float) -> list[Any]:
    """Look at the triggers, let time pass, look again; return all runs, first to last, when they have ended."""
    workspace.service.triggers.look()
    workspace.clock.sleep(seconds)
    workspace.service.triggers.look()
    return [workspace.ended(run.run_id) for run in reversed(list(workspace.sdk.jobs.list_runs()))]


def test_a_scheduled_job_starts_at_its_time(workspace: Any, scripts: Any) -> None:
    """Not a second early, once each time, as a run whose trigger is PERIODIC."""
    job_id = workspace.create(scripts.task("a"), schedule=DAILY)

    assert later(workspace, 1799) == []
    runs = later(workspace, 1)
    assert [(run.job_id, run.trigger.value, run.state.result_state.value) for run in runs] == [(job_id, "PERIODIC", "SUCCESS")]
    assert runs[0].start_time == 1795422600000
    assert len(later(workspace, 23 * 3600)) == 1
    assert len(later(workspace, 3600)) == 2


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"schedule": {**DAILY, "pause_status": "PAUSED"}}, id="schedule"),
        pytest.param({"trigger": {"periodic": {"interval": 1, "unit": "HOURS"}, "pause_status": "PAUSED"}}, id="trigger"),
        pytest.param({"continuous": {"pause_status": "PAUSED"}}, id="continuous"),
    ],
)
def test_a_paused_job_does_not_start(workspace: Any, scripts: Any, settings: dict[str, object]) -> None:
    """Nor is it among those that will."""
    workspace.create(scripts.task("a"), **settings)

    assert later(workspace, 7 * 86400) == []
    assert workspace.http.get("/__harness__/schedules").json() == {"schedules": []}


def test_the_harness_says_which_jobs_start_by_themselves_and_when(workspace: Any, scripts: Any, caplog: pytest.LogCaptureFixture) -> None:
    """In its log as soon as the job is there, and on a route of its own."""
    job_id = workspace.create(scripts.task("a"), name="daily", schedule=DAILY)

    shown = workspace.http.get("/__harness__/schedules").json()["schedules"]

    words = "schedule '0 30 9 * * ?' (Europe/Berlin)"
    assert shown == [{"job_id": job_id, "name": "daily", "starts_by": words, "next_time": "2026-11-23T08:30:00+00:00"}]
    assert f"job 'daily' will start by itself while the harness is up: {words}; pause_status PAUSED stops that" in caplog.text


def test_changing_a_job_changes_when_it_starts(workspace: Any, scripts: Any) -> None:
    """Reset, update and delete alike."""
    job_id = workspace.create(scripts.task("a"), name="daily", schedule=DAILY)
    assert later(workspace, 0) == []

    workspace.sdk.jobs.update(job_id, new_settings=JobSettings.from_dict({"schedule": {**DAILY, "quartz_cron_expression": "0 0 10 * * ?"}}))
    assert later(workspace, 1800) == []
    assert len(later(workspace, 1800)) == 1
    workspace.sdk.jobs.delete(job_id)
    assert len(later(workspace, 86400)) == 1


def test_times_that_pass_while_the_harness_is_down_are_not_made_up_for(workspace: Any, scripts: Any) -> None:
    """The second harness on the same state begins with the next time."""
    workspace.create(scripts.task("a"), schedule=DAILY)
    workspace.service.close()
    workspace.clock.sleep(3600)

    second = workspace.service_again()
    second.triggers.look()

    assert list(workspace.sdk.jobs.list_runs()) == []
    assert second.triggers.upcoming()[0]["next_time"] == "2026-11-24T08:30:00+00:00"
    second.close()


def test_a_scheduled_run_beyond_the_limit_is_skipped(workspace: Any, scripts: Any) -> None:
    """As run-now's would be."""
    workspace.runner.acts["a"] = [scripts.until_cancelled]
    job_id = workspace.create(scripts.task("a"), trigger={"periodic": {"interval": 1, "unit": "HOURS"}})
    first = workspace.http.post("/api/2.2/jobs/run-now", json={"job_id": job_id}).json()["run_id"]
    workspace.service.triggers.look()
    workspace.clock.sleep(3600)
    workspace.service.triggers.look()

    latest = next(iter(workspace.sdk.jobs.list_runs(job_id=job_id)))

    assert (latest.trigger.value, latest.state.result_state.value) == ("PERIODIC", "MAXIMUM_CONCURRENT_RUNS_REACHED")
    workspace.sdk.jobs.cancel_run(first)
    workspace.ended(first)


def test_a_periodic_trigger_counts_from_the_making_of_the_job(workspace: Any, scripts: Any) -> None:
    """Every two hours."""
    workspace.create(scripts.task("a"), trigger={"periodic": {"interval": 2, "unit": "HOURS"}})

    assert later(workspace, 7199) == []
    assert [run.start_time for run in later(workspace, 1)] == [1795428000000]
    assert len(later(workspace, 7200)) == 2


def test_new_files_start_a_job(workspace: Any, scripts: Any) -> None:
    """Not those that were there, nor one written over; the run knows where."""
    folder = "/Volumes/main/raw/landing/"
    workspace.data.sizes[f"{folder}old.csv"] = 1
    wheel = {"package_name": "t", "entry_point": "e", "parameters": ["{{job.trigger.file_arrival.location}}", "{{job.trigger.type}}"]}
    workspace.create(scripts.task("a", python_wheel_task=wheel), trigger={"file_arrival": {"url": folder}})
    assert later(workspace, 60) == []

    workspace.data.sizes[f"{folder}old.csv"] = 2
    assert later(workspace, 60) == []
    workspace.data.sizes[f"{folder}new.csv"] = 1
    runs = later(workspace, 60)

    assert [run.trigger.value for run in runs] == ["FILE_ARRIVAL"]
    assert workspace.runner.ran[0].program.arguments == (folder, "file_arrival")
    assert len(later(workspace, 60)) == 1


def test_files_are_waited_for_until_no_more_come(workspace: Any, scripts: Any) -> None:
    """And the next run is not before the least time between two."""
    arrival = {"url": "/Volumes/c/s/v", "wait_after_last_change_seconds": 100, "min_time_between_triggers_seconds": 1000}
    workspace.create(scripts.task("a"), trigger={"file_arrival": arrival})
    assert later(workspace, 10) == []

    workspace.data.sizes["/Volumes/c/s/v/1"] = 1
    assert later(workspace, 60) == []
    workspace.data.sizes["/Volumes/c/s/v/2"] = 1
    assert later(workspace, 60) == []
    assert len(later(workspace, 100)) == 1
    workspace.data.sizes["/Volumes/c/s/v/3"] = 1
    assert len(later(workspace, 500)) == 1
    assert len(later(workspace, 500)) == 2


@pytest.mark.parametrize(("condition", "after_one"), [("ANY_UPDATED", 1), ("ALL_UPDATED", 0)])
def test_updated_tables_start_a_job(workspace: Any, scripts: Any, condition: str, after_one: int) -> None:
    """Any of them, or all."""
    workspace.data.versions |= {"c.s.one": 3, "c.s.two": 7}
    workspace.create(scripts.task("a"), trigger={"table_update": {"table_names": ["c.s.one", "c.s.two"], "condition": condition}})
    assert later(workspace, 60) == []

    workspace.data.versions["c.s.one"] = 4
    assert len(later(workspace, 60)) == after_one
    workspace.data.versions["c.s.two"] = 8
    assert [run.trigger.value for run in later(workspace, 60)] == ["TABLE"] * (after_one + 1)


def test_a_continuous_job_starts_again_after_its_run_with_longer_rests_after_failures(workspace: Any, scripts: Any) -> None:
    """Five seconds after a success, ten after a failure, twenty after the second in a row."""
    workspace.runner.acts["a"] = [scripts.fails, scripts.fails]
    workspace.create(scripts.task("a"), continuous={"pause_status": "UNPAUSED"})

    assert [run.trigger.value for run in later(workspace, 0)] == ["CONTINUOUS"]
    assert len(later(workspace, 9)) == 1
    assert len(later(workspace, 1)) == 2
    assert len(later(workspace, 19)) == 2
    assert len(later(workspace, 1)) == 3
    assert [run.state.result_state.value for run in later(workspace, 5)] == ["FAILED", "FAILED", "SUCCESS", "SUCCESS"]


def test_a_running_harness_looks_by_itself(workspace: Any, scripts: Any) -> None:
    """Nobody calls it."""
    workspace.service.start()
    job_id = workspace.create(scripts.task("a"), continuous={})

    deadline = time.monotonic() + 20
    while not (runs := list(workspace.sdk.jobs.list_runs(job_id=job_id))):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert workspace.ended(runs[0].run_id).trigger.value == "CONTINUOUS"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            {"schedule": {"quartz_cron_expression": "0 30 2,7,11,15 * * *", "timezone_id": "UTC"}},
            "Invalid quartz_cron_expression: 0 30 2,7,11,15 [*] [*] [*]. Databricks uses Quartz cron syntax, which is",
            id="no quartz",
        ),
        pytest.param(
            {"schedule": {"quartz_cron_expression": "0 1 0 8 Apr ? 2021", "timezone_id": "UTC"}},
            "The provided cron expression: 0 1 0 8 Apr [?] 2021 will never fire.",
            id="in the past",
        ),
        pytest.param({"schedule": {**DAILY, "timezone_id": "Mars/Base"}}, "Invalid timezone_id: Mars/Base", id="zone"),
        pytest.param({"schedule": {"quartz_cron_expression": "0 0 0 * * ?"}}, "missing required field `timezone_id`", id="no zone"),
        pytest.param({"schedule": DAILY, "continuous": {}}, "schedule and continuous: a job has one of", id="two"),
        pytest.param({"trigger": {}}, "trigger: nothing; expected one of periodic, file_arrival, table_update", id="empty trigger"),
        pytest.param({"trigger": {"periodic": {"interval": 0, "unit": "DAYS"}}}, "interval must be 1 or more", id="interval"),
        pytest.param({"trigger": {"table_update": {"table_names": ["x"]}}}, "'x': expected catalog.schema.table", id="table"),
        pytest.param({"continuous": {}, "max_concurrent_runs": 2}, "max_concurrent_runs must be 1", id="several continuous runs"),
        pytest.param({"trigger": {"file_arrival": {"url": "s3://b/x"}}}, "'trigger.file_arrival.url: s3://b/x'.*is not emulated", id="s3"),
        pytest.param({"trigger": {"model": {}}}, "'trigger.model'.*is not emulated", id="model"),
        pytest.param({"triggers": [{"periodic": {}}]}, "'triggers'.*is not emulated", id="several triggers"),
    ],
)
def test_what_could_never_start_a_job_is_refused(workspace: Any, settings: dict[str, object], message: str) -> None:
    """When the job is made."""
    with pytest.raises(DatabricksError, match=message):
        workspace.sdk.api_client.do("POST", "/api/2.2/jobs/create", body={"tasks": [], **settings})
    assert list(workspace.sdk.jobs.list()) == []
