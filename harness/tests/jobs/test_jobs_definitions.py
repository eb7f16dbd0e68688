"""Creating, changing and showing jobs through the unmodified official client and plain HTTP."""

import re
from typing import Any

import pytest
from databricks.sdk.errors import BadRequest, ResourceDoesNotExist
from databricks.sdk.service.jobs import JobSettings

ENVIRONMENT = {"environment_key": "default", "spec": {"environment_version": "4", "dependencies": ["/Workspace/there.whl"]}}


def task(key: str, *after: str, **more: object) -> dict[str, object]:
    """Return the JSON of a wheel task."""
    wheel = {"package_name": "taxi", "entry_point": key}
    return {
        "task_key": key,
        "environment_key": "default",
        "python_wheel_task": wheel,
        "depends_on": [{"task_key": k} for k in after],
        **more,
    }


def test_settings_come_back_exactly_as_they_were_sent(workspace: Any) -> None:
    """No default is added and nothing is dropped, so that a bundle's plan stays empty; older bundles' `client` too."""
    sent = {
        "name": "ml_training_pipeline",
        "deployment": {"kind": "BUNDLE", "metadata_file_path": "/x"},
        "edit_mode": "UI_LOCKED",
        "email_notifications": {"on_failure": ["a@b.c"]},
        "tags": {"dev": "me"},
        "max_concurrent_runs": 4,
        "schedule": {"quartz_cron_expression": "0 0 8 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"},
        "parameters": [{"name": "catalog", "default": "main"}],
        "environments": [{"environment_key": "default", "spec": {"client": "1", "dependencies": ["pandas"]}}],
        "tasks": [task("train", health={"rules": []}, max_retries=2)],
        "something_new": {"kept": True},
    }
    job_id = workspace.http.post("/api/2.2/jobs/create", json=sent).json()["job_id"]

    got = workspace.http.get("/api/2.2/jobs/get", params={"job_id": job_id}).json()

    assert got["settings"] == sent
    assert list(got["settings"]) == list(sent)
    assert (got["job_id"], got["creator_user_name"], got["run_as_user_name"]) == (job_id, "me@example.com", "me@example.com")


def test_reset_replaces_and_update_merges(workspace: Any) -> None:
    """Reset forgets what it is not told; update keeps it, merges tasks by key and takes fields out."""
    job_id = workspace.create(task("train"), task("deploy", "train"), tags={"a": "b"})

    workspace.sdk.jobs.update(job_id, new_settings=JobSettings(name="renamed"), fields_to_remove=["tags", "tasks/deploy"])
    updated = workspace.sdk.jobs.get(job_id).settings
    workspace.http.post("/api/2.2/jobs/reset", json={"job_id": job_id, "new_settings": {"name": "empty"}})

    assert (updated.name, updated.tags, [found.task_key for found in updated.tasks]) == ("renamed", None, ["train"])
    assert workspace.sdk.jobs.get(job_id).settings.as_dict() == {"name": "empty"}


def test_jobs_are_listed_latest_first_and_found_by_name(workspace: Any) -> None:
    """Page by page, without case."""
    ids = []
    for name in ("One", "two", "three"):
        ids.append(workspace.create(task("a"), name=name))
        workspace.clock.sleep(1)

    assert [job.job_id for job in workspace.sdk.jobs.list(limit=2)] == ids[::-1]
    assert [job.job_id for job in workspace.sdk.jobs.list(name="one")] == ids[:1]


def test_a_job_of_250_tasks_is_read_page_by_page(workspace: Any) -> None:
    """The official client puts the pages together."""
    job_id = workspace.create(*[task(f"t{number}") for number in range(250)])

    found = workspace.sdk.jobs.get(job_id).settings.tasks

    assert [one.task_key for one in found] == [f"t{number}" for number in range(250)]


def test_a_deleted_job_is_gone(workspace: Any) -> None:
    """As is one that never was."""
    job_id = workspace.create(task("a"))
    workspace.sdk.jobs.delete(job_id)

    with pytest.raises(ResourceDoesNotExist, match=f"Job {job_id} does not exist"):
        workspace.sdk.jobs.get(job_id)


