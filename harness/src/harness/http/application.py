"""From routes to one ASGI application: token, errors in the platform's envelope, 501 for what nobody answers."""

import hmac
import logging
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import Lifespan

from harness.errors import ApiError, NotEmulated
from harness.http.routing import AnyRoute, Call, RawRoute, Reply, Route

log = logging.getLogger(__name__)
Endpoint = Callable[[Request], Awaitable[Response]]


def application(routes: Sequence[AnyRoute], *, token: str, user: str, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """Return the application that answers `routes` for whoever brings `token`, as `user`."""
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    table = [StarletteRoute(r.path, _endpoint(r, token, user), methods=_methods(r)) for r in routes]
    table.append(StarletteRoute("/{path:path}", _guarded(_unknown, token), methods=methods))
    handlers = {HTTPException: _method_not_allowed, Exception: _failed}
    return Starlette(routes=table, exception_handlers=handlers, lifespan=lifespan)  # type: ignore[arg-type]  # Starlette's own alias is wider


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return `body` as JSON (dataclasses and msgspec structs included)."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def error_response(error: ApiError) -> Response:
    """Return `error` in the platform's envelope."""
    return json_response({"error_code": error.error_code, "message": error.message, **error.details}, error.status)


def _methods(route: AnyRoute) -> list[str]:
    return list(route.methods) if isinstance(route, RawRoute) else [route.method]


def _endpoint(route: AnyRoute, token: str, user: str) -> Endpoint:
    plain = route.handler if isinstance(route, RawRoute) else _threaded(route, user)
    return _answering_errors(plain) if route.public else _guarded(plain, token)


def _threaded(route: Route, user: str) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        call = Call(
            method=request.method,
            path=request.url.path,
            params=request.path_params,
            query=dict(request.query_params),
            headers=dict(request.headers),
            body=await request.body(),
            user=user,
        )
        return _render(await run_in_threadpool(route.handler, call))

    return endpoint


def _render(answer: object) -> Response:
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, Reply):
        return json_response(answer.body, answer.status, dict(answer.headers))
    return json_response(answer)


def _guarded(endpoint: Endpoint, token: str) -> Endpoint:
    async def checked(request: Request) -> Response:
        if not _authorized(request.headers.get("authorization", ""), token):
            return error_response(ApiError(401, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type"))
        return await endpoint(request)

    return _answering_errors(checked)


def _authorized(header: str, token: str) -> bool:
    scheme, _, credential = header.partition(" ")
    if scheme.lower() == "basic":  # the documentation's `curl -u token:$DATABRICKS_TOKEN`
        try:
            credential = b64decode(credential).decode().removeprefix("token:")
        except (Base64Error, UnicodeDecodeError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(credential.encode(), token.encode())


def _answering_errors(endpoint: Endpoint) -> Endpoint:
    async def answering(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ApiError as error:
            return error_response(error)

    return answering


async def _unknown(request: Request) -> Response:
    raise NotEmulated(f"{request.method} {request.url.path}")


async def _method_not_allowed(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:  # the path is known with another method: for a client that is an unknown route
        return error_response(NotEmulated(f"{request.method} {request.url.path}"))
    return error_response(ApiError(error.status_code, "BAD_REQUEST", str(error.detail)))


async def _failed(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return error_response(ApiError(500, "INTERNAL_ERROR", f"harness bug in {request.method} {request.url.path}: {error!r}"))
