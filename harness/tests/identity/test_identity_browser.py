"""A browser's way in: the token once, a cookie afterwards, and nothing for pages of others."""

import datetime as dt
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from harness.clock import FakeClock
from harness.http import Call, OneToken, Route, application
from harness.identity.browser import SESSION_SECONDS, BrowserSessions
from harness.ids import SeededIds

TOKEN = "dapi-secret"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


@pytest.fixture
def browser(clock: FakeClock) -> Iterator[httpx.Client]:
    """Give a browser that has not logged in."""
    callers = OneToken(TOKEN, "me@example.com")
    sessions = BrowserSessions(callers=callers, clock=clock, ids=SeededIds(), prefix="/ml")

    def who(call: Call) -> object:
        return {"user": call.user}

    guarded = [Route(method, path, who, "test") for method in ("GET", "POST") for path in ("/ml/data", "/api/data", "/mlx")]
    listening = socket.create_server(("127.0.0.1", 0))
    app = sessions.guard(application([*sessions.routes(), *guarded], callers=callers))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", trust_env=False) as plain:
        yield plain
    server.should_exit = True
    thread.join()


def own(browser: httpx.Client) -> dict[str, str]:
    return {"origin": str(browser.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}


def session(browser: httpx.Client, name: str = "") -> dict[str, str]:
    """Return the session's cookie as a header, which goes along wherever a browser would not send it."""
    cookie = f"harness_session_{browser.base_url.port}"
    return {"cookie": f"{cookie}={name or browser.cookies[cookie]}"}


def login(browser: httpx.Client, token: str = TOKEN, **form: str) -> httpx.Response:
    return browser.post("/ml/login", data={"token": token, **form}, headers=own(browser))


def test_cookie_stands_for_the_token_below_its_path_only(browser: httpx.Client) -> None:
    answer = login(browser)

    assert (answer.status_code, answer.headers["location"]) == (303, "/ml/")
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"HttpOnly", "Path=/ml", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
    assert browser.get("/ml/data").json() == {"user": "me@example.com"}
    assert [browser.get(path, headers=session(browser)).status_code for path in ("/api/data", "/mlx")] == [401, 401]


def test_without_a_cookie_pages_ask_for_the_token_and_data_is_refused(browser: httpx.Client) -> None:
    page = browser.get("/ml/data", headers={"accept": "text/html"})

    assert (page.status_code, 'name="token"' in page.text) == (401, True)
    assert browser.get("/ml/data").json()["error_code"] == "UNAUTHENTICATED"
    assert browser.get("/ml/data", headers=session(browser, "0" * 32)).status_code == 401


@pytest.mark.parametrize("token", ["", "wrong", "dapi-secre", "dapi-secret\x00", "dapi-secret é"])
def test_wrong_token_opens_nothing(browser: httpx.Client, token: str) -> None:
    answer = login(browser, token)

    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        pytest.param("POST", {"origin": "http://127.0.0.1:9999", "sec-fetch-site": "same-site"}, id="page of another port"),
        pytest.param("GET", {"origin": "http://127.0.0.1:9999"}, id="script of another port"),
        pytest.param("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, id="picture"),
        pytest.param("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, id="frame"),
        pytest.param("POST", {"origin": "null"}, id="sandboxed frame"),
        pytest.param("POST", {}, id="nobody knows where from"),
        pytest.param("GET", {"host": "evil.example:8080"}, id="name that points here"),
    ],
)
def test_what_other_pages_send_is_refused(browser: httpx.Client, method: str, headers: dict[str, str]) -> None:
    login(browser)

    answer = browser.request(method, "/ml/data", headers={**session(browser), **headers})

    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_own_pages_may_change_things_and_links_from_elsewhere_open(browser: httpx.Client) -> None:
    login(browser)

    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert browser.post("/ml/data", headers=own(browser)).status_code == 200
    assert browser.get("/ml/data", headers=followed).status_code == 200


def test_other_pages_cannot_log_in(browser: httpx.Client) -> None:
    answer = browser.post("/ml/login", data={"token": TOKEN}, headers={"origin": "http://evil.example"})

    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        pytest.param("/ml/#/models/main.ml.m", "/ml/#/models/main.ml.m", id="page of ours"),
        pytest.param("//evil.example/ml/", "/ml/", id="another host"),
        pytest.param("https://evil.example/", "/ml/", id="another site"),
        pytest.param("/ml/\\evil", "/ml/", id="backslash"),
        pytest.param("/api/2.0/x", "/ml/", id="outside"),
    ],
)
def test_login_leads_to_pages_of_ours_only(browser: httpx.Client, asked: str, given: str) -> None:
    assert login(browser, next=asked).headers["location"] == given


def test_session_ends(browser: httpx.Client, clock: FakeClock) -> None:
    login(browser)

    clock.sleep(SESSION_SECONDS + 1)

    assert browser.get("/ml/data", headers=session(browser)).status_code == 401


def test_token_in_the_header_needs_no_cookie(browser: httpx.Client) -> None:
    assert browser.post("/ml/data", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
