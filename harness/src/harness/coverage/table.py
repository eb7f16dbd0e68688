"""The coverage table as Markdown: pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.coverage.client import ClientRoute
from harness.coverage.touched import Touch, Touched

_SHOWN_TESTS, _SHOWN_FIELDS = 2, 8
_HEAD = """\
# Routes the harness answers

Written by `harness routes --write`; a test compares it with the code. `nox -s coverage` runs every test and notes what each route was
asked and what it answered. A route is **full** when the runs saw every field that the official client reads of its answer, **partial**
when some were never seen (which: the first of them are named; a field may be one that does not apply here), **answered** when the
client reads no fields of it or knows no such route, and **not run** when no run has had an answer from it.
"""
_REST = """
## Not answered

What else the official client can call in a workspace answers **501** and names itself.

| `w.…` | methods |
| --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Answering:
    """One route of the harness: a method, Starlette's path, and the documentation of what it mirrors."""

    method: str
    path: str
    doc: str


def table(routes: Iterable[Answering], touched: Touched, client: Sequence[ClientRoute]) -> str:
    """Return the page."""
    rows = sorted(set(routes), key=lambda route: (route.path, route.method))
    lines = [_row(route, touched.by_route.get(f"{route.method} {route.path}"), _known(route, client)) for route in rows]
    head = ["", "| method | path | state | proven by | source |", "| --- | --- | --- | --- | --- |"]
    return _HEAD + "\n".join([*head, *lines]) + "\n" + _REST + "\n".join(_unanswered(rows, client)) + "\n"


def _known(route: Answering, client: Sequence[ClientRoute]) -> ClientRoute | None:
    """Return what the client knows of a route; of one that takes whole paths, nothing."""
    if ":path}" in route.path:
        return None
    pattern = re.compile(_pattern(route.path))
    same = [known for known in client if known.method == route.method and pattern.fullmatch(known.path)]
    return min(same, key=lambda known: (known.path.count("{}") != route.path.count("{"), known.name), default=None)


def _row(route: Answering, touch: Touch | None, known: ClientRoute | None) -> str:
    state = "not run" if touch is None else _state(touch, known)
    tests = _shown(touch.tests) if touch else ""
    return f"| {route.method} | `{route.path}` | {state} | {tests} | {route.doc} |"


def _state(touch: Touch, known: ClientRoute | None) -> str:
    if known is None or not known.fields:
        return "answered"
    missing = [name for name in known.fields if name not in touch.fields]
    if not missing:
        return "full"
    shown = ", ".join(f"`{name}`" for name in missing[:_SHOWN_FIELDS])
    return f"partial, without {shown}" + (f" and {len(missing) - _SHOWN_FIELDS} more" if len(missing) > _SHOWN_FIELDS else "")


def _shown(tests: Iterable[str]) -> str:
    """Return the tests that say most of a route: scripts of clients, then the whole platform, then the parts."""

    def rank(test: str) -> tuple[int, str]:
        return 0 if "/clients/" in test else 1 if test.startswith("integration/") else 2, test

    ranked = sorted(tests, key=rank)
    more = f" +{len(ranked) - _SHOWN_TESTS}" if len(ranked) > _SHOWN_TESTS else ""
    return ", ".join(f"`{test.rpartition('/')[2]}`" for test in ranked[:_SHOWN_TESTS]) + more


def _unanswered(rows: Iterable[Answering], client: Sequence[ClientRoute]) -> list[str]:
    patterns = [(row.method, re.compile(_pattern(row.path))) for row in rows]
    missing = sorted(
        route.name for route in client if not any(route.method == method and path.fullmatch(route.path) for method, path in patterns)
    )
    services = groupby(dict.fromkeys(missing), key=lambda name: name.partition(".")[0])
    return [f"| {service} | {', '.join(name.partition('.')[2] for name in names)} |" for service, names in services]


def _pattern(path: str) -> str:
    parts = re.split(r"(\{[^}]*\})", path)
    return "".join((".*" if part.endswith(":path}") else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts)
