"""Deployments that are interrupted at any call, two at once, and workspaces that others change in between."""

import contextlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.catalog import PermissionsChange, Privilege

from harness.bundle import destroy
from harness.errors import UserError

NOTHING = "0 to add, 0 to change, 0 to delete"
ROOT = "/Workspace/Users/developer@harness.local/.bundle/demo/default"
RICH = """
bundle: {name: demo}
permissions: [{group_name: users, level: CAN_VIEW}]
resources:
  secret_scopes: {c: {name: keys, permissions: [{group_name: users, level: READ}]}}
  schemas: {s: {name: fares, catalog_name: main, comment: first, grants: [{principal: users, privileges: [USE_SCHEMA, SELECT]}]}}
  volumes: {v: {name: files, catalog_name: main, schema_name: "${resources.schemas.s.name}"}}
  experiments: {e: {name: "/Users/${workspace.current_user.userName}/e", tags: [{key: team, value: rides}]}}
  jobs:
    nightly:
      name: nightly
      description: ${resources.experiments.e.id}
      tasks: [{task_key: c, condition_task: {op: EQUAL_TO, left: a, right: a}}]
    weekly: {name: weekly, tasks: [{task_key: t, run_job_task: {job_id: "${resources.jobs.nightly.id}"}}]}
"""
# Another comment, name and tag, no volume and no grant on SELECT.
LATER = "\n".join(line for line in RICH.splitlines() if "volumes:" not in line)
LATER = LATER.replace("first", "second").replace("name: weekly", "name: monthly").replace("rides", "taxis").replace(", SELECT", "")


@pytest.fixture
def rich(make_given: Any, tmp_path: Path) -> Callable[[Any], Any]:
    """Return how a bundle with several kinds of resources and some files is put beside a workspace."""
    numbers = itertools.count()

    def make(served: Any) -> Any:
        made = make_given(tmp_path / f"bundle{next(numbers)}", served)
        made.write(RICH)
        made.file("src/notebook.py", "# Databricks notebook source\nprint(1)\n")
        made.file("src/plain.py", "print(1)\n")
        return made

    return make


def change(given: Any) -> None:
    """Change the bundle: resources, and files sent, changed and gone."""
    given.write(LATER)
    given.file("src/plain.py", "print(2)\n")
    given.file("src/more/deep.py", "print(3)\n")
    (given.folder / "src" / "notebook.py").unlink()


def world(served: Any) -> dict[str, Any]:
    """Return what a workspace holds of the bundle; ids that the platform makes up are told by name."""
    client = served.client
    names = {f'"job_id": {key}': f'"job_id": "{job["name"]}"' for key, job in served.jobs.jobs.items()}
    names |= {f'"{key}"': f'"{each["name"]}"' for key, each in served.jobs.experiments.items()}
    jobs = json.dumps(sorted(served.jobs.jobs.values(), key=lambda job: str(job["name"])))
    for id_, name in names.items():
        jobs = jobs.replace(id_, name)
    schemas = {str(each.name): each.comment for each in client.schemas.list("main") if each.name == "fares"}
    grants = client.grants.get("schema", "main.fares").privilege_assignments or [] if schemas else []
    scopes = [str(each.name) for each in client.secrets.list_scopes()]
    permissions = [served.permissions.get("jobs", str(key)).access_control_list for key in served.jobs.jobs]
    return {
        "jobs": jobs,
        "permissions": permissions,
        "experiments": [(each["name"], each.get("tags"), each["lifecycle_stage"]) for each in served.jobs.experiments.values()],
        "schemas": schemas,
        "grants": [each.as_dict() for each in grants],
        "volumes": [str(each.name) for each in client.volumes.list("main", "fares")] if schemas else [],
        "scopes": [(scope, [each.as_dict() for each in client.secrets.list_acls(scope)]) for scope in scopes],
        "files": files(client),
    }


def files(client: Any) -> dict[str, str]:
    """Return every object below the bundle's folder, its state left out, with its content."""
    found = {}
    for each in client.workspace.list(ROOT, recursive=True):
        if each.object_type.value != "DIRECTORY" and "/state/" not in each.path:
            with client.workspace.download(each.path) as content:
                found[each.path] = content.read().decode()
    return found


def locked(served: Any) -> bool:
    """Return whether the deployment's lock is there."""
    return any(str(each.path).endswith("deploy.lock") for each in served.client.workspace.list(f"{ROOT}/state"))


Act = Callable[[Any], object]


def deploys(given: Any) -> object:
    return given.deploy(approve=True)


def changes(given: Any) -> object:
    change(given)
    return given.deploy(approve=True)


