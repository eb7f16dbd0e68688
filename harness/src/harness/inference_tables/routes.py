"""The control route of inference tables; the platform has none, its tables fill in their own time."""

from harness.http import AnyRoute, Call, Route
from harness.inference_tables.service import InferenceTables

DOC = "https://docs.databricks.com/aws/en/ai-gateway/inference-tables"


def routes(service: InferenceTables) -> list[AnyRoute]:
    """Return the routes that `service` answers."""

    def flush(call: Call) -> object:
        service.flush(float(call.query.get("timeout", "30")))
        return {}

    return [Route("POST", "/__harness__/inference-tables/flush", flush, DOC)]
