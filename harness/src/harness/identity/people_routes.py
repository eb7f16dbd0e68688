"""HTTP of users, service principals and groups: who is there, to be looked up. Making others is not emulated."""

from collections.abc import Callable, Sequence

from harness import people
from harness.errors import ApiError
from harness.http import AnyRoute, Call, Route
from harness.people import Person

_PATH = "/api/2.0/preview/scim/v2"
_DOC = "https://docs.databricks.com/api/workspace"
_MOST = 10_000
People = Callable[[str], Sequence[Person]]


def people_routes(user: str) -> list[AnyRoute]:
    """Return the routes of a workspace that is `user`'s."""
    kinds: list[tuple[str, str, People]] = [
        ("Users", "users", people.users),
        ("ServicePrincipals", "serviceprincipals", people.principals),
        ("Groups", "groups", people.groups),
    ]
    return [route for kind in kinds for route in _routes(user, *kind)]


def _routes(user: str, kind: str, doc: str, everyone: People) -> list[AnyRoute]:
    def list_(call: Call) -> object:
        found = people.filtered(everyone(user), call.query.get("filter", ""))
        start = max(1, _number(call, "startIndex", 1))
        shown = found[start - 1 : start - 1 + _number(call, "count", _MOST)]
        schemas = ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]
        return {
            "schemas": schemas,
            "totalResults": len(found),
            "startIndex": start,
            "itemsPerPage": len(shown),
            "Resources": shown,
        }

    def get(call: Call) -> object:
        for one in everyone(user):
            if one["id"] == call.params["id"]:
                return one
        # Assumption: the wording
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"{kind.removesuffix('s')} with id {call.params['id']} not found.")

    return [
        Route("GET", f"{_PATH}/{kind}", list_, f"{_DOC}/{doc}/list"),
        Route("GET", f"{_PATH}/{kind}/{{id}}", get, f"{_DOC}/{doc}/get"),
    ]


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, str(default))
    if not text.isdecimal():
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{name} must be a whole number, not {text!r}")
    return int(text)
