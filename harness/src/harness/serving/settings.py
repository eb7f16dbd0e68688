"""What changes at once, without deploying anything: tags, notifications, limits, AI Gateway, telemetry."""

from collections.abc import Sequence

from harness.errors import ApiError
from harness.ids import Ids
from harness.serving import rules, telemetry
from harness.serving.endpoints import Endpoints
from harness.serving.limits import OLD_KEYS, checked_limits
from harness.serving.model import EmailNotifications, Endpoint, Gateway, RateLimit, Tag, TagsPatch
from harness.serving.payload_table import payload_table
from harness.serving.ports import PayloadLog
from harness.serving.telemetry import Telemetry, TelemetryInput, TelemetryProfile
from harness.state import Documents, Store


class Settings:
    """Changes the settings of endpoints."""

    def __init__(self, *, ids: Ids, store: Store, endpoints: Endpoints, payloads: PayloadLog) -> None:
        self._ids = ids
        self._endpoints = endpoints
        self._payloads = payloads
        self._profiles = Documents(store, "telemetry_profile", TelemetryProfile)

    def put_ai_gateway(self, name: str, gateway: Gateway) -> Gateway:
        """Replace the endpoint's AI Gateway and return it; an empty one removes it."""
        filled = rules.check_gateway(gateway, name)
        with self._endpoints.transaction():
            endpoint = self._endpoints.get(name)
            self.log_calls(endpoint.id, filled, endpoint.telemetry_config)
            self._endpoints.put(endpoint, ai_gateway=filled)
        return filled or Gateway()

    def put_rate_limits(self, name: str, limits: Sequence[RateLimit]) -> Sequence[RateLimit]:
        """Replace the endpoint's older kind of limits and return them."""
        filled = checked_limits("rate_limits", limits, OLD_KEYS)
        with self._endpoints.transaction():
            self._endpoints.put(self._endpoints.get(name), rate_limits=filled)
        return filled

    def patch_tags(self, name: str, patch: TagsPatch) -> Sequence[Tag]:
        """Add and delete tags and return those there are."""
        with self._endpoints.transaction():
            endpoint = self._endpoints.get(name)
            return self._endpoints.put(endpoint, tags=rules.patched(endpoint.tags, patch)).tags

    def update_notifications(self, name: str, notifications: EmailNotifications | None) -> EmailNotifications | None:
        """Replace who is told of updates and return them. The harness sends no mail."""
        with self._endpoints.transaction():
            return self._endpoints.put(self._endpoints.get(name), email_notifications=notifications).email_notifications

    def patch_telemetry(self, name: str, wanted: TelemetryInput | None) -> None:
        """Apply `wanted`, or remove the telemetry when it is None."""
        with self._endpoints.transaction():
            endpoint = self._endpoints.get(name)
            _check_supported(endpoint)
            after = self.telemetry(wanted, endpoint.telemetry_config) if wanted is not None else None
            self.log_calls(endpoint.id, endpoint.ai_gateway, after)
            self._endpoints.put(endpoint, telemetry_config=after)

    def telemetry(self, wanted: TelemetryInput, before: Telemetry | None = None) -> Telemetry | None:
        """Return what an endpoint remembers of `wanted`; with neither tables nor a profile in it, what it had `before`."""
        telemetry.check(wanted)
        if wanted.table_names is not None:
            profile = TelemetryProfile(self._ids.uuid(), wanted.table_names)
            after = telemetry.applied(wanted, profile)
            self._profiles.put(profile.id, profile)
            return after
        if not wanted.telemetry_profile_id:
            return before
        known = self._profiles.get(wanted.telemetry_profile_id)
        if known is None:  # Assumption: status and wording are not documented
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Telemetry profile '{wanted.telemetry_profile_id}' does not exist.")
        return telemetry.applied(wanted, known)

    def log_calls(self, endpoint_id: str, gateway: Gateway | None, telemetry_config: Telemetry | None) -> None:
        """Log the endpoint's calls where its settings say, from now on."""
        table = payload_table(gateway, telemetry_config)
        if table is None:
            self._payloads.disable(endpoint_id)
            return
        self._payloads.enable(
            endpoint_id, catalog=table.catalog, schema=table.schema, prefix=table.prefix, sampling_fraction=table.sampling_fraction
        )


def _check_supported(endpoint: Endpoint) -> None:
    if endpoint.config is None and endpoint.pending is None:
        message = "Telemetry configuration is not supported for endpoint type 'NO_CONFIG'. This API only supports endpoints with custom"
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{message} served models.")
    if endpoint.config_update == "IN_PROGRESS":
        message = (
            f"Endpoint {endpoint.name} is currently updating. Wait for the update to complete before updating its telemetry configuration."
        )
        raise ApiError(409, "RESOURCE_CONFLICT", message)
