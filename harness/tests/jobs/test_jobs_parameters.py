"""What tasks are given: parameters of jobs, tasks and run-now, and the dynamic values in them."""

import datetime as dt
from typing import Any

import pytest
from databricks.sdk.errors import BadRequest
from hypothesis import given
from hypothesis import strategies as st

from harness.config import WORKSPACE_ID
from harness.jobs.references import NAMES, Context, Finished, ReferenceProblemError, resolve

CATALOG = {"name": "catalog", "default": "main"}


def wheel(*parameters: str, **named: str) -> dict[str, object]:
    """Return a wheel task's settings."""
    given = {"named_parameters": named} if named else {"parameters": list(parameters)}
    return {"python_wheel_task": {"package_name": "t", "entry_point": "e", **given}}


def arguments(workspace: Any, job_id: int, **body: object) -> tuple[str, ...]:
    """Run a job and return what its last task was called with."""
    run = workspace.run(job_id, **body)
    assert run.state.result_state.value == "SUCCESS", run.state.state_message
    return tuple(workspace.runner.ran[-1].program.arguments)


def test_a_jobs_parameters_are_pushed_down_where_there_are_names(workspace: Any, scripts: Any) -> None:
    """They win over the task's own; positional arguments are left alone."""
    named = workspace.create(scripts.task("a", **wheel(catalog="dev", rows="5")), parameters=[CATALOG])
    positional = workspace.create(scripts.task("a", **wheel("--rows", "5")), parameters=[CATALOG])

    assert arguments(workspace, named) == ("--catalog=main", "--rows=5")
    assert arguments(workspace, named, job_parameters={"catalog": "test"}) == ("--catalog=test", "--rows=5")
    assert arguments(workspace, positional) == ("--rows", "5")


def test_a_jobs_parameters_are_pushed_down_to_the_jobs_that_it_runs(workspace: Any, scripts: Any) -> None:
    """Those that the other job has declared, over what the task gives."""
    more = [CATALOG, {"name": "rows", "default": "1"}, {"name": "own", "default": "o"}]
    inner = workspace.create(scripts.task("a", **wheel(x="{{job.parameters.own}}")), parameters=more)
    task = {"task_key": "run", "run_job_task": {"job_id": inner, "job_parameters": {"rows": "2", "catalog": "dev"}}}
    outer = workspace.create(task, parameters=[CATALOG, {"name": "unknown_there", "default": "u"}])

    assert arguments(workspace, outer, job_parameters={"catalog": "test"}) == ("--x=o", "--catalog=test", "--rows=2", "--own=o")


def test_parameters_of_run_now_are_for_the_tasks_of_their_kind_and_shown(workspace: Any, scripts: Any) -> None:
    """A wheel's are no notebook's."""
    job_id = workspace.create(scripts.task("a", **wheel("--rows", "5")))

    run = workspace.run(job_id, python_params=["x"], notebook_params={"a": "b"})

    assert workspace.runner.ran[-1].program.arguments == ("x",)
    assert run.overriding_parameters.as_dict() == {"python_params": ["x"], "notebook_params": {"a": "b"}}


