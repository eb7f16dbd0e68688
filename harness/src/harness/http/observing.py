"""Who looks at answered calls: what a run touched, and what it asked for that nobody answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class Answered:
    """One call and its answer; `route` is the path of the route that took it, empty for a call that none takes."""

    method: str
    path: str
    route: str
    status: int
    body: bytes | None
    """The JSON answered; None for other content and for streams."""


Observer = Callable[[Answered], None]
_observers: list[Observer] = []


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Have `observer` told of every call that any application of this process answers, on the event loop's thread: it must be quick."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


def tell(method: str, path: str, route: str, response: Response) -> None:
    """Tell the observers of an answer."""
    if not _observers:
        return
    is_json = response.headers.get("content-type", "").startswith("application/json")
    body = bytes(response.body) if is_json and hasattr(response, "body") else None
    answered = Answered(method, path, route, response.status_code, body)
    for observer in tuple(_observers):
        observer(answered)
