"""Bytes on disk for the Files API and the workspace: confined to their root, written whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from harness.errors import ApiError

PART_SUFFIX = ".uploading"
_PIECE = 64 * 1024**2


def confined(root: Path, *parts: str) -> Path:
    """Return the path of `parts` under `root`, or raise the platform's 400 when a link on the way leads out of it."""
    target = root.joinpath(*parts)
    if not target.resolve().is_relative_to(root.resolve()):
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Path '/{'/'.join(parts)}' leads outside its root")
    return target


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """Give a file to write; it becomes `target` when the block ends well, and vanishes when it does not."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"The parent of '{target.name}' is a file, not a directory") from error
    with NamedTemporaryFile(dir=target.parent, suffix=PART_SUFFIX, delete=False) as part:
        try:
            yield part
            part.flush()
            Path(part.name).replace(target)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def append(part: Path, whole: IO[bytes]) -> None:
    """Write what `part` holds at the end of `whole`; where the system can, without reading it into this process."""
    whole.flush()
    with part.open("rb") as source, open(whole.fileno(), "wb", closefd=False) as target:
        try:
            while os.copy_file_range(source.fileno(), target.fileno(), _PIECE):
                pass
        except (AttributeError, OSError):  # not on this system; not on this file system
            source.seek(os.lseek(source.fileno(), 0, os.SEEK_CUR))
            shutil.copyfileobj(source, target, _PIECE)


def children(folder: Path) -> list[Path]:
    """Return what `folder` holds in name order, unfinished uploads left out."""
    return sorted(child for child in folder.iterdir() if not child.name.endswith(PART_SUFFIX))


def remove_folder(folder: Path) -> None:
    """Remove `folder` and all it holds; nothing happens when it is not there."""
    if folder.is_dir():
        shutil.rmtree(folder)
