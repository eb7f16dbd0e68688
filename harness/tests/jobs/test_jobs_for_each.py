"""For each tasks: inputs, concurrency, results, retries, states; through the official client and plain HTTP."""

import threading
import time
from typing import Any

import pytest
from databricks.sdk.errors import InvalidParameterValue
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs import Outcome, TaskProcess
from harness.jobs.for_each import each


def repeated(scripts: Any, inputs: str, *after: str, concurrency: int = 1, **nested: object) -> dict[str, object]:
    """Return a For each task `all` that runs the wheel task `one`."""
    return {
        "task_key": "all",
        "depends_on": [{"task_key": key} for key in after],
        "for_each_task": {"inputs": inputs, "concurrency": concurrency, "task": scripts.task("one", **nested)},
    }


def test_each_input_has_a_run_of_its_own(workspace: Any, scripts: Any) -> None:
    """With its parameters, its place among the iterations and its output; the task tells how many there were."""
    job_id = workspace.create(repeated(scripts, '["a", {"b": {"c": 1}}, 7]', parameters=["{{input}}"]))

    run = workspace.run(job_id)

    assert run.state.result_state.value == "SUCCESS"
    assert [task.program.arguments for task in workspace.runner.ran] == [("a",), ('{"b": {"c": 1}}',), ("7",)]
    assert [task.task_key for task in run.tasks] == ["all"]
    assert run.tasks[0].for_each_task.stats.task_run_stats.as_dict() == {
        "total_iterations": 3,
        "scheduled_iterations": 3,
        "active_iterations": 0,
        "completed_iterations": 3,
        "succeeded_iterations": 3,
        "failed_iterations": 0,
    }
    iterations = workspace.sdk.jobs.get_run(run.tasks[0].run_id).iterations
    assert [(one.task_key, one.state.result_state.value) for one in iterations] == [("one", "SUCCESS")] * 3
    assert workspace.sdk.jobs.get_run_output(iterations[1].run_id).metadata.run_id == iterations[1].run_id


def test_inputs_come_from_task_values_and_their_parts_are_known(workspace: Any, scripts: Any) -> None:
    """A list that an earlier task has set; `{{input.key}}` reaches into an input."""
    workspace.runner.acts["list"] = [scripts.sets(cities=[{"name": "Oslo"}, {"name": "Rome"}])]
    job_id = workspace.create(
        scripts.task("list"), repeated(scripts, "{{tasks.list.values.cities}}", "list", parameters=["--city={{input.name}}"])
    )

    assert workspace.run(job_id).state.result_state.value == "SUCCESS"
    assert [task.program.arguments for task in workspace.runner.ran[1:]] == [("--city=Oslo",), ("--city=Rome",)]


def test_no_inputs_is_a_success(workspace: Any, scripts: Any) -> None:
    """Nothing runs, and what comes after does."""
    job_id = workspace.create(repeated(scripts, "[]"), scripts.task("after", "all"))

    assert workspace.run(job_id).state.result_state.value == "SUCCESS"
    assert workspace.runner.keys() == ["after"]


def test_one_that_fails_holds_up_no_other_and_fails_the_task(workspace: Any, scripts: Any) -> None:
    """The message names the inputs; tasks after it are skipped; tasks for failures run."""
    workspace.runner.acts["one.1"] = [scripts.fails]
    job_id = workspace.create(
        repeated(scripts, "[1, 2, 3]"), scripts.task("after", "all"), scripts.task("alarm", "all", run_if="AT_LEAST_ONE_FAILED")
    )

    run = workspace.run(job_id)

    assert workspace.runner.keys() == ["one.0", "one.1", "one.2", "alarm"]
    results = {task.task_key: task.state.result_state.value for task in run.tasks}
    assert results == {"all": "FAILED", "after": "UPSTREAM_FAILED", "alarm": "SUCCESS"}
    assert run.tasks[0].state.state_message == "1 of 3 iterations failed, for the inputs 2."


def test_an_iteration_is_tried_again_by_itself(workspace: Any, scripts: Any) -> None:
    """As often as the task inside says; the others are not."""
    workspace.runner.acts["one.1"] = [scripts.fails]
    job_id = workspace.create(repeated(scripts, "[1, 2]", max_retries=1))

    run = workspace.run(job_id)

    assert run.state.result_state.value == "SUCCESS"
    assert workspace.runner.keys() == ["one.0", "one.1", "one.1"]
    iterations = workspace.sdk.jobs.get_run(run.tasks[0].run_id).iterations
    assert [one.attempt_number for one in iterations] == [0, 0, 1]


