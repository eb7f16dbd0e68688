"""What a refresh computes: both metric tables of a monitor, from the tables on disk."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from harness.monitoring import tables as delta
from harness.monitoring.compute import Metrics, Source, compute
from harness.monitoring.custom_columns import CustomColumns
from harness.monitoring.fitness import UnfitTable
from harness.monitoring.model import Monitor
from harness.monitoring.ports import Expressions, Tables
from harness.monitoring.reading import Reader
from harness.monitoring.snapshots import appended, latest
from harness.names import FullName

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Computation:
    """Computes the metrics of monitors. `lookback` and `quantile_grid` as `MonitoringService` has them."""

    tables: Tables
    expressions: Expressions
    lookback: dt.timedelta | None
    quantile_grid: bool

    def metrics(self, monitor: Monitor, now: dt.datetime) -> Metrics:
        """Return what the metric tables of `monitor` shall hold after a refresh at `now`."""
        if self.tables.table_by_id(monitor.table_id) is None:
            raise UnfitTable(f"{monitor.table}: the table does not exist any more; delete its monitor")
        config, reader = monitor.config, Reader(self.tables, self.expressions)
        sample, version = reader.read(monitor.table, config.slicing_exprs)
        created = dt.datetime.fromtimestamp(monitor.created_ms / 1000, dt.UTC)
        source = Source(
            sample=sample,
            version=version,
            config=config.inference_log or config.time_series,
            monitor_version=monitor.version,
            baseline=None if config.baseline_table_name is None else reader.read_baseline(config.baseline_table_name, config.slicing_exprs),
            slicing=config.slicing_exprs,
            not_before=None if self.lookback is None else created - self.lookback,
            grid=self.quantile_grid,
        )
        if config.snapshot is not None:
            return self._snapshot(monitor, source, reader, now)
        return self._complete(monitor, source, compute(source), history=None)

    def _snapshot(self, monitor: Monitor, source: Source, reader: Reader, now: dt.datetime) -> Metrics:
        profile, drift = (delta.read_if_there(self._path(name)) for name in (monitor.profile_table, monitor.drift_table))
        earlier = latest(profile)
        previous = None if earlier is None else reader.read_again(monitor.table, monitor.config.slicing_exprs, earlier)
        instant = max((now - _EPOCH) // dt.timedelta(microseconds=1), 0 if earlier is None else earlier.instant + 1)
        source = source.at(instant, previous, 0 if earlier is None else earlier.instant)
        found = self._complete(monitor, source, compute(source), history=profile)
        return Metrics(found.profile, appended(drift, found.drift))

    def _complete(self, monitor: Monitor, source: Source, found: Metrics, *, history: pa.Table | None) -> Metrics:
        """Return metric tables with custom metrics; of a snapshot, the profile with its history."""
        custom = CustomColumns(self.expressions, monitor.config)
        profile = appended(history, custom.profile(source, found.profile))
        return Metrics(profile, custom.drift(found.drift, profile))

    def check(self, monitor: Monitor) -> None:
        """Raise the platform's 400 for custom metrics that Spark cannot compute over the table as it is now."""
        schema = delta.schema(self._path(monitor.table)) if monitor.config.custom_metrics else None
        if schema is not None:
            CustomColumns(self.expressions, monitor.config).check(schema)

    def _path(self, name: str) -> Path:
        return self.tables.table_path(FullName.parse(name))
