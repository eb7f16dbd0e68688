"""From routes to one ASGI application: token, errors in the platform's envelope, 501 for what nobody answers."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import Lifespan, Receive, Scope, Send

from harness.errors import ApiError, NotEmulated
from harness.http.identity import Authenticator, Identity
from harness.http.observing import tell
from harness.http.routing import AnyRoute, Call, RawRoute, Reply, Route

log = logging.getLogger(__name__)
Endpoint = Callable[[Request], Awaitable[Response]]
_NOBODY = Identity("")


def application(routes: Sequence[AnyRoute], *, callers: Authenticator, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """Return the application that answers `routes` for whoever `callers` knows."""
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    table = [_starlette(r, _endpoint(r, callers)) for r in routes]
    table.append(StarletteRoute("/{path:path}", _guarded(_unknown, callers, ""), methods=methods))
    handlers = {HTTPException: _method_not_allowed, Exception: _failed}
    return Starlette(routes=table, exception_handlers=handlers, lifespan=lifespan)  # type: ignore[arg-type]  # Starlette's own alias is wider


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return `body` as JSON (dataclasses and msgspec structs included)."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def unauthenticated() -> ApiError:
    """Return the platform's 401 for a credential that is missing, unknown or has ended."""
    return ApiError(401, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type")


def error_response(error: ApiError) -> Response:
    """Return `error` in the platform's envelope."""
    return json_response({"error_code": error.error_code, "message": error.message, **error.details}, error.status, error.headers)


def _starlette(route: AnyRoute, endpoint: Endpoint) -> StarletteRoute:
    if isinstance(route, Route):
        return StarletteRoute(route.path, endpoint, methods=[route.method])
    if route.closed:
        return StarletteRoute(route.path, _Closed(route.methods, endpoint))
    return StarletteRoute(route.path, endpoint, methods=list(route.methods))


@dataclass(frozen=True, slots=True)
class _Closed:
    """Takes every method there is, and refuses all but some (Starlette gives every method to what is no function)."""

    methods: Sequence[str]
    endpoint: Endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await (self.endpoint(request) if request.method in self.methods else self._refuse(request))
        await response(scope, receive, send)

    async def _refuse(self, request: Request) -> Response:
        allowed = ", ".join(self.methods)
        message = f"{request.method} is not allowed at {request.url.path}; allowed: {allowed}"
        return error_response(ApiError(405, "METHOD_NOT_ALLOWED", message, headers={"Allow": allowed}))


def _endpoint(route: AnyRoute, callers: Authenticator) -> Endpoint:
    plain = route.handler if isinstance(route, RawRoute) else _threaded(route)
    if route.public:
        return _answering_errors(plain, route.path)
    return _guarded(plain, callers, route.path, restricted=isinstance(route, RawRoute) and route.restricted)


def _threaded(route: Route) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        identity = _NOBODY if route.public else caller(request)
        call = Call(
            method=request.method,
            path=request.url.path,
            params=request.path_params,
            query=dict(request.query_params),
            headers=dict(request.headers),
            body=await request.body(),
            user=identity.user,
            isolated=identity.isolated,
        )
        return _render(await run_in_threadpool(route.handler, call))

    return endpoint


def _render(answer: object) -> Response:
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, Reply):
        return json_response(answer.body, answer.status, dict(answer.headers))
    return json_response(answer)


def caller(request: Request) -> Identity:
    """Return who sent `request`, which a guarded route was given."""
    identity = request.scope["identity"]
    assert isinstance(identity, Identity)  # noqa: S101 - what `_guarded` put there
    return identity


def _guarded(endpoint: Endpoint, callers: Authenticator, path: str, *, restricted: bool = False) -> Endpoint:
    async def checked(request: Request) -> Response:
        identity = callers.authenticate(request.headers.get("authorization", ""))
        if identity is None or identity.expires <= time.time():
            return error_response(unauthenticated())
        if identity.endpoint_id is not None and not restricted:
            # Wording: observed with tokens that lack a scope; a token with authorization_details has no other scope than its endpoint.
            return error_response(ApiError(403, "PERMISSION_DENIED", "Provided OAuth token does not have required scopes: all-apis"))
        request.scope["identity"] = identity
        return await endpoint(request)

    return _answering_errors(checked, path)


def _answering_errors(endpoint: Endpoint, path: str) -> Endpoint:
    async def answering(request: Request) -> Response:
        try:
            response = await endpoint(request)
        except ApiError as error:
            response = error_response(error)
        tell(request.method, request.url.path, path, response)
        return response

    return answering


async def _unknown(request: Request) -> Response:
    if b"%2f" in request.scope.get("raw_path", b"").lower():  # read as a path of more parts, which nobody answers
        message = f"{request.method} {request.url.path}: an encoded slash cannot be part of a name"
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
    raise NotEmulated(f"{request.method} {request.url.path}")


async def _method_not_allowed(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:  # the path is known with another method: for a client that is an unknown route
        response = error_response(NotEmulated(f"{request.method} {request.url.path}"))
        tell(request.method, request.url.path, "", response)
        return response
    return error_response(ApiError(error.status_code, "BAD_REQUEST", str(error.detail)))


async def _failed(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return error_response(ApiError(500, "INTERNAL_ERROR", f"harness bug in {request.method} {request.url.path}: {error!r}"))
