"""What cases of the contract are tried on: a workspace, its endpoints, and how an answer is compared with what a case says of it."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx

Json = dict[str, Any]
SOON = timedelta(seconds=120)
P = "/api/2.0/serving-endpoints"


class Workspace(Protocol):
    """What conftest.py starts."""

    sdk: Any
    http: httpx.Client
    layout: Any

    def rows(self, table: str) -> list[Json]:
        """Return the rows of a payload table."""
        ...


class Models(Protocol):
    """The registry of conftest.py."""

    folders: dict[tuple[str, str], Path]


@dataclass(frozen=True)
class World:
    """A workspace with the endpoint `cases`, which serves all models of `BODIES` and logs, and any model a case names."""

    workspace: Workspace
    models: Models

    @property
    def http(self) -> httpx.Client:
        """The client of plain HTTP."""
        return self.workspace.http

    def register(self, body: Json) -> None:
        """Have every model version that `body` asks for."""
        config = body.get("config", body)
        for entity in [*config.get("served_entities", []), *config.get("served_models", [])]:
            key = (entity.get("entity_name") or entity.get("model_name"), entity.get("entity_version") or entity.get("model_version"))
            self.models.folders.setdefault(key, self.models.folders["main.ml.adds", "1"])

    def fresh(self, name: str) -> None:
        """Have no endpoint of this name."""
        if self.http.get(f"{P}/{name}").status_code == 200:
            self.settled(name)
            assert self.http.delete(f"{P}/{name}").status_code == 200

    def settled(self, name: str) -> Json:
        """Return the endpoint when nothing is under way."""
        self.workspace.sdk.serving_endpoints.wait_get_serving_endpoint_not_updating(name, timeout=SOON)
        found: Json = self.http.get(f"{P}/{name}").json()
        return found

    def have(self, name: str) -> str:
        """Have a new endpoint of this name and return its id."""
        self.fresh(name)
        body = {"name": name, "config": {"served_entities": [{"entity_name": "c.s.m", "entity_version": "1"}]}}
        self.register(body)
        assert self.http.post(P, json=body).status_code == 200
        return str(self.settled(name)["id"])


def sorted_sets(text: str) -> str:
    """Return `text` with the sets printed in it made comparable."""
    return re.sub(r"\{'[^{}]*\}", lambda found: "".join(sorted(found[0])), text)  # a set's order is another in each process


def contains(answer: object, expected: object, place: str = "answer") -> None:
    """Fail unless `answer` has all that `expected` has; "<any>" is anything, "<uuid>" and "<id>" what they say, "~x" text with x in it."""
    if isinstance(expected, dict):
        assert isinstance(answer, dict), place
        for key, value in expected.items():
            assert key in answer, f"{place}.{key} in {answer}"
            contains(answer[key], value, f"{place}.{key}")
    elif isinstance(expected, list):
        assert isinstance(answer, list), place
        assert len(answer) == len(expected), place
        for number, (one, other) in enumerate(zip(answer, expected, strict=True)):
            contains(one, other, f"{place}[{number}]")
    elif expected == "<uuid>":
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(answer)), place
    elif expected == "<id>":
        assert re.fullmatch("[0-9a-f]{32}", str(answer)), place
    elif isinstance(expected, str) and expected.startswith("~"):
        assert expected[1:] in str(answer), place
    elif expected != "<any>":
        assert answer == expected, place


def shape(value: object) -> object:
    """Return the shape of `value`, whatever its texts and numbers are."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else "<any>"
