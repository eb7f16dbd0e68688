"""The workspace: directories, files and notebooks, who may do what with them, and who asks."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.clock import Clock, millis
from harness.config import Layout
from harness.errors import ApiError, NotEmulated
from harness.ids import Ids
from harness.state import Documents, Store
from harness.workspace import storage
from harness.workspace.model import Imported, ObjectType, WorkspaceObject, ancestors, is_name, object_path, parent, with_extension
from harness.workspace.notebooks import EXTENSIONS, to_jupyter, to_source

# docs.databricks.com/api/workspace/workspace/import: 10 MB for `content`; import-file and multipart bodies are larger in practice.
MAX_OBJECT_BYTES = 500 * 1024**2
ROOT_ID = 1


class WorkspaceService:
    """Workspace objects: their record in the store, their bytes under `layout.files/Workspace`.

    What lies on disk is there: tasks write files below `/Workspace` themselves. The record says what the disk cannot.
    """

    def __init__(self, *, layout: Layout, clock: Clock, ids: Ids, store: Store, user: str) -> None:
        self._root = layout.files / "Workspace"
        self._protected = frozenset({"/", "/Shared", "/Users", f"/Users/{user}"})
        self._clock = clock
        self._ids = ids
        self._objects = Documents(store, "workspace_object", WorkspaceObject)
        self._root.mkdir(parents=True, exist_ok=True)
        for path in ("/Shared", f"/Users/{user}"):
            self.make_directories(path)

    def get(self, path: str) -> WorkspaceObject:
        """Return the object at `path` (with or without `/Workspace` in front), or raise the platform's 404."""
        wanted = object_path(path)
        if wanted == "/":
            return WorkspaceObject("/", "DIRECTORY", ROOT_ID, 0, 0)
        found = self._find(wanted)
        if found is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")
        return found

    def list(self, path: str) -> list[WorkspaceObject]:
        """Return what the directory at `path` holds, in name order; for a file, the file itself."""
        asked = self.get(path)
        if asked.object_type != "DIRECTORY":
            return [asked]
        root = self._root.resolve()
        children = storage.children(self._on_disk(asked.path))
        names = [child.name for child in children if is_name(child.name) and child.resolve().is_relative_to(root)]
        found = [self._find(f"{asked.path.rstrip('/')}/{name}") for name in names]
        return [each for each in found if each is not None]

    def by_id(self, object_id: int) -> WorkspaceObject | None:
        """Return the object with this id, or None."""
        if object_id == ROOT_ID:
            return self.get("/")
        return next((found for found in self._objects.list() if found.object_id == object_id), None)

    def above(self, found: WorkspaceObject) -> Sequence[WorkspaceObject]:
        """Return the directories that hold `found`, the root first."""
        return [self.get(path) for path in ("/", *ancestors(found.path)[:-1])] if found.path != "/" else []

    def local_path(self, path: str) -> Path:
        """Return where the file, notebook or directory at `path` lies on disk; a notebook may be named with its extension too."""
        wanted = object_path(path)
        stem = wanted.rpartition(".")[0]
        notebook = self._find(stem) if stem and self._find(wanted) is None else None
        if notebook is not None and notebook.object_type == "NOTEBOOK" and with_extension(notebook) == wanted:
            return self._on_disk(stem)
        return self._on_disk(self.get(path).path)

    def read(self, path: str) -> bytes:
        """Return the bytes of the file or notebook at `path`."""
        found = self.get(path)
        if found.object_type == "DIRECTORY":
            raise ApiError(400, "BAD_REQUEST", f"{path} is a directory; only files and notebooks can be exported")
        return self._on_disk(found.path).read_bytes()

    def export(self, path: str, format_: str) -> tuple[bytes, str]:
        """Return the bytes of a file or notebook in `format_` and what kind of file they are ("py", "ipynb"…)."""
        found, content = self.get(path), self.read(path)
        if found.language is None:
            return content, found.path.rpartition("/")[2].rpartition(".")[2]
        match format_:
            case "AUTO" | "RAW":  # Assumption: AUTO gives a notebook in the format it came in
                return content, with_extension(found).rpartition(".")[2]
            case "SOURCE":
                return (to_source(content) if found.format == "JUPYTER" else content), EXTENSIONS[found.language][1:]
            case "JUPYTER":
                return (content if found.format == "JUPYTER" else to_jupyter(content, found.language)), "ipynb"
        raise NotEmulated(f"GET /api/2.0/workspace/export with format={format_}")

    def make_directories(self, path: str) -> None:
        """Make the directory at `path` and those above it; nothing happens when it is there already."""
        with self._objects.transaction():
            self._make_directories(object_path(path))

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
                path,
                replace(made, object_type=what.object_type, language=what.language, format=what.format, modified_at=now, size=len(content)),
            )

    def delete(self, path: str, *, recursive: bool) -> None:
        """Remove the object at `path`; a directory that holds something only when `recursive`."""
        with self._objects.transaction():
            found = self.get(path)
            if found.path in self._protected:
                raise ApiError(400, "DIRECTORY_PROTECTED", f"Folder {found.path} is protected")  # Assumption: code and wording
            on_disk = self._on_disk(found.path)
            is_directory = found.object_type == "DIRECTORY"
            if is_directory and not recursive and storage.children(on_disk):
                raise ApiError(400, "DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty")
            for each in (*self._objects.list(f"{found.path}/"), found):
                self._objects.delete(each.path)
            if is_directory:
                shutil.rmtree(on_disk)
            else:
                on_disk.unlink(missing_ok=True)

    def _on_disk(self, path: str) -> Path:
        return storage.confined(self._root, *path.strip("/").split("/"))

    def _check_writable(self, path: str, *, overwrite: bool) -> WorkspaceObject | None:
        above = parent(path)
        if above != "/":
            folder = self._find(above)
            if folder is None:
                raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"The parent folder ({above}) does not exist.")
            _check_directory(folder)
        before = self._find(path)
        # The client of `bundle deploy` recognises a held lock by "already exists."
        if before is not None and (not overwrite or before.object_type == "DIRECTORY"):
            raise ApiError(409, "RESOURCE_ALREADY_EXISTS", f"Node with name {path} already exists.")
        return before

    def _make_directories(self, path: str) -> None:
        now = millis(self._clock.now())
        for folder in ancestors(path):
            found = self._find(folder)
            if found is None:
                self._on_disk(folder).mkdir()
                self._objects.put(folder, WorkspaceObject(folder, "DIRECTORY", self._ids.number(), now, now))
            else:
                _check_directory(found)

    def _find(self, path: str) -> WorkspaceObject | None:
        """Return what lies at `path` on disk, with its record; what a task put there is given one."""
        try:
            on_disk = self._on_disk(path)
            status = on_disk.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        is_directory, size, changed = on_disk.is_dir(), status.st_size, int(status.st_mtime * 1000)
        found = self._objects.get(path)
        if found is None or is_directory != (found.object_type == "DIRECTORY"):
            kind: ObjectType = "DIRECTORY" if is_directory else "FILE"
            found = self._objects.put(path, WorkspaceObject(path, kind, self._ids.number(), changed, changed))
        return found if is_directory or found.size == size else replace(found, size=size, modified_at=changed)


def _check_directory(found: WorkspaceObject) -> None:
    if found.object_type != "DIRECTORY":
        raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"{found.path} already exists. It is not a folder")