@pytest.mark.parametrize("after", [pytest.param(False, id="refused"), pytest.param(True, id="answer lost")])
@pytest.mark.parametrize(
    ("prepare", "act"), [pytest.param(None, deploys, id="first deployment"), pytest.param(deploys, changes, id="later deployment")]
)
def test_deployment_that_dies_at_any_call_is_completed_by_the_next(
    serving: Any, rich: Any, prepare: Act | None, act: Act, *, after: bool
) -> None:
    """Whichever call fails, done or not done: the next deployment comes to the same end, nothing twice; one more has nothing to do."""
    with serving() as served:
        given = rich(served)
        if prepare is not None:
            prepare(given)
        served.faults.arm(None)
        act(given)
        number, expected = len(served.faults.writes), world(served)
    assert number > 15
    for fault in range(number):
        with serving() as served:
            given = rich(served)
            if prepare is not None:
                prepare(given)
            served.faults.arm(fault, after=after)
            with contextlib.suppress(UserError, DatabricksError):
                act(given)
            failed = served.faults.writes[fault]
            served.faults.arm(None)

            given.deploy(approve=True, force_lock=True)

            assert world(served) == expected, f"after a fault at {failed}"
            served.faults.arm(None)
            assert str(given.deploy().plan) == NOTHING
            assert served.faults.writes == []


@pytest.mark.parametrize("after", [pytest.param(False, id="refused"), pytest.param(True, id="answer lost")])
def test_destruction_that_dies_at_any_call_is_completed_by_the_next(serving: Any, rich: Any, *, after: bool) -> None:
    """Whichever call fails, the next `destroy` leaves nothing behind."""
    fault = 0
    while True:
        with serving() as served:
            given = rich(served)
            given.deploy()
            served.faults.arm(fault, after=after)
            with contextlib.suppress(UserError, DatabricksError):
                destroy(given.read(), given.client, progress=given.said.append)
            if len(served.faults.writes) <= fault:
                break
            served.faults.arm(None)
            destroy(given.read(), given.client, progress=given.said.append, force_lock=True)
            assert served.jobs.jobs == {}
            assert [each for each in given.client.schemas.list("main") if each.name == "fares"] == []
            assert list(given.client.secrets.list_scopes()) == []
            assert destroy(given.read(), given.client, progress=given.said.append) is None
        fault += 1
    assert fault > 8


def test_second_deployment_of_everything_makes_no_call_that_writes(serving: Any, rich: Any) -> None:
    with serving() as served:
        given = rich(served)
        given.deploy()
        served.faults.arm(None)

        assert str(given.deploy().plan) == NOTHING
        assert served.faults.writes == []


def edit_job(served: Any) -> None:
    next(job for job in served.jobs.jobs.values() if job["name"] == "weekly")["name"] = "somebody's"


def add_to_job(served: Any) -> None:
    next(job for job in served.jobs.jobs.values() if job["name"] == "nightly")["schedule"] = {"quartz_cron_expression": "0 0 0 * * ?"}


def edit_schema(served: Any) -> None:
    served.client.schemas.update("main.fares", comment="somebody's")


def grant_more(served: Any) -> None:
    served.client.grants.update("schema", "main.fares", changes=[PermissionsChange(principal="ann", add=[Privilege.MODIFY])])


def take_grant(served: Any) -> None:
    served.client.grants.update("schema", "main.fares", changes=[PermissionsChange(principal="users", remove=[Privilege.SELECT])])


def allow_more(served: Any) -> None:
    served.client.secrets.delete_acl("keys", "users")


def edit_tag(served: Any) -> None:
    next(iter(served.jobs.experiments.values()))["tags"] = [{"key": "team", "value": "somebody's"}]


def edit_permissions(served: Any) -> None:
    owner = {"user_name": "developer@harness.local", "permission_level": "IS_OWNER"}
    body = {"access_control_list": [owner, {"group_name": "admins", "permission_level": "CAN_MANAGE"}]}
    served.client.api_client.do("PUT", f"/api/2.0/permissions/jobs/{next(iter(served.jobs.jobs))}", body=body)


@pytest.mark.parametrize(
    ("meddle", "why"),
    [
        pytest.param(edit_job, "name was changed in the workspace", id="job"),
        pytest.param(add_to_job, "schedule was changed in the workspace", id="field that the bundle does not have"),
        pytest.param(edit_schema, "comment was changed in the workspace", id="schema"),
        pytest.param(grant_more, "grants was changed in the workspace", id="grant more"),
        pytest.param(take_grant, "grants was changed in the workspace", id="grant less"),
        pytest.param(allow_more, "permissions was changed in the workspace", id="line of a scope"),
        pytest.param(edit_tag, "tags was changed in the workspace", id="tag"),
        pytest.param(edit_permissions, "permissions was changed in the workspace", id="permissions"),
    ],
)
def test_what_somebody_changed_is_seen_and_put_back(serving: Any, rich: Any, meddle: Act, why: str) -> None:
    with serving() as served:
        given = rich(served)
        given.deploy()
        before = world(served)
        meddle(served)
        assert world(served) != before

        done = given.deploy()

        assert str(done.plan) == "0 to add, 1 to change, 0 to delete"
        assert done.plan.steps[0].why == why
        assert world(served) == before
        assert str(given.deploy().plan) == NOTHING


