"""Repairing runs: what runs again, what stays, what is told of it."""

from typing import Any

import pytest
from databricks.sdk.errors import InvalidParameterValue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def failing(workspace: Any, scripts: Any, *keys: str) -> None:
    """Let each of the tasks fail once."""
    for key in keys:
        workspace.runner.acts[key] = [scripts.fails]


def test_all_failed_tasks_and_what_they_held_up_run_again(workspace: Any, scripts: Any) -> None:
    """What had succeeded is left alone, its task values with it; the run becomes a success."""
    workspace.runner.acts["first"] = [scripts.sets(rows=5)]
    failing(workspace, scripts, "second")
    job_id = workspace.create(
        scripts.task("first"),
        scripts.task("second", "first", parameters=["{{tasks.first.values.rows}}", "{{job.repair_count}}"]),
        scripts.task("third", "second"),
    )
    run = workspace.run(job_id)
    assert run.state.result_state.value == "FAILED"

    repair = workspace.sdk.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True)
    again = repair.result()

    assert again.state.result_state.value == "SUCCESS"
    assert workspace.runner.keys() == ["first", "second", "second", "third"]
    assert workspace.runner.ran[2].program.arguments == ("5", "1")
    history = workspace.sdk.jobs.get_run(run.run_id, include_history=True).repair_history
    assert [(one.type.value, one.state.result_state.value, len(one.task_run_ids)) for one in history] == [
        ("ORIGINAL", "FAILED", 3),
        ("REPAIR", "SUCCESS", 2),
    ]
    assert history[1].id == repair.response.repair_id
    assert not workspace.sdk.jobs.get_run(run.run_id).repair_history


def test_named_tasks_run_again_with_those_after_them_where_asked_for(workspace: Any, scripts: Any) -> None:
    """Of a successful run too."""
    job_id = workspace.create(scripts.task("first"), scripts.task("second", "first"), scripts.task("other"))
    run = workspace.run(job_id)

    first = workspace.sdk.jobs.repair_run_and_wait(run.run_id, rerun_tasks=["first"], rerun_dependent_tasks=True)
    latest = workspace.sdk.jobs.get_run(first.run_id, include_history=True).repair_history[-1].id
    workspace.sdk.jobs.repair_run_and_wait(run.run_id, rerun_tasks=["first"], latest_repair_id=latest)

    assert sorted(workspace.runner.keys()[:3]) == ["first", "other", "second"]
    assert workspace.runner.keys()[3:] == ["first", "second", "first"]


def test_a_condition_that_came_to_something_keeps_it(workspace: Any, scripts: Any) -> None:
    """A task of its branch is repaired without asking it again; the other branch stays excluded."""
    failing(workspace, scripts, "yes")
    condition = {"task_key": "ask", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}
    branch = [
        {**scripts.task(key), "depends_on": [{"task_key": "ask", "outcome": outcome}]}
        for key, outcome in (("yes", "true"), ("no", "false"))
    ]
    run = workspace.run(workspace.create(condition, *branch))

    again = workspace.sdk.jobs.repair_run_and_wait(run.run_id, rerun_all_failed_tasks=True)

    assert again.state.result_state.value == "SUCCESS"
    assert workspace.runner.keys() == ["yes", "yes"]


def test_parameters_may_be_others(workspace: Any, scripts: Any) -> None:
    """Job parameters that the repair gives; the rest stays."""
    failing(workspace, scripts, "first")
    job_id = workspace.create(
        scripts.task("first", parameters=["{{job.parameters.a}}", "{{job.parameters.b}}"]),
        parameters=[{"name": "a", "default": "1"}, {"name": "b", "default": "2"}],
    )
    run = workspace.run(job_id, job_parameters={"b": "3"})

    workspace.sdk.jobs.repair_run_and_wait(run.run_id, rerun_all_failed_tasks=True, job_parameters={"a": "9"})

    assert [task.program.arguments for task in workspace.runner.ran] == [("1", "3"), ("9", "3")]


