"""Event loops and one served process: the connection that each has to it, and who waits for it to wake."""

import asyncio
import weakref
from collections.abc import Callable

from harness.serving.launch import Launch
from harness.serving.link import Link, ModelServerGoneError

BROKEN_SECONDS = 1.0
_PAUSE = 0.005


class Connections:
    """The connection of each event loop to the incarnation that calls go to."""

    def __init__(self) -> None:
        self._links: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Launch, Link]] = weakref.WeakKeyDictionary()

    def linked(self, launch: Launch | None) -> Link | None:
        """Return the running event loop's connection to `launch`, if it has one that is open."""
        known = self._links.get(asyncio.get_running_loop())
        return known[1] if known is not None and known[0] is launch and not known[1].closed else None

    def lead_to(self, launch: Launch | None, link: Link) -> bool:
        """Return whether `link` is a connection to `launch`."""
        return any(known == (launch, link) for known in self._links.values())

    async def link(self, launch: Launch, *handlers: Callable[..., None]) -> Link:
        """Return the running event loop's connection to `launch`, made if need be; `ModelServerGoneError` when that cannot be reached."""
        loop = asyncio.get_running_loop()
        known = self._links.get(loop)
        if known is not None and known[0] is launch:
            if not known[1].closed:
                return known[1]
            await _outcome(launch)
        link = await Link.connect(launch.path, *handlers)
        self._links[loop] = (launch, link)
        return link


class Waiters:
    """Coroutines, of any event loop, that wait for the same thing. Not locked: whoever uses it does that."""

    def __init__(self) -> None:
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def add(self) -> asyncio.Future[None]:
        """Return what the calling coroutine can await."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[None] = loop.create_future()
        self._waiting.append((loop, told))
        return told

    def tell(self) -> None:
        """Have all of them go on."""
        waiting, self._waiting = self._waiting, []
        for loop, told in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, told)


async def _outcome(launch: Launch) -> None:
    """Wait, after a connection broke, until it is clear whether the process lives; `ModelServerGoneError` when it does not.

    A process that is dying may still accept a connection, and with it the next call, which would die with it.
    """
    waited = 0.0
    while waited < BROKEN_SECONDS and launch.status is None:
        await asyncio.sleep(_PAUSE)
        waited += _PAUSE
    if launch.status is not None:
        raise ModelServerGoneError(launch.told())


def _resolve(told: asyncio.Future[None]) -> None:
    if not told.done():  # else the caller has gone away
        told.set_result(None)
