"""How a service offers HTTP: a list of `Route`s whose handlers take a `Call` and return JSON.

A handler parses, calls its service, renders; it runs in a worker thread. What streams (files, proxies, invocations) uses a `RawRoute`,
whose handler is an ordinary asynchronous Starlette endpoint.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from harness.errors import ApiError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read whole."""

    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    user: str
    isolated: bool = False
    """Whether `user` is that of an isolated workspace."""

    def shows(self, creator: str) -> bool:
        """Return whether a listing for this caller has what `creator` made: an isolated workspace is shown what is its own."""
        return not self.isolated or creator == self.user

    def json(self, type_: type[T]) -> T:
        """Return the body as `type_`, or raise the platform's 400 that names the field and what was expected.

        Numbers and booleans in text are accepted, as the platform does ("traffic_percentage": "90"). An empty body reads as `{}`.
        """
        try:
            return msgspec.convert(msgspec.json.decode(self.body or b"{}"), type_, strict=False)
        except msgspec.ValidationError as error:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{self.method} {self.path}: {error}") from error
        except msgspec.DecodeError as error:
            raise ApiError(400, "MALFORMED_REQUEST", f"{self.method} {self.path}: body is not JSON: {error}") from error

    def require(self, key: str) -> str:
        """Return the query parameter `key`, or raise the platform's 400."""
        value = self.query.get(key)
        if value is None:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{self.method} {self.path}: missing required parameter '{key}'")
        return value


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is more than a JSON body with status 200."""

    body: object = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], object]
RawHandler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """`handler` answers `method path` (Starlette path syntax) with a JSON-able object, a `Reply` or a Starlette Response.

    `doc` is the documentation of what it mirrors; `public` routes need no token.
    """

    method: str
    path: str
    handler: Handler
    doc: str
    public: bool = False


@dataclass(frozen=True, slots=True)
class RawRoute:
    """`handler` is given the Starlette request itself (streaming bodies). `methods` may be several.

    `restricted` routes let in tokens that are good for one serving endpoint only; the handler checks for which. Where the platform has
    no other methods at `path`, so that they are the caller's mistake and no gap of ours, the route is `closed`: they are answered 405.
    """

    methods: tuple[str, ...]
    path: str
    handler: RawHandler
    doc: str
    public: bool = False
    restricted: bool = False
    closed: bool = False


AnyRoute = Route | RawRoute
