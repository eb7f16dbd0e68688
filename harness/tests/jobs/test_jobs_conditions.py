"""Condition tasks: what they come to, which branch runs, and what the official client sees of it."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.conditions import ConditionProblemError, outcome, resolved
from harness.jobs.model import ConditionOp, ConditionTask, Truth
from harness.jobs.references import Context, ReferenceProblemError


def condition(key: str, left: str, right: str, *after: str, op: str = "EQUAL_TO", **settings: object) -> dict[str, object]:
    """Return the JSON of a condition task."""
    compared = {"op": op, "left": left, "right": right}
    return {"task_key": key, "condition_task": compared, "depends_on": [{"task_key": other} for other in after], **settings}


def branch(of: str, truth: str) -> list[dict[str, str]]:
    """Return the `depends_on` of a task on one branch."""
    return [{"task_key": of, "outcome": truth}]


def results(run: Any) -> dict[str, str]:
    """Return each task's result."""
    return {found.task_key: found.state.result_state.value for found in run.tasks}


@pytest.mark.parametrize(
    ("left", "op", "right", "expected"),
    [
        pytest.param("true", "EQUAL_TO", "true", "true", id="same text"),
        pytest.param("true", "EQUAL_TO", "True", "false", id="case counts"),
        pytest.param("12.0", "EQUAL_TO", "12", "false", id="numbers are compared as texts"),
        pytest.param("12.0", "NOT_EQUAL", "12", "true", id="not equal as texts"),
        pytest.param("", "NOT_EQUAL", "", "false", id="empty texts"),
        pytest.param("12.0", "GREATER_THAN_OR_EQUAL", "12", "true", id="12.0 >= 12"),
        pytest.param("10.0", "GREATER_THAN_OR_EQUAL", "12", "false", id="10.0 >= 12"),
        pytest.param("9", "LESS_THAN", "10", "true", id="as numbers, not as texts"),
        pytest.param("12.0", "LESS_THAN_OR_EQUAL", "12", "true", id="12.0 <= 12"),
        pytest.param("12", "GREATER_THAN", "12.0", "false", id="12 > 12.0"),
        pytest.param("12", "LESS_THAN", "12.0", "false", id="12 < 12.0"),
        pytest.param("9007199254740993", "GREATER_THAN", "9007199254740992", "true", id="beyond what a double can tell apart"),
        pytest.param("-1e-3", "LESS_THAN", " 0 ", "true", id="sign, exponent and spaces"),
    ],
)
def test_condition_comes_to_what_its_operator_says(left: str, op: ConditionOp, right: str, expected: Truth) -> None:
    """Equality of texts, order of numbers."""
    assert outcome(ConditionTask(op, left, right)) == expected


@pytest.mark.parametrize("text", ["abc", "", "1,5", "NaN", "inf", "true", "0x1f", "1 2", "1_000", "٣"])
def test_order_of_what_is_no_number_is_refused(text: str) -> None:
    """On either side, with the side and the text in the message."""
    with pytest.raises(ConditionProblemError, match=r"GREATER_THAN compares numbers, and condition_task\.left is '"):
        outcome(ConditionTask("GREATER_THAN", text, "1"))
    with pytest.raises(ConditionProblemError, match=r"condition_task\.right is '.*'; expected a number such as 12 or 12\.5"):
        outcome(ConditionTask("GREATER_THAN", "1", text))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4), st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_exactly_one_of_less_equal_and_greater_holds(left: object, right: object) -> None:
    """The four orders agree with each other for any two numbers."""

    def holds(op: ConditionOp) -> bool:
        return outcome(ConditionTask(op, str(left), str(right))) == "true"

    assert holds("LESS_THAN") != holds("GREATER_THAN_OR_EQUAL")
    assert holds("GREATER_THAN") != holds("LESS_THAN_OR_EQUAL")
    assert not (holds("LESS_THAN") and holds("GREATER_THAN"))


