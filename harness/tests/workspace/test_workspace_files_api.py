"""The Files API, as the official client and plain HTTP use it."""

import datetime as dt
import io
import json
import os
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, ResourceAlreadyExists, ResourceConflict
from databricks.sdk.mixins.files import FilesExt
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import FakeClock
from harness.errors import ApiError
from harness.workspace.model import segments
from harness.workspace.parts import PartUploads
from harness.workspace.signing import UrlSigner


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


class Upload:
    """An upload in parts, by plain HTTP."""

    def __init__(self, http: httpx.Client, path: str) -> None:
        self.http = http
        self.path = f"/api/2.0/fs/files{path}"
        self.token = http.post(self.path, params={"action": "initiate-upload"}).json()["multipart_upload"]["session_token"]

    def url(self, number: int) -> str:
        asked = {"session_token": self.token, "start_part_number": number, "count": 1}
        return str(self.http.post("/api/2.0/fs/create-upload-part-urls", json=asked).json()["upload_part_urls"][0]["url"])

    def send(self, number: int, content: bytes) -> dict[str, object]:
        answer = httpx.put(self.url(number), content=content, trust_env=False)
        assert answer.status_code == 200
        return {"part_number": number, "etag": answer.headers["etag"]}

    def complete(self, *parts: dict[str, object]) -> httpx.Response:
        return self.http.post(self.path, params={"action": "complete-upload", "session_token": self.token}, json={"parts": parts})


@pytest.fixture
def upload(http: httpx.Client, volume: str, request: pytest.FixtureRequest) -> Upload:
    """Begin an upload in parts, to a path of the test's own."""
    return Upload(http, f"{volume}/{request.node.name}.bin")


def test_parts_make_the_file_whatever_order_they_came_in(upload: Upload) -> None:
    second, first = upload.send(2, b"world"), upload.send(1, b"hello ")

    assert upload.complete(first, second).status_code == 200
    assert upload.http.get(upload.path).content == b"hello world"


