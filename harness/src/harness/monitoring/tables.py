"""The monitored table and the metric tables on disk, by delta-rs: no Spark, milliseconds."""

import logging
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from harness.monitoring.sample import UnfitTable

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


def replace(path: Path, rows: pa.Table) -> None:
    """Make `rows` the whole content of the Delta table at `path`, which is created if missing, with its change feed on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(path, rows, mode="overwrite", schema_mode="overwrite", configuration=settings)
