"""HTTP of serving endpoints: control plane under /api/2.0, invocations beside it."""

from starlette.requests import Request
from starlette.responses import Response

from harness.config import WORKSPACE_ID
from harness.errors import ApiError
from harness.http import AnyRoute, Call, RawRoute, Route
from harness.serving.model import ConfigInput, CreateEndpoint, Gateway, TagsPatch
from harness.serving.service import ServingService

API = "https://docs.databricks.com/api/workspace/servingendpoints"
PATH = "/api/2.0/serving-endpoints"
ONE = f"{PATH}/{{name}}"
SERVED = "/served-models/{served}"
MAX_BODY_BYTES = 16 << 20  # docs, model-serving-limits: payload size


def routes(service: ServingService) -> list[AnyRoute]:
    """Return the routes that `service` answers."""
    return [*_endpoints(service), *_about(service), *_changes(service), *_data_plane(service)]


def _endpoints(service: ServingService) -> list[AnyRoute]:
    def create(call: Call) -> object:
        return service.create(call.json(CreateEndpoint), call.user)

    def list_(_: Call) -> object:
        return {"endpoints": service.list()}

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

    def served_entities(_: Call) -> object:
        return {"served_entities": service.served_entities()}

    return [
        Route("GET", ONE, get, f"{API}/get"),
        Route("GET", f"{ONE}{SERVED}/logs", logs, f"{API}/logs"),
        Route("GET", f"{ONE}{SERVED}/build-logs", build_logs, f"{API}/buildlogs"),
        Route("GET", f"{ONE}/openapi", openapi, f"{API}/getopenapi"),
        Route("GET", "/__harness__/served-entities", served_entities, API),
    ]


def _changes(service: ServingService) -> list[AnyRoute]:
    def update_config(call: Call) -> object:
        return service.update_config(call.params["name"], call.json(ConfigInput), call.user)

    def put_ai_gateway(call: Call) -> object:
        return service.put_ai_gateway(call.params["name"], call.json(Gateway))

    def patch_tags(call: Call) -> object:
        return {"tags": service.patch_tags(call.params["name"], call.json(TagsPatch))}

    def delete(call: Call) -> object:
        service.delete(call.params["name"])
        return {}

    return [
        Route("PUT", f"{ONE}/config", update_config, f"{API}/updateconfig"),
        Route("PUT", f"{ONE}/ai-gateway", put_ai_gateway, f"{API}/putaigateway"),
        Route("PATCH", f"{ONE}/tags", patch_tags, f"{API}/patch"),
        Route("DELETE", ONE, delete, f"{API}/delete"),
    ]


def _data_plane(service: ServingService) -> list[AnyRoute]:
    async def invoke(request: Request) -> Response:
        return await _invoke(service, request)

    doc = "https://docs.databricks.com/aws/en/machine-learning/model-serving/score-custom-model-endpoints"
    paths = ("/serving-endpoints/{name}/invocations", f"/serving-endpoints/{{name}}{SERVED}/invocations")
    return [RawRoute(("POST",), path, invoke, doc) for path in paths]


async def _invoke(service: ServingService, request: Request) -> Response:
    params = request.path_params
    answer = await service.invocations.call(params["name"], params.get("served"), request.headers.get("content-type"), await _body(request))
    headers = {
        "content-type": answer.content_type,
        "x-databricks-request-id": answer.request_id,
        "x-databricks-org-id": WORKSPACE_ID,
        "served-model-name": answer.served_entity,
    }
    return Response(answer.body, answer.status, headers)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            # Assumption: status and wording are not documented, the limit is. Refused before the model, so not logged.
            message = f"The request is larger than {MAX_BODY_BYTES} bytes; send fewer rows a request."
            raise ApiError(413, "REQUEST_ENTITY_TOO_LARGE", message)
    return bytes(body)
