"""Health and connection of the running harness."""

from collections.abc import Callable, Mapping

from harness.http import AnyRoute, Call, Route

DOC = "harness: docs/ARCHITECTURE.md"
Status = Callable[[], Mapping[str, object]]


def routes(status: Status) -> list[AnyRoute]:
    """Return the control routes; `status` says of each engine whether it answers."""

    def health(_: Call) -> object:
        return status()

    return [Route("GET", "/__harness__/health", health, DOC, public=True)]
