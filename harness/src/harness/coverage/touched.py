"""What runs touched: by route, the tests that called it and the fields that it answered."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.http.observing import Answered

_ANSWERS_READ = 200
"""Of each route and test: enough to see its fields, few enough to cost nothing."""


@dataclass(slots=True)
class Touch:
    """What is known of one route."""

    tests: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Touched:
    """Collects answers. A call that is refused touches nothing: it says nothing of what the route can."""

    by_route: dict[str, Touch] = field(default_factory=dict)
    _read: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, answered: Answered, test: str) -> None:
        """Take in one answer that `test` got."""
        if not answered.route or answered.status >= 400:
            return
        key = f"{answered.method} {answered.route}"
        touch = self.by_route.setdefault(key, Touch())
        touch.tests.add(test)
        read = self._read.get((key, test), 0)
        if answered.body and read < _ANSWERS_READ:
            self._read[key, test] = read + 1
            touch.fields.update(fields(json.loads(answered.body)))

    def merge(self, other: "Touched") -> None:
        """Take in what another process collected."""
        for key, theirs in other.by_route.items():
            ours = self.by_route.setdefault(key, Touch())
            ours.tests |= theirs.tests
            ours.fields |= theirs.fields

    def write(self, path: Path) -> None:
        """Keep it as JSON, the same for the same runs."""
        document = {key: {"tests": sorted(touch.tests), "fields": sorted(touch.fields)} for key, touch in sorted(self.by_route.items())}
        path.write_text(json.dumps(document, indent=1) + "\n")


def read(path: Path) -> Touched:
    """Return what `write` kept; nothing when there is no such file."""
    document: Mapping[str, Mapping[str, list[str]]] = json.loads(path.read_text()) if path.is_file() else {}
    return Touched({key: Touch(set(kept["tests"]), set(kept["fields"])) for key, kept in document.items()})


def merged(paths: Iterable[Path]) -> Touched:
    """Return what several processes collected."""
    whole = Touched()
    for path in paths:
        whole.merge(read(path))
    return whole


def fields(answer: object) -> Iterator[str]:
    """Yield the names in an answer: `name` of an object, `tables[].name` of the objects in its lists."""
    if not isinstance(answer, Mapping):
        return
    for name, value in answer.items():
        if value is None:
            continue
        yield name
        if isinstance(value, list):
            for each in value:
                if isinstance(each, Mapping):
                    yield from (f"{name}[].{inner}" for inner, held in each.items() if held is not None)
