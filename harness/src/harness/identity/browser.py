"""Browsers: the token is given once, on a page; afterwards a cookie stands for it, below one path only.

The cookie is a random name for what stays here, so that neither the token nor anything made of it is kept by the browser or seen by
another server of this machine (cookies do not tell ports apart). Nor do sites: a page of another port on 127.0.0.1 counts as the same
site, therefore `SameSite` is not enough and the origin of every request is looked at too.
"""

import html
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.clock import Clock
from harness.errors import ApiError
from harness.http import AnyRoute, Authenticator, RawRoute, error_response
from harness.ids import Ids

SESSION_SECONDS = 12 * 3600
_MOST_SESSIONS = 64
_LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]", "testserver"})
_SAFE = frozenset({"GET", "HEAD"})
_DOC = "harness: a browser's login; the platform has its own"
# A token in the fragment (`…/login#token=…`, as `harness up` prints it) is sent by no browser: the page takes it from there and posts it.
_SCRIPT = """
const form = document.forms[0], hash = location.hash;
form.next.value = location.pathname.endsWith("/login") ? form.next.value : location.pathname + location.search + hash;
if (hash.startsWith("#token=")) {
  history.replaceState(null, "", location.pathname);
  form.token.value = decodeURIComponent(hash.slice(7));
  form.submit();
}
"""
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in</title>
<style>body{{font:16px sans-serif;margin:15vh auto;max-width:26em}}input{{width:100%;margin:.5em 0;padding:.4em}}</style></head>
<body><form method="post" action="{prefix}/login"><h1>Log in</h1><p role="alert">{message}</p>
<label>Token (DATABRICKS_TOKEN)<input type="password" name="token" autocomplete="off" autofocus required></label>
<input type="hidden" name="next" value="{prefix}/"><button>Log in</button></form><script>{script}</script></body></html>"""
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    f"script-src 'sha256-{b64encode(sha256(_SCRIPT.encode()).digest()).decode()}'"
)
_PAGE_HEADERS = {"content-security-policy": _POLICY, "cache-control": "no-store", "referrer-policy": "same-origin"}


@dataclass(frozen=True, slots=True)
class _Session:
    authorization: str
    ends: float


@dataclass(slots=True)
class BrowserSessions:
    """Lets browsers in below `prefix`. Sessions end with the harness, after twelve hours, or when their token does."""

    callers: Authenticator
    clock: Clock
    ids: Ids
    prefix: str
    _sessions: dict[str, _Session] = field(default_factory=dict)

    def routes(self) -> list[AnyRoute]:
        """Return the login page and what it posts to."""
        path = f"{self.prefix}/login"
        return [RawRoute(("GET",), path, self._show, _DOC, public=True), RawRoute(("POST",), path, self._login, _DOC, public=True)]

    def guard(self, application: ASGIApp) -> ASGIApp:
        """Return `application`, with the cookie of a session taken for the token that opened it."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            answer = self._admit(scope) if scope["type"] == "http" and self._is_ours(scope["path"]) else None
            await (answer or application)(scope, receive, send)

        return guarded

    def _is_ours(self, path: str) -> bool:
        return path == self.prefix or (path.startswith(f"{self.prefix}/") and path != f"{self.prefix}/login")

    def _admit(self, scope: Scope) -> Response | None:
        request = Request(scope)
        if "authorization" in request.headers:
            return None
        session = self._session(request)
        if session is None:
            page = request.method in _SAFE and "text/html" in request.headers.get("accept", "")
            return self._page(401) if page else None  # all else: the usual 401
        if _foreign(request):
            message = "A browser may ask for this from the harness's own pages only"
            return error_response(ApiError(403, "PERMISSION_DENIED", message))
        scope["headers"] = [*scope["headers"], (b"authorization", session.authorization.encode())]
        return None

    def _session(self, request: Request) -> _Session | None:
        try:
            found = SimpleCookie(request.headers.get("cookie", "")).get(_cookie(request))
        except CookieError:
            return None
        session = self._sessions.get(found.value) if found is not None else None
        return session if session is not None and session.ends > self.clock.now().timestamp() else None

    async def _show(self, _: Request) -> Response:
        return self._page(200)

    async def _login(self, request: Request) -> Response:
        if _foreign(request):
            return self._page(403, "Log in from this page.")
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        authorization = f"Bearer {form.get('token', '').strip()}"
        identity = self.callers.authenticate(authorization)
        if identity is None or identity.endpoint_id is not None:
            return self._page(401, "This is not a token of this workspace.")
        now = self.clock.now().timestamp()
        if len(self._sessions) >= _MOST_SESSIONS:
            self._sessions.clear()
        name = self.ids.hex32()
        self._sessions[name] = _Session(authorization, min(now + SESSION_SECONDS, identity.expires))
        response = RedirectResponse(self._next(form), status_code=303)
        response.set_cookie(_cookie(request), name, max_age=SESSION_SECONDS, path=self.prefix, httponly=True, samesite="strict")
        return response

    def _next(self, form: Mapping[str, str]) -> str:
        asked = form.get("next", "")
        return asked if asked.startswith(f"{self.prefix}/") and "\\" not in asked else f"{self.prefix}/"

    def _page(self, status: int, message: str = "") -> Response:
        text = _PAGE.format(prefix=html.escape(self.prefix), message=html.escape(message), script=_SCRIPT)
        return HTMLResponse(
            text, status, {"content-security-policy": _POLICY, "cache-control": "no-store", "referrer-policy": "same-origin"}
        )


def _cookie(request: Request) -> str:
    return f"harness_session_{request.scope['server'][1]}"  # two harnesses on one machine share their cookies


def _foreign(request: Request) -> bool:
    """Return whether another site's (or another port's) page may have sent this."""
    host = request.headers.get("host", "")
    if host.rpartition(":")[0] not in _LOCAL and host not in _LOCAL:
        return True  # a name that somebody points here
    origin, fetched = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is not None:
        return origin != f"{request.url.scheme}://{host}"
    if request.method not in _SAFE:
        return fetched != "same-origin"
    followed = request.headers.get("sec-fetch-mode") == "navigate" and request.headers.get("sec-fetch-dest") == "document"
    return fetched not in {None, "same-origin", "none"} and not followed
