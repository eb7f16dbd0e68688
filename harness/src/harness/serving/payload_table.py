"""Which table an endpoint's calls are logged in: the AI Gateway's or its telemetry's."""

from dataclasses import dataclass

from harness.errors import ApiError
from harness.names import FullName
from harness.serving.model import Gateway
from harness.serving.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class PayloadTable:
    """`{catalog}.{schema}.{prefix}_payload`, and the share of the calls it gets."""

    catalog: str
    schema: str
    prefix: str
    sampling_fraction: float = 1.0


def payload_table(gateway: Gateway | None, telemetry: Telemetry | None) -> PayloadTable | None:
    """Return where calls are logged, None when nowhere.

    Assumption: an endpoint has one inference table; what the platform does with both kinds at once is not documented, here it is a 400.
    """
    ours = gateway.inference_table_config if gateway else None
    of_telemetry = telemetry.logged_table if telemetry else None
    logged = ours is not None and ours.enabled
    if logged and of_telemetry is not None:
        message = (
            "An endpoint has one inference table: disable ai_gateway.inference_table_config or telemetry_config.inference_table_config."
        )
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
    if ours is not None and ours.enabled:
        return PayloadTable(ours.catalog_name or "", ours.schema_name or "", ours.table_name_prefix or "")
    if of_telemetry is None or of_telemetry.name is None:
        return None
    name = FullName.parse(of_telemetry.name)
    fraction = of_telemetry.sampling_fraction
    return PayloadTable(name.catalog, name.schema, name.name.removesuffix("_payload"), 1.0 if fraction is None else fraction)
