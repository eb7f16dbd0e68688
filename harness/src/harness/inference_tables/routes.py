"""The control routes of inference tables; the platform has none, its tables fill in their own time."""

from harness.http import AnyRoute, Call, Route
from harness.inference_tables.delivery import Delivery
from harness.inference_tables.service import InferenceTables

DOC = "https://docs.databricks.com/aws/en/ai-gateway/inference-tables"
PATH = "/__harness__/inference-tables"


def routes(service: InferenceTables) -> list[AnyRoute]:
    """Return the routes that `service` answers.

    `POST …/flush?timeout=30` returns when every acknowledged call is in its table. `PUT …/delivery` takes a whole `Delivery`
    (`{"delay_seconds", "duplicate_fraction", "lost_fraction", "seed"}`, all optional; `{}` is as usual) and returns it, `GET` too.
    """

    def flush(call: Call) -> object:
        service.flush(float(call.query.get("timeout", "30")))
        return {}

    def deliver(call: Call) -> object:
        service.deliver(call.json(Delivery))
        return service.delivery

    def delivery(_: Call) -> object:
        return service.delivery

    return [
        Route("POST", f"{PATH}/flush", flush, DOC),
        Route("PUT", f"{PATH}/delivery", deliver, DOC),
        Route("GET", f"{PATH}/delivery", delivery, DOC),
    ]
