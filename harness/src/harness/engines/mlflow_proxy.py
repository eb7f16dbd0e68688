"""Tracking calls passed on to the MLflow server, so that an unchanged client sees a workspace."""

from collections.abc import Callable, Mapping

import httpx
from starlette.requests import Request
from starlette.responses import Response

from harness.config import WORKSPACE_ID
from harness.engines.mlflow_experiments import experiment_of, search_of
from harness.engines.mlflow_uris import to_server, to_workspace
from harness.errors import ApiError, NotEmulated, UserError
from harness.http import AnyRoute, Identity, RawRoute, caller

_DOC = "https://docs.databricks.com/api/workspace/experiments"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_PASSED_ON = ("content-type", "accept", "user-agent")
TIMEOUT_SECONDS = 120.0
# The workspace's own dialects under the same prefix: what nobody answers there must not reach the open-source server.
_NOT_THE_SERVERS = ("unity-catalog/", "databricks/")


class MlflowProxy:
    """Routes under `/api/2.0/mlflow/` and `/api/3.0/mlflow/`; Unity Catalog's routes must stand before them.

    `url` is asked at each call, so that the server may start late and again elsewhere. `on_experiment` is told who makes one.
    """

    def __init__(
        self, *, url: Callable[[], str], timeout: float = TIMEOUT_SECONDS, on_experiment: Callable[[Identity], None] = lambda _: None
    ) -> None:
        self._url = url
        self._on_experiment = on_experiment
        # One client for all calls: kept-alive connections; httpx sends small requests in one write and sets TCP_NODELAY.
        self._client = httpx.AsyncClient(timeout=timeout, trust_env=False, limits=httpx.Limits(max_connections=64, keepalive_expiry=60))

    def routes(self) -> list[AnyRoute]:
        """Return the routes that are passed on."""
        return [RawRoute(_METHODS, f"/api/{version}/mlflow/{{path:path}}", self._pass_on, _DOC) for version in ("2.0", "3.0")]

    async def ask(self, path: str, query: Mapping[str, str]) -> Mapping[str, object]:
        """Return the server's answer to a GET, in its own words, or raise its error."""
        answer = await self._to_server("GET", path, query=query)
        content = answer.json()
        if answer.is_error:
            raise ApiError(answer.status_code, str(content.get("error_code")), str(content.get("message")))
        return content if isinstance(content, dict) else {}

    async def close(self) -> None:
        """Let the connections go; twice without harm."""
        await self._client.aclose()

    async def _pass_on(self, request: Request) -> Response:
        if request.path_params["path"].startswith(_NOT_THE_SERVERS):
            raise NotEmulated(f"{request.method} {request.url.path}")
        body = await request.body()
        if request.url.path.endswith("/experiments/create"):
            body = experiment_of(body, caller(request).user)
            self._on_experiment(caller(request))
        elif request.url.path.endswith("/experiments/search") and caller(request).isolated:
            body = search_of(body, caller(request).user)
        answer = await self._send(request, to_server(body))
        kind = answer.headers.get("content-type", "")
        if answer.status_code == httpx.codes.NOT_FOUND and "json" not in kind:
            raise NotEmulated(f"{request.method} {request.url.path}")
        content = to_workspace(answer.content) if "json" in kind else answer.content
        return Response(content, answer.status_code, {"x-databricks-org-id": WORKSPACE_ID}, kind or None)

    async def _send(self, request: Request, body: bytes) -> httpx.Response:
        query = f"?{request.url.query}" if request.url.query else ""
        headers = _passed_on(request.headers)
        return await self._to_server(request.method, f"{request.url.path}{query}", content=body or None, headers=headers)

    async def _to_server(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return await self._client.request(method, f"{self._url()}{path}", params=query, content=content, headers=headers)
        except (UserError, httpx.TransportError) as error:  # not started yet, or gone
            raise ApiError(503, "TEMPORARILY_UNAVAILABLE", f"The MLflow server does not answer: {error!r}; see logs/mlflow.log") from error


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _PASSED_ON if name in headers}