@pytest.mark.parametrize(
    ("settings", "body", "message"),
    [
        pytest.param(
            {"parameters": [CATALOG]}, {"notebook_params": {"a": "b"}}, "'notebook_params' cannot be used with a job that", id="both"
        ),
        pytest.param({}, {"notebook_params": {"a": "b" * 10_000}}, "'notebook_params' cannot exceed 10000 bytes", id="too much"),
        pytest.param({}, {"python_params": ["a"], "python_named_params": {"a": "b"}}, "exclude each other", id="two for wheels"),
        pytest.param({}, {"job_parameters": {"a": ["b"]}}, "Expected `str`, got `array`", id="no text"),
    ],
)
def test_parameters_of_run_now_that_do_not_fit_are_refused(
    workspace: Any, scripts: Any, settings: dict[str, Any], body: dict[str, object], message: str
) -> None:
    """Before a run begins."""
    job_id = workspace.create(scripts.task("a"), **settings)
    with pytest.raises(BadRequest, match=message):
        workspace.sdk.api_client.do("POST", "/api/2.2/jobs/run-now", body={"job_id": job_id, **body})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        pytest.param([{"name": "a b", "default": ""}], "Job parameter 'a b': a name has letters", id="name"),
        pytest.param([CATALOG, CATALOG], "parameters: name 'catalog' is given more than once", id="twice"),
        pytest.param([{"name": "a", "default": "{{task.name}}"}], "{{task.name}} is not known when the run begins", id="of a task"),
        pytest.param(
            [CATALOG, {"name": "a", "default": "{{job.parameters.catalog}}"}], "is not known when the run begins", id="each other"
        ),
        pytest.param([{"name": "a", "default": "{{job.naem}}"}], "{{job.naem}} is not a dynamic value", id="unknown"),
    ],
)
def test_parameters_of_a_job_that_cannot_be_are_refused(workspace: Any, parameters: list[object], message: str) -> None:
    """When it is made."""
    with pytest.raises(BadRequest, match=message):
        workspace.sdk.api_client.do("POST", "/api/2.2/jobs/create", body={"parameters": parameters})


def test_a_jobs_parameters_may_refer_to_the_run(workspace: Any, scripts: Any) -> None:
    """Their values are settled before a task sees them, by name or pushed down."""
    parameters = [{"name": "day", "default": "{{job.start_time.iso_date}}"}, {"name": "text", "default": "{{mine.own}}"}]
    job_id = workspace.create(scripts.task("a", **wheel(x="{{job.parameters.day}}")), parameters=parameters)

    assert arguments(workspace, job_id) == ("--x=2026-11-23", "--day=2026-11-23", "--text={{mine.own}}")


def test_every_dynamic_value_of_a_run(workspace: Any, scripts: Any) -> None:
    """In a task that is tried a second time, after one that has failed."""
    workspace.runner.acts |= {"first": [scripts.fails], "second": [scripts.fails]}
    names = [
        *("job.name", "job.repair_count", "job.trigger.type", "job.trigger.file_arrival.location", "task.name", "task.execution_count"),
        *("job.start_time.iso_datetime", "job.start_time.is_weekday", "job.trigger.time.hour", "job.start_time.[year]", "workspace.id"),
        *("tasks.first.result_state", "tasks.first.error_code", "tasks.first.execution_count", "task.notebook_path"),
        *("start_date", "start_time", "task_retry_count", "task_key"),
    ]
    second = scripts.task("second", "first", run_if="ALL_DONE", max_retries=1, **wheel(*(f"{{{{{name}}}}}" for name in names)))

    found = workspace.create(scripts.task("first"), second, name="daily")
    workspace.run(found)

    assert workspace.runner.ran[-1].program.arguments == (
        *("daily", "0", "one_time", "", "second", "2"),
        *("2026-11-23T08:00:00Z", "true", "8", "2026", WORKSPACE_ID),
        *("failed", "RunExecutionError", "1", ""),
        *("2026-11-23", "1795420800000", "1", "second"),
    )


def test_names_with_other_characters_stand_in_backticks(workspace: Any, scripts: Any) -> None:
    """Of parameters and of task values."""
    workspace.runner.acts["a"] = [scripts.sets(**{"the mean": 1.5})]
    after = scripts.task("b", "a", **wheel("{{tasks.a.values.`the mean`}}", "{{job.parameters.`my.name`}}"))
    job_id = workspace.create(scripts.task("a"), after, parameters=[{"name": "my.name", "default": "x"}])

    assert arguments(workspace, job_id) == ("1.5", "x")


@pytest.mark.parametrize("text", ["{{mine.own}}", "{{job.name}", "{ {job.name}}", "{{}}", "{{a b}}", '{"a": {"b": {{1}}}}', "{{JOB.name}}"])
def test_what_is_no_reference_is_a_text_like_any_other(workspace: Any, scripts: Any, text: str) -> None:
    """As docs.databricks.com/jobs/dynamic-value-references says."""
    assert arguments(workspace, workspace.create(scripts.task("a", **wheel(text)))) == (text,)


