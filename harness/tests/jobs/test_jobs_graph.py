"""Laws and tables of the task graph."""

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs import graph
from harness.jobs.model import ConditionTask, Dependency, PythonWheelTask, Result, RunIf, Task, Truth

WHEEL = PythonWheelTask("taxi", "main")
RUN_IFS: list[RunIf] = ["ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"]
OUTCOMES: list[Truth | None] = ["true", "false", None]
ENDINGS: list[Result] = ["SUCCESS", "FAILED", "TIMEDOUT", "CANCELED"]


def node(key: str, *upstream: str, run_if: RunIf = "ALL_SUCCESS", disabled: bool = False, **retry: int) -> Task:
    """Return a task."""
    before = tuple(Dependency(other) for other in upstream)
    return Task(key, WHEEL, depends_on=before, run_if=run_if, disabled=disabled, max_retries=retry.get("max_retries", 0))


@pytest.mark.parametrize(
    ("run_if", "upstream", "expected"),
    [
        ("ALL_SUCCESS", ["SUCCESS", "SUCCESS"], "RUN"),
        ("ALL_SUCCESS", ["SUCCESS", "EXCLUDED"], "RUN"),
        ("ALL_SUCCESS", ["SUCCESS", "FAILED"], "UPSTREAM_FAILED"),
        ("ALL_SUCCESS", ["CANCELED", "SUCCESS"], "UPSTREAM_CANCELED"),
        ("ALL_SUCCESS", ["CANCELED", "FAILED"], "UPSTREAM_FAILED"),
        ("ALL_SUCCESS", ["TIMEDOUT"], "UPSTREAM_FAILED"),
        ("ALL_SUCCESS", ["UPSTREAM_FAILED"], "UPSTREAM_FAILED"),
        ("AT_LEAST_ONE_SUCCESS", ["SUCCESS", "FAILED"], "RUN"),
        ("AT_LEAST_ONE_SUCCESS", ["EXCLUDED", "FAILED"], "UPSTREAM_FAILED"),
        ("NONE_FAILED", ["SUCCESS", "EXCLUDED"], "RUN"),
        ("NONE_FAILED", ["SUCCESS", "FAILED"], "UPSTREAM_FAILED"),
        ("ALL_DONE", ["FAILED", "CANCELED"], "RUN"),
        ("AT_LEAST_ONE_FAILED", ["SUCCESS", "TIMEDOUT"], "RUN"),
        ("AT_LEAST_ONE_FAILED", ["SUCCESS", "EXCLUDED"], "EXCLUDED"),
        ("ALL_FAILED", ["FAILED", "UPSTREAM_FAILED"], "RUN"),
        ("ALL_FAILED", ["FAILED", "SUCCESS"], "EXCLUDED"),
        *[(run_if, ["EXCLUDED", "EXCLUDED"], "EXCLUDED") for run_if in RUN_IFS],
    ],
)
def test_run_if_decides_by_the_results_of_all_dependencies(run_if: RunIf, upstream: list[Result], expected: str) -> None:
    """Each condition, met and not met."""
    names = [f"t{number}" for number in range(len(upstream))]

    assert graph.fate(node("last", *names, run_if=run_if), dict(zip(names, upstream, strict=True))) == expected


def test_a_task_waits_while_one_dependency_is_unfinished() -> None:
    """Even ALL_DONE and AT_LEAST_ONE_SUCCESS wait for every dependency."""
    assert graph.fate(node("c", "a", "b", run_if="AT_LEAST_ONE_SUCCESS"), {"a": "SUCCESS"}) == "WAIT"


def test_a_failure_is_followed_through_the_graph() -> None:
    """What depends on what was skipped is skipped, unless it handles failures."""
    tasks = [node("a"), node("b", "a"), node("c", "b"), node("rescue", "c", run_if="ALL_FAILED")]

    ready, skipped = graph.settle(tasks, {"a": "FAILED"})

    assert skipped == {"b": "UPSTREAM_FAILED", "c": "UPSTREAM_FAILED"}
    assert [task.task_key for task in ready] == ["rescue"]


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({"a": "SUCCESS", "b": "SUCCESS"}, "SUCCESS"),
        ({"a": "FAILED", "b": "SUCCESS"}, "SUCCESS_WITH_FAILURES"),
        ({"a": "SUCCESS", "b": "FAILED"}, "FAILED"),
        ({"a": "FAILED", "b": "UPSTREAM_FAILED"}, "FAILED"),
        ({"a": "SUCCESS", "b": "EXCLUDED"}, "SUCCESS"),
    ],
)
def test_leaves_decide_the_result_of_the_run(results: dict[str, Result], expected: Result) -> None:
    """`b` is the leaf."""
    assert graph.run_result([node("a"), node("b", "a", run_if="ALL_DONE")], results) == expected


