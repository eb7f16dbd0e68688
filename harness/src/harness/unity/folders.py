"""The folder tree `<catalog>/<schema>/<table>`: the truth about what exists, shared with Spark and delta-rs."""

import shutil
from pathlib import Path
from tempfile import mkdtemp

from harness.errors import ApiError
from harness.names import FullName


class Folders:
    """Reads and changes the warehouse's folders. Names that begin with `_` or `.` are the engines' own and hidden."""

    def __init__(self, root: Path) -> None:
        self.root = root

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
    """Return the sub-folders that users may see, in name order."""
    return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(("_", ".")))


def is_table(folder: Path) -> bool:
    """Return whether `folder` holds a Delta table with at least one commit."""
    log = folder / "_delta_log"
    return log.is_dir() and any(entry.suffix in {".json", ".parquet"} for entry in log.iterdir())


def remove(folder: Path) -> None:
    """Remove `folder`: first out of sight in one step, so that nobody meets a half-removed table."""
    if folder.is_dir():
        aside = Path(mkdtemp(prefix="_removed_", dir=folder.parent))
        folder.rename(aside / folder.name)
        shutil.rmtree(aside)