def lose_job(served: Any) -> None:
    del served.jobs.jobs[next(key for key, job in served.jobs.jobs.items() if job["name"] == "weekly")]


def lose_volume(served: Any) -> None:
    served.client.volumes.delete("main.fares.files")


def lose_scope(served: Any) -> None:
    served.client.secrets.delete_scope("keys")


@pytest.mark.parametrize("lose", [lose_job, lose_volume, lose_scope])
def test_what_somebody_deleted_is_made_again(serving: Any, rich: Any, lose: Act) -> None:
    with serving() as served:
        given = rich(served)
        given.deploy()
        before = world(served)
        lose(served)

        done = given.deploy()

        assert (str(done.plan), done.plan.steps[0].why) == ("1 to add, 0 to change, 0 to delete", "somebody deleted it")
        assert world(served)["jobs"] == before["jobs"]
        assert {**world(served), "jobs": "", "permissions": ""} == {**before, "jobs": "", "permissions": ""}


@pytest.mark.parametrize("path", ["src/notebook", "src/plain.py"])
def test_file_that_somebody_deleted_is_sent_again(serving: Any, rich: Any, path: str) -> None:
    with serving() as served:
        given = rich(served)
        given.deploy()
        before = files(given.client)
        given.client.workspace.delete(f"{ROOT}/files/{path}")

        assert given.deploy().sent == 1
        assert files(given.client) == before


def test_what_somebody_else_made_under_a_name_of_the_bundle_is_left_alone_and_nothing_is_written(serving: Any, rich: Any) -> None:
    with serving() as served:
        given = rich(served)
        given.client.secrets.create_scope("keys")
        served.faults.arm(None)

        with pytest.raises(
            UserError, match=r"databricks\.yml:5:19: resources\.secret_scopes\.c: 'keys' is there already, and this bundle has not made it"
        ):
            given.deploy()
        assert served.faults.writes == []


def test_two_deployments_at_once_do_not_mix(serving: Any, rich: Any) -> None:
    """The second is refused with who holds the lock and since when; `force_lock` takes it."""
    with serving() as served:
        given = rich(served)
        held = b'{"ID": "another", "AcquisitionTime": "2026-01-01T00:00:00Z", "IsForced": false, "User": "ann@example.com"}'
        given.client.workspace.mkdirs(f"{ROOT}/state")
        given.client.api_client.do("POST", f"/api/2.0/workspace-files/import-file{ROOT}/state/deploy.lock", data=held)

        with pytest.raises(UserError, match=r"being deployed, by ann@example\.com at 2026-01-01T00:00:00Z .* --force-lock"):
            given.deploy()
        assert served.jobs.jobs == {}

        given.deploy(force_lock=True)
        assert len(served.jobs.jobs) == 2
        assert not locked(served)


def test_bundle_may_go_without_a_lock(serving: Any, rich: Any) -> None:
    with serving() as served:
        given = rich(served)
        given.write(RICH.replace("{name: demo}", "{name: demo, deployment: {lock: {enabled: false}}}"))
        served.faults.arm(None)

        given.deploy()

        assert not [write for write in served.faults.writes if write.endswith("deploy.lock")]


def test_resource_that_must_stay_stops_destroy_and_a_change_that_would_delete_it(serving: Any, rich: Any) -> None:
    with serving() as served:
        given = rich(served)
        kept = RICH.replace("name: files,", "name: files, lifecycle: {prevent_destroy: true},")
        given.write(kept)
        given.deploy()
        served.faults.arm(None)

        with pytest.raises(UserError, match=r"resources\.volumes\.v: its lifecycle\.prevent_destroy forbids to delete it"):
            destroy(given.read(), given.client, progress=given.said.append)
        given.write(kept.replace("name: files,", "name: other,"))
        with pytest.raises(UserError, match=r"resources\.volumes\.v: it would be deleted and made again \(name cannot change\)"):
            given.deploy(approve=True)
        assert served.faults.writes == []


@pytest.mark.parametrize("yes", [True, False])
def test_who_can_be_asked_decides_what_is_deleted(serving: Any, rich: Any, *, yes: bool) -> None:
    with serving() as served:
        given = rich(served)
        given.deploy()
        given.write("\n".join(line for line in RICH.splitlines() if "volumes:" not in line and "weekly" not in line))
        asked: list[str] = []

        def answer(question: str) -> bool:
            asked.append(question)
            return yes

        if yes:
            given.deploy(ask=answer)
        else:
            with pytest.raises(UserError, match="nothing was changed, as was answered"):
                given.deploy(ask=answer)

        assert asked == ["This deletes resources.jobs.weekly, resources.volumes.v, with all data in it. Go on?"]
        assert [each.name for each in given.client.volumes.list("main", "fares")] == ([] if yes else ["files"])