@pytest.mark.parametrize("system", ["copies", "refuses", "refuses after a while"])
def test_parts_are_joined_whatever_the_system_can(upload: Upload, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    """Where the system does not copy between files by itself, or gives up on the way, no byte is lost or doubled."""
    copied, real = list[int](), os.copy_file_range

    def copy(source: int, target: int, count: int) -> int:
        if system == "refuses" or (system == "refuses after a while" and copied):
            raise OSError
        copied.append(real(source, target, min(count, 5)))
        return copied[-1]

    monkeypatch.setattr(os, "copy_file_range", copy)
    sent = [upload.send(1, b"hello, "), upload.send(2, b"world"), upload.send(3, b"!")]

    assert upload.complete(*sent).status_code == 200
    assert upload.http.get(upload.path).content == b"hello, world!"


def test_parts_named_wrongly_make_no_file_and_can_be_named_again(upload: Upload) -> None:
    first, second = upload.send(1, b"hello "), upload.send(2, b"world")
    replaced = upload.send(2, b"there")
    wrong = {
        "ascending order": [second, first],
        "ascending order, not [1, 1]": [first, first],
        "not received: [3]": [first, {"part_number": 3, "etag": first["etag"]}],
        "another ETag: [2]": [first, second],
        "no parts": [],
    }

    for text, parts in wrong.items():
        answer = upload.complete(*parts)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert text in answer.json()["message"]
    assert upload.http.head(upload.path).status_code == 404
    assert upload.complete(first, replaced).status_code == 200
    assert upload.http.get(upload.path).content == b"hello there"


def test_session_is_good_for_its_path_only(upload: Upload) -> None:
    part = upload.send(1, b"x")
    upload.path += ".other"

    assert upload.complete(part).status_code == 400
    assert upload.http.head(upload.path).status_code == 404


def test_aborted_upload_leaves_nothing_and_takes_no_more(upload: Upload, served_state: Path) -> None:
    late = upload.url(2)
    part = upload.send(1, b"x")
    abort = upload.http.post("/api/2.0/fs/create-abort-upload-url", json={"session_token": upload.token}).json()["abort_upload_url"]["url"]

    assert httpx.delete(abort, trust_env=False).status_code == 200

    assert not (served_state / "files/_uploads" / upload.token).exists()
    assert [upload.complete(part).status_code, httpx.put(late, content=b"y", trust_env=False).status_code] == [404, 404]
    assert upload.http.head(upload.path).status_code == 404


def test_broken_off_upload_leaves_nothing(http: httpx.Client, volume: str, served: Any) -> None:
    """A client that goes away in the middle of a body leaves neither the file nor a part of it."""
    folder = served.unity.volume_path(*volume.split("/")[2:])
    with closing(HTTPConnection(http.base_url.host, http.base_url.port or 80)) as connection:
        connection.putrequest("PUT", f"/api/2.0/fs/files{volume}/half.bin")
        connection.putheader("Authorization", http.headers["Authorization"])
        connection.putheader("Content-Length", "900000")
        connection.endheaders()
        connection.send(b"x" * 300_000)
        wait_until(lambda: any(folder.glob("*.uploading")))

    wait_until(lambda: not any(folder.glob("*.uploading")))
    assert http.head(f"/api/2.0/fs/files{volume}/half.bin").status_code == 404


def wait_until(condition: Callable[[], bool], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_parts_that_a_harness_left_behind_are_gone_when_the_next_begins(upload: Upload, served: Any, served_state: Path) -> None:
    upload.send(1, b"x")

    PartUploads(served.files)

    assert not (served_state / "files/_uploads").exists()


def test_expired_url_is_refused_in_the_words_that_make_the_client_ask_again(http: httpx.Client, volume: str, served: Any) -> None:
    http.put(f"/api/2.0/fs/files{volume}/old.txt", content=b"0")
    past = FakeClock(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    old = UrlSigner(secret=b"key", clock=past).url(f"{volume}/old.txt", "GET")

    answer = httpx.get(f"{served.host}{old}", trust_env=False)

    expired = requests.Response()
    expired.status_code, expired._content = answer.status_code, answer.content
    assert FilesExt._is_url_expired_response(expired)


def test_file_that_changed_during_a_parallel_download_is_refused(http: httpx.Client, volume: str) -> None:
    http.put(f"/api/2.0/fs/files{volume}/changing.bin", content=b"0123456789")
    url = http.post("/api/2.0/fs/create-download-url", json={"path": f"{volume}/changing.bin"}).json()["url"]
    known = http.head(f"/api/2.0/fs/files{volume}/changing.bin").headers["last-modified"]

    same = httpx.get(url, headers={"Range": "bytes=0-1", "If-Unmodified-Since": known}, trust_env=False)
    earlier = {"Range": "bytes=0-1", "If-Unmodified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}
    changed = httpx.get(url, headers=earlier, trust_env=False)

    assert (same.status_code, same.content) == (206, b"01")
    assert (changed.status_code, changed.json()["error_code"]) == (412, "PRECONDITION_FAILED")
    assert httpx.get(url, headers={"If-Unmodified-Since": "yesterday"}, trust_env=False).status_code == 200


@pytest.mark.parametrize("presigned", [True, False])
def test_large_file_is_read_in_parallel_ranges(
    client: WorkspaceClient, volume: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, presigned: bool
) -> None:
    content = bytes(range(250)) * 1000
    client.files.upload(f"{volume}/ranges.bin", io.BytesIO(content), overwrite=True)
    monkeypatch.setattr(client.files._config, "files_ext_parallel_download_min_file_size", 10_000)
    monkeypatch.setattr(client.files._config, "files_ext_parallel_download_default_part_size", 30_000)
    if not presigned:
        monkeypatch.setattr(client.files, "_parallel_download_presigned_url", client.files._parallel_download_files_api)

    client.files.download_to(f"{volume}/ranges.bin", str(tmp_path / "ranges.bin"), overwrite=True, use_parallel=True)

    assert (tmp_path / "ranges.bin").read_bytes() == content
