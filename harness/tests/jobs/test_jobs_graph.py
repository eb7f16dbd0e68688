"""Laws and tables of the task graph."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs import graph
from harness.jobs.model import Dependency, PythonWheelTask, Result, RunIf, Task

WHEEL = PythonWheelTask("taxi", "main")
RUN_IFS: list[RunIf] = ["ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"]
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


@st.composite
def graphs(draw: st.DrawFn) -> list[Task]:
    """Return any graph without a cycle."""
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, 8))):
        upstream = draw(st.sets(st.sampled_from([task.task_key for task in tasks]))) if tasks else set()
        run_if, disabled = draw(st.sampled_from(RUN_IFS)), draw(st.integers(0, 9)) == 0
        tasks.append(node(f"t{number}", *sorted(upstream), run_if=run_if, disabled=disabled))
    return draw(st.permutations(tasks))


@given(graphs(), st.data())
def test_every_run_ends_with_each_task_ended_and_none_before_its_dependencies(tasks: list[Task], data: st.DataObject) -> None:
    """Whatever the tasks' results and the order in which they end."""
    results: dict[str, Result] = {}
    running: list[Task] = []
    while True:
        ready, skipped = graph.settle(tasks, results)
        assert results.keys().isdisjoint(skipped)
        results |= skipped
        for task in ready:
            if task not in running:
                assert set(task.upstream) <= results.keys()
                running.append(task)
        if not running:
            break
        ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
        results[ended.task_key] = data.draw(st.sampled_from(ENDINGS))

    assert results.keys() == {task.task_key for task in tasks}
    assert graph.run_result(tasks, results) in ("SUCCESS", "SUCCESS_WITH_FAILURES", "FAILED")
