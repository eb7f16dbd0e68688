"""`/Workspace/…` and `/Volumes/…` for plain Python: inside a task, paths that begin so lead into the harness's folders.

On the platform both are mounted folders. Here the functions that Python's own file access goes through (`open`, `os`, and so `pathlib`,
`shutil`, `pandas.read_csv`, `joblib` …) are given the real path. Code that opens files in C by itself, other processes and `os.getcwd()`
know real paths only.
"""

import builtins
import functools
import io
import os
from collections.abc import Callable, Mapping
from typing import Any

# Functions of `os` by how many of their first arguments are paths.
_ONE = (
    "access", "chdir", "chmod", "chown", "listdir", "lstat", "mkdir", "open", "readlink", "remove", "rmdir", "scandir", "stat", "truncate",
    "unlink", "utime", "walk", "getxattr", "statvfs",
)  # fmt: skip
_TWO = ("rename", "replace", "link", "symlink")


class WorkspacePaths:
    """Which folder each root stands for."""

    def __init__(self, roots: Mapping[str, str]) -> None:
        self._roots = {root.rstrip("/"): folder for root, folder in roots.items()}

    def real(self, path: Any) -> Any:
        """Return where `path` lies on this machine; what is no text path below a root is returned as it is."""
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
        if not isinstance(text, str) or not text.startswith("/"):
            return path
        normal = os.path.normpath(text)
        for root, folder in self._roots.items():
            if normal == root or normal.startswith(f"{root}/"):
                return folder + normal[len(root) :]
            if normal == f"/{root}" or normal.startswith(f"/{root}/"):  # normpath keeps two slashes in front
                return folder + normal[len(root) + 1 :]
        return path

    def install(self) -> None:
        """Let this process's file functions know the roots."""
        builtins.open = self._wrapped(builtins.open, 1)
        io.open = builtins.open
        for count, names in ((1, _ONE), (2, _TWO)):
            for name in names:
                if hasattr(os, name):
                    setattr(os, name, self._wrapped(getattr(os, name), count))

    def _wrapped(self, function: Callable[..., Any], count: int) -> Callable[..., Any]:
        @functools.wraps(function)
        def with_real_paths(*arguments: Any, **named: Any) -> Any:
            return function(*(self.real(argument) for argument in arguments[:count]), *arguments[count:], **named)

        return with_real_paths


installed = WorkspacePaths({})
"""Those of this process; without a task, none."""


def install(roots: Mapping[str, str]) -> None:
    """Let this process's file functions know `roots`."""
    global installed  # noqa: PLW0603 - as the functions it changes, it is the process's
    installed = WorkspacePaths(roots)
    installed.install()
