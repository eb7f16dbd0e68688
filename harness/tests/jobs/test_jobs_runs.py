"""Runs of jobs, seen through the unmodified official client; tasks do what the test says."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk.errors import BadRequest, OperationFailed, ResourceDoesNotExist

Make = Callable[..., Any]


def keys_and_results(run: Any) -> dict[str, str]:
    """Return the result state of each task's latest attempt."""
    return {found.task_key: found.state.result_state.value for found in run.tasks}


def state(of: Any) -> tuple[str, str]:
    """Return life cycle and result."""
    return of.state.life_cycle_state.value, of.state.result_state.value


def test_tasks_run_after_their_dependencies_and_the_client_sees_success(workspace: Any, scripts: Any) -> None:
    """Train, validate, deploy: one after the other, each a run of its own."""
    job_id = workspace.create(scripts.task("deploy", "validate"), scripts.task("train"), scripts.task("validate", "train"))

    run = workspace.sdk.jobs.run_now_and_wait(job_id)

    assert state(run) == ("TERMINATED", "SUCCESS")
    assert workspace.runner.keys() == ["train", "validate", "deploy"]
    assert len({run.run_id, *(found.run_id for found in run.tasks)}) == 4
    assert run.status.state.value == "TERMINATED"
    assert run.status.termination_details.code.value == "SUCCESS"
    assert (run.run_name, run.run_page_url) == ("pipeline", f"http://harness/jobs/{job_id}/runs/{run.run_id}")


def test_a_failed_task_skips_what_depends_on_it_and_fails_the_run(workspace: Any, scripts: Any) -> None:
    """The client's waiter raises; the output of the failed task has error and traceback; what did not run is never a success."""
    workspace.runner.acts["train"] = [scripts.fails]
    job_id = workspace.create(scripts.task("train"), scripts.task("validate", "train"), scripts.task("clean", "train", run_if="ALL_DONE"))

    with pytest.raises(OperationFailed, match="Task train failed with message: Workload failed, see run output for details"):
        workspace.sdk.jobs.run_now_and_wait(job_id)
    run = workspace.sdk.jobs.get_run(next(iter(workspace.sdk.jobs.list_runs(job_id=job_id))).run_id)

    assert state(run) == ("INTERNAL_ERROR", "FAILED")
    assert keys_and_results(run) == {"train": "FAILED", "validate": "UPSTREAM_FAILED", "clean": "SUCCESS"}
    output = workspace.sdk.jobs.get_run_output(run.tasks[0].run_id)
    assert (output.error, output.error_trace) == ("ValueError: no trips", "Traceback …\nValueError: no trips")
    assert output.metadata.tasks[0].task_key == "train"
    assert run.status.termination_details.code.value == "RUN_EXECUTION_ERROR"
    assert run.tasks[1].status.termination_details.code.value == "SKIPPED"


def test_leaves_that_handle_the_failure_make_it_a_success_with_failures(workspace: Any, scripts: Any) -> None:
    """And those that handle none are excluded when there is none."""
    tasks = scripts.task("train"), scripts.task("rescue", "train", run_if="AT_LEAST_ONE_FAILED")
    workspace.runner.acts["train"] = [scripts.fails]
    job_id = workspace.create(*tasks)

    assert state(workspace.run(job_id)) == ("TERMINATED", "SUCCESS_WITH_FAILURES")
    run = workspace.run(job_id)
    assert state(run) == ("TERMINATED", "SUCCESS")
    assert keys_and_results(run) == {"train": "SUCCESS", "rescue": "EXCLUDED"}


def test_a_failed_task_is_tried_again_after_its_interval(workspace: Any, scripts: Any) -> None:
    """Each attempt is a run with its own id, number, folder and output."""
    workspace.runner.acts["train"] = [scripts.fails, scripts.fails]
    job_id = workspace.create(scripts.task("train", max_retries=2, min_retry_interval_millis=60_000))

    run = workspace.run(job_id)

    assert state(run) == ("TERMINATED", "SUCCESS")
    assert [(found.attempt_number, found.state.result_state.value) for found in run.tasks] == [(0, "FAILED"), (1, "FAILED"), (2, "SUCCESS")]
    assert len({found.run_id for found in run.tasks}) == 3
    assert run.end_time - run.start_time == 120_000
    assert len({task.folder for task in workspace.runner.ran}) == 3


