"""Run Job tasks: another job run as a real run, its parameters, its end, its limits."""

import re
import threading
import time
from typing import Any

import pytest
from databricks.sdk.errors import OperationFailed
from databricks.sdk.service import jobs


def run_job(key: str, job_id: int, *after: str, parameters: dict[str, str] | None = None, **settings: object) -> dict[str, object]:
    """Return the JSON of a Run Job task."""
    asked = {"job_id": job_id, **({"job_parameters": parameters} if parameters else {})}
    return {"task_key": key, "run_job_task": asked, "depends_on": [{"task_key": other} for other in after], **settings}


def inner_run(workspace: Any, run: Any, key: str = "retrain") -> Any:
    """Return the run that a Run Job task began."""
    task = next(task for task in reversed(run.tasks) if task.task_key == key)
    return workspace.sdk.jobs.get_run(workspace.sdk.jobs.get_run_output(task.run_id).run_job_output.run_id)


def results(run: Any) -> dict[str, str]:
    """Return each task's result."""
    return {found.task_key: found.state.result_state.value for found in run.tasks}


def state(of: Any) -> tuple[str, str]:
    """Return life cycle and result."""
    return of.state.life_cycle_state.value, of.state.result_state.value


def eventually_runs(workspace: Any, job_id: int) -> int:
    """Wait until a job has a run under way and return its id."""
    deadline = time.monotonic() + 10
    while True:
        for run in workspace.sdk.jobs.list_runs(job_id=job_id):
            if run.state.life_cycle_state.value == "RUNNING":
                return int(run.run_id)
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_other_job_runs_as_a_run_of_its_own_with_the_parameters_given(workspace: Any, scripts: Any) -> None:
    """Its id, its trigger and its page are its own; references are resolved in the outer run; the next task waits for its end."""
    inner = workspace.create(
        scripts.task("train", parameters=["{{job.parameters.catalog}}", "{{job.parameters.why}}", "{{job.trigger.type}}"]),
        name="training",
        parameters=[{"name": "catalog", "default": "main"}, {"name": "why", "default": "by hand"}],
    )
    workspace.runner.acts["verdict"] = [scripts.sets(why="drift")]
    outer = workspace.create(
        scripts.task("verdict"),
        run_job("retrain", inner, "verdict", parameters={"why": "{{tasks.verdict.values.why}}"}),
        scripts.task("after", "retrain"),
    )

    run = workspace.sdk.jobs.run_now_and_wait(outer)

    assert state(run) == ("TERMINATED", "SUCCESS")
    assert workspace.runner.keys() == ["verdict", "train", "after"]
    assert workspace.runner.ran[1].program.arguments == ("main", "drift", "run_job_task")
    began = inner_run(workspace, run)
    assert (began.job_id, began.run_name, state(began)) == (inner, "training", ("TERMINATED", "SUCCESS"))
    assert began.run_id not in {run.run_id, *(task.run_id for task in run.tasks)}
    assert (began.trigger.value, began.trigger_info.run_id) == ("RUN_JOB_TASK", run.tasks[1].run_id)
    assert [(one.name, one.value) for one in began.job_parameters] == [("catalog", "main"), ("why", "drift")]
    assert (run.trigger.value, run.trigger_info) == ("ONE_TIME", None)
    assert run.tasks[1].run_job_task.as_dict() == {"job_id": inner, "job_parameters": {"why": "{{tasks.verdict.values.why}}"}}
    assert run.tasks[1].resolved_values.run_job_task.job_parameters == {"why": "drift"}
    assert [found.run_id for found in workspace.sdk.jobs.list_runs(job_id=inner)] == [began.run_id]


def test_official_client_makes_such_jobs_from_its_own_types(workspace: Any) -> None:
    """Types in, types out; a run of one condition and of the job it starts."""
    always = jobs.Task(task_key="always", condition_task=jobs.ConditionTask(op=jobs.ConditionTaskOp.LESS_THAN, left="1", right="2"))
    inner = workspace.sdk.jobs.create(name="inner", tasks=[always]).job_id
    retrain = jobs.Task(
        task_key="retrain",
        depends_on=[jobs.TaskDependency(task_key="always", outcome="true")],
        run_job_task=jobs.RunJobTask(job_id=inner),
    )
    outer = workspace.sdk.jobs.create(name="outer", tasks=[always, retrain]).job_id

    run = workspace.sdk.jobs.run_now_and_wait(outer)

    kept = [task.as_dict() for task in workspace.sdk.jobs.get(outer).settings.tasks]
    assert kept == [always.as_dict(), retrain.as_dict()]
    assert results(run) == {"always": "SUCCESS", "retrain": "SUCCESS"}
    assert inner_run(workspace, run).tasks[0].condition_task.outcome == "true"


