"""The shape that the routes of all securables have: one to make, one to list, three for one of them."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from harness.http import AnyRoute, Call, Route
from harness.names import check_name
from harness.unity import pages

DOC = "https://docs.databricks.com/api/workspace"
PREFIX = "/api/2.1/unity-catalog"
Handler = Callable[[Call], object]


class Named(Protocol):
    """Whatever has a name."""

    @property
    def name(self) -> str:
        """The last part of its full name."""
        ...


N = TypeVar("N", bound=Named)


def five_routes(
    kind: str, *, create: Handler, listed: Handler, get: Callable[[str], object], update: Handler, delete: Callable[[Call], None]
) -> list[AnyRoute]:
    """Return the routes of a kind of securables; `get` is given the name of one, and `delete` answers nothing."""

    def get_one(call: Call) -> object:
        return get(call.params["name"])

    def delete_one(call: Call) -> object:
        delete(call)
        return {}

    path, doc = f"{PREFIX}/{kind}", f"{DOC}/{kind}"
    one = f"{path}/{{name}}"
    return [
        Route("POST", path, create, f"{doc}/create"),
        Route("GET", path, listed, f"{doc}/list"),
        Route("GET", one, get_one, f"{doc}/{'read' if kind == 'volumes' else 'get'}"),
        Route("PATCH", one, update, f"{doc}/update"),
        Route("DELETE", one, delete_one, f"{doc}/delete"),
    ]


def asked_schema(call: Call) -> tuple[str, str]:
    """Return the catalog and the schema that a list is asked of."""
    return check_name(call.require("catalog_name"), "catalog"), check_name(call.require("schema_name"), "schema")


def page_of(key: str, items: Sequence[N], wanted: pages.Asked, render: Callable[[N], object]) -> object:
    """Return a page of a list that is in the order of its names."""
    return pages.page(items, wanted, lambda each: each.name).body(key, render)


def is_forced(call: Call) -> bool:
    """Return whether what a securable holds goes with it."""
    return call.query.get("force", "false").lower() == "true"