def test_a_timeout_is_retried_only_when_asked(workspace: Any, scripts: Any) -> None:
    """retry_on_timeout."""
    workspace.runner.acts["a"] = [scripts.times_out]
    workspace.runner.acts["b"] = [scripts.times_out]
    job_id = workspace.create(scripts.task("a", max_retries=1), scripts.task("b", max_retries=1, retry_on_timeout=True, timeout_seconds=30))

    run = workspace.run(job_id)

    assert keys_and_results(run) == {"a": "TIMEDOUT", "b": "SUCCESS"}
    assert sorted(workspace.runner.keys()) == ["a", "b", "b"]
    assert {task.timeout_seconds for task in workspace.runner.ran if task.task_key == "b"} == {30}


def test_a_run_past_the_jobs_timeout_is_timed_out(workspace: Any, scripts: Any) -> None:
    """The task under way is given no more than what is left, the next does not start."""

    def slow(task: Any, _: threading.Event) -> Any:
        workspace.clock.sleep(task.timeout_seconds)
        return scripts.times_out(task, _)

    workspace.runner.acts["a"] = [slow]
    run = workspace.run(workspace.create(scripts.task("a", timeout_seconds=500), scripts.task("b", "a"), timeout_seconds=100))

    assert state(run) == ("TERMINATED", "TIMEDOUT")
    assert keys_and_results(run) == {"a": "TIMEDOUT", "b": "CANCELED"}
    assert workspace.runner.ran[0].timeout_seconds == 100


def test_parameters_are_resolved_for_each_task(workspace: Any, scripts: Any) -> None:
    """Job parameters, task values, names and ids; JSON with braces stays as it is."""
    workspace.runner.acts["train"] = [scripts.sets(run_id="abc", mae=1.5, better=True)]
    grid = '{"n": {"a": [1]}}'
    wanted = ["--catalog", "{{job.parameters.catalog}}", "{{ task.name }}-{{job.run_id}}", "{{tasks.train.values.mae}}"]
    wanted += ["{{tasks.train.values.better}}", "{{tasks.train.result_state}}", "{{job.start_time.iso_date}}", grid]
    job_id = workspace.create(
        scripts.task("train"), scripts.task("validate", "train", parameters=wanted), parameters=[{"name": "catalog", "default": "main"}]
    )

    run = workspace.run(job_id, job_parameters={"catalog": "dev"})

    expected = ("--catalog", "dev", f"validate-{run.run_id}", "1.5", "true", "success", "2026-11-23", grid)
    assert workspace.runner.ran[1].program.arguments == expected
    assert [(one.name, one.value, one.default) for one in run.job_parameters] == [("catalog", "dev", "main")]
    assert workspace.service.records.task_values(run.run_id) == {"train": {"run_id": "abc", "mae": 1.5, "better": True}}


def test_a_task_value_that_was_not_set_fails_the_task(workspace: Any, scripts: Any) -> None:
    """It does not run with the braces in its arguments."""
    run = workspace.run(workspace.create(scripts.task("train"), scripts.task("validate", "train", parameters=["{{tasks.train.values.x}}"])))

    assert keys_and_results(run) == {"train": "SUCCESS", "validate": "FAILED"}
    assert run.tasks[1].state.state_message == "{{tasks.train.values.x}}: task 'train' has set no such value; it has set: none"
    assert workspace.runner.keys() == ["train"]


def test_job_parameters_are_pushed_down_to_named_parameters_and_win(workspace: Any, scripts: Any) -> None:
    """As `--name=value`."""
    wheel = {"package_name": "taxi", "entry_point": "a", "named_parameters": {"catalog": "x", "rows": "5"}}
    job_id = workspace.create(scripts.task("a", python_wheel_task=wheel), parameters=[{"name": "catalog", "default": "main"}])
    workspace.run(job_id)

    assert workspace.runner.ran[0].program.arguments == ("--catalog=main", "--rows=5")


def test_python_params_replace_a_tasks_own(workspace: Any, scripts: Any) -> None:
    """For jobs that declare no parameters."""
    workspace.run(workspace.create(scripts.task("a", parameters=["--own"])), python_params=["--rows", "7"])

    assert workspace.runner.ran[0].program.arguments == ("--rows", "7")


def test_dependencies_are_files_of_this_machine_when_a_task_starts(workspace: Any, scripts: Any) -> None:
    """Requirements stay; a file that is not there fails the task, and says which."""
    environments = [
        scripts.environment,
        {"environment_key": "lost", "spec": {"environment_version": "2", "dependencies": ["/Workspace/lost.whl"]}},
    ]
    run = workspace.run(workspace.create(scripts.task("a"), scripts.task("b", environment_key="lost"), environments=environments))

    assert [(task.dependencies, task.environment.version) for task in workspace.runner.ran] == [(("/tmp/there.whl", "pandas"), "4")]
    lost = next(found for found in run.tasks if found.task_key == "b")
    assert lost.state.state_message == "Library installation failed: Path (/Workspace/lost.whl) doesn't exist."
    assert lost.status.termination_details.code.value == "LIBRARY_INSTALLATION_ERROR"