@pytest.mark.parametrize(
    ("most", "result", "attempt", "expected"),
    [
        pytest.param(0, "FAILED", 0, False, id="no retries asked for"),
        pytest.param(2, "FAILED", 1, True, id="one left"),
        pytest.param(2, "FAILED", 2, False, id="none left"),
        pytest.param(-1, "FAILED", 99, True, id="endless"),
        pytest.param(2, "TIMEDOUT", 0, False, id="timeouts are not retried unless asked"),
        pytest.param(2, "SUCCESS", 0, False, id="success"),
        pytest.param(2, "CANCELED", 0, False, id="cancelled"),
    ],
)
def test_failures_are_retried_as_often_as_asked(most: int, result: Result, attempt: int, expected: bool) -> None:  # noqa: FBT001 - a column
    """Attempt 0 is the first."""
    assert graph.should_retry(node("a", max_retries=most), result, attempt) is expected


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (None, ["a", "b", "c"]),
        (["b"], ["b"]),
        (["+b"], ["a", "b"]),
        (["b+"], ["b", "c"]),
        (["+b+"], ["a", "b", "c"]),
        (["a", "c"], ["a", "c"]),
    ],
)
def test_only_limits_a_run_to_tasks_and_their_surroundings(only: list[str] | None, expected: list[str]) -> None:
    """A → b → c."""
    tasks = graph.selected([node("a"), node("b", "a"), node("c", "b")], only)

    assert [task.task_key for task in tasks] == expected
    assert {key for task in tasks for key in task.upstream} <= set(expected)


def test_a_cycle_is_found_and_named() -> None:
    """The path leads back to where it began."""
    assert graph.cycle({"a": [], "b": ["a", "d"], "c": ["b"], "d": ["c"]}) in (["b", "d", "c", "b"], ["d", "c", "b", "d"])
    assert graph.cycle({str(n): [str(n - 1)] if n else [] for n in reversed(range(1000))}) == []


@pytest.mark.parametrize(
    ("outcome", "came_to", "run_if", "condition", "expected"),
    [
        pytest.param("true", "true", "ALL_SUCCESS", "SUCCESS", "RUN", id="met"),
        pytest.param("true", "false", "ALL_SUCCESS", "SUCCESS", "EXCLUDED", id="the other branch"),
        pytest.param("false", "false", "ALL_SUCCESS", "SUCCESS", "RUN", id="the branch of false"),
        pytest.param(None, "false", "ALL_SUCCESS", "SUCCESS", "RUN", id="either outcome"),
        pytest.param("true", "false", "ALL_DONE", "SUCCESS", "EXCLUDED", id="whatever its run_if"),
        pytest.param("true", None, "ALL_SUCCESS", "FAILED", "UPSTREAM_FAILED", id="condition that failed"),
        pytest.param("true", None, "ALL_DONE", "FAILED", "EXCLUDED", id="condition that failed came to nothing"),
        pytest.param("true", None, "ALL_SUCCESS", "CANCELED", "UPSTREAM_CANCELED", id="condition that was cancelled"),
        pytest.param("true", None, "ALL_SUCCESS", "EXCLUDED", "EXCLUDED", id="condition that was excluded"),
    ],
)
def test_outcome_of_a_condition_decides_which_branch_runs(
    outcome: Truth | None, came_to: Truth | None, run_if: RunIf, condition: Result, expected: str
) -> None:
    """It must be met for the task to run, beside a dependency that succeeded."""
    task = Task("next", WHEEL, depends_on=(Dependency("check", outcome), Dependency("beside")), run_if=run_if)
    outcomes = {"check": came_to} if came_to is not None else {}

    assert graph.fate(task, {"check": condition, "beside": "SUCCESS"}, outcomes) == expected


def test_branch_not_taken_is_excluded_to_where_the_branches_meet() -> None:
    """What depends on both branches runs; what depends on one only is excluded with it."""
    check = Task("check", condition_task=ConditionTask("EQUAL_TO", "1", "2"))
    yes = Task("yes", WHEEL, depends_on=(Dependency("check", "true"),))
    no = Task("no", WHEEL, depends_on=(Dependency("check", "false"),))
    tasks = [check, yes, no, node("after", "yes"), node("later", "after", run_if="ALL_DONE"), node("join", "after", "no")]

    ready, skipped = graph.settle(tasks, {"check": "SUCCESS", "no": "SUCCESS"}, {"check": "false"})

    assert skipped == {"yes": "EXCLUDED", "after": "EXCLUDED", "later": "EXCLUDED"}
    assert [task.task_key for task in ready] == ["join"]


