"""The monitored table and the metric tables on disk, by delta-rs: no Spark, milliseconds."""

import logging
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from harness.monitoring.fitness import UnfitTable

log = logging.getLogger(__name__)


def read(path: Path, name: str) -> tuple[pa.Table, int]:
    """Return the rows of the Delta table `name` at `path` and the version they are of."""
    try:
        table = DeltaTable(path)
        return table.to_pyarrow_table(), table.version()
    except TableNotFoundError as error:
        raise UnfitTable(f"{name}: the table does not exist any more; create it again or delete the monitor") from error
    except (DeltaError, pa.ArrowException) as error:
        raise UnfitTable(f"{name}: the table cannot be read: {error}") from error


def read_if_there(path: Path) -> pa.Table | None:
    """Return the rows of the Delta table at `path`, None where there is none."""
    return DeltaTable(path).to_pyarrow_table() if DeltaTable.is_deltatable(str(path)) else None


def schema(path: Path) -> pa.Schema | None:
    """Return the columns of the Delta table at `path`, None where there is none."""
    return pa.schema(DeltaTable(path).schema().to_arrow()) if DeltaTable.is_deltatable(str(path)) else None


def read_version(path: Path, version: int, not_after: int) -> pa.Table | None:
    """Return the rows of an earlier version; None when its files are gone, or when it was made after `not_after`.

    `not_after` is in microseconds since 1970: a version that is younger than a refresh that saw it is of another table of the same name.
    """
    try:
        # Asked of the newest version: delta-rs numbers the history of an earlier one from the wrong end.
        commits = {commit["version"]: commit["timestamp"] for commit in DeltaTable(path).history()}
        if version not in commits or commits[version] > not_after / 1000:
            return None
        return DeltaTable(path, version=version).to_pyarrow_table()
    except (DeltaError, pa.ArrowException, OSError) as error:
        log.warning("version %d of %s cannot be read any more: %s", version, path, error)
        return None


def replace(path: Path, rows: pa.Table) -> None:
    """Make `rows` the whole content of the Delta table at `path`, which is created if missing, with its change feed on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(path, rows, mode="overwrite", schema_mode="overwrite", configuration=settings)
