"""Monitors over HTTP, on real Delta tables in a folder."""

import datetime as dt
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import uvicorn
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.service.dataquality import Refresh
from deltalake import DeltaTable, write_deltalake

from harness.clock import SystemClock
from harness.dashboard.monitor.monitored import Monitored
from harness.dashboard.monitor.routes import PREFIX, board_routes
from harness.dashboard.monitor.service import Boards
from harness.errors import ApiError, UserError
from harness.http import OneToken, application
from harness.identity.browser import BrowserSessions
from harness.ids import SeededIds
from harness.monitoring.by_name_routes import by_name_routes
from harness.monitoring.dashboard_routes import dashboard_routes
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
        self.schemas = {SCHEMA_ID: ("main", "monitoring")}
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
        return self.schemas.get(schema_id)

    def drop(self, table: FullName) -> None:
        shutil.rmtree(self.table_path(table))


class Lite:
    """SQL expressions of groups and of rows by SQLite, whose words are Spark's as far as the tests need; times are microseconds."""

    def __init__(self) -> None:
        self.base = sqlite3.connect(":memory:", check_same_thread=False)
        self.base.create_function("unix_micros", 1, lambda value: value)
        self.base.create_function("pmod", 2, lambda value, by: None if value is None else value % by)

    def aggregates(self, rows: pa.Table, *, keys: Mapping[str, str], sets: Sequence[Sequence[str]], figures: Sequence[str]) -> pa.Table:
        self._fill("t", rows)
        found: list[dict[str, object]] = []
        for number, names in enumerate(sets):
            columns = [*(f"({keys[name]}) AS {name}" for name in names), *(f"{figure} AS figure_{n}" for n, figure in enumerate(figures))]
            grouped = f" GROUP BY {', '.join(str(n + 1) for n in range(len(names)))}" if names else ""
            found.extend(row | {"set": number} for row in self._ask(f"SELECT {', '.join(columns)} FROM t{grouped}"))  # noqa: S608 - ours
        types = [pa.int64() if name.startswith("window") else pa.string() for name in keys]
        fields = [*zip(keys, types, strict=True), ("set", pa.int64()), *((f"figure_{n}", pa.float64()) for n in range(len(figures)))]
        return pa.Table.from_pylist(found, pa.schema(fields))

    def evaluate(self, rows: pa.Table, expressions: Sequence[str]) -> pa.Table:
        sides = [name for name in ("current_df", "base_df") if name in rows.column_names]
        plain = rows.drop_columns(sides)
        self._fill("t", plain)
        joins = ""
        for side in sides:
            structs = rows[side].combine_chunks()
            structs = structs.combine_chunks() if isinstance(structs, pa.ChunkedArray) else structs
            names = [field.name for field in structs.type]
            self._fill(side, pa.table(dict(zip(names, structs.flatten(), strict=True))))
            joins += f" JOIN {side} ON {side}.rowid = t.rowid"
        columns = ", ".join(f"{expression} AS e{number}" for number, expression in enumerate(expressions))
        found = self._ask(f"SELECT {columns} FROM t{joins} ORDER BY t.rowid")  # noqa: S608 - ours
        return pa.table({f"e{n}": pa.array([row[f"e{n}"] for row in found], pa.float64()) for n in range(len(expressions))})

    def _fill(self, name: str, rows: pa.Table) -> None:
        columns = [f"`{column}`" for column in rows.column_names] or ["hollow"]
        self.base.execute(f"DROP TABLE IF EXISTS {name}")
        self.base.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
        values = zip(*(_plain(rows[column]).to_pylist() for column in rows.column_names), strict=True) if rows.column_names else []
        rows_ = list(values) or [(None,)] * rows.num_rows
        self.base.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", rows_)  # noqa: S608 - ours

    def _ask(self, statement: str) -> list[dict[str, object]]:
        try:
            cursor = self.base.execute(statement.replace(" AS STRING)", " AS TEXT)"))
            return [dict(zip([column[0] for column in cursor.description], row, strict=True)) for row in cursor]
        except sqlite3.Error as error:
            raise UserError(f"[UNRESOLVED] {error}") from error


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


class ByArrow:
    """The port of SQL expressions: knows one of slices, and refuses every other as Spark would; metrics are SQLite's."""

    def __init__(self, tables: FolderTables) -> None:
        self.tables = tables

    def rows(self, table: FullName, version: int, expressions: Sequence[str], where: str = "") -> pa.Table:
        if list(expressions) != ["distance > 6"]:
            raise UserError("[PARSE_SYNTAX_ERROR] Syntax error at or near end of input.")
        rows = self._where(table, version, where)
        return rows.append_column("expression 0", pc.cast(pc.greater(rows["distance"], 6.0), pa.string()))

    def groups(
        self, table: FullName, version: int, *, keys: Mapping[str, str], sets: Sequence[Sequence[str]], figures: Sequence[str],
        where: str = "",
    ) -> pa.Table:  # fmt: skip
        rows = self._where(table, version, where)
        return Lite().aggregates(rows, keys=keys, sets=sets, figures=figures)

    def evaluate(self, rows: pa.Table, expressions: Sequence[str]) -> pa.Table:
        return Lite().evaluate(rows, expressions)

    def _where(self, table: FullName, version: int, condition: str) -> pa.Table:
        rows = DeltaTable(self.tables.table_path(table), version=version).to_pyarrow_table()
        return rows.filter(Lite().evaluate(rows, [condition]).column(0).cast(pa.bool_())) if condition else rows


@pytest.fixture
def tables(tmp_path: Path) -> FolderTables:
    return FolderTables(tmp_path / "warehouse")


@pytest.fixture
def expressions(tables: FolderTables) -> ByArrow:
    return ByArrow(tables)


@pytest.fixture
def make_service(tmp_path: Path, tables: FolderTables, expressions: ByArrow) -> Iterator[Callable[..., MonitoringService]]:
    store = Store(tmp_path / "state.db")
    made: list[MonitoringService] = []

    def make(**settings: object) -> MonitoringService:
        needs = {"clock": SystemClock(), "ids": SeededIds(len(made)), "store": store, "tables": tables, "expressions": expressions}
        made.append(MonitoringService(**needs | settings))  # type: ignore[arg-type]  # by name
        return made[-1]

    yield make
    for service in made:
        service.close()
    store.close()


@pytest.fixture
def service(make_service: Callable[[], MonitoringService]) -> MonitoringService:
    return make_service()


@pytest.fixture
def workspace(service: MonitoringService, tables: FolderTables) -> Iterator[WorkspaceClient]:
    boards = Boards(subjects=Monitored(service), folder=lambda name: tables.table_path(FullName.parse(name)), clock=SystemClock())
    callers = OneToken("secret", "someone")
    readers = BrowserSessions(callers=callers, clock=SystemClock(), ids=SeededIds(9), prefix=PREFIX)
    offered = [*routes(service), *by_name_routes(service), *dashboard_routes(service), *readers.routes(), *board_routes(boards)]
    app = readers.guard(application(offered, callers=callers))
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
def wait_for_refresh(workspace: WorkspaceClient) -> Callable[..., Refresh]:
    """Return a refresh of the trips' monitor, the newest one if not told which, once it has ended."""

    def wait(number: int | None = None) -> Refresh:
        found = number or next(iter(workspace.data_quality.list_refresh("table", TABLE_ID))).refresh_id
        assert found is not None
        end = time.monotonic() + 20
        while not (refresh := workspace.data_quality.get_refresh("table", TABLE_ID, found)).end_time_ms:
            assert time.monotonic() < end, "the refresh did not end in time"
            time.sleep(0.01)
        return refresh

    return wait


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
