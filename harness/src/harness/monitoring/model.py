"""The monitor API's messages, typed.

Names and enums: databricks-sdk 0.156.0, `databricks.sdk.service.dataquality`. Output-only fields that a client sends are ignored.
"""

from typing import Literal

import msgspec

Document = dict[str, object]
RefreshState = Literal[
    "MONITOR_REFRESH_STATE_PENDING",
    "MONITOR_REFRESH_STATE_RUNNING",
    "MONITOR_REFRESH_STATE_SUCCESS",
    "MONITOR_REFRESH_STATE_FAILED",
    "MONITOR_REFRESH_STATE_CANCELED",
]
RefreshTrigger = Literal["MONITOR_REFRESH_TRIGGER_MANUAL", "MONITOR_REFRESH_TRIGGER_SCHEDULE"]
Status = Literal["DATA_PROFILING_STATUS_PENDING", "DATA_PROFILING_STATUS_ACTIVE", "DATA_PROFILING_STATUS_ERROR"]
GranularityName = Literal[
    "AGGREGATION_GRANULARITY_5_MINUTES",
    "AGGREGATION_GRANULARITY_30_MINUTES",
    "AGGREGATION_GRANULARITY_1_HOUR",
    "AGGREGATION_GRANULARITY_1_DAY",
    "AGGREGATION_GRANULARITY_1_WEEK",
    "AGGREGATION_GRANULARITY_2_WEEKS",
    "AGGREGATION_GRANULARITY_3_WEEKS",
    "AGGREGATION_GRANULARITY_4_WEEKS",
    "AGGREGATION_GRANULARITY_1_MONTH",
    "AGGREGATION_GRANULARITY_1_YEAR",
]


class InferenceLogConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which columns hold time, prediction, model and label."""

    problem_type: Literal["INFERENCE_PROBLEM_TYPE_REGRESSION", "INFERENCE_PROBLEM_TYPE_CLASSIFICATION"]
    timestamp_column: str
    granularities: tuple[GranularityName, ...]
    prediction_column: str
    model_id_column: str
    label_column: str | None = None
    prediction_proba_column: str | None = None
    """Set through `w.quality_monitors` only: the newer API has no such field."""

    @property
    def is_regression(self) -> bool:
        """Whether predictions are numbers to be near to, and not classes to be hit."""
        return self.problem_type == "INFERENCE_PROBLEM_TYPE_REGRESSION"


class TimeSeriesConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which column holds the time."""

    timestamp_column: str
    granularities: tuple[GranularityName, ...]


class CustomMetric(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A figure the user defines: a template of one SQL expression."""

    name: str
    definition: str
    input_columns: tuple[str, ...]
    output_data_type: str
    type: Literal[
        "DATA_PROFILING_CUSTOM_METRIC_TYPE_AGGREGATE",
        "DATA_PROFILING_CUSTOM_METRIC_TYPE_DERIVED",
        "DATA_PROFILING_CUSTOM_METRIC_TYPE_DRIFT",
    ]


class NotificationDestination(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom to tell."""

    email_addresses: tuple[str, ...] = ()


class NotificationSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to tell of; nothing is sent, each notification is recorded."""

    on_failure: NotificationDestination | None = None


class CronSchedule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When refreshes start by themselves."""

    quartz_cron_expression: str
    timezone_id: str
    pause_status: Literal["CRON_SCHEDULE_PAUSE_STATUS_PAUSED", "CRON_SCHEDULE_PAUSE_STATUS_UNPAUSED"] | None = None


class DataProfilingConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A table monitor as the client writes it."""

    output_schema_id: str
    snapshot: Document | None = None
    time_series: TimeSeriesConfig | None = None
    inference_log: InferenceLogConfig | None = None
    baseline_table_name: str | None = None
    slicing_exprs: tuple[str, ...] = ()
    custom_metrics: tuple[CustomMetric, ...] = ()
    notification_settings: NotificationSettings | None = None
    assets_dir: str | None = None
    schedule: CronSchedule | None = None
    skip_builtin_dashboard: bool = False
    warehouse_id: str | None = None


class MonitorRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of create."""

    object_type: str
    object_id: str
    data_profiling_config: DataProfilingConfig | None = None


class Monitor(msgspec.Struct, frozen=True, kw_only=True):
    """What the harness remembers of one monitor."""

    table_id: str
    table: str
    output_schema: str
    config: DataProfilingConfig
    version: int
    status: Status
    created_ms: int
    failure: str | None = None
    dashboard_id: str | None = None

    @property
    def profile_table(self) -> str:
        """The full name of the profile metrics table."""
        return f"{self.output_schema}.{self.table.rpartition('.')[2]}_profile_metrics"

    @property
    def drift_table(self) -> str:
        """The full name of the drift metrics table."""
        return f"{self.output_schema}.{self.table.rpartition('.')[2]}_drift_metrics"


class Refresh(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run over the table, as the API shows it."""

    object_type: Literal["table"]
    object_id: str
    refresh_id: int
    state: RefreshState
    trigger: RefreshTrigger
    start_time_ms: int
    end_time_ms: int | None = None
    message: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.state not in {"MONITOR_REFRESH_STATE_PENDING", "MONITOR_REFRESH_STATE_RUNNING"}


class Notification(msgspec.Struct, frozen=True):
    """One message to some people."""

    time: int
    table: str
    refresh_id: int
    event: Literal["on_failure"]
    to: tuple[str, ...]
    message: str
