import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeVar

from databricks.sdk.errors import NotFound
from databricks.sdk.service.dataquality import (
    AggregationGranularity,
    DataProfilingConfig,
    DataProfilingStatus,
    InferenceLogConfig,
    InferenceProblemType,
    Monitor,
    Refresh,
    RefreshState,
)

from monitoring_unpacker.errors import MonitoringError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

Value = TypeVar("Value")

TABLE = "table"
_GOING_ON = (None, RefreshState.MONITOR_REFRESH_STATE_PENDING, RefreshState.MONITOR_REFRESH_STATE_RUNNING)
_DEAD = (
    DataProfilingStatus.DATA_PROFILING_STATUS_ERROR,
    DataProfilingStatus.DATA_PROFILING_STATUS_FAILED,
    DataProfilingStatus.DATA_PROFILING_STATUS_DELETE_PENDING,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorPlan:
    """The quality monitor that a processed table shall have.

    `label_column` is what quality figures are made of; rows without it count for drift only. Give `evaluation_label`
    so that rows the model was trained on do not flatter it. The windows follow `timestamp_column`.
    """

    table: str
    output_schema: str
    label_column: str = "label"
    timestamp_column: str = "request_time"
    granularities: tuple[str, ...] = ("1 day",)
    slices: tuple[str, ...] = ()
    baseline_table: str | None = None
    problem_type: Literal["regression", "classification"] = "regression"

    def config(self, output_schema_id: str) -> DataProfilingConfig:
        """Return the configuration to ask for."""
        return DataProfilingConfig(
            output_schema_id=output_schema_id,
            baseline_table_name=self.baseline_table,
            slicing_exprs=list(self.slices) or None,
            inference_log=InferenceLogConfig(
                problem_type=InferenceProblemType(f"INFERENCE_PROBLEM_TYPE_{self.problem_type.upper()}"),
                timestamp_column=self.timestamp_column,
                granularities=[granularity(text) for text in self.granularities],
                prediction_column="prediction",
                model_id_column="model_version",
                label_column=self.label_column,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityMonitor:
    """Creates or refreshes the monitor of a table, and waits until its metrics are there."""

    workspace: "WorkspaceClient"
    progress: Callable[[str], None]
    timeout: timedelta = timedelta(minutes=30)
    poll: float = 0.5
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    now: Callable[[], float] = field(default=time.monotonic, repr=False)

    def refresh(self, plan: MonitorPlan) -> DataProfilingConfig:
        """Return the monitor's configuration, with the names of its tables, after a refresh of the table as it is now.

        Raises:
            MonitoringError: the monitor or its refresh failed, or did not end in time.
        """
        table_id = _required(self.workspace.tables.get(plan.table).table_id, f"table {plan.table}: no table_id")
        schema_id = _required(self.workspace.schemas.get(plan.output_schema).schema_id, f"schema {plan.output_schema}: no schema_id")
        deadline = self.now() + self.timeout.total_seconds()
        if self._create(plan, Monitor(object_type=TABLE, object_id=table_id, data_profiling_config=plan.config(schema_id))):
            self._until_active(plan, table_id, deadline)
            refresh = self._newest(table_id)  # creation starts one by itself
        else:
            self._until_active(plan, table_id, deadline)
            running = self._newest(table_id)
            if running is not None and running.state in _GOING_ON:  # begun before the newest rows were there
                self._ended(plan, running, deadline)
            refresh = None
        if refresh is None:
            refresh = self.workspace.data_quality.create_refresh(TABLE, table_id, Refresh(object_type=TABLE, object_id=table_id))
        ended = self._ended(plan, refresh, deadline)
        if ended.state != RefreshState.MONITOR_REFRESH_STATE_SUCCESS:
            state = ended.state.value if ended.state else "no state"
            raise MonitoringError(f"monitor of {plan.table}: refresh {ended.refresh_id} ended as {state}: {ended.message or 'no message'}")
        self.progress(f"monitor of {plan.table}: refreshed")
        return _required(
            self.workspace.data_quality.get_monitor(TABLE, table_id).data_profiling_config, f"monitor of {plan.table}: no configuration"
        )

    def _create(self, plan: MonitorPlan, wanted: Monitor) -> bool:
        """Make the monitor, or bring an existing one up to date; return whether it is new."""
        quality = self.workspace.data_quality
        try:
            found = quality.get_monitor(TABLE, wanted.object_id)
        except NotFound:
            self.progress(f"monitor of {plan.table}: create, metrics go to {plan.output_schema}")
            quality.create_monitor(wanted)
            return True
        changed = _changed(found.data_profiling_config, wanted.data_profiling_config)
        if changed:
            self.progress(f"monitor of {plan.table}: change {', '.join(changed)}")
            mask = ",".join(f"data_profiling_config.{name}" for name in changed)
            quality.update_monitor(TABLE, wanted.object_id, wanted, mask)
        return False

    def _until_active(self, plan: MonitorPlan, table_id: str, deadline: float) -> None:
        while True:
            config = self.workspace.data_quality.get_monitor(TABLE, table_id).data_profiling_config
            status = config.status if config else None
            if status in _DEAD:
                why = (config.latest_monitor_failure_message if config else None) or "no message"
                raise MonitoringError(f"monitor of {plan.table} is {status.value if status else status}: {why}")
            if status == DataProfilingStatus.DATA_PROFILING_STATUS_ACTIVE:
                return
            self._pause(f"monitor of {plan.table}: not active", deadline)

    def _ended(self, plan: MonitorPlan, refresh: Refresh, deadline: float) -> Refresh:
        state = None
        while True:
            found = self.workspace.data_quality.get_refresh(
                TABLE, refresh.object_id, _required(refresh.refresh_id, "refresh without an id")
            )
            if found.state not in _GOING_ON:
                return found
            if found.state != state:
                state = found.state
                self.progress(f"monitor of {plan.table}: refresh {found.refresh_id} {state.value if state else 'begins'}")
            self._pause(f"monitor of {plan.table}: refresh {refresh.refresh_id} has not ended", deadline)

    def _newest(self, table_id: str) -> Refresh | None:
        refreshes = list(self.workspace.data_quality.list_refresh(TABLE, table_id))
        return max(refreshes, key=lambda refresh: refresh.start_time_ms or 0, default=None)

    def _pause(self, what: str, deadline: float) -> None:
        if self.now() >= deadline:
            raise MonitoringError(f"{what} after {self.timeout}")
        self.sleep(self.poll)


def granularity(text: str) -> AggregationGranularity:
    """Return the granularity that a user writes as "1 day"."""
    name = text.strip().upper().replace(" ", "_")
    names = {member.value.removeprefix("AGGREGATION_GRANULARITY_"): member for member in AggregationGranularity}
    if name not in names:
        raise MonitoringError(
            f"monitor granularity {text!r}: expected one of {', '.join(known.lower().replace('_', ' ') for known in names)}"
        )
    return names[name]


def _changed(found: DataProfilingConfig | None, wanted: DataProfilingConfig | None) -> list[str]:
    ours = ("output_schema_id", "baseline_table_name", "slicing_exprs", "inference_log")
    have, want = (config.as_dict() if config else {} for config in (found, wanted))
    return [name for name in ours if have.get(name) != want.get(name)]


def _required(value: Value | None, missing: str) -> Value:
    if value is None:
        raise MonitoringError(missing)
    return value