def test_so_many_run_at_a_time(workspace: Any, scripts: Any) -> None:
    """Two of four: the third begins when one of the first two has ended."""
    together, most, lock = 0, 0, threading.Lock()

    def act(_: TaskProcess, __: threading.Event) -> Outcome:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        time.sleep(0.05)
        with lock:
            together -= 1
        return Outcome("SUCCESS")

    workspace.runner.acts = {f"one.{number}": [act] for number in range(4)}
    workspace.run(workspace.create(repeated(scripts, "[1, 2, 3, 4]", concurrency=2)))

    assert most == 2


def test_cancelling_ends_what_runs_and_begins_no_more(workspace: Any, scripts: Any) -> None:
    """The run is cancelled, not failed."""
    workspace.runner.acts["one.0"] = [scripts.until_cancelled]
    job_id = workspace.create(repeated(scripts, "[1, 2, 3]"))
    run_id = workspace.http.post("/api/2.2/jobs/run-now", json={"job_id": job_id}).json()["run_id"]
    while not workspace.runner.ran:
        time.sleep(0.005)

    workspace.sdk.jobs.cancel_run(run_id)
    run = workspace.ended(run_id)

    assert run.state.result_state.value == "CANCELED"
    assert run.tasks[0].state.result_state.value == "CANCELED"
    assert workspace.runner.keys() == ["one.0"]


def test_more_iterations_than_a_page_are_all_there(workspace: Any, scripts: Any) -> None:
    """The official client follows the pages."""
    job_id = workspace.create(repeated(scripts, str(list(range(130))), concurrency=100))

    run = workspace.run(job_id)

    assert len(workspace.sdk.jobs.get_run(run.tasks[0].run_id).iterations) == 130
    page = workspace.http.get("/api/2.2/jobs/runs/get", params={"run_id": run.tasks[0].run_id}).json()
    assert (len(page["iterations"]), page["next_page_token"]) == (100, "100")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        pytest.param("{{tasks.list.values.cities}}", "inputs: expected a JSON array; found Oslo", id="not JSON"),
        pytest.param("{{job.parameters.many}}", "inputs: expected a JSON array; found {}", id="an object"),
    ],
)
def test_inputs_that_are_none_fail_the_task(workspace: Any, scripts: Any, inputs: str, message: str) -> None:
    """When the references are resolved, by name."""
    workspace.runner.acts["list"] = [scripts.sets(cities="Oslo")]
    job_id = workspace.create(scripts.task("list"), repeated(scripts, inputs, "list"), parameters=[{"name": "many", "default": "{}"}])

    run = workspace.run(job_id)

    assert run.tasks[1].state.result_state.value == "FAILED"
    assert message in run.tasks[1].state.state_message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"inputs": "[1"}, "expected a JSON array", id="inputs"),
        pytest.param({"inputs": "{{tasks.later.values.x}}"}, "task 'later' does not come before this one", id="inputs of no task before"),
        pytest.param({"concurrency": 101}, "concurrency must be between 1 and 100; got 101", id="concurrency"),
        pytest.param({"task": {"task_key": "one"}}, "no task type", id="nothing inside"),
        pytest.param(
            {"task": {"task_key": "one", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}},
            "a condition_task cannot be run for each input",
            id="a condition inside",
        ),
        pytest.param(
            {"task": {"task_key": "all", "notebook_task": {"notebook_path": "/x"}}},
            "task_key 'all' is given more than once",
            id="the same key",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_once(workspace: Any, scripts: Any, change: dict[str, object], message: str) -> None:
    """With the place."""
    task = repeated(scripts, "[1]")
    task["for_each_task"] |= change  # type: ignore[operator]

    with pytest.raises(InvalidParameterValue, match=message):
        workspace.sdk.api_client.do("POST", "/api/2.2/jobs/create", body={"environments": [scripts.environment], "tasks": [task]})


@pytest.mark.property
@given(st.lists(st.integers(), max_size=20), st.integers(1, 5))
def test_each_item_is_taken_once_and_no_more_than_so_many_at_a_time(items: list[int], concurrency: int) -> None:
    """Results stand in the order of the items."""
    together, most, lock = 0, 0, threading.Lock()
    begun = []

    def act(number: int, _: object) -> Any:
        nonlocal together, most
        with lock:
            begun.append(number)
            together += 1
            most = max(most, together)
        with lock:
            together -= 1
        return number

    results: list[Any] = each(items, concurrency, act)

    assert results == list(range(len(items)))
    assert sorted(begun) == results
    assert most <= concurrency
