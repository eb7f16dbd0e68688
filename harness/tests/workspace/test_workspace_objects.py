"""Workspace objects, identity and permissions, as the official client and plain HTTP use them."""

import base64

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, ResourceAlreadyExists, ResourceConflict
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType

from harness.workspace.service import WorkspaceService

HOME = "/Users/developer@harness.local"
NOTEBOOK = b"# Databricks notebook source\nprint(1)\n"


def test_client_learns_who_it_is(client: WorkspaceClient) -> None:
    assert client.current_user.me().user_name == "developer@harness.local"


def test_client_learns_which_workspace_it_is(client: WorkspaceClient) -> None:
    assert client.get_workspace_id() == 1234567890123456


def test_host_metadata_needs_no_token(http: httpx.Client) -> None:
    answer = httpx.get(str(http.base_url.join("/.well-known/databricks-config")), trust_env=False)

    assert answer.json() == {
        "oidc_endpoint": str(http.base_url.join("/oidc")),
        "workspace_id": "1234567890123456",
        "account_id": None,
        "cloud": "AWS",
        "host_type": "workspace",
    }


def test_everything_else_needs_the_token(http: httpx.Client) -> None:
    answer = httpx.get(str(http.base_url.join("/api/2.0/preview/scim/v2/Me")), trust_env=False)

    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")


def test_telemetry_is_taken_and_dropped(http: httpx.Client) -> None:
    answer = http.post("/telemetry-ext", json={"uploadTime": 1, "items": [], "protoLogs": ["a", "b"]})

    assert answer.json() == {"errors": [], "numProtoSuccess": 2, "numSuccess": 0}


def test_uploaded_notebook_is_downloaded_as_it_was(client: WorkspaceClient) -> None:
    client.workspace.mkdirs(f"{HOME}/notebooks")
    client.workspace.upload(f"{HOME}/notebooks/one.py", NOTEBOOK, format=ImportFormat.AUTO)

    found = client.workspace.get_status(f"{HOME}/notebooks/one")

    assert (found.object_type, found.language) == (ObjectType.NOTEBOOK, Language.PYTHON)
    with client.workspace.download(f"{HOME}/notebooks/one") as source:
        assert source.read() == NOTEBOOK


def test_source_import_makes_a_notebook_under_the_given_name(client: WorkspaceClient) -> None:
    content = base64.b64encode(b"select 1").decode()
    client.workspace.import_(f"{HOME}/query", content=content, format=ImportFormat.SOURCE, language=Language.SQL)

    assert client.workspace.get_status(f"{HOME}/query").language == Language.SQL
    exported = client.workspace.export(f"{HOME}/query", format=ExportFormat.SOURCE).content
    assert base64.b64decode(exported or "") == b"select 1"


def test_directory_lists_its_own_children_only(client: WorkspaceClient) -> None:
    client.workspace.mkdirs(f"{HOME}/tree/inner/most")
    client.workspace.upload(f"{HOME}/tree/a.txt", b"a", format=ImportFormat.AUTO)

    found = [(entry.path, entry.object_type) for entry in client.workspace.list(f"{HOME}/tree")]

    assert found == [(f"{HOME}/tree/a.txt", ObjectType.FILE), (f"{HOME}/tree/inner", ObjectType.DIRECTORY)]


def test_object_id_survives_a_new_version_of_the_file(http: httpx.Client, client: WorkspaceClient) -> None:
    path = f"{HOME}/stable.json"
    http.post(f"/api/2.0/workspace-files/import-file{path}", params={"overwrite": "true"}, content=b"1")
    first = client.workspace.get_status(path).object_id
    http.post(f"/api/2.0/workspace-files/import-file{path}", params={"overwrite": "true"}, content=b"22")

    second = client.workspace.get_status(path)

    assert (second.object_id, second.size) == (first, 2)


def test_workspace_prefix_names_the_same_object(client: WorkspaceClient) -> None:
    assert client.workspace.get_status(f"/Workspace{HOME}").object_id == client.workspace.get_status(HOME).object_id