@pytest.mark.parametrize(
    ("settings", "body", "message"),
    [
        pytest.param({}, {"job_parameters": {"x": "1"}}, "Job parameter 'x' is not declared by the job; declared: none", id="undeclared"),
        pytest.param({"parameters": [{"name": "c", "default": "m"}]}, {"python_params": ["x"]}, "use job_parameters", id="both kinds"),
        pytest.param({}, {"only": ["zz"]}, "'only': the job has no task 'zz'; tasks: a", id="unknown task"),
        pytest.param({}, {"jar_params": ["a"]}, "run-now with 'jar_params'", id="for JARs"),
        pytest.param({}, {"idempotency_token": "x" * 65}, "at most 64 characters", id="long token"),
    ],
)
def test_a_run_that_does_not_fit_the_job_is_refused(
    workspace: Any, scripts: Any, settings: dict[str, Any], body: dict[str, Any], message: str
) -> None:
    """And leaves no run behind."""
    job_id = workspace.create(scripts.task("a"), **settings)

    with pytest.raises(BadRequest, match=message):
        workspace.sdk.api_client.do("POST", "/api/2.2/jobs/run-now", body={"job_id": job_id, **body})
    assert list(workspace.sdk.jobs.list_runs()) == []


def test_only_runs_what_is_asked_for(workspace: Any, scripts: Any) -> None:
    """The task does not wait for what is left out."""
    run = workspace.run(workspace.create(scripts.task("a"), scripts.task("b", "a"), scripts.task("c", "b")), only=["b"])

    assert keys_and_results(run) == {"b": "SUCCESS"}


def test_the_same_token_gives_the_same_run(workspace: Any, scripts: Any) -> None:
    """And runs nothing again."""
    job_id = workspace.create(scripts.task("a"))
    first = workspace.run(job_id, idempotency_token="t")

    assert workspace.run(job_id, idempotency_token="t").run_id == first.run_id
    assert workspace.runner.keys() == ["a"]


def test_a_run_over_the_limit_is_skipped(workspace: Any, scripts: Any) -> None:
    """The first goes on."""
    workspace.runner.acts["a"] = [scripts.until_cancelled]
    job_id = workspace.create(scripts.task("a"))
    first = workspace.sdk.jobs.run_now(job_id).run_id
    workspace.reaches(first, "RUNNING")

    second = workspace.run(job_id)

    assert state(second) == ("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED")
    assert second.status.termination_details.code.value == "MAX_CONCURRENT_RUNS_EXCEEDED"
    workspace.sdk.jobs.cancel_run(first)
    assert state(workspace.ended(first)) == ("TERMINATED", "CANCELED")


def test_a_queued_run_starts_when_the_one_before_ends(workspace: Any, scripts: Any) -> None:
    """With the queue enabled."""
    workspace.runner.acts["a"] = [scripts.until_cancelled]
    job_id = workspace.create(scripts.task("a"), queue={"enabled": True})
    first, second, third = (workspace.sdk.jobs.run_now(job_id).run_id for _ in range(3))
    waiting = workspace.reaches(second, "QUEUED")
    assert waiting.status.state.value == "QUEUED"

    workspace.sdk.jobs.cancel_run(third)
    assert state(workspace.ended(third)) == ("TERMINATED", "CANCELED")
    workspace.sdk.jobs.cancel_run(first)

    assert state(workspace.ended(second)) == ("TERMINATED", "SUCCESS")


def test_cancelling_ends_the_task_under_way_and_starts_no_other(workspace: Any, scripts: Any) -> None:
    """Not even one that is to run whatever happens."""
    workspace.runner.acts["a"] = [scripts.until_cancelled]
    run_id = workspace.sdk.jobs.run_now(workspace.create(scripts.task("a"), scripts.task("b", "a", run_if="ALL_DONE"))).run_id
    workspace.reaches(run_id, "RUNNING")

    workspace.sdk.jobs.cancel_run(run_id)
    run = workspace.ended(run_id)

    assert keys_and_results(run) == {"a": "CANCELED", "b": "CANCELED"}
    assert run.status.termination_details.code.value == "USER_CANCELED"


