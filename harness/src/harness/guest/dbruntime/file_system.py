"""`dbutils.fs`: files of volumes, of the workspace and of this machine."""

import shutil
from pathlib import Path
from typing import NamedTuple

_SCHEMES = ("dbfs:", "file:")
_MOUNTED = ("/Volumes/", "/Workspace/")


class FileInfo(NamedTuple):
    """One entry of a listing."""

    path: str
    name: str
    size: int
    modificationTime: int  # noqa: N815 - the platform's name

    def isDir(self) -> bool:  # noqa: N802 - the platform's name
        """Return whether it is a folder."""
        return self.name.endswith("/")

    def isFile(self) -> bool:  # noqa: N802 - the platform's name
        """Return whether it is a file."""
        return not self.isDir()


class FileSystem:
    """`dbutils.fs` over `/Volumes/…`, `/Workspace/…`, `file:/…`, and all else as paths of DBFS, whose root Python sees as `/dbfs`."""

    def ls(self, dir: str) -> list[FileInfo]:  # noqa: A002 - the platform's name
        """Return what a folder holds, in name order; for a file, the file itself."""
        path = _local(dir)
        if not path.exists():
            raise FileNotFoundError(f"No such file or directory {dir}")
        if path.is_file():
            return [_info(path, dir.rstrip("/").rpartition("/")[0])]
        return [_info(child, dir.rstrip("/")) for child in sorted(path.iterdir())]

    def head(self, file: str, maxBytes: int = 65536) -> str:  # noqa: N803 - the platform's name
        """Return the first bytes of a file, as UTF-8."""
        with _local(file).open("rb") as opened:
            return opened.read(maxBytes).decode(errors="replace")

    def put(self, file: str, contents: str, overwrite: bool = False) -> bool:  # noqa: FBT001, FBT002 - the platform's order
        """Write a text to a file."""
        path = _local(file)
        if path.exists() and not overwrite:
            raise FileExistsError(f"{file} already exists; give overwrite=True to replace it")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents)
        return True

    def mkdirs(self, dir: str) -> bool:  # noqa: A002 - the platform's name
        """Make a folder and those above it."""
        _local(dir).mkdir(parents=True, exist_ok=True)
        return True

    def cp(self, from_: str, to: str, recurse: bool = False) -> bool:  # noqa: FBT001, FBT002 - the platform's order
        """Copy a file; a folder only with `recurse`."""
        source, target = _local(from_), _local(to)
        if source.is_dir():
            _check_recurse(from_, recurse=recurse)
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            target = target / source.name if target.is_dir() else target
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        return True

    def mv(self, from_: str, to: str, recurse: bool = False) -> bool:  # noqa: FBT001, FBT002 - the platform's order
        """Move a file; a folder only with `recurse`."""
        self.cp(from_, to, recurse)
        return self.rm(from_, recurse)

    def rm(self, dir: str, recurse: bool = False) -> bool:  # noqa: A002, FBT001, FBT002 - the platform's names
        """Remove a file; a folder that holds something only with `recurse`. False when there is nothing."""
        path = _local(dir)
        if not path.exists():
            return False
        if not path.is_dir():
            path.unlink()
        elif recurse:
            shutil.rmtree(path)
        else:
            _check_recurse(dir, recurse=not any(path.iterdir()))
            path.rmdir()
        return True

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotImplementedError(f"dbutils.fs.{name} is not emulated: serverless compute has no mounts; use a volume")


def _local(path: str) -> Path:
    """Return the path for Python's file functions, which know `/Volumes`, `/Workspace` and `/dbfs` (workspace_paths.py)."""
    scheme, bare = next(((scheme, path.removeprefix(scheme)) for scheme in _SCHEMES if path.startswith(scheme)), ("dbfs:", path))
    bare = "/" + bare.lstrip("/")
    if scheme == "dbfs:" and not bare.startswith(_MOUNTED):
        bare = f"/dbfs{bare}"
    return Path(bare)


def _info(path: Path, parent: str) -> FileInfo:
    status = path.stat()
    is_folder = path.is_dir()
    name = path.name + ("/" if is_folder else "")
    prefix = parent if parent.startswith(_SCHEMES) else f"dbfs:{parent}"
    return FileInfo(f"{prefix}/{name}", name, 0 if is_folder else status.st_size, int(status.st_mtime * 1000))


def _check_recurse(path: str, *, recurse: bool) -> None:
    if not recurse:
        raise IsADirectoryError(f"{path} is a folder that is not empty; give recurse=True")