@given(st.text(), st.text())
def test_texts_are_equal_or_not(left: str, right: str) -> None:
    """Never both, never neither, whatever they hold."""
    assert (outcome(ConditionTask("EQUAL_TO", left, right)) == "true") == (left == right)
    assert (outcome(ConditionTask("NOT_EQUAL", left, right)) == "true") == (left != right)


def context(values: Mapping[str, object]) -> Context:
    """Return what references of a task after `before` stand for."""
    start = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    return Context(1, "job", 2, {"limit": "3"}, start, "check", 4, 1, finished={}, values={"before": values}, workspace_url="")


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (False, "false"), (3, "3"), (1.5, "1.5"), ("as it is", "as it is")], ids=str)
def test_task_values_are_compared_as_texts_numbers_and_booleans(value: object, text: str) -> None:
    """Booleans are "true" and "false"."""
    condition = ConditionTask("EQUAL_TO", "{{tasks.before.values.x}}", "{{job.parameters.limit}}")

    assert resolved(condition, context({"x": value})) == ConditionTask("EQUAL_TO", text, "3")


@pytest.mark.parametrize("value", [[1], {"a": 1}, None], ids=str)
def test_task_values_of_other_types_cannot_be_compared(value: object) -> None:
    """The platform documents three types."""
    with pytest.raises(ReferenceProblemError, match=r"condition_task.right: {{tasks\.before\.values\.x}} is .*; a condition compares only"):
        resolved(ConditionTask("EQUAL_TO", "1", "{{tasks.before.values.x}}"), context({"x": value}))


@pytest.mark.parametrize(("value", "taken", "left_out"), [("true", "retrain", "rest"), ("false", "rest", "retrain")])
def test_only_the_branch_of_the_outcome_runs_and_the_run_succeeds(
    workspace: Any, scripts: Any, value: str, taken: str, left_out: str
) -> None:
    """A task value decides; the other branch is excluded with all that hangs on it, and that is no failure."""
    workspace.runner.acts["verdict"] = [scripts.sets(retrain=value)]
    job_id = workspace.create(
        scripts.task("verdict"),
        condition("needed", "{{tasks.verdict.values.retrain}}", "true", "verdict"),
        scripts.task("retrain", depends_on=branch("needed", "true")),
        scripts.task("rest", depends_on=branch("needed", "false")),
        scripts.task(f"after_{left_out}", left_out),
        scripts.task("join", "retrain", "rest"),
    )

    run = workspace.sdk.jobs.run_now_and_wait(job_id)

    assert (run.state.life_cycle_state.value, run.state.result_state.value) == ("TERMINATED", "SUCCESS")
    assert results(run) == {
        "verdict": "SUCCESS",
        "needed": "SUCCESS",
        taken: "SUCCESS",
        left_out: "EXCLUDED",
        f"after_{left_out}": "EXCLUDED",
        "join": "SUCCESS",
    }
    assert workspace.runner.keys() == ["verdict", taken, "join"]
    skipped = next(task for task in run.tasks if task.task_key == left_out)
    assert (skipped.state.life_cycle_state.value, skipped.status.termination_details.code.value) == ("SKIPPED", "SKIPPED")
    assert skipped.state.state_message == "The task's run_if was not met, or a condition did not come to the outcome it depends on."
    found = next(task for task in run.tasks if task.task_key == "needed")
    assert found.condition_task.as_dict() == {
        "op": "EQUAL_TO",
        "left": "{{tasks.verdict.values.retrain}}",
        "right": "true",
        "outcome": value,
    }
    assert found.resolved_values.condition_task.as_dict() == {"left": value, "right": "true"}
    assert [dependency.outcome for dependency in next(task for task in run.tasks if task.task_key == "retrain").depends_on] == ["true"]


def test_condition_needs_no_environment_no_process_and_has_an_output(workspace: Any) -> None:
    """Clients ask for the output of every task."""
    rows = {"name": "rows", "default": "9"}
    job_id = workspace.create(condition("only", "{{job.parameters.rows}}", "10", op="LESS_THAN"), parameters=[rows])

    run = workspace.run(job_id, job_parameters={"rows": "11"})

    assert run.tasks[0].condition_task.outcome == "false"
    assert workspace.runner.keys() == []
    output = workspace.sdk.jobs.get_run_output(run.tasks[0].run_id)
    assert (output.error, output.logs) == (None, None)
    assert output.metadata.tasks[0].condition_task.outcome == "false"


