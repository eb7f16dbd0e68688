"""What a run would have told people: nothing is sent, everything is recorded."""

from typing import Any

import pytest
from databricks.sdk.errors import BadRequest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.model import State
from harness.jobs.notification_model import NotificationSettings
from harness.jobs.notifications import Moment, happened

ALL = {
    "on_start": ["start@x.y"],
    "on_success": ["good@x.y"],
    "on_failure": ["bad@x.y", "worse@x.y"],
    "on_duration_warning_threshold_exceeded": ["slow@x.y"],
}
HOOKS = {"on_failure": [{"id": "hook-1"}]}
SLOW = {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 60}]}


def told(workspace: Any, **query: object) -> list[tuple[str, str, str, list[str]]]:
    """Return what was recorded: task, event, channel, to whom."""
    found = workspace.http.get("/__harness__/notifications", params=query).json()["notifications"]
    return [(one["task_key"], one["event"], one["channel"], one["to"]) for one in found]


def test_a_run_tells_of_its_start_and_its_success(workspace: Any, scripts: Any, caplog: pytest.LogCaptureFixture) -> None:
    """To those who asked, by the run and by the job; the log says so."""
    caplog.set_level("INFO")
    job_id = workspace.create(scripts.task("a"), email_notifications=ALL)
    run = workspace.run(job_id)
    other = workspace.run(workspace.create(scripts.task("a"), email_notifications={"on_failure": ["bad@x.y"]}))

    expected = [("", "on_start", "email", ["start@x.y"]), ("", "on_success", "email", ["good@x.y"])]
    assert told(workspace, run_id=run.run_id) == told(workspace, job_id=job_id) == told(workspace) == expected
    assert told(workspace, run_id=other.run_id) == []
    assert f"run {run.run_id}: on_success (SUCCESS) would be sent by email to good@x.y" in caplog.text


def test_a_failure_is_told_by_every_channel_of_job_and_task(workspace: Any, scripts: Any) -> None:
    """A task's comes before its job's."""
    workspace.runner.acts["a"] = [scripts.fails]
    task = scripts.task("a", webhook_notifications=HOOKS)
    run = workspace.run(workspace.create(task, scripts.task("b", "a", email_notifications=ALL), email_notifications=ALL))

    assert told(workspace, run_id=run.run_id) == [
        ("", "on_start", "email", ["start@x.y"]),
        ("a", "on_failure", "webhook", ["hook-1"]),
        ("", "on_failure", "email", ["bad@x.y", "worse@x.y"]),
    ]


@pytest.mark.parametrize(("last_only", "expected"), [(False, ["on_start", "on_failure"] * 2), (True, ["on_start", "on_failure"])])
def test_attempts_are_told_of_each_or_only_the_last(workspace: Any, scripts: Any, last_only: bool, expected: list[str]) -> None:  # noqa: FBT001
    """As alert_on_last_attempt says."""
    workspace.runner.acts["a"] = [scripts.fails, scripts.fails]
    settings = {"alert_on_last_attempt": last_only}
    task = scripts.task("a", max_retries=1, email_notifications=ALL, notification_settings=settings)
    run = workspace.run(workspace.create(task))

    assert [event for _, event, _, _ in told(workspace, run_id=run.run_id)] == expected


@pytest.mark.parametrize("quiet", [False, True])
def test_runs_that_are_skipped_or_cancelled_can_be_kept_quiet(workspace: Any, scripts: Any, quiet: bool) -> None:  # noqa: FBT001
    """By no_alert_for_skipped_runs and no_alert_for_canceled_runs."""
    workspace.runner.acts["a"] = [scripts.until_cancelled]
    settings = {"no_alert_for_skipped_runs": quiet, "no_alert_for_canceled_runs": quiet}
    only = {"on_failure": ["bad@x.y"]}
    job_id = workspace.create(scripts.task("a"), email_notifications=only, notification_settings=settings)
    first = workspace.http.post("/api/2.2/jobs/run-now", json={"job_id": job_id}).json()["run_id"]
    skipped = workspace.run(job_id)
    workspace.sdk.jobs.cancel_run(first)
    workspace.ended(first)

    assert len(told(workspace, run_id=skipped.run_id)) == len(told(workspace, run_id=first)) == (0 if quiet else 1)


def test_a_queued_run_that_is_cancelled_is_told_of(workspace: Any, scripts: Any) -> None:
    """Though it never ran."""
    workspace.runner.acts["a"] = [scripts.until_cancelled]
    job_id = workspace.create(scripts.task("a"), email_notifications=ALL, queue={"enabled": True})
    first, queued = (workspace.http.post("/api/2.2/jobs/run-now", json={"job_id": job_id}).json()["run_id"] for _ in "ab")
    workspace.sdk.jobs.cancel_run(queued)
    workspace.sdk.jobs.cancel_run(first)
    workspace.ended(first)

    assert [event for _, event, _, _ in told(workspace, run_id=queued)] == ["on_failure"]


