import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from databricks.sdk.errors import DeadlineExceeded, InternalError, TemporarilyUnavailable, TooManyRequests

Answer = TypeVar("Answer")

TRANSIENT: Final = (TooManyRequests, TemporarilyUnavailable, DeadlineExceeded, InternalError)
"""Worth another try: throttled, waking up, timed out, a fault of the platform. Anything else is final."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to insist: at most `attempts` sends, waits that double from `first_wait` up to `longest_wait` seconds.

    The SDK itself already waits as `Retry-After` asks, up to `retry_timeout_seconds` of its configuration; its
    TimeoutError then means that this budget is used up, and is not retried again here. What the SDK gives up on at
    once (500, 504) or hands over with a `Retry-After` is retried here.
    """

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 30.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    jitter: Callable[[], float] = field(default=random.random, repr=False)

    def wait(self, attempt: int, error: BaseException) -> float:
        """Return the seconds to wait after the failed `attempt` (1 is the first): never less than `Retry-After`."""
        asked = getattr(error, "retry_after_secs", None)
        if asked is not None:
            return float(asked) + self.jitter()
        ceiling: float = min(self.longest_wait, self.first_wait * 2 ** (attempt - 1))
        return ceiling * (0.5 + 0.5 * self.jitter())

    def call(self, send: Callable[[], Answer]) -> Answer:
        """Return what `send` returns, sending again while it fails with a TRANSIENT error; the last error is raised."""
        for attempt in range(1, self.attempts):
            try:
                return send()
            except TRANSIENT as error:
                self.sleep(self.wait(attempt, error))
        return send()