def test_python_params_are_handed_on(workspace: Any, scripts: Any) -> None:
    """For a job that declares no parameters."""
    inner = workspace.create(scripts.task("train", parameters=["--own"]))
    asked = {"job_id": inner, "python_params": ["--rows", "{{task.name}}"]}

    run = workspace.run(workspace.create({"task_key": "retrain", "run_job_task": asked}))

    assert results(run) == {"retrain": "SUCCESS"}
    assert workspace.runner.ran[0].program.arguments == ("--rows", "retrain")


def test_failure_of_the_other_job_fails_the_task_and_says_which_run(workspace: Any, scripts: Any) -> None:
    """The message leads to the run, and the client's waiter raises with it."""
    workspace.runner.acts["train"] = [scripts.fails]
    outer = workspace.create(run_job("retrain", workspace.create(scripts.task("train"))), scripts.task("after", "retrain"))

    with pytest.raises(OperationFailed, match=r"Task retrain failed with message: Run .* of job .* ended with FAILED: Task train failed"):
        workspace.sdk.jobs.run_now_and_wait(outer)
    run = workspace.sdk.jobs.get_run(next(iter(workspace.sdk.jobs.list_runs(job_id=outer))).run_id)

    began = inner_run(workspace, run)
    assert results(run) == {"retrain": "FAILED", "after": "UPSTREAM_FAILED"}
    assert run.tasks[0].state.state_message.startswith(f"Run {began.run_id} of job {began.job_id} ended with FAILED: ")
    output = workspace.sdk.jobs.get_run_output(run.tasks[0].run_id)
    assert (output.error, output.logs) == (run.tasks[0].state.state_message, None)


def test_failures_that_the_other_job_handles_are_a_success(workspace: Any, scripts: Any) -> None:
    """SUCCESS_WITH_FAILURES is no failure."""
    workspace.runner.acts["train"] = [scripts.fails]
    inner = workspace.create(scripts.task("train"), scripts.task("rescue", "train", run_if="AT_LEAST_ONE_FAILED"))

    run = workspace.run(workspace.create(run_job("retrain", inner)))

    assert inner_run(workspace, run).state.result_state.value == "SUCCESS_WITH_FAILURES"
    assert results(run) == {"retrain": "SUCCESS"}


def test_another_try_is_another_run(workspace: Any, scripts: Any) -> None:
    """Each attempt has a run of its own."""
    workspace.runner.acts["train"] = [scripts.fails]
    inner = workspace.create(scripts.task("train"))

    run = workspace.run(workspace.create(run_job("retrain", inner, max_retries=1)))

    assert [found.state.result_state.value for found in run.tasks] == ["FAILED", "SUCCESS"]
    assert len({workspace.sdk.jobs.get_run_output(found.run_id).run_job_output.run_id for found in run.tasks}) == 2
    assert len(list(workspace.sdk.jobs.list_runs(job_id=inner))) == 2


def test_cancelling_the_outer_run_cancels_the_inner(workspace: Any, scripts: Any) -> None:
    """Both end as cancelled, and the inner task with them."""
    workspace.runner.acts["train"] = [scripts.until_cancelled]
    inner = workspace.create(scripts.task("train"))
    run_id = workspace.sdk.jobs.run_now(workspace.create(run_job("retrain", inner))).run_id
    eventually_runs(workspace, inner)

    workspace.sdk.jobs.cancel_run(run_id)
    run = workspace.ended(run_id)

    assert (state(run), results(run)) == (("TERMINATED", "CANCELED"), {"retrain": "CANCELED"})
    began = inner_run(workspace, run)
    assert (state(began), results(began)) == (("TERMINATED", "CANCELED"), {"train": "CANCELED"})
    assert began.end_time <= run.end_time


def test_cancelling_the_inner_run_alone_cancels_the_task(workspace: Any, scripts: Any) -> None:
    """What comes after it is passed over for that reason."""
    workspace.runner.acts["train"] = [scripts.until_cancelled]
    inner = workspace.create(scripts.task("train"))
    outer = workspace.create(run_job("retrain", inner), scripts.task("after", "retrain"))
    run_id = workspace.sdk.jobs.run_now(outer).run_id

    workspace.sdk.jobs.cancel_run(eventually_runs(workspace, inner))

    assert results(workspace.ended(run_id)) == {"retrain": "CANCELED", "after": "UPSTREAM_CANCELED"}


def test_task_that_waits_too_long_ends_the_other_run(workspace: Any, scripts: Any) -> None:
    """timeout_seconds of the task."""

    def slow(task: Any, cancelled: threading.Event) -> Any:
        workspace.clock.sleep(31)
        return scripts.until_cancelled(task, cancelled)

    workspace.runner.acts["train"] = [slow]
    inner = workspace.create(scripts.task("train"))

    run = workspace.run(workspace.create(run_job("retrain", inner, timeout_seconds=30)))

    assert results(run) == {"retrain": "TIMEDOUT"}
    assert state(inner_run(workspace, run)) == ("TERMINATED", "CANCELED")


