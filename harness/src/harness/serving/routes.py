"""HTTP of serving endpoints: the control plane under /api/2.0; the data plane beside it is `data_plane.py`."""

from collections.abc import Callable

from starlette.responses import PlainTextResponse

from harness.http import AnyRoute, Call, Route
from harness.serving import data_plane
from harness.serving.model import ConfigInput, CreateEndpoint, Gateway, NotificationsPatch, PutRateLimits, TagsPatch, ThroughputUpdate
from harness.serving.request_info import with_request_info
from harness.serving.service import ServingService
from harness.serving.telemetry import TelemetryPatch

API = "https://docs.databricks.com/api/workspace/servingendpoints"
MANAGE = "https://docs.databricks.com/aws/en/machine-learning/model-serving/manage-serving-endpoints"
PATH = "/api/2.0/serving-endpoints"
ONE = f"{PATH}/{{name}}"
SERVED = "/served-models/{served}"


def routes(service: ServingService) -> list[AnyRoute]:
    """Return the routes that `service` answers."""
    control = [*_endpoints(service), *_about(service), *_changes(service), *_buttons(service), *_settings(service)]
    return [*(with_request_info(route, service.new_request_id) for route in control), *data_plane.routes(service.invocations)]


def _endpoints(service: ServingService) -> list[AnyRoute]:
    def create(call: Call) -> object:
        return service.create(call.json(CreateEndpoint), call.user)

    def list_(call: Call) -> object:
        return {"endpoints": service.list(call.shows)}

    table: list[AnyRoute] = []
    for path in (PATH, f"{PATH}/"):  # MLflow's deployment client lists and creates with a trailing slash
        table += [Route("POST", path, create, f"{API}/create"), Route("GET", path, list_, f"{API}/list")]
    return table


def _about(service: ServingService) -> list[AnyRoute]:
    def get(call: Call) -> object:
        return service.get(call.params["name"])

    def logs(call: Call) -> object:
        return {"logs": service.logs(call.params["name"], call.params["served"])}

    def build_logs(call: Call) -> object:
        return {"logs": service.logs(call.params["name"], call.params["served"], "build.log")}

    def openapi(call: Call) -> object:
        return service.openapi(call.params["name"])

    def metrics(call: Call) -> object:
        return PlainTextResponse(service.metrics_text(call.params["name"]))

    def explain(call: Call) -> object:
        return service.explain(call.params["name"])

    def served_entities(_: Call) -> object:
        return {"served_entities": service.served_entities()}

    return [
        Route("GET", ONE, get, f"{API}/get"),
        Route("GET", f"{ONE}{SERVED}/logs", logs, f"{API}/logs"),
        Route("GET", f"{ONE}{SERVED}/build-logs", build_logs, f"{API}/buildlogs"),
        Route("GET", f"{ONE}/openapi", openapi, f"{API}/getopenapi"),
        Route("GET", f"{ONE}/metrics", metrics, f"{API}/exportmetrics"),
        Route("GET", "/__harness__/serving-endpoints/{name}/explain", explain, "harness: docs/serving.md"),
        Route("GET", "/__harness__/served-entities", served_entities, API),
    ]


def _changes(service: ServingService) -> list[AnyRoute]:
    def update_config(call: Call) -> object:
        return service.update_config(call.params["name"], call.json(ConfigInput), call.user)

    def delete(call: Call) -> object:
        service.delete(call.params["name"])
        return {}

    def create_throughput(call: Call) -> object:
        return service.create_provisioned_throughput(call.json(CreateEndpoint))

    def update_throughput(call: Call) -> object:
        return service.update_provisioned_throughput(call.params["name"], call.json(ThroughputUpdate).config)

    return [
        Route("POST", f"{PATH}/pt", create_throughput, f"{API}/createprovisionedthroughputendpoint"),
        Route("PUT", f"{PATH}/pt/{{name}}/config", update_throughput, f"{API}/updateprovisionedthroughputendpointconfig"),
        Route("PUT", f"{ONE}/config", update_config, f"{API}/updateconfig"),
        Route("DELETE", ONE, delete, f"{API}/delete"),
    ]


def _buttons(service: ServingService) -> list[AnyRoute]:
    """What on the platform only buttons of the user interface do: docs, manage-serving-endpoints."""

    def route(action: str, do: Callable[[str], None]) -> Route:
        def handler(call: Call) -> object:
            do(call.params["name"])
            return service.get(call.params["name"])

        return Route("POST", f"/__harness__/serving-endpoints/{{name}}/{action}", handler, MANAGE)

    deployments = service.deployments
    return [route("cancel-update", deployments.cancel), route("stop", deployments.stop), route("start", deployments.resume)]


def _settings(service: ServingService) -> list[AnyRoute]:
    settings = service.settings

    def put_ai_gateway(call: Call) -> object:
        return settings.put_ai_gateway(call.params["name"], call.json(Gateway))

    def put_rate_limits(call: Call) -> object:
        return {"rate_limits": settings.put_rate_limits(call.params["name"], call.json(PutRateLimits).rate_limits)}

    def patch_tags(call: Call) -> object:
        return {"tags": settings.patch_tags(call.params["name"], call.json(TagsPatch))}

    def patch_notifications(call: Call) -> object:
        kept = settings.update_notifications(call.params["name"], call.json(NotificationsPatch).email_notifications)
        return {"name": call.params["name"], **({} if kept is None else {"email_notifications": kept})}

    def patch_telemetry(call: Call) -> object:
        settings.patch_telemetry(call.params["name"], call.json(TelemetryPatch).telemetry_config)
        return service.get(call.params["name"])

    return [
        Route("PUT", f"{ONE}/ai-gateway", put_ai_gateway, f"{API}/putaigateway"),
        Route("PUT", f"{ONE}/rate-limits", put_rate_limits, f"{API}/put"),
        Route("PATCH", f"{ONE}/tags", patch_tags, f"{API}/patch"),
        Route("PATCH", f"{ONE}/notifications", patch_notifications, f"{API}/updatenotifications"),
        Route("PATCH", f"{ONE}/telemetry-config", patch_telemetry, f"{API}/patchtelemetryconfig"),
    ]
