"""The MLflow server's own pages below `/ml`, where a workspace has them and where mlflow's links lead."""

from collections.abc import Callable, Mapping
from typing import NoReturn

import httpx
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from harness.engines.mlflow_proxy import TIMEOUT_SECONDS
from harness.errors import ApiError, NotEmulated, UserError
from harness.http import AnyRoute, RawRoute

PREFIX = "/ml"
_DOC = "https://mlflow.org/docs/latest/ml/tracking/#tracking-ui"
_ANY = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_ASKED_WITH = ("accept", "content-type", "if-none-match", "if-modified-since", "range", "user-agent")
_ANSWERED_WITH = (
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-range",
    "content-security-policy",
    "content-type",
    "etag",
    "last-modified",
    "x-content-type-options",
    "x-frame-options",
)


class MlflowUi:
    """Passes on what the pages ask for. What they ask of the model registry is Unity Catalog's and stands before these routes."""

    def __init__(self, *, url: Callable[[], str]) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, limits=httpx.Limits(max_connections=64))

    def routes(self) -> list[AnyRoute]:
        """Return the routes: the page, its parts, what its scripts ask for; addresses of a workspace lead to the page."""
        return [
            RawRoute(("GET",), PREFIX, _to_page, _DOC),
            RawRoute(("GET",), f"{PREFIX}/", self._pass_on, _DOC),
            *(RawRoute(_ANY, f"{PREFIX}/ajax-api/2.0/mlflow/{kind}/{{path:path}}", _not_emulated, _DOC) for kind in _UNITYS),
            RawRoute(_ANY, f"{PREFIX}/ajax-api/{{path:path}}", self._pass_on, _DOC),
            RawRoute(("POST",), f"{PREFIX}/graphql", self._pass_on, _DOC),
            *(
                RawRoute(("GET",), f"{PREFIX}/{path}", self._pass_on, _DOC)
                for path in ("static-files/{path:path}", "get-artifact", "version")
            ),
            RawRoute(("GET",), f"{PREFIX}/{{path:path}}", _to_page, _DOC),
        ]

    async def close(self) -> None:
        """Let the connections go; twice without harm."""
        await self._client.aclose()

    async def _pass_on(self, request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        path = request.scope["raw_path"].decode("ascii").removeprefix(PREFIX)
        body = await request.body()
        try:
            asked = self._client.build_request(
                request.method, f"{self._url()}{path}{query}", content=body or None, headers=_kept(request.headers, _ASKED_WITH)
            )
            answer = await self._client.send(asked, stream=True)
        except (UserError, httpx.TransportError) as error:  # not started yet, or gone
            raise ApiError(503, "TEMPORARILY_UNAVAILABLE", f"The MLflow server does not answer: {error!r}; see logs/mlflow.log") from error
        headers = _kept(answer.headers, _ANSWERED_WITH)
        return StreamingResponse(answer.aiter_bytes(), answer.status_code, headers, background=BackgroundTask(answer.aclose))


_PARTS = ("static-files/{path:path}", "get-artifact", "version")
_UNITYS = ("registered-models", "model-versions")


async def _not_emulated(request: Request) -> NoReturn:
    raise NotEmulated(f"{request.method} {request.url.path}")


async def _to_page(request: Request) -> Response:
    """Lead to the page: `/ml/experiments/1/runs/…` is its `#/experiments/1/runs/…`."""
    path = request.path_params.get("path", "")
    if path and "text/html" not in request.headers.get("accept", ""):
        raise NotEmulated(f"GET {request.url.path}")
    return RedirectResponse(f"{PREFIX}/#/{path}" if path else f"{PREFIX}/", status_code=302)


def _kept(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: headers[name] for name in names if name in headers}
