"""The Files API, as the official client and plain HTTP use it."""

import io
import json
import os
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, ResourceAlreadyExists, ResourceConflict
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ApiError
from harness.workspace.model import segments


def test_uploaded_file_comes_back_as_it_was(client: WorkspaceClient, volume: str) -> None:
    content = bytes(range(256)) * 100
    client.files.upload(f"{volume}/deep/er/a b.bin", io.BytesIO(content), overwrite=True)

    read = client.files.download(f"{volume}/deep/er/a b.bin").contents

    assert read is not None
    assert read.read() == content


@pytest.mark.parametrize("parallel", [True, False])
def test_large_file_is_sent_in_parts(
    client: WorkspaceClient, volume: str, served_state: Path, monkeypatch: pytest.MonkeyPatch, *, parallel: bool
) -> None:
    content = bytes(range(250)) * 1000
    monkeypatch.setattr(client.files._config, "files_ext_multipart_upload_min_stream_size", 100_000)

    client.files.upload(f"{volume}/large.bin", io.BytesIO(content), overwrite=True, part_size=60_000, use_parallel=parallel)

    read = client.files.download(f"{volume}/large.bin").contents
    assert read is not None
    assert read.read() == content
    assert list((served_state / "files/_uploads").iterdir()) == []


def test_large_upload_over_a_kept_file_is_refused(http: httpx.Client, volume: str) -> None:
    http.put(f"/api/2.0/fs/files{volume}/kept.bin", content=b"first")

    answer = http.post(f"/api/2.0/fs/files{volume}/kept.bin", params={"action": "initiate-upload", "overwrite": "false"})

    assert (answer.status_code, answer.json()["error_code"]) == (409, "ALREADY_EXISTS")


def test_part_that_was_not_sent_is_named(http: httpx.Client, volume: str) -> None:
    path = f"/api/2.0/fs/files{volume}/holes.bin"
    token = http.post(path, params={"action": "initiate-upload"}).json()["multipart_upload"]["session_token"]

    answer = http.post(path, params={"action": "complete-upload", "session_token": token}, json={"parts": [{"part_number": 3}]})

    assert (answer.status_code, answer.json()["message"].endswith("parts not received: [3]")) == (400, True)
    abort = http.post("/api/2.0/fs/create-abort-upload-url", json={"session_token": token}).json()["abort_upload_url"]["url"]
    assert httpx.delete(abort, trust_env=False).status_code == 200
    assert http.post("/api/2.0/fs/create-upload-part-urls", json={"session_token": token}).status_code == 404


def test_metadata_names_size_and_type(client: WorkspaceClient, volume: str) -> None:
    client.files.upload(f"{volume}/sized.bin", io.BytesIO(b"12345"), overwrite=True)

    found = client.files.get_metadata(f"{volume}/sized.bin")

    assert (found.content_length, found.content_type) == (5, "application/octet-stream")


def test_existing_file_is_kept_when_overwrite_is_false(client: WorkspaceClient, volume: str) -> None:
    client.files.upload(f"{volume}/kept.txt", io.BytesIO(b"first"))

    with pytest.raises((ResourceConflict, ResourceAlreadyExists), match="already exists"):
        client.files.upload(f"{volume}/kept.txt", io.BytesIO(b"second"), overwrite=False)

    kept = client.files.download(f"{volume}/kept.txt").contents
    assert kept is not None
    assert kept.read() == b"first"


def test_directory_is_listed_page_by_page(client: WorkspaceClient, volume: str) -> None:
    for name in "abcde":
        client.files.upload(f"{volume}/paged/{name}", io.BytesIO(name.encode()), overwrite=True)
    client.files.create_directory(f"{volume}/paged/sub")

    found = list(client.files.list_directory_contents(f"{volume}/paged", page_size=2))

    assert [(entry.name, entry.is_directory, entry.file_size) for entry in found] == [
        *((name, False, 1) for name in "abcde"),
        ("sub", True, 0),
    ]
    assert found[0].path == f"{volume}/paged/a"


def test_full_directory_is_not_deleted(client: WorkspaceClient, volume: str) -> None:
    client.files.upload(f"{volume}/full/file", io.BytesIO(b"x"), overwrite=True)

    with pytest.raises(BadRequest, match="not empty"):
        client.files.delete_directory(f"{volume}/full")

    client.files.delete(f"{volume}/full/file")
    client.files.delete_directory(f"{volume}/full")
    with pytest.raises(NotFound):
        client.files.get_directory_metadata(f"{volume}/full")


def test_file_in_a_missing_volume_is_not_found(client: WorkspaceClient) -> None:
    with pytest.raises(NotFound, match=r"Volume 'main\.default\.nothing' does not exist"):
        client.files.upload("/Volumes/main/default/nothing/file", io.BytesIO(b"x"))


