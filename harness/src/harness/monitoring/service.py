"""Monitors of tables: their configurations, one for each table."""

import datetime as dt

import msgspec

from harness.clock import Clock, millis
from harness.config import USER_NAME
from harness.errors import ApiError, NotEmulated
from harness.ids import Ids
from harness.monitoring.configuration import check_update, checked, invalid, updated
from harness.monitoring.dashboards import Dashboard, Dashboards
from harness.monitoring.model import DataProfilingConfig, Document, Monitor, MonitorRequest, Refresh
from harness.monitoring.ports import Expressions, Tables
from harness.monitoring.refreshes import Refreshes
from harness.monitoring.schedules import Schedules
from harness.names import FullName
from harness.state import Documents, Store

METASTORE_ID = "00000000-0000-4000-8000-000000000000"


class MonitoringService:
    """Data profiling of tables, by `table_id`.

    `lookback` leaves out windows that began longer than that before the monitor was created. The platform looks back 30 days; the harness
    looks at everything unless told otherwise, since sample data is old (a deviation on purpose). `quantile_grid` compares numbers by a
    thousand quantiles of each side, as the platform's published figures suggest, and not exactly.
    """

    def __init__(
        self, *, clock: Clock, ids: Ids, store: Store, tables: Tables, expressions: Expressions,
        lookback: dt.timedelta | None = None, quantile_grid: bool = False, user: str = USER_NAME,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._tables = tables
        self._monitors = Documents(store, "monitor", Monitor)
        self.dashboards = Dashboards(clock=clock, ids=ids, store=store, user=user)
        self.refreshes = Refreshes(
            clock=clock, ids=ids, store=store, tables=tables, expressions=expressions, monitors=self._monitors,
            dashboards=self.dashboards, lookback=lookback, quantile_grid=quantile_grid,
        )  # fmt: skip
        self.schedules = Schedules(clock=clock, monitors=self._monitors.list, begin=self.refreshes.ask_by_schedule)

    def start(self) -> None:
        """Begin to carry out refreshes, and to start those that have a schedule."""
        self.refreshes.start()
        self.schedules.start()

    def close(self) -> None:
        """Start nothing more, and end the refresh that is under way; twice without harm."""
        self.schedules.close()
        self.refreshes.close()

    def table_id(self, name: str) -> str:
        """Return the id of the table of this name, or raise the platform's 404. A monitor outlives its table."""
        table = FullName.parse(name.lower())
        known = next((monitor.table_id for monitor in self._monitors.list() if monitor.table.lower() == str(table)), None)
        return known or self._tables.table_id(table)

    def schema_id(self, name: str) -> str:
        """Return the id of the schema that is named `catalog.schema`, or raise the platform's 400 or 404."""
        catalog, _, schema = name.lower().partition(".")
        if not catalog or not schema or "." in schema:
            raise invalid(f"output_schema_name '{name}': expected catalog.schema")
        return self._tables.schema_id(catalog, schema)

    def create_monitor(self, request: MonitorRequest) -> Monitor:
        """Make a monitor of a table; its first refresh starts by itself."""
        _table_only(request.object_type)
        table = self._tables.table_by_id(request.object_id)
        if table is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Table with ID '{request.object_id}' does not exist.")
        config = checked(request.data_profiling_config)
        monitor = Monitor(
            table_id=request.object_id,
            table=str(table),
            output_schema=self._schema(config.output_schema_id),
            config=config,
            version=0,  # first configuration: seen on a live workspace
            status="DATA_PROFILING_STATUS_PENDING",
            created_ms=millis(self._clock.now()),
        )
        self.refreshes.check(monitor)
        with self._monitors.transaction():
            if self._monitors.get(request.object_id) is not None:
                raise ApiError(409, "ALREADY_EXISTS", f"Monitor for table '{table}' already exists; update or delete it")
            self._check_free(monitor)
            self._monitors.put(monitor.table_id, monitor)
        self.refreshes.ask(monitor.table_id)
        return monitor

    def get_monitor(self, object_type: str, object_id: str) -> Monitor:
        """Return the monitor of a table, or raise the platform's 404."""
        _table_only(object_type)
        monitor = self._monitors.get(object_id)
        if monitor is None:
            message = f"Cannot find Monitor with ID: /metastores:{METASTORE_ID}/tables:{object_id}/"
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", message)
        return monitor

    def update_monitor(self, object_type: str, object_id: str, body: Document, mask: str) -> Monitor:
        """Change the fields that `mask` names; the next refresh recomputes everything with the new configuration."""
        self._check_metrics(object_id, updated(self.get_monitor(object_type, object_id).config, body, mask))
        with self._monitors.transaction():
            return self._replace(object_id, updated(self.get_monitor(object_type, object_id).config, body, mask))

    def replace_config(self, object_id: str, config: DataProfilingConfig) -> Monitor:
        """Give the monitor of a table another configuration, for the next refresh."""
        self._check_metrics(object_id, config)
        return self._replace(object_id, config)

    def _check_metrics(self, object_id: str, config: DataProfilingConfig) -> None:
        # Outside of any transaction: Spark is asked.
        self.refreshes.check(msgspec.structs.replace(self.get_monitor("table", object_id), config=checked(config)))

    def _replace(self, object_id: str, config: DataProfilingConfig) -> Monitor:
        with self._monitors.transaction():
            monitor = self.get_monitor("table", object_id)
            check_update(monitor.config, checked(config))
            schema = self._schema(config.output_schema_id)
            # Assumption: each update makes a new version of the configuration, and does not start a refresh.
            changed = msgspec.structs.replace(monitor, config=config, output_schema=schema, version=monitor.version + 1)
            self._check_free(changed)
            return self._monitors.put(object_id, changed)

    def delete_monitor(self, object_type: str, object_id: str) -> None:
        """Forget a monitor and its refreshes; its metric tables and its dashboard stay."""
        with self._monitors.transaction():
            self.dashboards.keep(self.get_monitor(object_type, object_id))
            self._monitors.delete(object_id)
            self.refreshes.forget(object_id)

    def regenerate_dashboard(self, object_id: str) -> Dashboard:
        """Return the dashboard of a table's monitor, made anew; also where the monitor was told to have none."""
        with self._monitors.transaction():
            monitor = self.get_monitor("table", object_id)
            made = self.dashboards.make(monitor)
            self._monitors.put(object_id, msgspec.structs.replace(monitor, dashboard_id=made.dashboard_id))
        return made

    def delete_in(self, catalog: str) -> None:
        """Forget the monitors of the tables of `catalog`; what their refreshes are at is thrown away."""
        for monitor in self._monitors.list():
            if FullName.parse(monitor.table).catalog == catalog:
                self.delete_monitor("table", monitor.table_id)

    def monitors(self) -> list[Monitor]:
        """Return every monitor, by table name."""
        return sorted(self._monitors.list(), key=lambda monitor: monitor.table)

    def create_refresh(self, object_type: str, object_id: str) -> Refresh:
        """Ask for a refresh: PENDING, then carried out by the thread."""
        self.get_monitor(object_type, object_id)
        return self.refreshes.ask(object_id)

    def get_refresh(self, object_type: str, object_id: str, refresh_id: int) -> Refresh:
        """Return one refresh of a table's monitor, or raise the platform's 404."""
        self.get_monitor(object_type, object_id)
        return self.refreshes.get(object_id, refresh_id)

    def list_refreshes(self, object_type: str, object_id: str) -> list[Refresh]:
        """Return the refreshes of a table's monitor, newest first."""
        self.get_monitor(object_type, object_id)
        return self.refreshes.of(object_id)

    def cancel_refresh(self, object_type: str, object_id: str, refresh_id: int) -> Refresh:
        """Stop a refresh that has not ended; what it has computed is thrown away."""
        self.get_monitor(object_type, object_id)
        return self.refreshes.cancel(object_id, refresh_id)

    def _schema(self, schema_id: str) -> str:
        schema = self._tables.schema_by_id(schema_id)
        if schema is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"output_schema_id: schema with ID '{schema_id}' does not exist.")
        return ".".join(schema)

    def _check_free(self, monitor: Monitor) -> None:
        # Metric tables are named after the bare table name: two monitors must not write the same ones.
        for other in self._monitors.list():
            if other.table_id != monitor.table_id and other.profile_table == monitor.profile_table:
                raise invalid(f"{monitor.profile_table} is written by the monitor of {other.table}; choose another output schema")


def _table_only(object_type: str) -> None:
    if object_type == "schema":
        raise NotEmulated("anomaly detection: a monitor with object_type 'schema'")
    if object_type != "table":
        raise invalid(f"object_type '{object_type}' is not valid; expected 'table' or 'schema'")
