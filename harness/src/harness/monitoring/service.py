"""Monitors of tables: their configurations, their refreshes, and the thread that carries the refreshes out."""

import datetime as dt
import logging
import queue
import threading

import msgspec

from harness.clock import Clock, millis
from harness.errors import ApiError, NotEmulated
from harness.ids import Ids
from harness.monitoring import tables as delta
from harness.monitoring.compute import Source, compute
from harness.monitoring.model import Document, Monitor, MonitorRequest, Refresh, RefreshState, checked, invalid, updated
from harness.monitoring.ports import Expressions, Tables
from harness.monitoring.reading import Reader
from harness.monitoring.sample import UnfitTable
from harness.names import FullName
from harness.state import Documents, Store

log = logging.getLogger(__name__)
METASTORE_ID = "00000000-0000-4000-8000-000000000000"


class MonitoringService:
    """Data profiling of tables, by `table_id`.

    `lookback` leaves out windows that began longer than that before the monitor was created. The platform looks back 30 days; the harness
    looks at everything unless told otherwise, since sample data is old (a deviation on purpose).
    """

    def __init__(
        self, *, clock: Clock, ids: Ids, store: Store, tables: Tables, expressions: Expressions, lookback: dt.timedelta | None = None
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._tables = tables
        self._reader = Reader(tables, expressions)
        self._lookback = lookback
        self._monitors = Documents(store, "monitor", Monitor)
        self._refreshes = Documents(store, "monitor_refresh", Refresh)
        self._queue: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._worker: threading.Thread | None = None

    def start(self) -> None:
        """Begin to carry out refreshes, those first that an earlier life of the harness left unfinished."""
        if self._worker is not None:
            return
        self._closing.clear()
        for refresh in self._refreshes.list():
            if not refresh.ended:
                self._queue.put(refresh.refresh_id)
        self._worker = threading.Thread(target=self._work, name="monitoring", daemon=True)
        self._worker.start()

    def close(self) -> None:
        """End the thread after the refresh it is at; twice without harm. What is left is done after the next start."""
        if self._worker is not None:
            self._closing.set()
            self._queue.put(None)
            self._worker.join()
            self._worker = None

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
        with self._monitors.transaction():
            if self._monitors.get(request.object_id) is not None:
                raise ApiError(409, "ALREADY_EXISTS", f"Monitor for table '{table}' already exists; update or delete it")
            self._check_free(monitor)
            self._monitors.put(monitor.table_id, monitor)
        self._enqueue(monitor.table_id)
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
        with self._monitors.transaction():
            monitor = self.get_monitor(object_type, object_id)
            config = checked(updated(monitor.config, body, mask))
            schema = self._schema(config.output_schema_id)
            # Assumption: each update makes a new version of the configuration, and does not start a refresh.
            changed = msgspec.structs.replace(monitor, config=config, output_schema=schema, version=monitor.version + 1)
            self._check_free(changed)
            return self._monitors.put(object_id, changed)

    def delete_monitor(self, object_type: str, object_id: str) -> None:
        """Forget a monitor and its refreshes; its metric tables stay."""
        with self._monitors.transaction():
            self.get_monitor(object_type, object_id)
            self._monitors.delete(object_id)
            for refresh in self._refreshes.list():
                if refresh.object_id == object_id:
                    self._refreshes.delete(str(refresh.refresh_id))

    def monitors(self) -> list[Monitor]:
        """Return every monitor, by table name."""
        return sorted(self._monitors.list(), key=lambda monitor: monitor.table)

    def create_refresh(self, object_type: str, object_id: str) -> Refresh:
        """Ask for a refresh: PENDING, then carried out by the thread."""
        self.get_monitor(object_type, object_id)
        return self._enqueue(object_id)

    def get_refresh(self, object_type: str, object_id: str, refresh_id: int) -> Refresh:
        """Return one refresh of a table's monitor, or raise the platform's 404."""
        self.get_monitor(object_type, object_id)
        refresh = self._refreshes.get(str(refresh_id))
        if refresh is None or refresh.object_id != object_id:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Cannot find Refresh with ID: {refresh_id}")
        return refresh

    def list_refreshes(self, object_type: str, object_id: str) -> list[Refresh]:
        """Return the refreshes of a table's monitor, newest first."""
        self.get_monitor(object_type, object_id)
        own = [refresh for refresh in self._refreshes.list() if refresh.object_id == object_id]
        return sorted(own, key=lambda refresh: refresh.start_time_ms, reverse=True)

    def cancel_refresh(self, object_type: str, object_id: str, refresh_id: int) -> Refresh:
        """Stop a refresh that has not ended; what it has computed is thrown away."""
        with self._refreshes.transaction():
            refresh = self.get_refresh(object_type, object_id, refresh_id)
            if refresh.ended:
                raise ApiError(400, "INVALID_STATE", f"Refresh {refresh_id} has already ended with {refresh.state}")
            return self._put(refresh, "MONITOR_REFRESH_STATE_CANCELED")

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

    def _enqueue(self, table_id: str) -> Refresh:
        refresh = Refresh(
            object_type="table",
            object_id=table_id,
            refresh_id=self._ids.number(),
            state="MONITOR_REFRESH_STATE_PENDING",
            trigger="MONITOR_REFRESH_TRIGGER_MANUAL",
            start_time_ms=millis(self._clock.now()),
        )
        self._refreshes.put(str(refresh.refresh_id), refresh)
        self._queue.put(refresh.refresh_id)
        return refresh

    def _work(self) -> None:
        while not self._closing.is_set():
            refresh_id = self._queue.get()
            if refresh_id is not None:
                self._carry_out(refresh_id)

    def _carry_out(self, refresh_id: int) -> None:
        begun = self._begin(refresh_id)
        if begun is None:
            return
        refresh, monitor = begun
        try:
            self._refresh(refresh, monitor)
        except UnfitTable as error:
            self._end(refresh, str(error))
        except Exception as error:  # the thread must outlive any refresh, and the client must see why it failed
            log.exception("refresh %s of %s failed", refresh_id, monitor.table)
            self._end(refresh, f"INTERNAL_ERROR: harness bug in the refresh of {monitor.table}: {error!r}")
        else:
            self._end(refresh, None)

    def _begin(self, refresh_id: int) -> tuple[Refresh, Monitor] | None:
        with self._refreshes.transaction():
            refresh = self._refreshes.get(str(refresh_id))
            monitor = self._monitors.get(refresh.object_id) if refresh else None
            if refresh is None or monitor is None or refresh.ended:
                return None
            active = msgspec.structs.replace(monitor, status="DATA_PROFILING_STATUS_ACTIVE")
            return self._put(refresh, "MONITOR_REFRESH_STATE_RUNNING"), self._monitors.put(monitor.table_id, active)

    def _refresh(self, refresh: Refresh, monitor: Monitor) -> None:
        if self._tables.table_by_id(monitor.table_id) is None:
            raise UnfitTable(f"{monitor.table}: the table does not exist any more; delete its monitor")
        config, created = monitor.config, dt.datetime.fromtimestamp(monitor.created_ms / 1000, dt.UTC)
        sample, version = self._reader.read(monitor.table, config.slicing_exprs)
        baseline = None if config.baseline_table_name is None else self._reader.read(config.baseline_table_name, config.slicing_exprs)[0]
        source = Source(
            sample=sample,
            version=version,
            config=monitor.inference_log,
            monitor_version=monitor.version,
            baseline=baseline,
            slicing=config.slicing_exprs,
            not_before=None if self._lookback is None else created - self._lookback,
        )
        metrics = compute(source)
        current = self._refreshes.get(str(refresh.refresh_id))
        if current is not None and not current.ended:
            delta.replace(self._tables.table_path(FullName.parse(monitor.profile_table)), metrics.profile)
            # Assumption: the drift table is there from the first refresh, if need be without rows, so that queries of it do not fail.
            delta.replace(self._tables.table_path(FullName.parse(monitor.drift_table)), metrics.drift)

    def _end(self, refresh: Refresh, failure: str | None) -> None:
        with self._refreshes.transaction():
            current = self._refreshes.get(str(refresh.refresh_id))
            monitor = self._monitors.get(refresh.object_id)
            if current is None or monitor is None or current.ended:
                return
            self._put(current, "MONITOR_REFRESH_STATE_FAILED" if failure else "MONITOR_REFRESH_STATE_SUCCESS", failure)
            self._monitors.put(monitor.table_id, msgspec.structs.replace(monitor, failure=failure))

    def _put(self, refresh: Refresh, state: RefreshState, message: str | None = None) -> Refresh:
        ended = None if state == "MONITOR_REFRESH_STATE_RUNNING" else millis(self._clock.now())
        return self._refreshes.put(
            str(refresh.refresh_id), msgspec.structs.replace(refresh, state=state, message=message, end_time_ms=ended)
        )


def _table_only(object_type: str) -> None:
    if object_type == "schema":
        raise NotEmulated("anomaly detection: a monitor with object_type 'schema'")
    if object_type != "table":
        raise invalid(f"object_type '{object_type}' is not valid; expected 'table' or 'schema'")
