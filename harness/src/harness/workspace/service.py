"""The workspace: directories, files and notebooks, who may do what with them, and who asks."""

import shutil
from dataclasses import replace
from pathlib import Path

from harness.clock import Clock, millis
from harness.config import Layout
from harness.errors import ApiError
from harness.ids import Ids
from harness.state import Documents, Store
from harness.workspace import storage
from harness.workspace.model import Imported, WorkspaceObject, ancestors, object_path, parent

# docs.databricks.com/api/workspace/workspace/import: 10 MB for `content`; import-file and multipart bodies are larger in practice.
MAX_OBJECT_BYTES = 500 * 1024**2


class WorkspaceService:
    """Workspace objects: their record in the store, their bytes under `layout.files/Workspace`."""

    def __init__(self, *, layout: Layout, clock: Clock, ids: Ids, store: Store, user: str) -> None:
        self._root = layout.files / "Workspace"
        self._clock = clock
        self._ids = ids
        self._objects = Documents(store, "workspace_object", WorkspaceObject)
        with self._objects.transaction():
            for path in ("/Shared", f"/Users/{user}"):
                self._make_directories(path)
        self._root.mkdir(parents=True, exist_ok=True)

    def get(self, path: str) -> WorkspaceObject:
        """Return the object at `path` (with or without `/Workspace` in front), or raise the platform's 404."""
        wanted = object_path(path)
        if wanted == "/":
            return WorkspaceObject("/", "DIRECTORY", 1, 0, 0)
        found = self._objects.get(wanted)
        if found is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")
        return found

    def list(self, path: str) -> list[WorkspaceObject]:
        """Return what the directory at `path` holds, in name order; for a file, the file itself."""
        asked = self.get(path)
        if asked.object_type != "DIRECTORY":
            return [asked]
        prefix = asked.path.rstrip("/") + "/"
        return [found for found in self._objects.list(prefix) if "/" not in found.path[len(prefix) :]]

    def local_path(self, path: str) -> Path:
        """Return where the file, notebook or directory at `path` lies on disk."""
        return self._on_disk(self.get(path).path)

    def read(self, path: str) -> bytes:
        """Return the bytes of the file or notebook at `path`."""
        found = self.get(path)
        if found.object_type == "DIRECTORY":
            raise ApiError(400, "BAD_REQUEST", f"{path} is a directory; only files and notebooks can be exported")
        return self._on_disk(found.path).read_bytes()

    def make_directories(self, path: str) -> None:
        """Make the directory at `path` and those above it; nothing happens when it is there already."""
        wanted = object_path(path)
        with self._objects.transaction():
            self._make_directories(wanted)
        self._on_disk(wanted).mkdir(parents=True, exist_ok=True)

    def write(self, what: Imported, content: bytes, *, overwrite: bool) -> WorkspaceObject:
        """Write `content` as `what`; its directory must exist, and it must not unless `overwrite`."""
        path = object_path(what.path)
        if len(content) > MAX_OBJECT_BYTES:
            raise ApiError(413, "MAX_NOTEBOOK_SIZE_EXCEEDED", f"{path} is larger than the {MAX_OBJECT_BYTES} bytes allowed")
        with self._objects.transaction():
            before = self._check_writable(path, overwrite=overwrite)
            target = self._on_disk(path)
            with storage.replacing(target) as part:
                part.write(content)
            now = millis(self._clock.now())
            made = before or WorkspaceObject(path, what.object_type, self._ids.number(), now, now)
            return self._objects.put(
                path, replace(made, object_type=what.object_type, language=what.language, modified_at=now, size=len(content))
            )

    def delete(self, path: str, *, recursive: bool) -> None:
        """Remove the object at `path`; a directory that holds something only when `recursive`."""
        with self._objects.transaction():
            found = self.get(path)
            inside = self._objects.list(found.path.rstrip("/") + "/")
            if found.path == "/":
                raise ApiError(400, "BAD_REQUEST", "The root of the workspace cannot be deleted")
            if inside and not recursive:
                raise ApiError(400, "DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty")
            for each in (*inside, found):
                self._objects.delete(each.path)
            on_disk = self._on_disk(found.path)
            if on_disk.is_dir():
                shutil.rmtree(on_disk)
            else:
                on_disk.unlink(missing_ok=True)

    def _on_disk(self, path: str) -> Path:
        return storage.confined(self._root, *path.strip("/").split("/"))

    def _check_writable(self, path: str, *, overwrite: bool) -> WorkspaceObject | None:
        above = parent(path)
        if above != "/":
            folder = self._objects.get(above)
            if folder is None:
                raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"The parent folder ({above}) does not exist.")
            _check_directory(folder)
        before = self._objects.get(path)
        # The client of `bundle deploy` recognises a held lock by "already exists."
        if before is not None and (not overwrite or before.object_type == "DIRECTORY"):
            raise ApiError(409, "RESOURCE_ALREADY_EXISTS", f"Node with name {path} already exists.")
        return before

    def _make_directories(self, path: str) -> None:
        now = millis(self._clock.now())
        for folder in ancestors(path):
            found = self._objects.get(folder)
            if found is None:
                self._objects.put(folder, WorkspaceObject(folder, "DIRECTORY", self._ids.number(), now, now))
            else:
                _check_directory(found)


def _check_directory(found: WorkspaceObject) -> None:
    if found.object_type != "DIRECTORY":
        raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"{found.path} already exists. It is not a folder")
