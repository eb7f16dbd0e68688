"""What a refresh computes and writes: the rows of both metric tables that are not as they should be."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.monitoring import tables as delta
from harness.monitoring.custom_columns import CustomColumns
from harness.monitoring.fitness import GoneTable
from harness.monitoring.kind import kind_of
from harness.monitoring.looking import Looking
from harness.monitoring.metric_rows import Source
from harness.monitoring.metric_tables import Changes, MetricTables
from harness.monitoring.model import Monitor
from harness.monitoring.ports import Expressions, Tables
from harness.monitoring.progress import FIGURES, Progress
from harness.monitoring.reading import Reader
from harness.names import FullName

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# More rows than have so many values are read a few windows at a time.
MOST_CELLS = 16_000_000


@dataclass(frozen=True, slots=True)
class Work:
    """What a refresh has to write, and what its metric tables then stand for."""

    changes: Changes
    progress: Progress


@dataclass(frozen=True, slots=True)
class Computation:
    """Computes the metrics of monitors. `lookback` and `quantile_grid` as `MonitoringService` has them."""

    tables: Tables
    expressions: Expressions
    lookback: dt.timedelta | None
    quantile_grid: bool
    most_cells: int = MOST_CELLS

    def work(self, monitor: Monitor, saved: Progress | None, now: dt.datetime, check: Callable[[], None]) -> Work:
        """Return what a refresh of `monitor` at `now` has to write; `saved` is what the one before left. `check` may raise to end it."""
        if self.tables.table_by_id(monitor.table_id) is None:
            raise GoneTable(f"{monitor.table}: the table does not exist any more; delete its monitor")
        if self.tables.schema_by_id(monitor.config.output_schema_id) is None:
            raise GoneTable(f"{monitor.output_schema}: the output schema does not exist any more; create it again or delete the monitor")
        looking = self.looking(monitor, saved, check)
        instant = (now - _EPOCH) // dt.timedelta(microseconds=1)
        changes, slices = looking.windows() if monitor.config.snapshot is None else looking.snapshot(instant)
        return Work(changes, msgspec.structs.replace(looking.now, slices=slices))

    def write(self, work: Work, monitor: Monitor) -> Progress:
        """Write what a refresh found, each table in at most one commit; return what to remember of it."""
        # Drift first: a row of it whose instant has no profile is known to be of a refresh that was broken off.
        delta.write(self._path(monitor.drift_table), work.changes.drift)
        delta.write(self._path(monitor.profile_table), work.changes.profile)
        profile, drift = (delta.opened(self._path(name), name).at for name in (monitor.profile_table, monitor.drift_table))
        return msgspec.structs.replace(work.progress, profile=profile, drift=drift)

    def check(self, monitor: Monitor) -> None:
        """Raise the platform's 400 for custom metrics that Spark cannot compute over the table as it is now."""
        table = delta.if_there(self._path(monitor.table), monitor.table) if monitor.config.custom_metrics else None
        if table is not None:
            CustomColumns(self.expressions, monitor.config).check(table.columns)

    def looking(self, monitor: Monitor, saved: Progress | None, check: Callable[[], None]) -> Looking:
        """Return a refresh of `monitor`, ready to begin, with all tables opened at the versions of now."""
        config = monitor.config
        kind = config.inference_log or config.time_series
        reader = Reader(self.tables, self.expressions, config.slicing_exprs)
        table = reader.open(monitor.table)
        baseline = None if config.baseline_table_name is None else reader.open(config.baseline_table_name)
        profile, drift = (delta.if_there(self._path(name), name) for name in (monitor.profile_table, monitor.drift_table))
        existing = MetricTables(profile, drift, kind_of(kind).model_id)
        now = Progress(
            monitor_version=monitor.version,
            settings=f"figures {FIGURES}, lookback {self.lookback}, grid {self.quantile_grid}, monitor of {monitor.created_ms}",
            table=table.at,
            columns=table.delta.schema().to_json(),
            baseline=None if baseline is None else baseline.at,
            slices=(),
            profile=existing.at[0],
            drift=existing.at[1],
        )
        created = dt.datetime.fromtimestamp(monitor.created_ms / 1000, dt.UTC)
        source = Source(
            version=table.at.version,
            config=kind,
            monitor_version=monitor.version,
            slicing=config.slicing_exprs,
            not_before=None if self.lookback is None else created - self.lookback,
            grid=self.quantile_grid,
        )
        custom = CustomColumns(self.expressions, config)
        return Looking(reader, table, baseline, source, custom, existing, saved, now, check, self.most_cells)

    def _path(self, name: str) -> Path:
        return self.tables.table_path(FullName.parse(name))