def test_condition_on_what_is_no_number_fails_its_task_without_a_second_try(workspace: Any, scripts: Any) -> None:
    """What depends on it does not run, on neither branch; the error says which side."""
    job_id = workspace.create(
        condition("check", "many", "3", op="GREATER_THAN", max_retries=3),
        scripts.task("yes", depends_on=branch("check", "true")),
        scripts.task("no", depends_on=branch("check", "false")),
        scripts.task("always", depends_on=branch("check", "true"), run_if="ALL_DONE"),
        scripts.task("clean", "check", run_if="ALL_DONE"),
    )

    run = workspace.run(job_id)

    assert results(run) == {"check": "FAILED", "yes": "UPSTREAM_FAILED", "no": "UPSTREAM_FAILED", "always": "EXCLUDED", "clean": "SUCCESS"}
    assert run.state.result_state.value == "FAILED"
    assert len(run.tasks) == 5
    said = "The condition cannot be evaluated: GREATER_THAN compares numbers, and condition_task.left is 'many'"
    assert run.tasks[0].state.state_message == f"{said}; expected a number such as 12 or 12.5"
    assert workspace.sdk.jobs.get_run_output(run.tasks[0].run_id).error.startswith(said)
    assert run.tasks[0].status.termination_details.code.value == "INVALID_RUN_CONFIGURATION"
    assert run.tasks[0].condition_task.outcome is None


def test_condition_on_a_task_value_nobody_set_fails(workspace: Any, scripts: Any) -> None:
    """It is not taken for false."""
    run = workspace.run(workspace.create(scripts.task("a"), condition("check", "{{tasks.a.values.x}}", "true", "a")))

    assert results(run) == {"a": "SUCCESS", "check": "FAILED"}
    assert run.tasks[1].state.state_message == "{{tasks.a.values.x}}: task 'a' has set no such value; it has set: none"


def test_condition_may_ask_how_a_task_ended(workspace: Any, scripts: Any) -> None:
    """With run_if, after a failure."""
    workspace.runner.acts["a"] = [scripts.fails]
    job_id = workspace.create(
        scripts.task("a"),
        condition("check", "{{tasks.a.result_state}}", "failed", "a", run_if="ALL_DONE"),
        scripts.task("rescue", depends_on=branch("check", "true")),
    )

    run = workspace.run(job_id)

    assert results(run) == {"a": "FAILED", "check": "SUCCESS", "rescue": "SUCCESS"}
    assert run.state.result_state.value == "SUCCESS_WITH_FAILURES"


def test_conditions_nest(workspace: Any, scripts: Any) -> None:
    """A condition on a branch not taken is excluded, and so are both its branches."""
    job_id = workspace.create(
        condition("outer", "1", "2"),
        condition("inner", "1", "1", depends_on=branch("outer", "true")),
        scripts.task("yes", depends_on=branch("inner", "true")),
        scripts.task("no", depends_on=branch("inner", "false")),
        scripts.task("else", depends_on=branch("outer", "false")),
    )

    assert results(workspace.run(job_id)) == {
        "outer": "SUCCESS",
        "inner": "EXCLUDED",
        "yes": "EXCLUDED",
        "no": "EXCLUDED",
        "else": "SUCCESS",
    }


def test_a_run_cancelled_before_a_condition_never_evaluates_it(workspace: Any, scripts: Any) -> None:
    """Cancelled is not false."""
    workspace.runner.acts["a"] = [scripts.until_cancelled]
    run_id = workspace.sdk.jobs.run_now(workspace.create(scripts.task("a"), condition("check", "1", "1", "a"))).run_id
    workspace.reaches(run_id, "RUNNING")
    workspace.sdk.jobs.cancel_run(run_id)

    run = workspace.ended(run_id)

    assert results(run) == {"a": "CANCELED", "check": "CANCELED"}
    assert run.tasks[1].condition_task.outcome is None
