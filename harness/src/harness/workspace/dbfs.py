"""The root of DBFS: files under `dbfs:/…`, the same that Spark, `dbutils.fs` and Python's `/dbfs/…` see."""

import base64
import binascii
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from harness.config import Layout
from harness.errors import ApiError
from harness.ids import Ids
from harness.workspace import storage
from harness.workspace.model import segments

MAX_BLOCK_BYTES = 1024 * 1024  # docs.databricks.com/api/workspace/dbfs: put, add-block and read


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file or folder."""

    path: str
    is_dir: bool
    file_size: int
    modification_time: int


@dataclass(frozen=True, slots=True)
class _Open:
    """A file that is being written; it becomes `target` when it is closed."""

    target: Path
    part: IO[bytes]


class DbfsService:
    """Files of DBFS. A path in a volume is refused, as the platform does: volumes have the Files API."""

    def __init__(self, *, layout: Layout, ids: Ids) -> None:
        self._root = layout.files / "dbfs"
        self._ids = ids
        self._open: dict[int, _Open] = {}

    def status(self, path: str) -> FileInfo:
        """Return what is at a path, or raise the platform's 404."""
        return self._info(self._existing(path))

    def list(self, path: str) -> list[FileInfo]:
        """Return what a folder holds, in name order; of a file, the file."""
        found = self._existing(path)
        return [self._info(child) for child in storage.children(found)] if found.is_dir() else [self._info(found)]

    def read(self, path: str, offset: int, length: int) -> bytes:
        """Return a part of a file, at most 1 MB; nothing from its end on."""
        found = self._existing(path)
        if found.is_dir():
            raise _invalid(f"{path} is a directory; expected a file")
        if offset < 0 or length < 0 or length > MAX_BLOCK_BYTES:
            raise _invalid(f"offset {offset}, length {length}: expected 0 or more, and at most {MAX_BLOCK_BYTES} bytes at once")
        with found.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def mkdirs(self, path: str) -> None:
        """Make a folder and those above it."""
        target = self._place(path)
        try:
            target.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"{path}: a file is there; expected none, or a directory") from error

    def put(self, path: str, content: bytes, *, overwrite: bool) -> None:
        """Write a small file."""
        target = self._free(path, overwrite=overwrite)
        with storage.replacing(target) as file:
            file.write(content)

    def create(self, path: str, *, overwrite: bool) -> int:
        """Open a file to write and return its handle."""
        target = self._free(path, overwrite=overwrite)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle = self._ids.number()
        part = NamedTemporaryFile(dir=target.parent, suffix=storage.PART_SUFFIX, delete=False)  # noqa: SIM115 - it is closed by its handle
        self._open[handle] = _Open(target, part)
        return handle

    def add_block(self, handle: int, content: bytes) -> None:
        """Write on."""
        self._opened(handle).part.write(content)

    def close(self, handle: int) -> None:
        """Close what was opened: now it is there."""
        opened = self._opened(handle)
        del self._open[handle]
        opened.part.close()
        Path(opened.part.name).replace(opened.target)

    def delete(self, path: str, *, recursive: bool) -> None:
        """Remove a file or a folder; nothing happens when there is none."""
        target = self._place(path)
        if target == self._root:
            raise _invalid("The root of DBFS cannot be deleted")
        if target.is_dir():
            if not recursive and storage.children(target):
                raise ApiError(400, "IO_ERROR", f"{path} is a directory that is not empty; delete it with recursive=true")
            storage.remove_folder(target)
        else:
            target.unlink(missing_ok=True)

    def move(self, source: str, target: str) -> None:
        """Move a file, or a folder with all it holds."""
        found, to = self._existing(source), self._free(target, overwrite=False)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(found, to)

    def _place(self, path: str) -> Path:
        parts = segments("/" + path.removeprefix("dbfs:").lstrip("/"))
        if parts[:1] == ("Volumes",):
            raise _invalid(f"{path}: volumes are not in DBFS; use the Files API (w.files)")
        return storage.confined(self._root, *parts)

    def _existing(self, path: str) -> Path:
        found = self._place(path)
        if not found.exists():
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"No file or directory exists on path {path}.")
        return found

    def _free(self, path: str, *, overwrite: bool) -> Path:
        target = self._place(path)
        if target.is_dir() or (target.exists() and not overwrite):
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"A file or directory already exists at path {path}.")
        return target

    def _opened(self, handle: int) -> _Open:
        found = self._open.get(handle)
        if found is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"No open stream exists for handle {handle}")
        return found

    def _info(self, found: Path) -> FileInfo:
        status = found.stat()
        relative = found.relative_to(self._root).as_posix()
        is_dir = found.is_dir()
        return FileInfo("/" + ("" if relative == "." else relative), is_dir, 0 if is_dir else status.st_size, int(status.st_mtime * 1000))


def decoded(text: str) -> bytes:
    """Return a block, or raise the platform's 400."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _invalid(f"The content is not base64: {error}") from error
    if len(content) > MAX_BLOCK_BYTES:
        raise ApiError(400, "MAX_BLOCK_SIZE_EXCEEDED", f"A block may have at most {MAX_BLOCK_BYTES} bytes; found {len(content)}")
    return content


def _invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)
