"""`w.dbfs`, unmodified: whole files, blocks, folders, and what is refused."""

import io
import itertools
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, InvalidParameterValue, NotFound, ResourceAlreadyExists
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_numbers = itertools.count()


@pytest.fixture
def folder(client: WorkspaceClient) -> str:
    """A folder of the test's own."""
    path = f"/FileStore/test_{next(_numbers)}"
    client.dbfs.mkdirs(path)
    return path


def test_an_uploaded_file_comes_back_and_lies_where_others_look(client: WorkspaceClient, folder: str, served_state: Path) -> None:
    """In blocks, as the SDK sends them; three of them here."""
    content = bytes(range(256)) * 10_000

    client.dbfs.upload(f"{folder}/deep/a.bin", io.BytesIO(content))

    assert client.dbfs.download(f"dbfs:{folder}/deep/a.bin").read() == content
    assert (served_state / "files" / "dbfs" / folder.lstrip("/") / "deep" / "a.bin").read_bytes() == content
    found = client.dbfs.get_status(f"{folder}/deep/a.bin")
    assert (found.path, found.is_dir, found.file_size) == (f"{folder}/deep/a.bin", False, len(content))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), offset=st.integers(0, 400), length=st.integers(0, 400))
def test_a_part_is_that_part(client: WorkspaceClient, folder: str, content: bytes, offset: int, length: int) -> None:
    """Law: reading is slicing."""
    client.dbfs.upload(f"{folder}/part", io.BytesIO(content), overwrite=True)

    found = client.api_client.do("GET", "/api/2.0/dbfs/read", query={"path": f"{folder}/part", "offset": offset, "length": length})

    assert found["bytes_read"] == len(content[offset : offset + length])


def test_folders_are_listed_moved_and_deleted(client: WorkspaceClient, folder: str) -> None:
    """A full one only with `recursive`."""
    client.dbfs.upload(f"{folder}/a/one", io.BytesIO(b"1"))
    client.api_client.do("POST", "/api/2.0/dbfs/move", body={"source_path": f"{folder}/a", "destination_path": f"{folder}/b"})

    assert [(each.path, each.is_dir) for each in client.dbfs.list(folder)] == [(f"{folder}/b", True)]
    with pytest.raises(DatabricksError, match="not empty"):  # the SDK asks before it does
        client.api_client.do("POST", "/api/2.0/dbfs/delete", body={"path": f"{folder}/b"})
    client.dbfs.delete(f"{folder}/b", recursive=True)
    assert list(client.dbfs.list(folder)) == []


def test_a_kept_file_is_not_overwritten(client: WorkspaceClient, folder: str) -> None:
    """Unless that is asked for."""
    client.dbfs.put(f"{folder}/a", contents="aGVsbG8=")

    with pytest.raises(ResourceAlreadyExists, match="already exists"):
        client.dbfs.put(f"{folder}/a", contents="")
    client.dbfs.put(f"{folder}/a", contents="Ynll", overwrite=True)

    assert client.dbfs.download(f"{folder}/a").read() == b"bye"


def test_an_upload_that_was_not_closed_is_not_there(client: WorkspaceClient, folder: str) -> None:
    """Nor in a listing."""
    handle = client.dbfs.create(f"{folder}/a").handle
    assert handle is not None
    client.dbfs.add_block(handle, "aGVsbG8=")

    assert list(client.dbfs.list(folder)) == []
    client.dbfs.close(handle)
    assert client.dbfs.download(f"{folder}/a").read() == b"hello"
    with pytest.raises(NotFound, match=f"No open stream exists for handle {handle}"):
        client.dbfs.close(handle)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/Volumes/main/default/v/a", "use the Files API"),
        ("/../etc/passwd", "cannot be part of a path"),
        ("a\\b", "cannot be part of a path"),
    ],
    ids=["volume", "out of it", "backslash"],
)
def test_a_path_that_is_not_of_dbfs_is_refused(client: WorkspaceClient, path: str, message: str) -> None:
    """With what to use instead."""
    with pytest.raises(InvalidParameterValue, match=message):
        client.api_client.do("GET", "/api/2.0/dbfs/get-status", query={"path": path})


def test_what_is_not_there_is_told(client: WorkspaceClient, folder: str) -> None:
    """By its path."""
    with pytest.raises(NotFound, match=f"No file or directory exists on path {folder}/none."):
        client.dbfs.get_status(f"{folder}/none")


def test_content_that_is_no_block_is_refused(client: WorkspaceClient, folder: str) -> None:
    """Not base64, or too much at once."""
    with pytest.raises(InvalidParameterValue, match="not base64"):
        client.dbfs.put(f"{folder}/a", contents="%%%")
    with pytest.raises(DatabricksError, match="at most 1048576 bytes"):
        client.dbfs.put(f"{folder}/a", contents="A" * 1_500_000)