def test_import_into_a_missing_folder_is_not_found(http: httpx.Client) -> None:
    answer = http.post(f"/api/2.0/workspace-files/import-file{HOME}/nowhere/a.json", content=b"{}")

    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_second_holder_of_a_lock_file_is_refused(http: httpx.Client) -> None:
    lock = f"/api/2.0/workspace-files/import-file{HOME}/deploy.lock"
    assert http.post(lock, params={"overwrite": "false"}, content=b"mine").status_code == 200

    answer = http.post(lock, params={"overwrite": "false"}, content=b"yours")

    assert (answer.status_code, answer.json()["error_code"]) == (409, "RESOURCE_ALREADY_EXISTS")
    assert answer.json()["message"].endswith("already exists.")


def test_direct_download_is_raw(http: httpx.Client) -> None:
    http.post(f"/api/2.0/workspace-files/import-file{HOME}/raw.json", params={"overwrite": "true"}, content=b'{"lineage": 1}')

    answer = http.get("/api/2.0/workspace/export", params={"path": f"{HOME}/raw.json", "direct_download": "true"})

    assert answer.content == b'{"lineage": 1}'


def test_full_directory_is_deleted_only_recursively(client: WorkspaceClient) -> None:
    client.workspace.mkdirs(f"{HOME}/gone/inner")

    with pytest.raises(BadRequest, match="not empty"):
        client.workspace.delete(f"{HOME}/gone")

    client.workspace.delete(f"{HOME}/gone", recursive=True)
    with pytest.raises(NotFound, match="doesn't exist"):
        client.workspace.get_status(f"{HOME}/gone/inner")


def test_directory_is_not_made_over_a_file(client: WorkspaceClient) -> None:
    client.workspace.upload(f"{HOME}/solid.txt", b"x", format=ImportFormat.AUTO, overwrite=True)

    with pytest.raises((BadRequest, ResourceAlreadyExists, ResourceConflict), match="not a folder"):
        client.workspace.mkdirs(f"{HOME}/solid.txt/below")


def test_objects_survive_a_restart(client: WorkspaceClient, reopened_workspace: WorkspaceService) -> None:
    client.workspace.upload(f"{HOME}/lasting.txt", b"kept", format=ImportFormat.AUTO, overwrite=True)

    assert reopened_workspace.read(f"{HOME}/lasting.txt") == b"kept"


def test_permissions_are_echoed_in_the_platforms_shape(http: httpx.Client, client: WorkspaceClient) -> None:
    """With what the folder inherits from the home folder above it."""
    client.workspace.mkdirs(f"{HOME}/permitted")
    own, home = (client.workspace.get_status(path).object_id for path in (f"{HOME}/permitted", HOME))
    path = f"/api/2.0/permissions/directories/{own}"
    inherited = {
        "user_name": "developer@harness.local",
        "all_permissions": [{"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": [f"/directories/{home}"]}],
    }

    http.put(path, json={"access_control_list": [{"group_name": "users", "permission_level": "CAN_READ"}]})

    assert http.get(path).json() == {
        "object_id": f"/directories/{own}",
        "object_type": "directory",
        "access_control_list": [
            {"group_name": "users", "all_permissions": [{"permission_level": "CAN_READ", "inherited": False}]},
            inherited,
        ],
    }
    client.workspace.upload(f"{HOME}/permitted/a.txt", b"", format=ImportFormat.AUTO)
    below = client.permissions.get("files", str(client.workspace.get_status(f"{HOME}/permitted/a.txt").object_id))
    assert [(line.group_name or line.user_name, line.all_permissions[0].inherited) for line in below.access_control_list or []] == [
        ("users", True),
        ("developer@harness.local", True),
    ]


@pytest.mark.parametrize("kind", ["directories", "notebooks", "files"])
def test_permissions_of_an_unknown_object_are_not_found(http: httpx.Client, client: WorkspaceClient, kind: str) -> None:
    """Nor is a directory a notebook."""
    home = client.workspace.get_status(HOME).object_id
    for object_id in ["42", "no-number", *([] if kind == "directories" else [home])]:
        answer = http.get(f"/api/2.0/permissions/{kind}/{object_id}")
        assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_permission_update_keeps_other_principals(http: httpx.Client) -> None:
    http.patch("/api/2.0/permissions/jobs/7", json={"access_control_list": [{"user_name": "a@b.c", "permission_level": "CAN_MANAGE_RUN"}]})

    lines = http.get("/api/2.0/permissions/jobs/7").json()["access_control_list"]

    assert [(line["user_name"], line["all_permissions"][0]["permission_level"]) for line in lines] == [
        ("developer@harness.local", "IS_OWNER"),
        ("a@b.c", "CAN_MANAGE_RUN"),
    ]