@pytest.mark.parametrize("reference", ["job.notebook_url", "task.naem", "tasks.a.colour", "workspace.name", "job.start_time.week", "input"])
def test_what_a_known_namespace_does_not_have_is_refused(workspace: Any, scripts: Any, reference: str) -> None:
    """When the job is made."""
    body = {"environments": [scripts.environment], "tasks": [scripts.task("a"), scripts.task("b", "a", **wheel(f"{{{{{reference}}}}}"))]}
    with pytest.raises(BadRequest, match=r"Task 'b': \{\{" + reference):
        workspace.sdk.api_client.do("POST", "/api/2.2/jobs/create", body=body)


def test_a_run_that_is_no_backfill_says_so(workspace: Any, scripts: Any) -> None:
    """The job may be made, for its parameter can be overridden."""
    job_id = workspace.create(
        scripts.task("a", **wheel("{{job.parameters.day}}")), parameters=[{"name": "day", "default": "{{backfill.iso_date}}"}]
    )

    run = workspace.run(job_id)

    assert run.tasks[0].state.state_message == "{{backfill.iso_date}}: this run is no backfill; the harness makes none"
    assert arguments(workspace, job_id, job_parameters={"day": "2026-01-01"}) == ("2026-01-01",)


NOW = dt.datetime(2026, 11, 23, 8, 30, 5, tzinfo=dt.UTC)
CONTEXT = Context(
    job_id=1,
    job_name="j",
    run_id=2,
    parameters={"p": "v"},
    start_time=NOW,
    task_name="t",
    task_run_id=3,
    execution_count=1,
    finished={"before": Finished(4, "SUCCESS", 1)},
    values={"before": {"x": [1]}},
    workspace_url="http://h",
    iteration=({"id": 7},),
)


@given(st.text(alphabet=st.characters(exclude_characters="{}")), st.sampled_from(sorted(name for name in NAMES if "backfill" not in name)))
def test_a_reference_is_replaced_and_what_is_around_it_is_not(text: str, name: str) -> None:
    """Whatever it is."""
    value = resolve(f"{{{{{name}}}}}", CONTEXT)
    assert resolve(f"{text}{{{{ {name} }}}}{text}", CONTEXT) == text + value + text
    assert "{" not in value


@given(st.text())
def test_a_text_without_braces_stays(text: str) -> None:
    """As it is."""
    assert resolve(text.replace("{{", ""), CONTEXT) == text.replace("{{", "")


def test_the_input_of_an_iteration_is_taken_apart() -> None:
    """By its keys; a key that is not there is an error."""
    assert (resolve("{{input}}", CONTEXT), resolve("{{input.id}}", CONTEXT)) == ('{"id": 7}', "7")
    with pytest.raises(ReferenceProblemError, match="the input has no 'name'"):
        resolve("{{input.name}}", CONTEXT)


def test_a_job_says_as_whom_it_runs(workspace: Any) -> None:
    """run_as is kept and shown; the harness has one user."""
    job_id = workspace.http.post("/api/2.2/jobs/create", json={"run_as": {"service_principal_name": "robot"}}).json()["job_id"]

    assert workspace.sdk.jobs.get(job_id).run_as_user_name == "robot"


def test_queued_runs_are_cancelled_together(workspace: Any, scripts: Any) -> None:
    """Of one job or of all, and what runs is left alone; neither is refused."""
    workspace.runner.acts["a"] = [scripts.until_cancelled]
    job_id = workspace.create(scripts.task("a"), queue={"enabled": True})
    first, second, third = (workspace.sdk.jobs.run_now(job_id).run_id for _ in range(3))

    workspace.sdk.jobs.cancel_all_runs(all_queued_runs=True)

    assert [workspace.ended(run_id).state.result_state.value for run_id in (second, third)] == ["CANCELED", "CANCELED"]
    assert workspace.reaches(first, "RUNNING").state.result_state is None
    with pytest.raises(BadRequest, match="cancel-all needs job_id, or all_queued_runs"):
        workspace.sdk.jobs.cancel_all_runs()
    workspace.sdk.jobs.cancel_all_runs(job_id=job_id)
    workspace.ended(first)
