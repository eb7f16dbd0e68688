"""Serving endpoints as data: what clients send, and what the harness remembers."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from harness.serving.telemetry import Telemetry, TelemetryInput

ConfigUpdate = Literal["NOT_UPDATING", "IN_PROGRESS", "UPDATE_FAILED", "UPDATE_CANCELED"]
Deployment = Literal["DEPLOYMENT_CREATING", "DEPLOYMENT_RECOVERING", "DEPLOYMENT_READY", "DEPLOYMENT_FAILED", "DEPLOYMENT_ABORTED"]


class Tag(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tag of an endpoint."""

    key: str
    value: str = ""


class TagsPatch(msgspec.Struct, frozen=True):
    """PATCH …/tags."""

    add_tags: list[Tag] = []
    delete_tags: list[str] = []


class EmailNotifications(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is told of an update's end. Remembered and shown; the harness sends no mail."""

    on_update_failure: list[str] = []
    on_update_success: list[str] = []


class NotificationsPatch(msgspec.Struct, frozen=True):
    """PATCH …/notifications."""

    email_notifications: EmailNotifications | None = None


class AutoCapture(msgspec.Struct, frozen=True):
    """The inference tables of before 2026-02-20, which cannot be enabled any more."""

    enabled: bool | None = None


class EntityInput(msgspec.Struct, frozen=True, kw_only=True):
    """A served entity as sent; `model_name` and `model_version` are the older words for the same."""

    name: str | None = None
    entity_name: str | None = None
    entity_version: str | None = None
    model_name: str | None = None
    model_version: str | None = None
    workload_size: str | None = None
    workload_type: str | None = None
    scale_to_zero_enabled: bool = False
    min_provisioned_concurrency: int | None = None
    max_provisioned_concurrency: int | None = None
    environment_vars: dict[str, str] = {}
    instance_profile_arn: str | None = None
    external_model: object = None
    min_provisioned_throughput: int | None = None
    max_provisioned_throughput: int | None = None
    provisioned_model_units: int | None = None


class RouteInput(msgspec.Struct, frozen=True):
    """A traffic route as sent."""

    traffic_percentage: int
    served_entity_name: str | None = None
    served_model_name: str | None = None


class TrafficInput(msgspec.Struct, frozen=True):
    """A traffic split as sent."""

    routes: list[RouteInput] = []


class ConfigInput(msgspec.Struct, frozen=True, kw_only=True):
    """The body of PUT …/config, and `config` at creation."""

    name: str | None = None  # the SDK's dataclass insists on it; it means nothing
    served_entities: list[EntityInput] = []
    served_models: list[EntityInput] = []
    traffic_config: TrafficInput | None = None
    auto_capture_config: AutoCapture | None = None


class ThroughputUpdate(msgspec.Struct, frozen=True):
    """PUT …/pt/{name}/config."""

    config: ConfigInput


class InferenceTableConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an endpoint's calls are logged."""

    catalog_name: str | None = None
    schema_name: str | None = None
    table_name_prefix: str | None = None
    enabled: bool | None = None


class UsageTracking(msgspec.Struct, frozen=True, omit_defaults=True):
    """Accepted and shown; the harness keeps no usage tables."""

    enabled: bool | None = None


class RateLimit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many calls (or tokens) `key` may make in a period; `principal` names one user, group or service principal."""

    renewal_period: Literal["minute"]
    calls: int | None = None
    key: Literal["endpoint", "user", "user_group", "service_principal"] | None = None
    principal: str | None = None
    tokens: int | None = None


class Gateway(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """AI Gateway of an endpoint, as sent and as remembered."""

    inference_table_config: InferenceTableConfig | None = None
    usage_tracking_config: UsageTracking | None = None
    fallback_config: object = None
    guardrails: object = None
    rate_limits: list[RateLimit] = []


class PutRateLimits(msgspec.Struct, frozen=True):
    """PUT …/rate-limits, and its answer."""

    rate_limits: list[RateLimit] = []


class CreateEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The body of POST /api/2.0/serving-endpoints."""

    name: str
    config: ConfigInput | None = None
    ai_gateway: Gateway | None = None
    tags: list[Tag] = []
    description: str = ""
    route_optimized: bool = False
    rate_limits: list[RateLimit] = []
    email_notifications: EmailNotifications | None = None
    telemetry_config: TelemetryInput | None = None


class ServedEntity(msgspec.Struct, frozen=True, kw_only=True):
    """One registered version, served under a name; `id` is the `served_entity_id` of its rows in the inference table."""

    id: str
    name: str
    entity_name: str
    entity_version: str
    creator: str
    creation_timestamp: int
    workload_size: str | None = None
    workload_type: str = "CPU"
    scale_to_zero_enabled: bool = False
    min_provisioned_concurrency: int | None = None
    max_provisioned_concurrency: int | None = None
    environment_vars: dict[str, str] = {}


class Route(msgspec.Struct, frozen=True):
    """A share of the traffic, in percent."""

    served_entity_name: str
    traffic_percentage: int


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint serves: entities and how the traffic is split over them."""

    version: int
    entities: tuple[ServedEntity, ...]
    routes: tuple[Route, ...]
    start_time: int = 0

    def entity(self, name: str) -> ServedEntity | None:
        """Return the entity of that name, if there is one."""
        return next((entity for entity in self.entities if entity.name == name), None)


class EntityState(msgspec.Struct, frozen=True):
    """How a served entity's process is doing."""

    deployment: Deployment
    deployment_state_message: str = ""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A serving endpoint.

    `pending` is what an update is bringing up, or what a failed one tried to; `outcome` then says, by entity id, how each ended.
    """

    id: str
    name: str
    creator: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str = ""
    route_optimized: bool = False
    tags: tuple[Tag, ...] = ()
    ai_gateway: Gateway | None = None
    config: Config | None = None
    pending: Config | None = None
    config_update: ConfigUpdate = "NOT_UPDATING"
    stopped: bool = False
    last_version: int = 0
    outcome: dict[str, EntityState] = {}
    rate_limits: list[RateLimit] = []
    """Those of the deprecated PUT …/rate-limits."""
    email_notifications: EmailNotifications | None = None
    telemetry_config: Telemetry | None = None

    @property
    def limits(self) -> Sequence[RateLimit]:
        """Every limit that a call has to pass."""
        gateway = self.ai_gateway
        return [*gateway.rate_limits, *self.rate_limits] if gateway is not None else self.rate_limits
