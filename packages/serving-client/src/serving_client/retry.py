import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import requests
from databricks.sdk.errors import DeadlineExceeded, InternalError, TemporarilyUnavailable, TooManyRequests

Answer = TypeVar("Answer")

TRANSIENT: Final = (
    TooManyRequests,
    TemporarilyUnavailable,
    DeadlineExceeded,
    InternalError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)
"""Worth another try: throttled, waking up, timed out, a fault of the platform or of the way to it. Anything else is final."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to insist.

    Waits double from `first_wait` up to `longest_wait` seconds, each shortened at random by up to a half, so that many
    clients do not come back together; never shorter than the endpoint's `Retry-After`. It ends with the endpoint's own
    error after `attempts` sends, or as soon as the next wait would not fit into `budget` seconds. The default is long
    enough for an endpoint that was scaled to zero.
    """

    attempts: int = 30
    first_wait: float = 1.0
    longest_wait: float = 30.0
    budget: float = 300.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    jitter: Callable[[], float] = field(default=random.random, repr=False)
    now: Callable[[], float] = field(default=time.monotonic, repr=False)

    def wait(self, attempt: int, error: BaseException) -> float:
        """Return the seconds to wait after the failed `attempt` (1 is the first)."""
        # The exponent is bounded because a float is: what it leads to is cut off by `longest_wait` anyway.
        ceiling: float = min(self.longest_wait, self.first_wait * 2.0 ** min(attempt - 1, 60))
        own = ceiling * (0.5 + 0.5 * self.jitter())
        asked = getattr(error, "retry_after_secs", None)
        return own if asked is None else max(own, float(asked) + self.jitter())

    def call(self, send: Callable[[], Answer]) -> Answer:
        """Return what `send` returns, sending again while it fails with a TRANSIENT error; the last error is raised."""
        start, attempt = self.now(), 1
        while True:
            try:
                return send()
            except TRANSIENT as error:
                wait, spent = self.wait(attempt, error), self.now() - start
                if attempt >= self.attempts or spent + wait > self.budget:
                    error.add_note(f"gave up after {attempt} sends and {spent:.0f} s; the next wait would have been {wait:.0f} s")
                    raise
            self.sleep(wait)
            attempt += 1