def test_runs_are_listed_latest_first_and_filtered(workspace: Any, scripts: Any) -> None:
    """By job, by whether they are active, page by page."""
    workspace.runner.acts["slow"] = [scripts.until_cancelled]
    job_id, other = workspace.create(scripts.task("a")), workspace.create(scripts.task("slow"))
    ids = []
    for _ in range(3):
        ids.append(workspace.run(job_id).run_id)
        workspace.clock.sleep(1)
    active = workspace.sdk.jobs.run_now(other).run_id

    assert [run.run_id for run in workspace.sdk.jobs.list_runs(job_id=job_id, limit=2)] == ids[::-1]
    assert [run.run_id for run in workspace.sdk.jobs.list_runs(active_only=True)] == [active]
    assert [run.run_id for run in workspace.sdk.jobs.list_runs(completed_only=True)] == ids[::-1]
    assert next(iter(workspace.sdk.jobs.list_runs(job_id=job_id))).tasks == []
    assert next(iter(workspace.sdk.jobs.list_runs(job_id=job_id, expand_tasks=True))).tasks[0].task_key == "a"


def test_output_is_what_the_task_printed_and_can_be_followed(workspace: Any, scripts: Any) -> None:
    """The last 5 MB in get-output; from an offset, cut between characters, while the task runs."""

    def prints(task: Any, cancelled: threading.Event) -> Any:
        (task.folder / "stdout").write_bytes("grid 1/2 é".encode()[:-1])
        (task.folder / "stderr").write_bytes(b"warning\n")
        assert cancelled.wait(20)
        (task.folder / "stdout").write_bytes("grid 1/2 é\nx\n".encode())
        return scripts.fails(task, cancelled)

    workspace.runner.acts["a"] = [prints]
    run_id = workspace.sdk.jobs.run_now(workspace.create(scripts.task("a"), scripts.task("b"))).run_id
    workspace.runner.wait_for_output("a")

    def follow(offset: int) -> Any:
        return workspace.http.get(f"/__harness__/runs/{run_id}/output", params={"task_key": "a", "offset": offset}).json()

    assert follow(0) == {"text": "grid 1/2 ", "offset": 9, "attempt_number": 0, "ended": False}
    workspace.sdk.jobs.cancel_run(run_id)
    run = workspace.ended(run_id)
    assert follow(9) == {"text": "é\nx\n", "offset": 14, "attempt_number": 0, "ended": True}
    assert workspace.sdk.jobs.get_run_output(run.tasks[0].run_id).logs == "grid 1/2 é\nx\nwarning\n"
    with pytest.raises(BadRequest, match="output of runs with multiple tasks is not supported"):
        workspace.sdk.jobs.get_run_output(run_id)


def test_a_run_that_is_not_there_is_not_found(workspace: Any) -> None:
    """The client turns the platform's 400 into its own kind of error."""
    with pytest.raises(ResourceDoesNotExist, match="Run 12 does not exist"):
        workspace.sdk.jobs.get_run(12)


def test_what_was_active_when_the_harness_ended_has_failed_after_a_restart(workspace: Any, scripts: Any) -> None:
    """Clearly, with its tasks; and what was queued goes on."""
    workspace.runner.acts["a"] = [scripts.until_cancelled]
    job_id = workspace.create(scripts.task("a"), scripts.task("b", "a"), queue={"enabled": True})
    first = workspace.sdk.jobs.run_now(job_id).run_id
    queued = workspace.sdk.jobs.run_now(job_id).run_id
    workspace.reaches(first, "RUNNING")
    workspace.service.close()

    again = workspace.service_again()
    again.start()

    run = workspace.sdk.jobs.get_run(first)
    assert state(run) == ("INTERNAL_ERROR", "FAILED")
    assert run.state.state_message == "The harness ended while this was active; run it again."
    assert keys_and_results(run) == {"a": "FAILED", "b": "FAILED"}
    assert state(workspace.ended(queued)) == ("TERMINATED", "SUCCESS")
    again.close()


def test_a_bug_of_the_runner_fails_the_task_and_ends_the_run(workspace: Any, scripts: Any) -> None:
    """Nothing waits for ever."""

    def breaks(_: Any, __: threading.Event) -> Any:
        raise RuntimeError("lost")

    workspace.runner.acts["a"] = [breaks]
    run = workspace.run(workspace.create(scripts.task("a")))

    assert state(run) == ("INTERNAL_ERROR", "FAILED")
    assert run.tasks[0].state.state_message == "The harness could not run the task: RuntimeError('lost')"


def test_events_tell_of_the_run_and_each_task(workspace: Any, scripts: Any) -> None:
    """In order."""
    workspace.run(workspace.create(scripts.task("a")))

    told = [(event.task_key, event.state.life_cycle_state) for event in workspace.events]
    assert told == [("", "PENDING"), ("", "RUNNING"), ("a", "PENDING"), ("a", "RUNNING"), ("a", "TERMINATED"), ("", "TERMINATED")]
