"""Deploying to a workspace over HTTP with the official client: what is made, kept, changed and taken away."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Protocol

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from harness.bundle import Choice, destroy, read_bundle, run_job
from harness.clock import FakeClock
from harness.errors import UserError

ROOT = "/Workspace/Users/developer@harness.local/.bundle/demo/default"
BUNDLE = """
bundle: {name: demo}
artifacts:
  pack: {type: whl, path: ./pack, build: python3 ../pack.py module.py && echo . >> ../builds}
resources:
  schemas: {s: {name: fares, catalog_name: main, comment: first}}
  volumes: {v: {name: files, catalog_name: main, schema_name: "${resources.schemas.s.name}"}}
  registered_models: {m: {name: model, catalog_name: main, schema_name: "${resources.schemas.s.name}"}}
  experiments: {e: {name: "/Users/${workspace.current_user.userName}/e"}}
  jobs:
    nightly:
      name: nightly
      description: ${resources.experiments.e.id}
      parameters: [{name: day, default: monday}]
      environments: [{environment_key: default, spec: {environment_version: "5", dependencies: [./pack/dist/*.whl, numpy]}}]
      tasks:
        - {task_key: first, environment_key: default, python_wheel_task: {package_name: pack, entry_point: main}}
        - task_key: second
          depends_on: [{task_key: first}]
          environment_key: default
          python_wheel_task: {package_name: pack, entry_point: main}
"""
WHEEL = f"{ROOT}/artifacts/.internal/pack-1.0-py3-none-any.whl"


class Served(Protocol):
    """The workspace of the tests."""

    client: WorkspaceClient
    jobs: Any  # the fake of conftest, which tests of one folder cannot import by name
    permissions: Any


def test_first_deployment_makes_everything(given: Any, served: Served) -> None:
    done = given.deploy()

    assert str(done.plan) == "5 to add, 0 to change, 0 to delete"
    assert given.client.schemas.get("main.fares").comment == "first"
    assert given.client.volumes.read("main.fares.files").full_name == "main.fares.files"
    assert given.client.registered_models.get("main.fares.model").full_name == "main.fares.model"
    assert _packed(given.client) == "one = 1"
    (settings,) = served.jobs.jobs.values()
    (experiment,) = served.jobs.experiments
    assert settings == {
        "name": "nightly",
        "description": experiment,
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        "parameters": [{"name": "day", "default": "monday"}],
        "environments": [{"environment_key": "default", "spec": {"environment_version": "5", "dependencies": [WHEEL, "numpy"]}}],
        "tasks": [
            {"task_key": "first", "environment_key": "default", "python_wheel_task": {"package_name": "pack", "entry_point": "main"}},
            {
                "task_key": "second",
                "depends_on": [{"task_key": "first"}],
                "environment_key": "default",
                "python_wheel_task": {"package_name": "pack", "entry_point": "main"},
            },
        ],
        "deployment": {"kind": "BUNDLE", "metadata_file_path": f"{ROOT}/state/metadata.json"},
        "edit_mode": "UI_LOCKED",
        "format": "MULTI_TASK",
    }


def test_deployment_says_which_jobs_it_has_where_its_jobs_say_so(given: Any, served: Served) -> None:
    given.deploy()

    (job,) = served.jobs.jobs
    path = served.jobs.jobs[job]["deployment"]["metadata_file_path"]
    found = json.loads(given.client.workspace.download(path).read())["config"]
    assert found["resources"]["jobs"] == {"nightly": {"id": str(job), "relative_path": "databricks.yml"}}
    assert (found["bundle"]["name"], found["bundle"]["target"], set(found["bundle"]["git"])) == (
        "demo",
        "default",
        {"branch", "commit", "origin_url"},
    )
    assert found["workspace"]["file_path"] == f"{ROOT}/files"


def test_second_deployment_of_the_same_changes_nothing(given: Any, served: Served) -> None:
    given.deploy()
    writes, state = list(served.jobs.writes), _state(given.client)

    done = given.deploy()

    assert str(done.plan) == "0 to add, 0 to change, 0 to delete"
    assert served.jobs.writes == writes
    assert _state(given.client) == state
    assert given.builds() == 1


RETRAINING = """
bundle: {name: demo}
resources:
  jobs:
    a_monitoring:
      tasks:
        - {task_key: needed, condition_task: {op: EQUAL_TO, left: "{{job.trigger.type}}", right: "${resources.jobs.training.id}"}}
        - task_key: retrain
          depends_on: [{task_key: needed, outcome: "true"}]
          run_job_task: {job_id: "${resources.jobs.training.id}", job_parameters: {job_id: "${resources.jobs.training.id}"}}
    training:
      name: training
      environments: [{environment_key: default, spec: {environment_version: "5"}}]
      tasks: [{task_key: train, environment_key: default, python_wheel_task: {package_name: pack, entry_point: main}}]
  schemas: {s: {name: s, catalog_name: main, comment: "${resources.jobs.training.id}"}}
"""


def test_resource_that_others_refer_to_is_made_first_whatever_its_kind_and_place(given: Any, served: Served) -> None:
    given.write(RETRAINING)

    done = given.deploy()

    assert str(done.plan) == "3 to add, 0 to change, 0 to delete"
    training, monitoring = (int(done.ids[f"resources.jobs.{key}"]) for key in ("training", "a_monitoring"))
    assert served.jobs.jobs[monitoring]["tasks"] == [
        {"task_key": "needed", "condition_task": {"op": "EQUAL_TO", "left": "{{job.trigger.type}}", "right": str(training)}},
        {
            "task_key": "retrain",
            "depends_on": [{"task_key": "needed", "outcome": "true"}],
            "run_job_task": {"job_id": training, "job_parameters": {"job_id": str(training)}},
        },
    ]
    assert given.client.schemas.get("main.s").comment == str(training)


def test_second_deployment_of_jobs_that_run_each_other_changes_nothing(given: Any, served: Served) -> None:
    given.write(RETRAINING)
    given.deploy()
    writes = list(served.jobs.writes)

    assert str(given.deploy().plan) == "0 to add, 0 to change, 0 to delete"
    assert served.jobs.writes == writes


def test_job_made_again_is_told_to_those_that_refer_to_it(given: Any, served: Served) -> None:
    given.write(RETRAINING)
    before = given.deploy().ids
    del served.jobs.jobs[int(before["resources.jobs.training"])]

    done = given.deploy()

    assert str(done.plan) == "1 to add, 2 to change, 0 to delete"
    training = int(done.ids["resources.jobs.training"])
    assert training != int(before["resources.jobs.training"])
    assert served.jobs.jobs[int(done.ids["resources.jobs.a_monitoring"])]["tasks"][1]["run_job_task"]["job_id"] == training


def test_changed_job_is_reset_and_keeps_its_id(given: Any, served: Served) -> None:
    before = given.deploy().ids["resources.jobs.nightly"]
    given.write(BUNDLE.replace("name: nightly", "name: daily"))

    done = given.deploy()

    assert str(done.plan) == "0 to add, 1 to change, 0 to delete"
    assert done.ids["resources.jobs.nightly"] == before
    assert served.jobs.jobs[int(before)]["name"] == "daily"


def test_changed_sources_are_built_and_uploaded_again(given: Any) -> None:
    given.deploy()
    (given.folder / "pack" / "module.py").write_text("two = 2")

    done = given.deploy()

    assert str(done.plan) == "0 to add, 0 to change, 0 to delete"
    assert _packed(given.client) == "two = 2"


def test_resource_taken_out_of_the_bundle_is_deleted(given: Any, served: Served) -> None:
    given.deploy()
    given.write(BUNDLE[: BUNDLE.index("  jobs:")])

    done = given.deploy()

    assert str(done.plan) == "0 to add, 0 to change, 1 to delete"
    assert served.jobs.jobs == {}


def test_data_is_deleted_only_when_that_is_said(given: Any) -> None:
    given.deploy()
    given.write(BUNDLE.replace("name: files", "name: other"))

    with pytest.raises(
        UserError, match=r"resources\.volumes\.v would be deleted, with all data in it; nothing was changed; .* --auto-approve"
    ):
        given.deploy()
    assert given.client.volumes.read("main.fares.files").name == "files"

    assert str(given.deploy(approve=True).plan) == "1 to add, 0 to change, 1 to delete"
    with pytest.raises(NotFound):
        given.client.volumes.read("main.fares.files")


def test_job_that_somebody_deleted_is_made_again(given: Any, served: Served) -> None:
    given.deploy()
    served.jobs.jobs.clear()

    assert str(given.deploy().plan) == "1 to add, 0 to change, 0 to delete"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(("dist/*.whl", "dist/x*.whl"), "no wheel matches './pack/dist/x", id="no such wheel"),
        pytest.param(("path: ./pack", "path: ./none"), "there is no folder ./none", id="no such folder"),
        pytest.param(("pack.py module.py", "pack.py nothing"), "failed in ./pack (exit 1):\nTraceback", id="build fails"),
        pytest.param(("pack.py module.py", "pack.py"), "the build left no wheel in ./pack/dist", id="build makes no wheel"),
        pytest.param(("[{task_key: first}]", "[{task_key: zero}]"), "no task 'zero'", id="bad job"),
    ],
)
def test_nothing_is_written_when_anything_is_wrong(given: Any, served: Served, change: tuple[str, str], message: str) -> None:
    given.write(BUNDLE.replace(*change))

    with pytest.raises(UserError) as refused:
        given.deploy()

    assert message in str(refused.value)
    assert served.jobs.writes == []
    with pytest.raises(NotFound):
        given.client.workspace.get_status(ROOT)


def test_what_was_made_before_a_refusal_is_known_to_the_next_deployment(given: Any, served: Served) -> None:
    served.jobs.refuse = True
    with pytest.raises(
        UserError, match=r"databricks\.yml:11:5: resources\.jobs\.nightly: the workspace refused to create it: .*the schedule is wrong"
    ):
        given.deploy()
    served.jobs.refuse = False

    assert str(given.deploy().plan) == "1 to add, 0 to change, 0 to delete"


def test_destroy_takes_everything_away_and_a_second_one_finds_nothing(given: Any, served: Served) -> None:
    given.deploy()
    bundle = read_bundle(given.folder, given.client, Choice())

    assert str(destroy(bundle, given.client, progress=given.said.append)) == "0 to add, 0 to change, 5 to delete"

    assert served.jobs.jobs == {}
    with pytest.raises(NotFound):
        given.client.schemas.get("main.fares")
    with pytest.raises(NotFound):
        given.client.workspace.get_status(ROOT)
    assert destroy(bundle, given.client, progress=given.said.append) is None


def test_destroyed_experiment_is_brought_back_by_the_next_deployment(given: Any, served: Served) -> None:
    first = given.deploy().ids["resources.experiments.e"]
    destroy(read_bundle(given.folder, given.client, Choice()), given.client, progress=given.said.append)

    assert given.deploy().ids["resources.experiments.e"] == first
    assert served.jobs.experiments[first]["lifecycle_stage"] == "active"


def test_permissions_are_written_with_the_deployer_as_owner(given: Any, served: Served) -> None:
    given.write(BUNDLE + "      permissions: [{group_name: users, level: CAN_VIEW}]\n")
    done = given.deploy()

    found = served.permissions.get("jobs", done.ids["resources.jobs.nightly"]).access_control_list
    assert [(grant.permission_level, grant.user_name or grant.group_name) for grant in found] == [
        ("IS_OWNER", "developer@harness.local"),
        ("CAN_VIEW", "users"),
    ]
    assert str(given.deploy().plan) == "0 to add, 0 to change, 0 to delete"


def test_workspace_without_permissions_is_a_warning(tmp_path: Path, served_without_permissions: Served, make_given: Any) -> None:
    given = make_given(tmp_path / "bundle", served_without_permissions)
    given.write(BUNDLE + "      permissions: [{group_name: users, level: CAN_VIEW}]\n")

    assert given.deploy().warnings == ("not emulated: permissions of resources.jobs.nightly; the resource itself is deployed",)


class Told:
    """Remembers what a display is told."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str]] = []
        self.printed: list[tuple[str, str]] = []

    def task(self, task_key: str, state: str, seconds: float) -> None:
        assert seconds >= 0
        self.states.append((task_key, state))

    def output(self, task_key: str, text: str) -> None:
        self.printed.append((task_key, text))


def _task(key: str, run_id: int, state: str, result: str | None = None) -> dict[str, Any]:
    times = {"start_time": 1000, "end_time": 3000} if result else {"start_time": 1000} if state == "RUNNING" else {}
    return {"task_key": key, "run_id": run_id, "attempt_number": 0, **times, "state": _result(state, result)}


def _result(state: str, result: str | None) -> dict[str, Any]:
    return {"life_cycle_state": state, **({"result_state": result} if result else {})}


def test_run_is_followed_to_its_failure(given: Any, served: Served, clock: FakeClock) -> None:
    """States and whole lines are told as they come; the result says which task failed and why."""
    given.deploy()
    served.jobs.printed = {"first": "a long first line\nlast"}
    served.jobs.runs = [
        {"run_id": 7, "state": _result("RUNNING", None), "tasks": [_task("first", 1, "RUNNING"), _task("second", 2, "BLOCKED")]},
        {
            "run_id": 7,
            "run_name": "nightly",
            "start_time": 1000,
            "end_time": 4000,
            "state": _result("INTERNAL_ERROR", "FAILED"),
            "tasks": [_task("first", 1, "TERMINATED", "FAILED"), _task("second", 2, "TERMINATED", "UPSTREAM_FAILED")],
        },
    ]
    served.jobs.outputs = {1: {"error": "ValueError: no", "error_trace": "Traceback"}}
    told = Told()

    bundle = read_bundle(given.folder, given.client, Choice())
    result = run_job(bundle, given.client, "nightly", display=told, params={"day": "friday"}, clock=clock)

    assert served.jobs.started[0]["job_parameters"] == {"day": "friday"}
    assert told.states == [("first", "RUNNING"), ("second", "BLOCKED"), ("first", "FAILED"), ("second", "UPSTREAM_FAILED")]
    assert "".join(text for _, text in told.printed) == "a long first line\nlast\n"
    assert all(text.endswith("\n") for _, text in told.printed)
    assert (result.succeeded, result.result_state, result.seconds) == (False, "FAILED", 3.0)
    assert result.failed_task is not None
    assert (result.failed_task.task_key, result.failed_task.error, result.failed_task.seconds) == ("first", "ValueError: no", 2.0)


def test_condition_and_the_tasks_of_the_job_it_starts_are_followed(given: Any, served: Served, clock: FakeClock) -> None:
    """What the condition compared, and states and lines of the inner run below the task that began it, each told once."""
    given.deploy()
    compared = {"op": "EQUAL_TO", "left": "{{tasks.verdict.values.retrain}}", "right": "true", "outcome": "true"}
    values = {"condition_task": {"left": "true", "right": "true"}}
    needed = {**_task("needed", 1, "TERMINATED", "SUCCESS"), "condition_task": compared, "resolved_values": values}
    waiting, done = (
        {**_task("retrain", 2, *state), "run_job_task": {"job_id": 5}} for state in (("RUNNING",), ("INTERNAL_ERROR", "FAILED"))
    )
    served.jobs.runs = [
        {"run_id": 7, "state": _result("RUNNING", None), "tasks": [needed, waiting]},
        {"run_id": 7, "state": _result("RUNNING", None), "tasks": [needed, waiting]},
        {"run_id": 7, "state": _result("INTERNAL_ERROR", "FAILED"), "tasks": [needed, done]},
    ]
    train = [_task("train", 3, "RUNNING"), _task("train", 3, "INTERNAL_ERROR", "FAILED")]
    served.jobs.inner[70] = [
        {"run_id": 70, "state": _result("RUNNING", None), "tasks": [train[0]]},
        {"run_id": 70, "state": _result("INTERNAL_ERROR", "FAILED"), "tasks": [train[1]]},
    ]
    served.jobs.printed = {"train": "fold 1/5\n"}
    served.jobs.outputs = {2: {"error": "Run 70 of job 5 ended", "run_job_output": {"run_id": 70}}, 3: {"error": "ValueError: no"}}
    told = Told()

    bundle = read_bundle(given.folder, given.client, Choice())
    result = run_job(bundle, given.client, "nightly", display=told, clock=clock)

    assert told.states == [
        ("needed", "SUCCESS"),
        ("retrain/train", "RUNNING"),
        ("retrain", "RUNNING"),
        ("retrain/train", "FAILED"),
        ("retrain", "FAILED"),
    ]
    assert told.printed == [("needed", "'true' EQUAL_TO 'true': true\n"), ("retrain", "run 70\n"), ("retrain/train", "fold 1/5\n")]
    failed = result.failed_task
    assert failed is not None
    assert (failed.task_key, failed.error) == ("retrain", "Run 70 of job 5 ended")
    assert failed.inner is not None
    assert failed.inner.failed_task is not None
    assert (failed.inner.run_id, failed.inner.failed_task.task_key, failed.inner.failed_task.error) == (70, "train", "ValueError: no")


def test_run_job_task_that_never_began_a_run_is_followed_to_its_failure(given: Any, served: Served, clock: FakeClock) -> None:
    given.deploy()
    task = {**_task("retrain", 2, "INTERNAL_ERROR", "FAILED"), "run_job_task": {"job_id": 5}}
    served.jobs.runs = [{"run_id": 7, "state": _result("INTERNAL_ERROR", "FAILED"), "tasks": [task]}]
    served.jobs.outputs = {2: {"error": "Job 5 could not be run: Job 5 does not exist."}}
    told = Told()

    bundle = read_bundle(given.folder, given.client, Choice())
    result = run_job(bundle, given.client, "nightly", display=told, clock=clock)

    assert (told.states, told.printed) == ([("retrain", "FAILED")], [])
    assert result.failed_task is not None
    assert (result.failed_task.error, result.failed_task.inner) == ("Job 5 could not be run: Job 5 does not exist.", None)


@pytest.mark.parametrize(
    ("job", "params", "message"),
    [
        pytest.param("daily", {}, "unknown job 'daily'; the bundle has nightly", id="unknown job"),
        pytest.param("nightly", {"dya": "x"}, "--params dya: job 'nightly' has no such parameter; expected", id="unknown parameter"),
        pytest.param("nightly", {}, "job 'nightly' is not deployed to target 'default'; deploy it with", id="not deployed"),
    ],
)
def test_job_that_cannot_run_is_refused(given: Any, job: str, params: dict[str, str], message: str) -> None:
    bundle = read_bundle(given.folder, given.client, Choice())

    with pytest.raises(UserError, match=message):
        run_job(bundle, given.client, job, display=Told(), params=params)


def _packed(client: WorkspaceClient) -> str:
    with client.workspace.download(WHEEL) as content, zipfile.ZipFile(io.BytesIO(content.read())) as wheel:
        return wheel.read("pack/__init__.py").decode()


def _state(client: WorkspaceClient) -> dict[str, Any]:
    with client.workspace.download(f"{ROOT}/state/resources.json") as content:
        found: dict[str, Any] = json.loads(content.read())
    return found