@pytest.mark.parametrize(
    ("tasks", "more", "message"),
    [
        pytest.param([task("a", "b"), task("b", "a")], {}, "form a cycle: a -> b -> a", id="cycle"),
        pytest.param([task("a", "zz")], {}, "Task 'a' depends on task 'zz', which does not exist; tasks: a", id="missing dependency"),
        pytest.param([task("a"), task("a")], {}, "tasks: task_key 'a' is given more than once", id="key twice"),
        pytest.param([task("a b")], {}, "task_key must be 1 to 100 letters", id="bad key"),
        pytest.param([task("../a")], {}, "task_key must be 1 to 100 letters", id="key that would leave the folder"),
        pytest.param([task("a", environment_key="other")], {}, "environment_key 'other' is not among", id="unknown environment"),
        pytest.param([{"task_key": "a"}], {}, r"tasks\[0\] \('a'\): no task type; expected exactly one of 'python", id="no type"),
        pytest.param(
            [task("a", condition_task={"op": "EQUAL_TO", "left": "1", "right": "1"})],
            {},
            "python_wheel_task and condition_task; expected exactly one of",
            id="two types",
        ),
        pytest.param(
            [task("a"), task("b", depends_on=[{"task_key": "a", "outcome": "true"}])],
            {},
            'The dependency on a non-if/else condition "a" specifies an outcome "true". Outcomes can only be specified for if/else',
            id="outcome of what is no condition",
        ),
        pytest.param(
            [{"task_key": "a", "condition_task": {"op": "LIKE", "left": "1", "right": "1"}}], {}, "Invalid enum value 'LIKE'", id="operator"
        ),
        pytest.param([{"task_key": "a", "run_job_task": {}}], {}, "missing required field `job_id`", id="no job to run"),
        pytest.param([task("a", run_if="SOMETIMES")], {}, "Invalid enum value 'SOMETIMES'", id="unknown run_if"),
        pytest.param([task("a", max_retries=-2)], {}, "max_retries must be -1 or more", id="retries"),
        pytest.param([task("a")], {"max_concurrent_runs": 1001}, "max_concurrent_runs must be between 0 and 1000", id="too many runs"),
        pytest.param(
            [task("a", python_wheel_task={"package_name": "t", "entry_point": "e", "parameters": ["{{job.parameters.nope}}"]})],
            {"parameters": [{"name": "catalog", "default": "main"}]},
            r"{{job.parameters.nope}}: the job declares no such parameter; declared: catalog",
            id="undeclared parameter",
        ),
        pytest.param(
            [task("a", python_wheel_task={"package_name": "t", "entry_point": "e", "parameters": ["{{job.naem}}"]})],
            {},
            "{{job.naem}} is not a dynamic value",
            id="unknown reference",
        ),
        pytest.param(
            [task("a", python_wheel_task={"package_name": "t", "entry_point": "e", "parameters": ["{{tasks.b.values.x}}"]}), task("b")],
            {},
            "task 'b' does not come before this one",
            id="reference to a task beside it",
        ),
        pytest.param(
            [task("a")],
            {"environments": [{"environment_key": "default", "spec": {"environment_version": "7"}}]},
            "environment_version '7' is not known; expected one of 1, 2, 3, 4, 5, 6",
            id="unknown environment version",
        ),
    ],
)
def test_a_job_that_cannot_work_is_refused_when_it_is_created(
    workspace: Any, tasks: list[object], more: dict[str, object], message: str
) -> None:
    """Not when it runs."""
    body = {"name": "x", "environments": [ENVIRONMENT], "tasks": tasks, **more}

    with pytest.raises(BadRequest, match=message):
        workspace.sdk.api_client.do("POST", "/api/2.2/jobs/create", body=body)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param({"sql_task": {"warehouse_id": "x"}}, r"tasks\[0\] \('a'\): task type 'sql_task'", id="sql"),
        pytest.param(
            {"python_wheel_task": None, "for_each_task": {"inputs": "[1]", "task": {"task_key": "b", "dbt_task": {"commands": []}}}},
            r"tasks\[0\] \('a'\).for_each_task.task \('b'\): task type 'dbt_task'",
            id="inside a for each",
        ),
        pytest.param(
            {"python_wheel_task": None, "run_job_task": {"job_id": 1, "jar_params": ["a"]}},
            "'run_job_task.jar_params'",
            id="for JARs of the other job",
        ),
        pytest.param({"new_cluster": {"num_workers": 1}}, "'new_cluster' .supported: serverless compute", id="cluster"),
    ],
)
def test_what_the_harness_cannot_run_is_refused_by_name(workspace: Any, more: dict[str, object], message: str) -> None:
    """At once: a 400 with NOT_IMPLEMENTED is not repeated by clients; reset refuses the same."""
    job_id = workspace.create(task("fine"))
    settings = {"name": "x", "environments": [ENVIRONMENT], "tasks": [{**task("a"), **more}]}

    for path, body in (("create", settings), ("reset", {"job_id": job_id, "new_settings": settings})):
        answer = workspace.http.post(f"/api/2.2/jobs/{path}", json=body)

        assert (answer.status_code, answer.json()["error_code"]) == (400, "NOT_IMPLEMENTED")
        assert re.search(message, answer.json()["message"])
