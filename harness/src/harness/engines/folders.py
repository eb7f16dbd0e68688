"""Folders that are made once, by whoever comes first, and go when nobody has used them for long."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_COMPLETE = ".complete"  # written last: a folder without it was left behind by a process that was killed; its time is that of the last use
_DAY = 86400.0


def is_complete(folder: Path) -> bool:
    """Return whether a folder is there, made to its end, and note that it is used."""
    try:
        os.utime(folder / _COMPLETE)
    except OSError:
        return (folder / _COMPLETE).exists()  # another user's, or on a read-only disk
    return True


@contextmanager
def made_once(folder: Path, on_waiting: Callable[[], None] = lambda: None) -> Iterator[Path | None]:
    """Give `folder`, empty, to whoever has to fill it, or None when it is complete.

    Other threads and processes wait meanwhile, after `on_waiting`. When the block fails, nothing of the folder is left.
    """
    if is_complete(folder):
        yield None
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder, on_waiting):
        if is_complete(folder):
            yield None
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        except BaseException:  # Ctrl-C too: nothing half made is left behind
            shutil.rmtree(folder, ignore_errors=True)
            raise
        (folder / _COMPLETE).touch()


def remove_unused(parent: Path, *, days: float, in_use: Collection[Path] = ()) -> list[Path]:
    """Remove the complete folders in `parent` that nobody has used for `days`, but those `in_use`; return them."""
    before = time.time() - days * _DAY
    old = [mark.parent for mark in parent.glob(f"*/{_COMPLETE}") if mark.stat().st_mtime < before and mark.parent not in in_use]
    for folder in old:
        with _locked(folder, lambda: None):
            (folder / _COMPLETE).unlink(missing_ok=True)  # first, so that what is half gone is never taken for complete
            shutil.rmtree(folder, ignore_errors=True)
    return old


@contextmanager
def _locked(folder: Path, on_waiting: Callable[[], None]) -> Iterator[None]:
    """Be the only one at `folder`; the file that says so goes afterwards, so a file that was replaced meanwhile counts for nothing."""
    path = folder.parent / f"{folder.name}.lock"
    while True:
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is(path, lock):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