@st.composite
def graphs(draw: st.DrawFn) -> list[Task]:
    """Return any graph without a cycle, some of its tasks conditions, some on one branch of one."""
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, 8))):
        upstream = draw(st.sets(st.sampled_from([task.task_key for task in tasks]))) if tasks else set()
        conditions = {task.task_key for task in tasks if task.condition_task is not None}
        outcomes = {key: draw(st.sampled_from(OUTCOMES)) if key in conditions else None for key in sorted(upstream)}
        task = node(f"t{number}", run_if=draw(st.sampled_from(RUN_IFS)), disabled=draw(st.integers(0, 9)) == 0)
        task = msgspec.structs.replace(task, depends_on=tuple(Dependency(key, outcome) for key, outcome in outcomes.items()))
        if draw(st.booleans()):
            task = msgspec.structs.replace(task, python_wheel_task=None, condition_task=ConditionTask("EQUAL_TO", "1", "1"))
        tasks.append(task)
    return draw(st.permutations(tasks))


@dataclass
class Played:
    """A run of a graph: how each task ended, what its conditions came to, which tasks ran."""

    results: dict[str, Result] = field(default_factory=dict)
    outcomes: dict[str, Truth] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)


def play(tasks: list[Task], data: st.DataObject, endings: list[Result]) -> Played:
    """Run a graph as an execution does: tasks end in any order, with any of `endings`."""
    found = Played()
    running: list[Task] = []
    while True:
        ready, skipped = graph.settle(tasks, found.results, found.outcomes)
        assert found.results.keys().isdisjoint(skipped)
        assert {task.task_key for task in ready}.isdisjoint(skipped)
        found.results |= skipped
        for task in ready:
            if task not in running:
                assert set(task.upstream) <= found.results.keys()
                running.append(task)
                found.ran.append(task.task_key)
        if not running:
            return found
        ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
        assert ended.task_key not in found.results
        found.results[ended.task_key] = data.draw(st.sampled_from(endings))
        if ended.condition_task is not None and found.results[ended.task_key] == "SUCCESS":
            found.outcomes[ended.task_key] = data.draw(st.sampled_from(["true", "false"]))


@given(graphs(), st.data())
def test_every_run_ends_with_each_task_ended_and_none_before_its_dependencies(tasks: list[Task], data: st.DataObject) -> None:
    """Whatever the tasks' results and outcomes and the order in which they end; each task ends once."""
    played = play(tasks, data, ENDINGS)

    assert played.results.keys() == {task.task_key for task in tasks}
    assert len(played.ran) == len(set(played.ran))
    assert graph.run_result(tasks, played.results) in ("SUCCESS", "SUCCESS_WITH_FAILURES", "FAILED")


@given(graphs(), st.data())
def test_no_task_runs_on_a_branch_that_was_not_taken(tasks: list[Task], data: st.DataObject) -> None:
    """And one whose dependencies are all excluded is excluded itself, whatever its run_if."""
    played = play(tasks, data, ENDINGS)

    for task in tasks:
        met = all(dependency.outcome in (None, played.outcomes.get(dependency.task_key)) for dependency in task.depends_on)
        assert met or task.task_key not in played.ran
        if task.upstream and not task.disabled and all(played.results[key] in ("EXCLUDED", "DISABLED") for key in task.upstream):
            assert played.results[task.task_key] == "EXCLUDED"


@given(graphs(), st.data())
def test_a_run_in_which_nothing_fails_succeeds_whatever_its_conditions_leave_out(tasks: list[Task], data: st.DataObject) -> None:
    """Branches not taken are no failures; `AT_LEAST_ONE_SUCCESS` and `NONE_FAILED` alone ask for a success that may be missing."""
    asking = {"AT_LEAST_ONE_SUCCESS", "NONE_FAILED"}
    tasks = [msgspec.structs.replace(task, run_if="ALL_SUCCESS") if task.run_if in asking else task for task in tasks]
    played = play(tasks, data, ["SUCCESS"])

    assert set(played.results.values()) <= {"SUCCESS", "EXCLUDED", "DISABLED"}
    assert graph.run_result(tasks, played.results) == "SUCCESS"
