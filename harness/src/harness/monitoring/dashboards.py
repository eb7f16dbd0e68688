"""The dashboards of monitors: which there are, and of which metric tables. What they show is drawn by `harness.dashboard`."""

import msgspec

from harness.clock import Clock, millis
from harness.errors import ApiError
from harness.ids import Ids
from harness.monitoring.model import Monitor
from harness.state import Documents, Store


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """One dashboard; `monitor` is its monitor as it was last seen, for a dashboard outlives it."""

    dashboard_id: str
    monitor: Monitor
    parent_folder: str
    created_ms: int
    updated_ms: int

    @property
    def display_name(self) -> str:
        """Assumption: the platform's wording of the name is not documented."""
        return f"{self.monitor.table} Monitoring"


class Dashboards:
    """Every dashboard that was made for a monitor. `user` is whose folder takes the assets of monitors that name none."""

    def __init__(self, *, clock: Clock, ids: Ids, store: Store, user: str) -> None:
        self._clock = clock
        self._ids = ids
        self._home = f"/Workspace/Users/{user}/databricks_lakehouse_monitoring"  # Assumption: what the platform's own pages fill in
        self._made = Documents(store, "monitor_dashboard", Dashboard)

    def make(self, monitor: Monitor) -> Dashboard:
        """Return the dashboard of `monitor`, made anew; one that is there already keeps its id."""
        # Assumption: regenerating does not change the id of a dashboard that was not deleted.
        known = self._made.get(monitor.dashboard_id or "")
        now = millis(self._clock.now())
        dashboard_id = known.dashboard_id if known else self._ids.hex32()
        return self._made.put(
            dashboard_id,
            Dashboard(
                dashboard_id=dashboard_id,
                monitor=msgspec.structs.replace(monitor, dashboard_id=dashboard_id),
                # "Parent folder is equivalent to {assets_dir}/{tableName}": databricks-sdk, RegenerateDashboardResponse.
                parent_folder=f"{(monitor.config.assets_dir or self._home).rstrip('/')}/{monitor.table}",
                created_ms=known.created_ms if known else now,
                updated_ms=now,
            ),
        )

    def keep(self, monitor: Monitor) -> None:
        """Remember how `monitor` was, which is about to be deleted: its dashboard stays."""
        known = self._made.get(monitor.dashboard_id or "")
        if known is not None:
            self._made.put(known.dashboard_id, msgspec.structs.replace(known, monitor=monitor))

    def get(self, dashboard_id: str) -> Dashboard:
        """Return one dashboard, or raise the platform's 404."""
        found = self._made.get(dashboard_id)
        if found is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Dashboard with ID '{dashboard_id}' does not exist.")
        return found

    def list(self) -> list[Dashboard]:
        """Return every dashboard, the oldest first."""
        return sorted(self._made.list(), key=lambda one: (one.created_ms, one.dashboard_id))
