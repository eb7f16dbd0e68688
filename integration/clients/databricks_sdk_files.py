"""`w.files`, `w.volumes`, `w.dbfs` and `w.workspace`: files of volumes, of DBFS, and notebooks.

`python databricks_sdk_files.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import base64
import io
import uuid

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType

NAME = f"s_{uuid.uuid4().hex[:8]}"


def main() -> None:
    """Play it through."""
    client = WorkspaceClient()
    client.schemas.create(NAME, "main")
    try:
        volume(client)
    finally:
        client.schemas.delete(f"main.{NAME}", force=True)
    dbfs(client)
    notebooks(client)


def volume(client: WorkspaceClient) -> None:
    """Upload, list, look at, read and remove files of a volume."""
    client.volumes.create("main", NAME, "files", VolumeType.MANAGED, comment="tried")
    root = f"/Volumes/main/{NAME}/files"
    client.files.create_directory(f"{root}/2026/11")
    client.files.upload(f"{root}/2026/11/trips.csv", io.BytesIO(b"id,fare\n1,2.5\n"))
    client.files.upload(f"{root}/2026/11/trips.csv", io.BytesIO(b"id,fare\n1,3.5\n"), overwrite=True)
    about = client.files.get_metadata(f"{root}/2026/11/trips.csv")
    assert about.content_length == 14, about
    client.files.get_directory_metadata(f"{root}/2026")
    content = client.files.download(f"{root}/2026/11/trips.csv").contents
    assert content is not None
    assert content.read() == b"id,fare\n1,3.5\n"
    assert [(each.name, each.is_directory) for each in client.files.list_directory_contents(f"{root}/2026")] == [("11", True)]
    client.files.delete(f"{root}/2026/11/trips.csv")
    client.files.delete_directory(f"{root}/2026/11")
    try:
        client.files.get_metadata(f"{root}/2026/11/trips.csv")
    except NotFound:
        return
    raise AssertionError("a file that is gone")


def dbfs(client: WorkspaceClient) -> None:
    """Write in blocks, read, move, remove."""
    folder = f"/tmp/{NAME}"  # noqa: S108 - of DBFS
    client.dbfs.mkdirs(folder)
    with client.dbfs.open(f"{folder}/a.bin", write=True) as file:
        file.write(b"x" * 3_000_000)
    assert client.dbfs.get_status(f"{folder}/a.bin").file_size == 3_000_000
    client.dbfs.put(f"{folder}/b.txt", contents=base64.b64encode(b"hello").decode(), overwrite=True)
    assert client.dbfs.read(f"{folder}/b.txt").data == base64.b64encode(b"hello").decode()
    client.dbfs.move(f"{folder}/b.txt", f"{folder}/c.txt")
    assert sorted(each.path or "" for each in client.dbfs.list(folder)) == [f"{folder}/a.bin", f"{folder}/c.txt"]
    client.dbfs.delete(folder, recursive=True)
    assert not client.dbfs.exists(folder)


def notebooks(client: WorkspaceClient) -> None:
    """Import a notebook, list and export it, remove its folder."""
    home = f"/Users/{client.current_user.me().user_name}/{NAME}"
    client.workspace.mkdirs(home)
    source = "# Databricks notebook source\nprint(1)\n"
    client.workspace.import_(
        f"{home}/first",
        content=base64.b64encode(source.encode()).decode(),
        format=ImportFormat.SOURCE,
        language=Language.PYTHON,
        overwrite=True,
    )
    client.workspace.upload(f"{home}/plain.txt", io.BytesIO(b"text"), format=ImportFormat.AUTO, overwrite=True)
    found = {each.path: each.object_type for each in client.workspace.list(home)}
    assert found == {f"{home}/first": ObjectType.NOTEBOOK, f"{home}/plain.txt": ObjectType.FILE}, found
    exported = client.workspace.export(f"{home}/first", format=ExportFormat.SOURCE).content or ""
    assert base64.b64decode(exported).decode().rstrip() == source.rstrip()
    with client.workspace.download(f"{home}/plain.txt") as content:
        assert content.read() == b"text"
    client.workspace.delete(home, recursive=True)


if __name__ == "__main__":
    main()
