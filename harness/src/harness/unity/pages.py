"""Lists in pages, as Unity Catalog's API has them. Pure."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.errors import ApiError

T = TypeVar("T")

# "The page length is the minimum of this value and a server configured value": docs.databricks.com/api/workspace/schemas/list, which does
# not say what is configured. Assumption: this.
PAGE_SIZE = 1000
# "10000, as of 1/5/2024": docs.databricks.com/api/workspace/tables/listsummaries, volumes/list
LONG_PAGE_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page a caller wants. `size` None: everything."""

    size: int | None
    after: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list, and the token of what follows."""

    items: Sequence[T]
    next_page_token: str = ""

    def body(self, key: str, render: Callable[[T], object]) -> dict[str, object]:
        """Return it as JSON; as on the platform there is no token after the last page."""
        more = {"next_page_token": self.next_page_token} if self.next_page_token else {}
        return {key: [render(each) for each in self.items], **more}


def asked(query: Mapping[str, str], *, unless_said: int | None = None, most: int = PAGE_SIZE, key: str = "max_results") -> Asked:
    """Return which page a query string asks for, or raise the platform's 400."""
    text = query.get(key)
    after = _decoded(query["page_token"]) if query.get("page_token") else ""
    if text is None or text == "":
        return Asked(unless_said, after) if not after else Asked(unless_said or most, after)
    try:
        size = int(text)
    except ValueError as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{key} must be a whole number, not {text[:80]!r}") from error
    if size < 0:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{key} must be 0 or more, not {size}")
    return Asked(min(size or unless_said or most, most), after)


def page(items: Sequence[T], wanted: Asked, name: Callable[[T], str]) -> Page[T]:
    """Return the page of `items`, which are in the order of `name`; what is made or dropped between pages shifts none of the others."""
    rest = [each for each in items if name(each) > wanted.after] if wanted.after else items
    if wanted.size is None or len(rest) <= wanted.size:
        return Page(rest)
    shown = rest[: wanted.size]
    return Page(shown, _encoded(name(shown[-1])))


def _encoded(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _decoded(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"page_token {token[:80]!r} is not one that a listing has returned") from error
