"""Telemetry of an endpoint: what clients send, what the platform remembers and shows of it.

Observed with the platform (github.com/databricks/cli, acceptance/bundle/resources/model_serving_endpoints/drift/telemetry_*): `table_names`
are consumed and come back as a profile's id; the inference table is named after the logs table; a configuration with neither tables nor
profile changes nothing; none at all removes what there is.
"""

from typing import Literal

import msgspec

from harness.errors import ApiError
from harness.names import FullName

INFERENCE_TABLE = "TELEMETRY_FEATURE_INFERENCE_TABLE"
Feature = Literal["TELEMETRY_FEATURE_INFERENCE_TABLE", "TELEMETRY_FEATURE_LOGS", "TELEMETRY_FEATURE_METRICS", "TELEMETRY_FEATURE_TRACES"]
_SUFFIX = "_payload"


class TableNames(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The tables of a telemetry profile.

    Assumption: they are recorded and named; the harness writes none of them but the inference table beside the logs table.
    """

    logs_table: str | None = None
    metrics_table: str | None = None
    traces_table: str | None = None
    annotations_table: str | None = None


class TelemetryTable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The inference table of an endpoint's telemetry; what a client sends as `name` is not read."""

    name: str | None = None
    sampling_fraction: float | None = None


class TelemetryInput(msgspec.Struct, frozen=True, kw_only=True):
    """`telemetry_config` as sent."""

    enabled_telemetry_features: list[Feature] = []
    inference_table_config: TelemetryTable | None = None
    table_names: TableNames | None = None
    telemetry_profile_id: str | None = None


class TelemetryPatch(msgspec.Struct, frozen=True):
    """PATCH …/telemetry-config."""

    telemetry_config: TelemetryInput | None = None


class TelemetryProfile(msgspec.Struct, frozen=True):
    """Tables that endpoints can share."""

    id: str
    tables: TableNames


class Telemetry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`telemetry_config` as remembered and shown."""

    telemetry_profile_id: str
    inference_table_config: TelemetryTable | None = None
    enabled_telemetry_features: list[Feature] = []

    @property
    def logged_table(self) -> TelemetryTable | None:
        """The inference table, when calls are to be logged there."""
        features = self.enabled_telemetry_features
        return self.inference_table_config if not features or INFERENCE_TABLE in features else None


def check(wanted: TelemetryInput) -> None:
    """Raise for what cannot be applied. Assumption: none of these wordings is documented."""
    if wanted.table_names is not None and wanted.telemetry_profile_id:
        raise _invalid("give either table_names or telemetry_profile_id, not both.")
    tables = wanted.table_names
    for name in (tables.logs_table, tables.metrics_table, tables.traces_table, tables.annotations_table) if tables else ():
        if name is not None:
            FullName.parse(name)
    fraction = wanted.inference_table_config.sampling_fraction if wanted.inference_table_config else None
    if fraction is not None and not 0 <= fraction <= 1:
        raise _invalid(f"inference_table_config.sampling_fraction must be from 0 to 1, got {fraction}.")


def applied(wanted: TelemetryInput, profile: TelemetryProfile) -> Telemetry:
    """Return what an endpoint with the tables of `profile` remembers of `wanted`."""
    asked, logs = wanted.inference_table_config, profile.tables.logs_table
    if asked is not None and logs is None:
        raise _invalid("inference_table_config needs table_names.logs_table, which its table is named after.")
    table = TelemetryTable(name=f"{logs}{_SUFFIX}", sampling_fraction=asked.sampling_fraction) if asked is not None else None
    return Telemetry(
        telemetry_profile_id=profile.id, inference_table_config=table, enabled_telemetry_features=wanted.enabled_telemetry_features
    )


def _invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_PARAMETER_VALUE", f"telemetry_config: {message}")
