"""HTTP of grants: what is granted on a securable, and what it inherits."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from harness.errors import ApiError
from harness.http import AnyRoute, Call, Route
from harness.unity import pages, rendering
from harness.unity.grants import Change, Grants

_DOC = "https://docs.databricks.com/api/workspace/grants"
_PREFIX = "/api/2.1/unity-catalog"
# "Lesser than 150 but greater than 0: invalid parameter error": docs.databricks.com/api/workspace/grants/get
_LEAST = 150
T = TypeVar("T")


class _Changes(msgspec.Struct):
    changes: list[Change] = []
    omit_permissions_in_response: bool = False


def grants_routes(grants: Grants) -> list[AnyRoute]:
    """Return the routes of `w.grants`."""

    def get(key: str) -> Callable[[Call], object]:
        def answer(call: Call) -> object:
            kind, name, principal = _asked(call)
            return _page(call, key, rendering.assignments(grants.get(kind, name), principal), rendering.assignment)

        return answer

    def effective(key: str) -> Callable[[Call], object]:
        def answer(call: Call) -> object:
            kind, name, principal = _asked(call)
            held = sorted((who, names) for who, names in grants.effective(kind, name).items() if principal in {None, who})
            return _page(call, key, held, rendering.effective)

        return answer

    def update(call: Call) -> object:
        asked = call.json(_Changes)
        after = grants.update(call.params["kind"], call.params["name"], asked.changes)
        if asked.omit_permissions_in_response:
            return {}
        return {"privilege_assignments": [rendering.assignment(each) for each in rendering.assignments(after, None)]}

    place = "{kind}/{name}"
    return [
        Route("GET", f"{_PREFIX}/permissions/{place}", get("max_results"), f"{_DOC}/get"),
        Route("GET", f"{_PREFIX}/privilege-assignments/{place}", get("page_size"), f"{_DOC}/list"),
        Route("PATCH", f"{_PREFIX}/permissions/{place}", update, f"{_DOC}/update"),
        Route("GET", f"{_PREFIX}/effective-permissions/{place}", effective("max_results"), f"{_DOC}/geteffective"),
        Route("GET", f"{_PREFIX}/effective-privilege-assignments/{place}", effective("page_size"), f"{_DOC}/listeffective"),
    ]


def _asked(call: Call) -> tuple[str, str, str | None]:
    return call.params["kind"], call.params["name"], call.query.get("principal")


def _page(call: Call, key: str, held: Sequence[tuple[str, T]], render: Callable[[tuple[str, T]], object]) -> object:
    wanted = pages.asked(call.query, key=key)
    if wanted.size is not None and 0 < wanted.size < _LEAST:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{key} must be 0 or at least {_LEAST}, not {wanted.size}")
    # Assumption: a page counts principals, whose privileges are never parted.
    found = pages.page(held, wanted, lambda each: each[0])
    return found.body("privilege_assignments", render) if held else {}
