"""A harness tells what it was asked and could not answer."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from harness.control.calls import Calls
from harness.http import OneToken, Route, application, observed

TOKEN = {"Authorization": "Bearer t"}


@dataclass(frozen=True)
class Client:
    """Plain HTTP to an application in this process."""

    application: ASGIApp

    def send(self, method: str, path: str, headers: dict[str, str] | None = None) -> Any:
        async def sent() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.application), base_url="http://harness") as client:
                return await client.request(method, path, headers=TOKEN | (headers or {}))

        return asyncio.run(sent()).json()


@pytest.fixture
def client() -> Iterator[Client]:
    calls = Calls()
    known = [*calls.routes(), Route("GET", "/api/things/{name}", lambda _: {}, "")]
    with observed(calls.add):
        yield Client(application(known, callers=OneToken("t", "me")))


def test_what_is_not_emulated_is_told_by_path_and_what_is_answered_by_route(client: Client) -> None:
    """A known path with another method counts as not emulated, too."""
    for path in ("/api/things/a", "/api/things/b", "/api/2.0/apps", "/api/2.0/apps"):
        client.send("GET", path)
    client.send("POST", "/api/things/a")
    client.send("GET", "/api/things/a", headers={"Authorization": "Bearer other"})

    assert client.send("GET", "/__harness__/calls") == {
        "answered": [
            {"method": "GET", "route": "/api/things/{name}", "status": 200, "calls": 2},
            {"method": "GET", "route": "/api/things/{name}", "status": 401, "calls": 1},
        ],
        "not_emulated": [
            {"method": "GET", "path": "/api/2.0/apps", "calls": 2},
            {"method": "POST", "path": "/api/things/a", "calls": 1},
        ],
    }


def test_counting_begins_anew(client: Client) -> None:
    client.send("GET", "/api/things/a")
    client.send("DELETE", "/__harness__/calls")
    assert client.send("GET", "/__harness__/calls") == {"answered": [], "not_emulated": []}


def test_paths_that_a_client_makes_up_do_not_fill_the_memory(client: Client) -> None:
    for number in range(1100):
        client.send("GET", f"/api/2.0/made-up/{number}")
    assert len(client.send("GET", "/__harness__/calls")["not_emulated"]) == 1000
