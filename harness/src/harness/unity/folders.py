"""The folder tree `<catalog>/<schema>/<table>`: the truth about what exists, shared with Spark and delta-rs."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from harness.errors import ApiError
from harness.names import FullName

_NEW, _REMOVED = ".new-", ".removed-"  # no name can begin like this; java_sources/harness/Folders.java does the same


class Folders:
    """Reads and changes the warehouse's folders. What begins with a period is the harness's own and hidden: no name can."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.still = threading.RLock()
        """Held where several folders are looked at, and while catalogs and schemas are renamed: no listing meets half of one."""

    def catalog(self, name: str) -> Path:
        """Return the folder of a catalog, or raise the platform's 404."""
        folder = self.root / name
        if not folder.is_dir():
            raise ApiError(404, "CATALOG_DOES_NOT_EXIST", f"Catalog '{name}' does not exist.")
        return folder

    def schema(self, catalog: str, name: str) -> Path:
        """Return the folder of a schema, or raise the platform's 404 for it or its catalog."""
        folder = self.catalog(catalog) / name
        if not folder.is_dir():
            raise ApiError(404, "SCHEMA_DOES_NOT_EXIST", f"Schema '{catalog}.{name}' does not exist.")
        return folder

    def table(self, name: FullName) -> Path:
        """Return the folder of a table, or raise the platform's 404 for it, its schema or its catalog."""
        folder = self.schema(name.catalog, name.schema) / name.name
        if not is_table(folder):
            raise ApiError(404, "TABLE_DOES_NOT_EXIST", f"Table '{name}' does not exist.")
        return folder

    def tables(self, catalog: str, schema: str) -> list[FullName]:
        """Return the tables of a schema, in name order."""
        return [FullName(catalog, schema, child.name) for child in visible(self.schema(catalog, schema)) if is_table(child)]


def visible(folder: Path) -> list[Path]:
    """Return the sub-folders that users may see, in name order; none when the folder has gone meanwhile."""
    try:
        return sorted(child for child in folder.iterdir() if not child.name.startswith(".") and child.is_dir())
    except FileNotFoundError:
        return []


def is_table(folder: Path) -> bool:
    """Return whether `folder` holds a Delta table with at least one commit."""
    try:
        return any(entry.suffix in {".json", ".parquet"} for entry in (folder / "_delta_log").iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False


def make(folder: Path, fill: Callable[[Path], object]) -> bool:
    """Make `folder` with what `fill` puts into it, all in one step; False when another was first."""
    aside = Path(mkdtemp(prefix=_NEW, dir=folder.parent))
    try:
        fill(aside)
        aside.chmod(0o755)
        if folder.exists():
            return False
        aside.rename(folder)  # fails when there is a folder meanwhile, for none that the harness makes is empty
    except OSError:
        if folder.exists():
            return False
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return True


def remove(folder: Path, *, unless: Callable[[Path], bool] = lambda _: False) -> bool:
    """Remove `folder`; False when another was first, or when it stays since `unless` says so of what is out of sight."""
    aside = hide(folder)
    if aside is None:
        return False
    if unless(aside / folder.name):
        (aside / folder.name).rename(folder)
        aside.rmdir()
        return False
    shutil.rmtree(aside, ignore_errors=True)
    return True


def hide(folder: Path) -> Path | None:
    """Take `folder` out of sight in one step, so that nobody meets a half-removed one; None when another was first.

    What is returned is to be removed; a harness that starts removes it, if need be.
    """
    try:
        aside = Path(mkdtemp(prefix=_REMOVED, dir=folder.parent))
    except FileNotFoundError:  # what holds it has gone
        return None
    try:
        folder.rename(aside / folder.name)
    except FileNotFoundError:
        shutil.rmtree(aside, ignore_errors=True)
        return None
    return aside


def sweep(root: Path, *, depth: int) -> None:
    """Remove what a harness that was killed left half made or half removed, in `root` and `depth` levels of folders in it."""
    if not root.is_dir():
        return
    for child in root.iterdir():
        if child.name.startswith((_NEW, _REMOVED)):
            shutil.rmtree(child, ignore_errors=True)
        elif depth and child.is_dir():
            sweep(child, depth=depth - 1)
