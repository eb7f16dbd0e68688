"""The monitors of the monitoring service as the dashboard tells of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.clock import moment
from harness.dashboard.monitor.subject import Kind, Refreshed, Subject
from harness.monitoring.model import DataProfilingConfig, Monitor, Refresh
from harness.monitoring.service import MonitoringService
from harness.monitoring.windows import GRANULARITIES


@dataclass(frozen=True, slots=True)
class Monitored:
    """Every monitor, and those that were deleted and left a dashboard, by table."""

    service: MonitoringService

    def all(self) -> Sequence[Subject]:
        """Return them by table; of a table that has a monitor again, the one it has."""
        living = {one.table: subject(one, self.service.refreshes.of(one.table_id)) for one in self.service.monitors()}
        left = {one.monitor.table: subject(one.monitor, [], deleted=True) for one in self.service.dashboards.list()}
        return [found for _, found in sorted((left | living).items())]


def subject(monitor: Monitor, refreshes: Sequence[Refresh], *, deleted: bool = False) -> Subject:
    """Return what the dashboard tells of a monitor; `refreshes` are newest first."""
    config = monitor.config
    log, timed = config.inference_log, config.inference_log or config.time_series
    return Subject(
        table=monitor.table,
        profile_table=monitor.profile_table,
        drift_table=monitor.drift_table,
        kind=_kind(config),
        granularities=tuple(GRANULARITIES[name].label for name in timed.granularities) if timed else (),
        problem=None if log is None else "regression" if log.is_regression else "classification",
        timestamp=timed.timestamp_column if timed else None,
        prediction=log.prediction_column if log else None,
        label=log.label_column if log else None,
        model_id=log.model_id_column if log else None,
        baseline=config.baseline_table_name,
        status=monitor.status.removeprefix("DATA_PROFILING_STATUS_"),
        version=monitor.version,
        failure=monitor.failure,
        dashboard_id=monitor.dashboard_id,
        deleted=deleted,
        refreshes=tuple(_refreshed(one) for one in refreshes),
    )


def _kind(config: DataProfilingConfig) -> Kind:
    if config.inference_log is not None:
        return "inference log"
    return "snapshot" if config.time_series is None else "time series"


def _refreshed(refresh: Refresh) -> Refreshed:
    return Refreshed(
        state=refresh.state.removeprefix("MONITOR_REFRESH_STATE_"),
        trigger=refresh.trigger.removeprefix("MONITOR_REFRESH_TRIGGER_"),
        started=moment(refresh.start_time_ms),
        ended=None if refresh.end_time_ms is None else moment(refresh.end_time_ms),
        message=refresh.message,
    )
