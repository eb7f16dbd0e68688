"""The workspace calls of a deployment, through the official client. Bodies go as they are: nothing is renamed or left out."""

import io
from urllib.parse import quote

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound

from harness.bundle.nodes import Json

Body = dict[str, Json]


def call(workspace: WorkspaceClient, method: str, path: str, *, query: dict[str, str] | None = None, body: Body | None = None) -> Body:
    """Return the JSON that the workspace answers; the client's own error when it refuses."""
    answer = workspace.api_client.do(method, path, query=query, body=body, headers={"Accept": "application/json"})
    return answer if isinstance(answer, dict) else {}


def read_file(workspace: WorkspaceClient, path: str) -> bytes:
    """Return the content of a workspace file."""
    with workspace.workspace.download(path) as content:
        return content.read()


def found(workspace: WorkspaceClient, path: str, query: dict[str, str] | None = None) -> Body | None:
    """Return what stands at a route, or None when there is nothing."""
    try:
        return call(workspace, "GET", path, query=query)
    except NotFound:
        return None
    except BadRequest as error:  # jobs/get of an unknown job is a 400 on the platform
        if "does not exist" in str(error):
            return None
        raise


def write_file(workspace: WorkspaceClient, path: str, content: bytes, *, overwrite: bool = True) -> None:
    """Write a file of the workspace, whose folder must exist, or of a volume (`/Volumes/…`)."""
    if path.startswith("/Volumes/"):
        workspace.files.upload(path, io.BytesIO(content), overwrite=overwrite)
        return
    query = {"overwrite": "true" if overwrite else "false"}
    workspace.api_client.do("POST", f"/api/2.0/workspace-files/import-file{quote(path)}", query=query, data=content)


def make_directories(workspace: WorkspaceClient, path: str) -> None:
    """Make a folder of the workspace or of a volume, and those above it."""
    if path.startswith("/Volumes/"):
        workspace.files.create_directory(path)
        return
    call(workspace, "POST", "/api/2.0/workspace/mkdirs", body={"path": path})


def list_names(workspace: WorkspaceClient, path: str) -> set[str]:
    """Return the full paths of what a folder of the workspace or of a volume holds; nothing when there is none."""
    try:
        if path.startswith("/Volumes/"):
            return {each.path or "" for each in workspace.files.list_directory_contents(path)}
        return {each.path or "" for each in workspace.workspace.list(path)}
    except NotFound:
        return set()


def delete_path(workspace: WorkspaceClient, path: str, *, recursive: bool = False) -> None:
    """Remove a file or folder of the workspace, or a file of a volume; nothing happens when there is none."""
    try:
        if path.startswith("/Volumes/"):
            workspace.files.delete(path)
            return
        call(workspace, "POST", "/api/2.0/workspace/delete", body={"path": path, "recursive": recursive})
    except NotFound:
        return
