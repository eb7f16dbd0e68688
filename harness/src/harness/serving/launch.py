"""One incarnation of a served entity's process: from its start over its probe to its end."""

import datetime as dt
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from harness.clock import Clock
from harness.engines.children import Child
from harness.engines.processes import GRACE_SECONDS
from harness.serving.link import ModelServerGoneError, probe
from harness.serving.upkeep import resident_bytes, sacrifice_first

# Assumption: how often the platform restarts a crashing container is not documented; here, this often within this time.
MAX_RESTARTS = 3
RESTART_WINDOW = dt.timedelta(minutes=5)
_PAUSE = 0.01
_GB = 1 << 30


class NotStartedError(Exception):
    """The process did not come up; says why."""


class Launch:
    """A process that was started, and how it ended."""

    def __init__(self, path: Path, child: Child, ended: Callable[[], None]) -> None:
        """It listens at `path`, or will; `ended` is told when it has ended, in another thread."""
        self.path = path
        self.child = child
        self.status: int | None = None
        self._cause = ""
        self._known = False
        self._ended = threading.Event()
        threading.Thread(target=self._await_end, args=(ended,), name="await-model-server", daemon=True).start()

    def told(self) -> str:
        """Return how it ended, as a sentence."""
        if self._cause:
            return self._cause
        if self.status is None:
            return "The model server closed its socket."
        if self.status < 0:
            return f"The model server was ended by signal {-self.status} ({signal.Signals(-self.status).name})."
        return f"The model server ended with exit status {self.status}."

    def probe(self, failure: str, *, seconds: float, clock: Clock) -> None:
        """Return when its probe was answered well; else, or when there is a `failure` already, end it and raise `NotStartedError`."""
        failure = failure or self._failure(seconds, clock)
        if failure:
            self.child.end(GRACE_SECONDS)
            raise NotStartedError(failure)

    def look(self, memory_bytes: int | None) -> None:
        """End it if it uses more memory than it may."""
        pid = self.child.pid
        if not pid or self._cause or self._ended.is_set():
            return
        if not self._known:
            sacrifice_first(pid)
            self._known = True
        used = resident_bytes(pid)
        if memory_bytes is not None and used > memory_bytes:
            self._cause = f"The model server used {used / _GB:.2f} GB of memory; its workload type has {memory_bytes / _GB:.2f} GB."
            self.child.end(0.0)

    def _failure(self, seconds: float, clock: Clock) -> str:
        late = f"The model was not loaded within {seconds:g} s."
        waited = 0.0
        while waited < seconds:
            try:
                answer = probe(self.path, seconds - waited)
            except TimeoutError:
                return late
            except ModelServerGoneError as error:
                listens = not isinstance(error.__cause__, (FileNotFoundError, ConnectionRefusedError))
                if self._ended.wait(GRACE_SECONDS if listens else 0.0) or listens:
                    return f"{self.told().rstrip('.')} before it had loaded the model; see the served entity's logs."
                clock.sleep(_PAUSE)
                waited += _PAUSE
            else:
                return "" if answer.status == 200 else answer.body.decode()
        return late

    def _await_end(self, ended: Callable[[], None]) -> None:
        self.status = self.child.wait()
        self._ended.set()
        ended()


class Crashes:
    """Counts what died lately."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: list[dt.datetime] = []

    def too_many(self) -> bool:
        """Count one more, and return whether that is one too many."""
        now = self._clock.now()
        self._times = [*(time for time in self._times if now - time < RESTART_WINDOW), now]
        return len(self._times) > MAX_RESTARTS