@pytest.mark.parametrize(
    ("parameters", "settings", "message"),
    [
        pytest.param({"x": "1"}, {}, "could not be run: Job parameter 'x' is not declared by the job; declared: none", id="undeclared"),
        pytest.param({}, {"max_concurrent_runs": 0}, "ended with MAXIMUM_CONCURRENT_RUNS_REACHED", id="over its limit"),
    ],
)
def test_other_job_that_cannot_be_run_fails_the_task(
    workspace: Any, scripts: Any, parameters: dict[str, str], settings: dict[str, object], message: str
) -> None:
    """With the platform's reason."""
    inner = workspace.create(scripts.task("train"), **settings)

    run = workspace.run(workspace.create(run_job("retrain", inner, parameters=parameters)))

    assert results(run) == {"retrain": "FAILED"}
    assert re.search(message, run.tasks[0].state.state_message)
    assert workspace.runner.keys() == []


def test_job_that_is_gone_fails_the_task(workspace: Any) -> None:
    """No run was begun, so the output names none."""
    run = workspace.run(workspace.create(run_job("retrain", 12)))

    assert run.tasks[0].state.state_message == "Job 12 could not be run: Job 12 does not exist."
    assert run.tasks[0].status.termination_details.code.value == "INVALID_RUN_CONFIGURATION"
    assert workspace.sdk.jobs.get_run_output(run.tasks[0].run_id).run_job_output is None


def test_queued_inner_run_is_waited_for(workspace: Any, scripts: Any) -> None:
    """A run of the other job that is under way goes first."""
    workspace.runner.acts["train"] = [scripts.until_cancelled]
    inner = workspace.create(scripts.task("train"), queue={"enabled": True})
    first = workspace.sdk.jobs.run_now(inner).run_id
    workspace.reaches(first, "RUNNING")
    outer = workspace.sdk.jobs.run_now(workspace.create(run_job("retrain", inner))).run_id
    workspace.reaches(outer, "RUNNING")
    deadline = time.monotonic() + 10
    while len(list(workspace.sdk.jobs.list_runs(job_id=inner))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)

    workspace.sdk.jobs.cancel_run(first)

    assert results(workspace.ended(outer)) == {"retrain": "SUCCESS"}


def test_jobs_that_trigger_each_other_fail_and_name_the_circle(workspace: Any, scripts: Any) -> None:
    """A → B → A, and a job that runs itself."""
    first = workspace.create(scripts.task("placeholder"))
    second = workspace.create(run_job("back", first))
    workspace.http.post("/api/2.2/jobs/reset", json={"job_id": first, "new_settings": {"name": "a", "tasks": [run_job("there", second)]}})
    alone = workspace.create(scripts.task("placeholder"))
    workspace.http.post("/api/2.2/jobs/reset", json={"job_id": alone, "new_settings": {"name": "a", "tasks": [run_job("self", alone)]}})

    run, own = workspace.run(first), workspace.run(alone)

    circle = f"Run Job tasks trigger each other in a circle: jobs {first} -> {second} -> {first}"
    assert inner_run(workspace, run, "there").tasks[0].state.state_message == circle
    assert results(run) == {"there": "FAILED"}
    assert own.tasks[0].state.state_message == f"Run Job tasks trigger each other in a circle: jobs {alone} -> {alone}"
    assert len(list(workspace.sdk.jobs.list_runs())) == 3


def test_three_run_job_tasks_nest_and_a_fourth_fails(workspace: Any, scripts: Any) -> None:
    """The documented depth."""
    line = [workspace.create(scripts.task("deepest"))]
    for _ in range(4):
        line.append(workspace.create(run_job("next", line[-1])))

    assert results(workspace.run(line[3])) == {"next": "SUCCESS"}
    assert workspace.runner.keys() == ["deepest"]
    run = workspace.run(line[4])

    assert results(run) == {"next": "FAILED"}
    assert "Run Job tasks are nested more than 3 deep: jobs " in run.tasks[0].state.state_message
    assert workspace.runner.keys() == ["deepest"]


def test_after_a_restart_neither_run_goes_on(workspace: Any, scripts: Any) -> None:
    """The inner run under way, the outer, and a queued inner run whose task has failed."""
    workspace.runner.acts["train"] = [scripts.until_cancelled]
    inner = workspace.create(scripts.task("train"), queue={"enabled": True})
    outer = workspace.create(run_job("one", inner), run_job("two", inner))
    run_id = workspace.sdk.jobs.run_now(outer).run_id
    eventually_runs(workspace, inner)
    deadline = time.monotonic() + 10
    while workspace.runner.keys() != ["train"] or len(list(workspace.sdk.jobs.list_runs(job_id=inner))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    workspace.service.close()

    again = workspace.service_again()
    again.start()

    assert state(workspace.sdk.jobs.get_run(run_id)) == ("INTERNAL_ERROR", "FAILED")
    assert [state(run) for run in workspace.sdk.jobs.list_runs(job_id=inner)] == [("INTERNAL_ERROR", "FAILED")] * 2
    assert workspace.runner.keys() == ["train"]
    again.close()