def test_upload_beyond_the_limit_leaves_nothing(http: httpx.Client, volume: str, served_files: Path) -> None:
    answer = http.put(f"/api/2.0/fs/files{volume}/huge.bin", content=b"x" * 1_000_001)

    assert (answer.status_code, answer.json()["error_code"]) == (413, "MAX_FILE_SIZE_EXCEEDED")
    assert [child.name for child in served_files.iterdir() if "huge" in child.name or "uploading" in child.name] == []


def test_signed_url_needs_no_token_and_serves_ranges(http: httpx.Client, volume: str) -> None:
    http.put(f"/api/2.0/fs/files{volume}/signed.txt", content=b"0123456789")
    url = http.post("/api/2.0/fs/create-download-url", json={"path": f"{volume}/signed.txt"}).json()["url"]

    answer = httpx.get(url, headers={"Range": "bytes=2-4"}, trust_env=False)

    assert (answer.status_code, answer.content) == (206, b"234")


def test_signed_upload_url_writes_one_file(http: httpx.Client, volume: str) -> None:
    url = http.post("/api/2.0/fs/create-upload-url", json={"path": f"{volume}/by-url.txt"}).json()["url"]

    assert httpx.put(url, content=b"sent", trust_env=False).status_code == 200

    assert http.get(f"/api/2.0/fs/files{volume}/by-url.txt").content == b"sent"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("signed.txt", "other.txt", id="another file"),
        pytest.param("access=GET", "access=PUT", id="another method"),
        pytest.param("expires=", "expires=9", id="a later end"),
        pytest.param("signature=", "signature=0", id="another signature"),
        pytest.param("expires=", "expires=x", id="no number"),
    ],
)
def test_changed_signed_url_is_refused(http: httpx.Client, volume: str, old: str, new: str) -> None:
    http.put(f"/api/2.0/fs/files{volume}/signed.txt", content=b"0")
    url = http.post("/api/2.0/fs/create-download-url", params={"path": f"{volume}/signed.txt"}).json()["url"]

    answer = httpx.get(url.replace(old, new), trust_env=False)

    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_mlflow_artifacts_lie_in_the_servers_own_folder(http: httpx.Client, served_state: Path) -> None:
    http.put("/api/2.0/fs/files/WorkspaceInternal/Mlflow/Artifacts/7/Runs/abc/artifacts/x.txt", content=b"run")
    http.put("/api/2.0/fs/files/WorkspaceInternal/Mlflow/Artifacts/7/LoggedModels/m-1/artifacts/MLmodel", content=b"model")

    artifacts = served_state / "mlflow" / "artifacts" / "7"
    assert (artifacts / "abc/artifacts/x.txt").read_bytes() == b"run"
    assert (artifacts / "models/m-1/artifacts/MLmodel").read_bytes() == b"model"


@pytest.mark.parametrize(
    "escape",
    [
        pytest.param("../../../../../../outside.txt", id="plain"),
        pytest.param("%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/outside.txt", id="encoded dots"),
        pytest.param("..%2f..%2f..%2f..%2f..%2f..%2foutside.txt", id="encoded slashes"),
        pytest.param("..%5c..%5coutside.txt", id="backslashes"),
        pytest.param("a%00b", id="null byte"),
    ],
)
def test_path_out_of_the_volume_is_refused(http: httpx.Client, volume: str, outside: Path, escape: str) -> None:
    # http.client sends the path as it is; other clients tidy it first.
    connection = HTTPConnection(http.base_url.host, http.base_url.port or 80)
    connection.request("GET", f"/api/2.0/fs/files{volume}/{escape}", headers={"Authorization": http.headers["Authorization"]})

    answer = connection.getresponse()

    assert (answer.status, json.load(answer)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    connection.close()
    assert outside.read_text() == "outside"


def test_link_out_of_the_volume_is_refused(http: httpx.Client, volume: str, served_files: Path, outside: Path) -> None:
    (served_files / "link").symlink_to(outside.parent)

    assert http.get(f"/api/2.0/fs/files{volume}/link/{outside.name}").status_code == 400
    assert http.put(f"/api/2.0/fs/files{volume}/link/new.txt", content=b"x").status_code == 400

    (served_files / "link").unlink()
    assert not (outside.parent / "new.txt").exists()


@pytest.mark.property
@given(st.text() | st.lists(st.sampled_from(["..", ".", "%2e%2e", "a", "", "\\", "é", "%2f"])).map("/".join))
def test_no_text_names_a_place_outside_its_root(text: str) -> None:
    """Whatever follows a root, the parts of a path that is accepted stay under it."""
    try:
        parts = segments("/" + text)
    except ApiError:
        return
    root = Path("/state/files")
    reached = Path(os.path.normpath(root.joinpath(*parts)))
    assert reached == root.joinpath(*parts)
    assert reached == root or root in reached.parents
