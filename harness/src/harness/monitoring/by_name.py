"""The messages of `w.quality_monitors`: the same monitors by the names of their tables, in the older words.

Names and enums: databricks-sdk 0.156.0, `databricks.sdk.service.catalog`, `MonitorInfo` and what it holds.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from harness.errors import NotEmulated
from harness.monitoring.configuration import invalid
from harness.monitoring.model import DataProfilingConfig, Document, Monitor, NotificationSettings, Refresh
from harness.monitoring.windows import GRANULARITIES

_FIELDS = {
    "timestamp_col": "timestamp_column",
    "prediction_col": "prediction_column",
    "prediction_proba_col": "prediction_proba_column",
    "model_id_col": "model_id_column",
    "label_col": "label_column",
    "notifications": "notification_settings",
}
_OLDER_FIELDS = {newer: older for older, newer in _FIELDS.items()}
# What the newer API writes before each value of these fields.
_PREFIXES = {"problem_type": "INFERENCE_", "type": "DATA_PROFILING_", "pause_status": "CRON_SCHEDULE_PAUSE_STATUS_"}
_LABELS = {name: granularity.label for name, granularity in GRANULARITIES.items()}
_NAMES = {label: name for name, label in _LABELS.items()}
_OUTPUT_ONLY = (
    "status", "profile_metrics_table_name", "drift_metrics_table_name", "monitor_version", "latest_monitor_failure_msg", "dashboard_id",
)  # fmt: skip
_NOT_SHOWN = ("output_schema_id", "skip_builtin_dashboard", "warehouse_id")


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message: what is not there is not shown."""


class MonitorTimeSeries(_Message, frozen=True, kw_only=True):
    """Which column holds the time."""

    timestamp_col: str
    granularities: tuple[str, ...]


class MonitorInferenceLog(_Message, frozen=True, kw_only=True):
    """Which columns hold time, prediction, probabilities, model and label."""

    problem_type: Literal["PROBLEM_TYPE_REGRESSION", "PROBLEM_TYPE_CLASSIFICATION"]
    timestamp_col: str
    granularities: tuple[str, ...]
    prediction_col: str
    model_id_col: str
    label_col: str | None = None
    prediction_proba_col: str | None = None


class MonitorMetric(_Message, frozen=True, kw_only=True):
    """A figure the user defines."""

    name: str
    definition: str
    input_columns: tuple[str, ...]
    output_data_type: str
    type: Literal["CUSTOM_METRIC_TYPE_AGGREGATE", "CUSTOM_METRIC_TYPE_DERIVED", "CUSTOM_METRIC_TYPE_DRIFT"]


class MonitorCronSchedule(_Message, frozen=True, kw_only=True):
    """When refreshes start by themselves."""

    quartz_cron_expression: str
    timezone_id: str
    pause_status: Literal["PAUSED", "UNPAUSED"] | None = None


class MonitorRequest(_Message, frozen=True, kw_only=True):
    """The body of create and of update."""

    output_schema_name: str
    assets_dir: str | None = None
    snapshot: Document | None = None
    time_series: MonitorTimeSeries | None = None
    inference_log: MonitorInferenceLog | None = None
    baseline_table_name: str | None = None
    slicing_exprs: tuple[str, ...] = ()
    custom_metrics: tuple[MonitorMetric, ...] = ()
    notifications: NotificationSettings | None = None
    schedule: MonitorCronSchedule | None = None
    data_classification_config: Document | None = None
    skip_builtin_dashboard: bool = False
    warehouse_id: str | None = None


def check_create(body: Document) -> None:
    """Raise the platform's 400 for a field that only answers have ("Create:ERR" in the SDK's docstrings), or one that is missing."""
    given = [name for name in _OUTPUT_ONLY if body.get(name) is not None]
    if given:
        raise invalid(f"{', '.join(given)}: the platform sets this; leave it out")
    if not body.get("assets_dir"):
        raise invalid(
            "assets_dir is required: an absolute path for the monitor's assets, such as /Workspace/Users/you@example.com/monitors"
        )


def check_dashboard(body: Document, monitor: Monitor) -> None:
    """Raise the platform's 400 for an update that gives the monitor another dashboard than its own."""
    given = body.get("dashboard_id")
    if given and given != monitor.dashboard_id:
        # The platform lets a dashboard of one's own take the place; here none can be made.
        raise invalid(f"dashboard_id '{given}' is not the dashboard of the monitor of {monitor.table}; leave it out")


def config_of(request: MonitorRequest, output_schema_id: str) -> DataProfilingConfig:
    """Return the configuration that a request in the older words means."""
    if request.data_classification_config and request.data_classification_config.get("enabled"):
        raise NotEmulated("data_classification_config.enabled")
    for where in (request.inference_log, request.time_series):
        unknown = [text for text in where.granularities if text not in _NAMES] if where is not None else []
        if unknown:
            raise invalid(f"granularities: '{unknown[0]}' is not known; expected one of {', '.join(_NAMES)}")
    body = msgspec.to_builtins(request)
    for name in ("output_schema_name", "data_classification_config"):
        body.pop(name, None)
    return msgspec.convert({"output_schema_id": output_schema_id, **_newer(body)}, DataProfilingConfig)


def shown(monitor: Monitor) -> Document:
    """Return a monitor as `MonitorInfo`."""
    config: Document = msgspec.to_builtins(monitor.config)
    found = {
        "table_name": monitor.table,
        "status": monitor.status.replace("DATA_PROFILING_STATUS_", "MONITOR_STATUS_"),
        "monitor_version": monitor.version,
        "profile_metrics_table_name": monitor.profile_table,
        "drift_metrics_table_name": monitor.drift_table,
        "output_schema_name": monitor.output_schema,
        **_older({name: value for name, value in config.items() if name not in _NOT_SHOWN}),
    }
    known = {"dashboard_id": monitor.dashboard_id, "latest_monitor_failure_msg": monitor.failure}
    return found | {name: value for name, value in known.items() if value}


def shown_refresh(refresh: Refresh) -> Document:
    """Return a refresh as `MonitorRefreshInfo`."""
    found: Document = msgspec.to_builtins(refresh)
    state, trigger = refresh.state.removeprefix("MONITOR_REFRESH_STATE_"), refresh.trigger.removeprefix("MONITOR_REFRESH_TRIGGER_")
    return {name: value for name, value in found.items() if not name.startswith("object_")} | {"state": state, "trigger": trigger}


def _newer(document: Document) -> Document:
    return {_FIELDS.get(name, name): _newer_value(name, value) for name, value in document.items()}


def _newer_value(name: str, value: object) -> object:
    if name in _PREFIXES:
        return f"{_PREFIXES[name]}{value}"
    return _each(value, _newer, _NAMES if name == "granularities" else {})


def _older(document: Document) -> Document:
    return {_OLDER_FIELDS.get(name, name): _older_value(name, value) for name, value in document.items()}


def _older_value(name: str, value: object) -> object:
    if name in _PREFIXES:
        return str(value).removeprefix(_PREFIXES[name])
    return _each(value, _older, _LABELS if name == "granularities" else {})


def _each(value: object, inner: Callable[[Document], Document], names: Mapping[str, str]) -> object:
    if isinstance(value, dict):
        return inner(value)
    if isinstance(value, list | tuple):
        return [inner(item) if isinstance(item, dict) else names.get(item, item) for item in value]
    return value
