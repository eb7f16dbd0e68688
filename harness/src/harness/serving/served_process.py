"""One served entity's process: started, probed, watched, started again when it dies, retired without dropping a call."""

import asyncio
import datetime as dt
import logging
import subprocess
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from harness.clock import Clock
from harness.engines.processes import end
from harness.errors import ApiError, UserError
from harness.serving.link import Link, ModelServerGoneError, probe
from harness.serving.model import EntityState

log = logging.getLogger(__name__)
# Assumption: how often the platform restarts a crashing container is not documented; here, this often within this time.
MAX_RESTARTS = 3
RESTART_WINDOW = dt.timedelta(minutes=5)
CONNECT_PAUSE = 0.02

Spawn = Callable[[Path], subprocess.Popen[bytes]]
"""Start the model's process, listening at the path. May take long (environments); raises `ApiError`, `UserError` or OSError."""


class ServedProcess:
    """Keeps the process of one served entity alive from `start` to `retire`."""

    def __init__(self, name: str, *, spawn: Spawn, sockets: Path, clock: Clock, start_seconds: float) -> None:
        self.name = name
        self._spawn = spawn
        self._sockets = sockets
        self._clock = clock
        self._start_seconds = start_seconds
        self._changed = threading.Condition()
        self._state = EntityState("DEPLOYMENT_CREATING")
        self._process: subprocess.Popen[bytes] | None = None
        self._launches = 0
        self._calls = 0
        self._retired = False
        self._links: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[int, Link]] = weakref.WeakKeyDictionary()
        self._thread = threading.Thread(target=self._keep_alive, name=f"served-{name}", daemon=True)

    @property
    def state(self) -> EntityState:
        """What the process is doing."""
        return self._state

    @property
    def ready(self) -> bool:
        """Whether a probe of the process that runs now was answered."""
        return self._state.deployment == "DEPLOYMENT_READY"

    @property
    def settling(self) -> bool:
        """Whether it is neither ready nor given up."""
        return self._state.deployment in ("DEPLOYMENT_CREATING", "DEPLOYMENT_RECOVERING")

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def settled(self) -> EntityState:
        """Wait until the process is ready or given up, and return which."""
        with self._changed:
            self._changed.wait_for(lambda: not self.settling)
            return self._state

    def enter(self) -> bool:
        """Count one call in; False when the process is retired and takes no more."""
        with self._changed:
            if self._retired:
                return False
            self._calls += 1
            return True

    def leave(self) -> None:
        """Count one call out."""
        with self._changed:
            self._calls -= 1
            self._changed.notify_all()

    async def link(self) -> Link:
        """Return a connection to the process for the running event loop; `ModelServerGoneError` when it cannot be reached."""
        loop = asyncio.get_running_loop()
        launch, link = self._links.get(loop, (0, None))
        if link is None or link.closed or launch != self._launches:
            launch = self._launches
            link = await Link.connect(self._socket(launch))
            self._links[loop] = (launch, link)
        return link

    def retire(self, seconds: float) -> None:
        """Take no more calls, wait at most `seconds` for those inside, and end the process. Twice without harm."""
        with self._changed:
            self._retired = True
            self._changed.wait_for(lambda: self._calls == 0, seconds)
            process = self._process
            self._become("DEPLOYMENT_ABORTED", "The served entity was removed.")
        if process is not None:
            end(process)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _keep_alive(self) -> None:
        crashes: list[dt.datetime] = []
        while self._launch():
            assert self._process is not None  # noqa: S101 - launched
            status = self._process.wait()
            now = self._clock.now()
            crashes = [*(crash for crash in crashes if now - crash < RESTART_WINDOW), now]
            if self._retired:
                return
            message = f"The model server ended with exit status {status}."
            log.warning("served entity %s: %s", self.name, message)
            if len(crashes) > MAX_RESTARTS:
                self._become(
                    "DEPLOYMENT_FAILED", f"{message} It is not started again after {MAX_RESTARTS} restarts within {RESTART_WINDOW}."
                )
                return
            self._become("DEPLOYMENT_RECOVERING", message)

    def _launch(self) -> bool:
        try:
            failure = self._try_launch()
        except (ApiError, UserError, OSError, subprocess.SubprocessError) as error:
            failure = str(error)
        except BaseException as error:  # the endpoint must not wait for ever on a thread that died; raised again
            self._become("DEPLOYMENT_FAILED", f"harness bug while starting the model server: {error!r}")
            raise
        if failure is None:
            self._become("DEPLOYMENT_READY")
            return True
        if self._process is not None:
            end(self._process)
        self._become("DEPLOYMENT_FAILED", failure)
        return False

    def _try_launch(self) -> str | None:
        """Start the process and return None when its probe was answered well, else what went wrong."""
        launch = self._launches + 1
        path = self._socket(launch)
        process = self._spawn(path)
        with self._changed:
            self._process = process
            retired = self._retired
        if retired:
            end(process)
            return "The served entity was removed."
        while not path.exists() and process.poll() is None:
            self._clock.sleep(CONNECT_PAUSE)
        try:
            answer = probe(path, self._start_seconds)
        except TimeoutError:
            return f"The model was not loaded within {self._start_seconds:g} s."
        except ModelServerGoneError:
            return f"The model server ended with exit status {process.wait()} before it had loaded the model; see the served entity's logs."
        self._launches = launch
        return None if answer.status == 200 else answer.body.decode()

    def _socket(self, launch: int) -> Path:
        return self._sockets / f"{id(self):x}.{launch}"  # short: a Unix socket's path has about 107 bytes

    def _become(self, deployment: str, message: str = "") -> None:
        with self._changed:
            if self._state.deployment != "DEPLOYMENT_ABORTED":
                self._state = EntityState(deployment, message)  # type: ignore[arg-type]  # the callers' literals
            self._changed.notify_all()
