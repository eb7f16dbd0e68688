"""Routes that ask `Access` first."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from harness.errors import ApiError
from harness.http import AnyRoute, Call, RawRoute, Route, caller
from harness.unity import access_rules as rules
from harness.unity.access import Access
from harness.unity.access_rules import Asked


def enforced(routes: Sequence[AnyRoute], access: Access) -> list[AnyRoute]:
    """Return Unity Catalog's routes, which now refuse what is not granted and do not list what may not be seen."""
    return [_checked(route, access) if isinstance(route, Route) else route for route in routes]


def enforced_files(routes: Sequence[AnyRoute], access: Access) -> list[AnyRoute]:
    """Return the Files API's routes, which now refuse what is not granted. Signed addresses were granted when they were made."""
    return [_checked_file(route, access) if isinstance(route, Route) else _checked_stream(route, access) for route in routes]


def _checked(route: Route, access: Access) -> Route:
    def handler(call: Call) -> object:
        asked = Asked(route.method, route.path, call.params, call.query, call.body)
        try:
            access.require(call.user, rules.needs(asked))
        except ApiError as error:
            if error.status != 404 or not route.path.endswith("/exists"):  # which answers what is not there itself
                raise
        answer = route.handler(call)
        return _shown(answer, route, access, user=call.user) if route.method == "GET" else answer

    return replace(route, handler=handler)


def _shown(answer: object, route: Route, access: Access, *, user: str) -> object:
    """Return a list without what the caller may not see; a page may be shorter for it, as on the platform."""
    if not isinstance(answer, dict):
        return answer
    lists = {key: value for key, value in answer.items() if isinstance(value, list)}
    kept = {key: [each for each in items if _may_see(each, route, access, user=user)] for key, items in lists.items()}
    return {**answer, **kept}


def _may_see(item: object, route: Route, access: Access, *, user: str) -> bool:
    need = rules.item_need(route.path, item) if isinstance(item, dict) else None
    return need is None or access.allows(user, need)


def _checked_file(route: Route, access: Access) -> Route:
    def handler(call: Call) -> object:
        path, writing = rules.file_path(Asked(route.method, route.path, call.params, call.query, call.body))
        access.require(call.user, rules.file_needs(path, writing=writing))
        return route.handler(call)

    return replace(route, handler=handler)


def _checked_stream(route: RawRoute, access: Access) -> RawRoute:
    if route.public:
        return route

    async def handler(request: Request) -> Response:
        named = bool(request.path_params.get("path") or request.query_params.get("path"))
        body = b"" if named else await request.body()  # a stream of bytes is not read here
        asked = Asked(request.method, route.path, request.path_params, dict(request.query_params), body)
        path, writing = rules.file_path(asked)
        await run_in_threadpool(access.require, caller(request).user, rules.file_needs(path, writing=writing))
        return await route.handler(request)

    return replace(route, handler=handler)
