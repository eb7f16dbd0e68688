"""Refreshes of monitors: asked for, carried out one at a time by a thread, ended."""

from __future__ import annotations

import datetime as dt
import functools
import logging
import queue
import threading
from typing import TYPE_CHECKING

import msgspec

from harness.clock import Clock, millis
from harness.errors import ApiError
from harness.ids import Ids
from harness.monitoring.dashboards import Dashboards
from harness.monitoring.fitness import GoneTable, UnfitTable
from harness.monitoring.model import Monitor, Notification, Refresh, RefreshState, RefreshTrigger, Status
from harness.monitoring.ports import Expressions, Tables
from harness.monitoring.progress import Progress
from harness.state import Documents, Store

if TYPE_CHECKING:
    from harness.monitoring.computation import Computation

log = logging.getLogger(__name__)


class _NotWantedError(Exception):
    """The refresh was cancelled, or its monitor deleted."""


class _BrokenOffError(Exception):
    """The service closes."""


class Refreshes:
    """Every refresh of every monitor. `lookback` and `quantile_grid` as `MonitoringService` has them."""

    def __init__(
        self, *, clock: Clock, ids: Ids, store: Store, tables: Tables, expressions: Expressions, monitors: Documents[Monitor],
        dashboards: Dashboards, lookback: dt.timedelta | None, quantile_grid: bool = False,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._ids = ids
        self._needs = tables, expressions, lookback, quantile_grid
        self._monitors = monitors
        self._dashboards = dashboards
        self._refreshes = Documents(store, "monitor_refresh", Refresh)
        self._notifications = Documents(store, "monitor_notification", Notification)
        self._progress = Documents(store, "monitor_progress", Progress)
        self._writing = threading.Lock()
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
        """End the thread, breaking off the refresh it is at; twice without harm. What is left is done after the next start."""
        if self._worker is not None:
            self._closing.set()
            self._queue.put(None)
            self._worker.join()
            self._worker = None

    @property
    def is_closing(self) -> bool:
        """Whether the refresh that is under way, if there is one, will be broken off."""
        return self._closing.is_set()

    @functools.cached_property
    def _computation(self) -> Computation:
        from harness.monitoring.computation import Computation  # with SciPy, which takes a second that starting a harness need not wait for

        return Computation(*self._needs)

    def check(self, monitor: Monitor) -> None:
        """Raise the platform's 400 for custom metrics that no refresh of this monitor could compute."""
        self._computation.check(monitor)

    def ask(self, table_id: str, trigger: RefreshTrigger = "MONITOR_REFRESH_TRIGGER_MANUAL") -> Refresh:
        """Ask for a refresh: PENDING, then carried out by the thread."""
        refresh = Refresh(
            object_type="table",
            object_id=table_id,
            refresh_id=self._ids.number(),
            state="MONITOR_REFRESH_STATE_PENDING",
            trigger=trigger,
            start_time_ms=millis(self._clock.now()),
        )
        self._refreshes.put(str(refresh.refresh_id), refresh)
        self._queue.put(refresh.refresh_id)
        return refresh

    def ask_by_schedule(self, table_id: str) -> None:
        """Ask for a refresh whose time has come. Assumption: one that has not ended yet stands for it, so that none pile up."""
        if all(refresh.ended for refresh in self.of(table_id)):
            self.ask(table_id, "MONITOR_REFRESH_TRIGGER_SCHEDULE")

    def get(self, table_id: str, refresh_id: int) -> Refresh:
        """Return one refresh of a table's monitor, or raise the platform's 404."""
        refresh = self._refreshes.get(str(refresh_id))
        if refresh is None or refresh.object_id != table_id:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Cannot find Refresh with ID: {refresh_id}")
        return refresh

    def of(self, table_id: str) -> list[Refresh]:
        """Return the refreshes of a table's monitor, newest first."""
        own = [refresh for refresh in self._refreshes.list() if refresh.object_id == table_id]
        return sorted(own, key=lambda refresh: refresh.start_time_ms, reverse=True)

    def cancel(self, table_id: str, refresh_id: int) -> Refresh:
        """Stop a refresh that has not ended; what it has computed is thrown away. One that writes already is waited for."""
        with self._writing, self._refreshes.transaction():
            refresh = self.get(table_id, refresh_id)
            if refresh.ended:
                raise ApiError(400, "INVALID_STATE", f"Refresh {refresh_id} has already ended with {refresh.state}")
            return self._put(refresh, "MONITOR_REFRESH_STATE_CANCELED")

    def forget(self, table_id: str) -> None:
        """Forget the refreshes of a monitor that is deleted."""
        for refresh in self.of(table_id):
            self._refreshes.delete(str(refresh.refresh_id))
        self._progress.delete(table_id)

    def notifications(self) -> list[Notification]:
        """Return what would have been sent, first to last."""
        return sorted(self._notifications.list(), key=lambda one: one.time)

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
        except _NotWantedError:
            log.info("refresh %s of %s was cancelled; nothing is written", refresh_id, monitor.table)
        except _BrokenOffError:
            log.info("refresh %s of %s is broken off; the next start carries it out", refresh_id, monitor.table)
        except GoneTable as error:
            self._end(refresh, str(error), "DATA_PROFILING_STATUS_ERROR")
        except UnfitTable as error:
            self._end(refresh, str(error))
        except Exception as error:  # the thread must outlive any refresh, and the client must see why it failed
            log.exception("refresh %s of %s failed", refresh_id, monitor.table)
            self._end(refresh, f"INTERNAL_ERROR: harness bug in the refresh of {monitor.table}: {error!r}")

    def _begin(self, refresh_id: int) -> tuple[Refresh, Monitor] | None:
        with self._refreshes.transaction():
            refresh = self._refreshes.get(str(refresh_id))
            monitor = self._monitors.get(refresh.object_id) if refresh else None
            if refresh is None or monitor is None or refresh.ended:
                return None
            # The id of the dashboard is there once the monitor is active: seen on a live workspace.
            dashboard = monitor.dashboard_id or self._first_dashboard(monitor)
            active = msgspec.structs.replace(monitor, status="DATA_PROFILING_STATUS_ACTIVE", dashboard_id=dashboard)
            return self._put(refresh, "MONITOR_REFRESH_STATE_RUNNING"), self._monitors.put(monitor.table_id, active)

    def _first_dashboard(self, monitor: Monitor) -> str | None:
        return None if monitor.config.skip_builtin_dashboard else self._dashboards.make(monitor).dashboard_id

    def _refresh(self, refresh: Refresh, monitor: Monitor) -> None:
        """Bring the metric tables up to date. Assumption: both are there from the first refresh on, so that queries do not fail."""

        def check() -> None:
            current = self._refreshes.get(str(refresh.refresh_id))
            if current is None or current.ended:
                raise _NotWantedError
            if self.is_closing:
                raise _BrokenOffError

        work = self._computation.work(monitor, self._progress.get(monitor.table_id), self._clock.now(), check)
        with self._writing:
            check()
            self._progress.put(monitor.table_id, self._computation.write(work, monitor))
            self._end(refresh, None)

    def _end(self, refresh: Refresh, failure: str | None, status: Status = "DATA_PROFILING_STATUS_ACTIVE") -> None:
        # Assumption: a monitor that cannot be refreshed until somebody brings back what it needs is in ERROR; any other stays ACTIVE.
        with self._refreshes.transaction():
            current = self._refreshes.get(str(refresh.refresh_id))
            monitor = self._monitors.get(refresh.object_id)
            if current is None or monitor is None or current.ended:
                return
            self._put(current, "MONITOR_REFRESH_STATE_FAILED" if failure else "MONITOR_REFRESH_STATE_SUCCESS", failure)
            self._monitors.put(monitor.table_id, msgspec.structs.replace(monitor, failure=failure, status=status))
            if failure:
                self._record(refresh, monitor, failure)

    def _record(self, refresh: Refresh, monitor: Monitor, failure: str) -> None:
        settings = monitor.config.notification_settings
        if settings is None or settings.on_failure is None or not settings.on_failure.email_addresses:
            return
        to = settings.on_failure.email_addresses
        one = Notification(millis(self._clock.now()), monitor.table, refresh.refresh_id, "on_failure", to, failure)
        self._notifications.put(str(refresh.refresh_id), one)
        log.info("the refresh of %s failed; a mail would go to %s", monitor.table, ", ".join(to))

    def _put(self, refresh: Refresh, state: RefreshState, message: str | None = None) -> Refresh:
        ended = None if state == "MONITOR_REFRESH_STATE_RUNNING" else millis(self._clock.now())
        return self._refreshes.put(
            str(refresh.refresh_id), msgspec.structs.replace(refresh, state=state, message=message, end_time_ms=ended)
        )
