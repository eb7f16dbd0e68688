"""What a running harness was asked: by route, and what it could not answer because it is not emulated."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from harness.http import Answered, AnyRoute, Call, Route

_DOC = "harness: docs/coverage.md"
_MOST_PATHS = 1000
"""Paths that are told apart among what is not emulated; a client that makes paths up would fill the memory."""


@dataclass(slots=True)
class Calls:
    """Counts calls. Those that the harness's own pages and commands make (`/__harness__/`) are left out."""

    _answered: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    _not_emulated: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def add(self, answered: Answered) -> None:
        """Take in one call."""
        if answered.path.startswith("/__harness__/"):
            return
        with self._lock:
            key = (answered.method, answered.path)
            if answered.status != 501:
                self._answered[answered.method, answered.route, answered.status] += 1
            elif key in self._not_emulated or len(self._not_emulated) < _MOST_PATHS:
                self._not_emulated[key] += 1

    def routes(self) -> Sequence[AnyRoute]:
        """Return the routes that tell it, and that begin anew."""
        return [Route("GET", "/__harness__/calls", self._tell, _DOC), Route("DELETE", "/__harness__/calls", self._forget, _DOC)]

    def _tell(self, _: Call) -> object:
        with self._lock:
            return {
                "answered": [
                    {"method": method, "route": route, "status": status, "calls": count}
                    for (method, route, status), count in sorted(self._answered.items())
                ],
                "not_emulated": [
                    {"method": method, "path": path, "calls": count} for (method, path), count in sorted(self._not_emulated.items())
                ],
            }

    def _forget(self, _: Call) -> object:
        with self._lock:
            self._answered.clear()
            self._not_emulated.clear()
        return {}