def test_a_for_each_task_is_repaired_as_a_whole(workspace: Any, scripts: Any) -> None:
    """All its iterations run again, under the new attempt."""
    failing(workspace, scripts, "one.1")
    task = {"task_key": "all", "for_each_task": {"inputs": "[1, 2]", "task": scripts.task("one")}}
    run = workspace.run(workspace.create(task))

    again = workspace.sdk.jobs.repair_run_and_wait(run.run_id, rerun_all_failed_tasks=True)

    assert again.state.result_state.value == "SUCCESS"
    assert workspace.runner.keys() == ["one.0", "one.1"] * 2
    assert len(workspace.sdk.jobs.get_run(again.tasks[-1].run_id).iterations) == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "Exactly one of rerun_tasks and rerun_all_failed_tasks", id="nothing asked for"),
        pytest.param({"rerun_tasks": ["x"]}, "the run has no task 'x'; tasks: first", id="no such task"),
        pytest.param({"rerun_all_failed_tasks": True}, "has no failed task", id="nothing failed"),
        pytest.param({"rerun_tasks": ["first"], "latest_repair_id": 5}, "latest_repair_id 5 is not .* which is none", id="no such repair"),
        pytest.param({"rerun_tasks": ["first"], "job_parameters": {"a": "1"}}, "'a' is not declared by the job", id="unknown parameter"),
    ],
)
def test_a_repair_that_does_not_fit_is_refused(workspace: Any, scripts: Any, body: dict[str, object], message: str) -> None:
    """And the run stays as it was."""
    run = workspace.run(workspace.create(scripts.task("first")))

    with pytest.raises(InvalidParameterValue, match=message):
        workspace.sdk.api_client.do("POST", "/api/2.2/jobs/runs/repair", body={"run_id": run.run_id, **body})
    assert workspace.sdk.jobs.get_run(run.run_id).state == run.state


def test_an_active_run_is_not_repaired(workspace: Any, scripts: Any) -> None:
    """It has to end first."""
    workspace.runner.acts["first"] = [scripts.until_cancelled]
    run_id = workspace.sdk.jobs.run_now(workspace.create(scripts.task("first"))).run_id

    with pytest.raises(InvalidParameterValue, match="is active; only a run that has ended can be repaired"):
        workspace.sdk.jobs.repair_run(run_id, rerun_tasks=["first"])
    workspace.sdk.jobs.cancel_run(run_id)
    workspace.ended(run_id)


@pytest.mark.property
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_when_what_made_tasks_fail_is_gone_a_repair_makes_the_run_succeed(workspace: Any, scripts: Any, data: st.DataObject) -> None:
    """Whatever the graph is; and nothing that had succeeded runs again."""
    size = data.draw(st.integers(1, 6))
    before = [data.draw(st.sets(st.integers(0, number - 1)) if number else st.just(set())) for number in range(size)]
    broken = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    workspace.runner.acts = {f"t{number}": [scripts.fails] for number in broken}
    workspace.runner.ran.clear()
    run = workspace.run(workspace.create(*(scripts.task(f"t{n}", *(f"t{other}" for other in sorted(before[n]))) for n in range(size))))
    succeeded = {task.task_key for task in run.tasks if task.state.result_state.value == "SUCCESS"}
    latest = None
    while run.state.result_state.value != "SUCCESS":
        first = len(workspace.runner.ran)
        latest = workspace.sdk.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True, latest_repair_id=latest).response.repair_id
        run = workspace.ended(run.run_id)
        assert not succeeded & set(workspace.runner.keys()[first:])
        by_key = {task.task_key: task for task in run.tasks}  # the last attempt of each
        succeeded = {key for key, task in by_key.items() if task.state.result_state.value == "SUCCESS"}

    assert succeeded == {f"t{number}" for number in range(size)}