def test_a_run_that_takes_long_is_told_of_while_it_runs(workspace: Any, scripts: Any) -> None:
    """Once, and only beyond its threshold; at its end at the latest."""
    workspace.runner.acts["a"] = [scripts.until_cancelled]
    slow = {"on_duration_warning_threshold_exceeded": ["slow@x.y"]}
    job_id = workspace.create(scripts.task("a", health=SLOW, email_notifications=slow), health=SLOW, email_notifications=slow)
    run_id = workspace.http.post("/api/2.2/jobs/run-now", json={"job_id": job_id}).json()["run_id"]
    workspace.reaches(run_id, "RUNNING")
    while workspace.runner.ran == []:
        pass
    workspace.clock.sleep(60)
    workspace.service.triggers.look()
    assert told(workspace) == []
    workspace.clock.sleep(1)
    workspace.service.triggers.look()
    workspace.service.triggers.look()
    warned = told(workspace)
    workspace.sdk.jobs.cancel_run(run_id)
    workspace.ended(run_id)

    event = "on_duration_warning_threshold_exceeded"
    assert sorted(warned) == [("", event, "email", ["slow@x.y"]), ("a", event, "email", ["slow@x.y"])]
    assert told(workspace) == warned


def test_a_for_each_task_is_told_of_once_however_many_iterations_fail(workspace: Any, scripts: Any) -> None:
    """Not of each iteration."""
    only = {"on_failure": ["bad@x.y"]}
    repeated = {"inputs": "[1, 2]", "task": scripts.task("one", email_notifications=only)}
    workspace.runner.acts |= {"one.0": [scripts.fails], "one.1": [scripts.fails]}
    run = workspace.run(workspace.create({"task_key": "all", "for_each_task": repeated, "email_notifications": only}))

    assert told(workspace, run_id=run.run_id) == [("all", "on_failure", "email", ["bad@x.y"])]


RESULTS = ["SUCCESS", "FAILED", "TIMEDOUT", "CANCELED", "EXCLUDED", "DISABLED", "MAXIMUM_CONCURRENT_RUNS_REACHED", "SUCCESS_WITH_FAILURES"]


@given(st.sampled_from(RESULTS), st.booleans(), st.booleans(), st.booleans())
def test_an_end_is_a_success_a_failure_or_nothing(result: Any, skipped: bool, quiet_skipped: bool, quiet_cancelled: bool) -> None:  # noqa: FBT001
    """Never two; quietening takes away, and never adds."""
    settings = NotificationSettings(no_alert_for_skipped_runs=quiet_skipped, no_alert_for_canceled_runs=quiet_cancelled)
    state = State("SKIPPED" if skipped else "TERMINATED", result)

    found = happened(Moment(state, attempt=0, last=True), settings)

    loud = happened(Moment(state, attempt=0, last=True), NotificationSettings())
    assert found in (loud, None)
    assert (loud == "on_success") == (result in ("SUCCESS", "SUCCESS_WITH_FAILURES"))


@given(st.lists(st.sampled_from(["FAILED", "TIMEDOUT"]), min_size=1, max_size=5))
def test_with_alerts_on_the_last_attempt_only_there_is_one_of_each(results: list[Any]) -> None:
    """However many attempts fail."""
    settings = NotificationSettings(alert_on_last_attempt=True)
    states = [(State("RUNNING"), State("INTERNAL_ERROR", result)) for result in results]
    moments = [Moment(state, attempt, last=attempt == len(results) - 1) for attempt, both in enumerate(states) for state in both]

    found = [event for moment in moments if (event := happened(moment, settings))]

    assert found == ["on_start", "on_failure"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            {"email_notifications": {"on_failure": "me@x.y"}},
            r"Expected `array [|] null`, got `str` - at `\$.email_notifications",
            id="text",
        ),
        pytest.param({"webhook_notifications": {"on_start": ["x"]}}, r"Expected `object`, got `str`", id="hook without id"),
        pytest.param({"health": {"rules": [{"metric": "HEARTBEAT", "op": "GREATER_THAN", "value": 1}]}}, "Invalid enum value", id="metric"),
    ],
)
def test_what_could_not_be_told_is_refused(workspace: Any, settings: dict[str, object], message: str) -> None:
    """When the job is made."""
    with pytest.raises(BadRequest, match=message):
        workspace.sdk.api_client.do("POST", "/api/2.2/jobs/create", body=settings)
