import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long an update may take, and what time is; a container build takes ten to thirty minutes on the platform."""

    timeout: timedelta = timedelta(minutes=45)
    poll: timedelta = timedelta(seconds=0.5)
    longest_poll: timedelta = timedelta(seconds=15)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    now: Callable[[], float] = field(default=time.monotonic, repr=False)

    def looks(self) -> Iterator[float]:
        """Yield the seconds waited so far, at first 0, sleeping longer each time; end when the time is up."""
        start, wait = self.now(), self.poll.total_seconds()
        while (waited := self.now() - start) < self.timeout.total_seconds():
            yield waited
            self.sleep(wait)
            wait = min(wait * 1.5, self.longest_poll.total_seconds())


@dataclass(frozen=True, slots=True)
class Watch:
    """How long the endpoint is watched under traffic before what served before is unloaded: `checks` requests over `seconds`.

    With `seconds=0` it is asked once.
    """

    seconds: float = 5.0
    checks: int = 5

    def pauses(self) -> list[float]:
        """Return the seconds to wait before each check; the first comes at once."""
        further = max(0, self.checks - 1) if self.seconds > 0 else 0
        return [0.0, *(self.seconds / further for _ in range(further))]
