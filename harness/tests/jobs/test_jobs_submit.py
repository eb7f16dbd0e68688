"""One-time runs, through the official client."""

from typing import Any

import pytest
from databricks.sdk.errors import DatabricksError, ResourceDoesNotExist
from databricks.sdk.service.compute import Environment
from databricks.sdk.service.jobs import (
    ConditionTask,
    ConditionTaskOp,
    JobEnvironment,
    PythonWheelTask,
    RunType,
    SubmitTask,
    TaskDependency,
)

ENVIRONMENTS = [JobEnvironment("default", spec=Environment(environment_version="4", dependencies=["pandas"]))]


def task(key: str, *after: str) -> SubmitTask:
    """Return a wheel task."""
    wheel = PythonWheelTask("taxi", key, parameters=["--run", "{{job.run_id}}"])
    return SubmitTask(key, environment_key="default", python_wheel_task=wheel, depends_on=[TaskDependency(name) for name in after])


def test_tasks_are_submitted_and_waited_for(workspace: Any) -> None:
    """Nothing but the official client's call; the run has a name, and tasks in their order."""
    tasks = [
        task("train"),
        SubmitTask(
            "good", condition_task=ConditionTask(op=ConditionTaskOp.EQUAL_TO, left="1", right="1"), depends_on=[TaskDependency("train")]
        ),
        SubmitTask(
            "deploy",
            environment_key="default",
            python_wheel_task=PythonWheelTask("taxi", "deploy"),
            depends_on=[TaskDependency("good", outcome="true")],
        ),
    ]

    run = workspace.sdk.jobs.submit_and_wait(run_name="once", tasks=tasks, environments=ENVIRONMENTS, timeout_seconds=3600)

    assert (run.run_name, run.run_type, run.state.result_state.value) == ("once", RunType.SUBMIT_RUN, "SUCCESS")
    assert workspace.runner.keys() == ["train", "deploy"]
    assert workspace.runner.ran[0].program.arguments == ("--run", str(run.run_id))


def test_a_submitted_run_belongs_to_no_job(workspace: Any) -> None:
    """It is listed by its type, and its job is not found."""
    waiter = workspace.sdk.jobs.submit(tasks=[task("a")], environments=ENVIRONMENTS)
    run = workspace.ended(waiter.run_id)
    job_id = workspace.create({**task("b").as_dict()})
    workspace.run(job_id)

    assert run.run_name == "Untitled"
    assert [found.run_id for found in workspace.sdk.jobs.list_runs(run_type=RunType.SUBMIT_RUN)] == [run.run_id]
    assert [found.job_id for found in workspace.sdk.jobs.list_runs(run_type=RunType.JOB_RUN)] == [job_id]
    assert list(workspace.sdk.jobs.list_runs(run_type=RunType.WORKFLOW_RUN)) == []
    assert [job.job_id for job in workspace.sdk.jobs.list()] == [job_id]
    with pytest.raises(ResourceDoesNotExist):
        workspace.sdk.jobs.get(run.job_id)


def test_the_same_token_gives_the_same_run(workspace: Any) -> None:
    """Whatever else is asked for the second time."""
    first = workspace.sdk.jobs.submit(tasks=[task("a")], environments=ENVIRONMENTS, idempotency_token="t")
    second = workspace.sdk.jobs.submit(tasks=[task("b")], environments=ENVIRONMENTS, idempotency_token="t")
    workspace.ended(first.run_id)

    assert first.run_id == second.run_id
    assert workspace.runner.keys() == ["a"]


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.2"])
def test_older_versions_of_the_api_answer_the_same(workspace: Any, version: str) -> None:
    """Submit, look, list, read the output, delete."""
    base = f"/api/{version}/jobs/runs"
    body = {"tasks": [task("a").as_dict()], "environments": [one.as_dict() for one in ENVIRONMENTS], "run_name": "x"}
    run_id = workspace.http.post(f"{base}/submit", json=body).json()["run_id"]
    workspace.ended(run_id)

    run = workspace.http.get(f"{base}/get", params={"run_id": run_id}).json()
    listed = workspace.http.get(f"{base}/list").json()["runs"]
    output = workspace.http.get(f"{base}/get-output", params={"run_id": run["tasks"][0]["run_id"]})

    assert (run["run_name"], [one["run_id"] for one in listed], output.status_code) == ("x", [run_id], 200)
    assert workspace.http.post(f"{base}/delete", json={"run_id": run_id}).status_code == 200
    assert workspace.http.get(f"{base}/list").json() == {"has_more": False}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "no tasks", id="nothing"),
        pytest.param({"tasks": [{"task_key": "a"}]}, "no task type", id="no type"),
        pytest.param({"tasks": [], "existing_cluster_id": "x"}, "'existing_cluster_id'.*environment_key.*is not emulated", id="cluster"),
        pytest.param({"notebook_task": {"notebook_path": "/x"}}, "put it in 'tasks'", id="jobs 2.0"),
        pytest.param({"tasks": [], "parameters": [{"name": "a", "default": "b"}]}, "'parameters' belongs to a job", id="parameters"),
        pytest.param({"tasks": [], "idempotency_token": "x" * 65}, "at most 64 characters", id="token"),
    ],
)
def test_what_cannot_run_once_is_refused(workspace: Any, body: dict[str, object], message: str) -> None:
    """And leaves no run behind."""
    with pytest.raises(DatabricksError, match=message):
        workspace.sdk.api_client.do("POST", "/api/2.2/jobs/runs/submit", body=body)
    assert list(workspace.sdk.jobs.list_runs()) == []
