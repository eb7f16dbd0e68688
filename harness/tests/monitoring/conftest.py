"""Monitors over HTTP, on real Delta tables in a folder."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import uvicorn
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from deltalake import DeltaTable, write_deltalake

from harness.clock import SystemClock
from harness.errors import ApiError, UserError
from harness.http import OneToken, application
from harness.ids import SeededIds
from harness.monitoring.by_name_routes import by_name_routes
from harness.monitoring.routes import routes
from harness.monitoring.service import MonitoringService
from harness.names import FullName
from harness.state import Store

SCHEMA_ID = "5c4e3a00-0000-4000-8000-000000000001"
TABLE_ID = "7ab1e000-0000-4000-8000-000000000001"
TWIN_ID = "7ab1e000-0000-4000-8000-000000000002"


class FolderTables:
    """The catalog port over a folder, with identifiers known beforehand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known = {TABLE_ID: FullName("main", "s", "trips"), TWIN_ID: FullName("main", "other", "trips")}

    def table_path(self, full_name: FullName) -> Path:
        return self.folder / full_name.catalog / full_name.schema / full_name.name

    def table_id(self, table: FullName) -> str:
        for table_id, name in self.known.items():
            if name == table:
                return table_id
        raise ApiError(404, "TABLE_DOES_NOT_EXIST", f"Table '{table}' does not exist.")

    def schema_id(self, catalog: str, schema: str) -> str:
        if (catalog, schema) != ("main", "monitoring"):
            raise ApiError(404, "SCHEMA_DOES_NOT_EXIST", f"Schema '{catalog}.{schema}' does not exist.")
        return SCHEMA_ID

    def table_by_id(self, table_id: str) -> FullName | None:
        return self.known.get(table_id)

    def schema_by_id(self, schema_id: str) -> tuple[str, str] | None:
        return ("main", "monitoring") if schema_id == SCHEMA_ID else None


class ByArrow:
    """The port of SQL expressions: knows one, and refuses every other as Spark would."""

    def __init__(self, tables: FolderTables) -> None:
        self.tables = tables

    def rows(self, table: FullName, version: int, expressions: Sequence[str]) -> pa.Table:
        if list(expressions) != ["distance > 6"]:
            raise UserError("[PARSE_SYNTAX_ERROR] Syntax error at or near end of input.")
        rows = DeltaTable(self.tables.table_path(table), version=version).to_pyarrow_table()
        return rows.append_column("expression 0", pc.cast(pc.greater(rows["distance"], 6.0), pa.string()))


@pytest.fixture
def tables(tmp_path: Path) -> FolderTables:
    return FolderTables(tmp_path / "warehouse")


@pytest.fixture
def make_service(tmp_path: Path, tables: FolderTables) -> Iterator[Callable[[], MonitoringService]]:
    store = Store(tmp_path / "state.db")
    made: list[MonitoringService] = []

    def make() -> MonitoringService:
        made.append(
            MonitoringService(clock=SystemClock(), ids=SeededIds(len(made)), store=store, tables=tables, expressions=ByArrow(tables))
        )
        return made[-1]

    yield make
    for service in made:
        service.close()
    store.close()


@pytest.fixture
def service(make_service: Callable[[], MonitoringService]) -> MonitoringService:
    return make_service()


@pytest.fixture
def workspace(service: MonitoringService) -> Iterator[WorkspaceClient]:
    app = application([*routes(service), *by_name_routes(service)], callers=OneToken("secret", "someone"))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield WorkspaceClient(config=Config(host=f"http://127.0.0.1:{port}", token="secret", auth_type="pat", retry_timeout_seconds=5))
    server.should_exit = True
    thread.join()


@pytest.fixture
def write_trips(tables: FolderTables) -> Callable[..., None]:
    """Write the monitored table: six trips a day, the second day's longer."""

    def write(days: int = 2) -> None:
        moments = [dt.datetime(2026, 1, 5 + day, hour, tzinfo=dt.UTC) for day in range(days) for hour in range(6)]
        rows = {
            "at": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "model_version": pa.array(["1"] * len(moments), pa.string()),
            "distance": pa.array([float(n) for n in range(len(moments))], pa.float64()),
            "prediction": pa.array([10.0 + n for n in range(len(moments))], pa.float64()),
            "fare": pa.array([11.0 + n for n in range(len(moments))], pa.float64()),
        }
        path = tables.table_path(FullName("main", "s", "trips"))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_deltalake(path, pa.table(rows), mode="overwrite", schema_mode="overwrite")

    return write
