"""Rules of a monitor's configuration: whether it makes sense, and how an update changes it. Pure."""

from collections.abc import Sequence
from types import UnionType
from typing import get_args

import msgspec

from harness import quartz
from harness.errors import ApiError
from harness.monitoring.custom_metrics import check_metrics
from harness.monitoring.model import CronSchedule, DataProfilingConfig, Document, InferenceLogConfig, NotificationSettings
from harness.monitoring.schemas import RESERVED
from harness.zones import UnknownZoneError, zone

_MOST_ADDRESSES = 5  # databricks-sdk, `NotificationDestination`


def checked(config: DataProfilingConfig | None) -> DataProfilingConfig:
    """Return `config` if the harness can compute it; else raise the platform's 400, or 501 with the field's name."""
    if config is None:
        raise invalid("data_profiling_config is required for object_type 'table'")
    kinds = _kinds(config)
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        raise invalid(f"data_profiling_config needs exactly one of snapshot, time_series, inference_log; found {found}")
    _check_slices(config)
    if config.schedule is not None:
        _check_schedule(config.schedule)
    if config.notification_settings is not None:
        _check_notifications(config.notification_settings)
    if config.inference_log is not None:
        _check_inference_log(config.inference_log)
    if config.time_series is not None:
        _check_granularities("data_profiling_config.time_series", config.time_series.granularities)
    check_metrics(config)
    return config


def _check_schedule(schedule: CronSchedule) -> None:
    where = "data_profiling_config.schedule"
    try:
        quartz.parse(schedule.quartz_cron_expression)
        zone(schedule.timezone_id)
    except quartz.QuartzProblemError as error:
        raise invalid(f"{where}.quartz_cron_expression '{schedule.quartz_cron_expression}': {error}") from error
    except UnknownZoneError as error:
        raise invalid(f"{where}.timezone_id: {error}") from error


def _check_notifications(settings: NotificationSettings) -> None:
    addresses = settings.on_failure.email_addresses if settings.on_failure is not None else ()
    if len(addresses) > _MOST_ADDRESSES:
        found = len(addresses)
        raise invalid(f"data_profiling_config.notification_settings.on_failure: at most {_MOST_ADDRESSES} email_addresses; found {found}")


def _check_slices(config: DataProfilingConfig) -> None:
    expressions = config.slicing_exprs
    if not all(expression.strip() for expression in expressions) or len(set(expressions)) < len(expressions):
        raise invalid(f"data_profiling_config.slicing_exprs needs expressions that differ, none of them empty; found {list(expressions)}")


def _check_inference_log(log: InferenceLogConfig) -> None:
    where = "data_profiling_config.inference_log"
    _check_granularities(where, log.granularities)
    optional = [name for name in (log.label_column, log.prediction_proba_column) if name is not None]
    named = [log.timestamp_column, log.prediction_column, log.model_id_column, *optional]
    if len(set(named)) < len(named) or not all(named):
        raise invalid(f"{where} needs a column of its own for each of timestamp, prediction, model id and label; found {', '.join(named)}")
    if log.is_regression and log.prediction_proba_column is not None:
        raise invalid(f"{where}: a column of probabilities goes with the problem type classification; found regression")
    # Assumption: a model-id column named like one of the metric tables' own columns cannot stand beside it.
    if log.model_id_column in RESERVED:
        raise invalid(f"{where}.model_id_column '{log.model_id_column}' is the name of a metric table's own column; rename it")


def _check_granularities(where: str, granularities: Sequence[str]) -> None:
    if not granularities:
        raise invalid(f"{where}.granularities needs at least one value")
    if len(set(granularities)) < len(granularities):
        raise invalid(f"{where}.granularities names a value twice: {', '.join(granularities)}")


def updated(config: DataProfilingConfig, body: Document, mask: str) -> DataProfilingConfig:
    """Return `config` with the fields that `mask` names taken from `body`: absent there means cleared."""
    current: Document = {"data_profiling_config": msgspec.to_builtins(config)}
    paths = [path for part in mask.split(",") if (path := part.strip())]
    if not paths:
        raise invalid("update_mask names no field; expected fields such as data_profiling_config.slicing_exprs, or *")
    for path in paths:
        keys = ["data_profiling_config"] if path == "*" else path.split(".")
        if keys[0] != "data_profiling_config" or not _is_field(DataProfilingConfig, keys[1:]):
            raise invalid(f"update_mask: '{path}' is not a field of a table monitor that can be updated")
        current = _assigned(current, keys, _at(body, keys))
    try:
        return msgspec.convert(current.get("data_profiling_config"), DataProfilingConfig, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(f"data_profiling_config: {error}") from error


def check_update(before: DataProfilingConfig, after: DataProfilingConfig) -> None:
    """Raise the platform's 400 for what a monitor keeps as long as it is: its kind, and where it writes."""
    kinds = [_kinds(config) for config in (before, after)]
    if kinds[0] != kinds[1]:
        raise invalid(
            f"data_profiling_config: a monitor of kind {kinds[0][0]} cannot become one of kind {kinds[1][0]}; delete it and create another"
        )
    # "Certain configuration fields, such as output asset identifiers, cannot be updated": databricks-sdk, `QualityMonitorsAPI.update`.
    if after.output_schema_id != before.output_schema_id:
        raise invalid("data_profiling_config.output_schema_id: the output schema cannot be updated; delete the monitor and create another")


def _kinds(config: DataProfilingConfig) -> list[str]:
    return [kind for kind in ("snapshot", "time_series", "inference_log") if getattr(config, kind) is not None]


def _is_field(type_: object, keys: Sequence[str]) -> bool:
    """Return whether a message of this type, which may be optional, has a field that `keys` lead to."""
    if not keys:
        return True
    options = [
        option
        for option in (get_args(type_) if isinstance(type_, UnionType) else (type_,))
        if isinstance(option, type) and issubclass(option, msgspec.Struct)
    ]
    key, *rest = keys
    return any(field.name == key and _is_field(field.type, rest) for option in options for field in msgspec.structs.fields(option))


def _at(document: Document, keys: list[str]) -> object:
    value: object = document
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _assigned(document: Document, keys: list[str], value: object) -> Document:
    key, *rest = keys
    if rest:
        inner = document.get(key)
        value = _assigned(inner if isinstance(inner, dict) else {}, rest, value)
    return {name: kept for name, kept in document.items() if name != key} | ({} if value is None else {key: value})


def invalid(message: str) -> ApiError:
    """Return the platform's 400."""
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)
