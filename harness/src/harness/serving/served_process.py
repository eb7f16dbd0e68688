"""One served entity's process: started, probed, watched, put to sleep and woken, replaced, retired without dropping a call."""

import itertools
import logging
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.clock import Clock
from harness.engines.children import Child
from harness.engines.processes import GRACE_SECONDS
from harness.errors import ApiError, UserError
from harness.serving.connections import Connections, Waiters
from harness.serving.launch import MAX_RESTARTS, RESTART_WINDOW, Crashes, Launch, NotStartedError
from harness.serving.link import DESCRIBE, Link, ModelServerGoneError, ask
from harness.serving.model import Deployment, EntityState
from harness.serving.process_settings import ProcessSettings

log = logging.getLogger(__name__)
DESCRIPTION_SECONDS = 5.0
REMOVED = "The served entity was removed."
# contract/serving.md, state machine: texts of a scaled entity's deployment_state_message
SCALED_TO_ZERO = "Scaled to zero"
SCALING_FROM_ZERO = "Scaling from zero"

_KEYS = itertools.count(1)

Spawn = Callable[[Path], Child]
"""Start the model's process, listening at the path. May take long (environments); raises `ApiError`, `UserError` or OSError."""


class ServedProcess:
    """Keeps the process of one served entity alive from `start` to `retire`."""

    def __init__(
        self,
        name: str,
        *,
        spawn: Spawn,
        sockets: Path,
        clock: Clock,
        settings: ProcessSettings,
        scale_to_zero: bool = False,
        memory_bytes: int | None = None,
    ) -> None:
        self.name = name
        self.scale_to_zero = scale_to_zero
        self.memory_bytes = memory_bytes
        self._spawn = spawn
        self._sockets = sockets
        self._key = next(_KEYS)
        self._clock = clock
        self._settings = settings
        self._changed = threading.Condition()
        self._state = EntityState("DEPLOYMENT_CREATING")
        self._current: Launch | None = None  # what calls go to
        self._others: list[Launch] = []  # coming up, or draining
        self._number = 0
        self._order: str = ""  # what the keeper shall do: "sleep", "replace"
        self._wanted = False
        self._calls = 0
        self._entered = 0
        self._seen = -1  # `_entered` when idleness was last looked at
        self._idle_from = clock.now()
        self._retired = False
        self._connections = Connections()
        self._waiters = Waiters()
        self._thread = threading.Thread(target=self._keep_alive, name=f"served-{name}", daemon=True)

    @property
    def state(self) -> EntityState:
        """What the process is doing."""
        return self._state

    @property
    def ready(self) -> bool:
        """Whether a call may enter: it runs, or it is scaled to zero and `link` wakes it."""
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
            self._entered += 1
            return True

    def leave(self) -> None:
        """Count one call out."""
        with self._changed:
            self._calls -= 1
            if self._retired:
                self._changed.notify_all()

    @property
    def pid(self) -> int | None:
        """The process that calls go to, None when there is none."""
        current = self._current
        return (current.child.pid or None) if current is not None else None

    @property
    def calls(self) -> int:
        """How many calls are inside."""
        return self._calls

    @property
    def linked(self) -> Link | None:
        """The connection that `link` made for the running event loop, if it leads to the process that calls go to now."""
        return self._connections.linked(self._current)

    async def link(self, *handlers: Callable[..., None]) -> Link:
        """Return a connection to the process for the running event loop, waking the process if it is scaled to zero.

        `handlers` are what `Link.connect` takes beside the path. `ModelServerGoneError` when the process cannot be reached.
        """
        if self._current is None:
            await self._awake()
        launch = self._current
        if launch is None:
            raise ModelServerGoneError(self._state.deployment_state_message)
        return await self._connections.link(launch, *handlers)

    def description(self) -> dict[str, object]:
        """Return what the process says of itself; nothing when none runs."""
        with self._changed:
            launch = self._current
        if launch is None:
            return {}
        try:
            answer = ask(launch.path, DESCRIBE, DESCRIPTION_SECONDS)
        except (ModelServerGoneError, TimeoutError):
            return {}
        return msgspec.json.decode(answer.body, type=dict[str, object])

    def wake(self) -> None:
        """Begin to start the process if it is scaled to zero; returns at once."""
        with self._changed:
            if self._asleep() and not self._wanted:
                self._wanted = True
                self._state = EntityState("DEPLOYMENT_READY", SCALING_FROM_ZERO)
                self._changed.notify_all()

    def overdue(self, link: Link) -> None:
        """Have the process replaced, because a call on `link` took longer than any may; returns at once.

        Assumption: a call that ran out of time hangs, and holds a thread of its process for ever. A second process takes over as soon as it
        has loaded the model; calls under way end in the first.
        """
        with self._changed:
            if self._connections.lead_to(self._current, link):
                self._order = self._order or "replace"
                self._changed.notify_all()

    def look(self) -> None:
        """End the process if it uses too much memory, and let it sleep if nobody has called for long enough."""
        with self._changed:
            current, others = self._current, list(self._others)
        for launch in (*others, current):
            if launch is not None:
                launch.look(self.memory_bytes)
        self._check_idle()

    def retire(self, seconds: float) -> None:
        """Take no more calls, wait at most `seconds` for those inside, and end the process. Twice without harm."""
        with self._changed:
            self._retired = True
            self._waiters.tell()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._calls == 0, seconds)
            launches = [*self._others, *([self._current] if self._current else [])]
            self._become("DEPLOYMENT_ABORTED", REMOVED)
        for launch in launches:
            launch.child.end(GRACE_SECONDS)
        for launch in launches:
            launch.child.wait(2 * GRACE_SECONDS)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(min(seconds, 2 * GRACE_SECONDS))

    # The keeper's thread:

    def _keep_alive(self) -> None:
        crashes = Crashes(self._clock)
        try:
            self._launch()
            while (order := self._next_order()) != "retire":
                if order == "sleep":
                    self._sleep()
                elif order == "replace":
                    self._replace()
                else:
                    self._recover(crashes)
        except NotStartedError as error:
            self._become("DEPLOYMENT_FAILED", str(error))
        except BaseException as error:  # the endpoint must not wait for ever on a thread that died; raised again
            if self._retired:
                return  # the harness is closing, and what processes are started with is closed already
            self._become("DEPLOYMENT_FAILED", f"harness bug in the keeper of the model server: {error!r}")
            raise

    def _next_order(self) -> str:
        """Wait until there is something to do, and return what: "recover", "sleep", "replace", "retire"."""
        with self._changed:
            launch = self._current
            self._changed.wait_for(lambda: self._retired or self._order or (launch is not None and launch.status is not None))
            if self._retired:
                return "retire"
            if self._order == "sleep":
                return self._order
            return "recover" if launch is not None and launch.status is not None else self._order

    def _launch(self, message: str = "") -> None:
        """Start the process, and be ready with it."""
        launch = self._start()
        with self._changed:
            self._others = [other for other in self._others if other is not launch]
            self._current = launch
            self._wanted = False
            self._become("DEPLOYMENT_READY", message)

    def _recover(self, crashes: Crashes) -> None:
        """Start the process again, unless it died too often."""
        with self._changed:
            dead, self._current, self._order = self._current, None, ""
            assert dead is not None  # noqa: S101 - what else died
            self._become("DEPLOYMENT_RECOVERING", dead.told())
        log.warning("served entity %s: %s", self.name, dead.told())
        if crashes.too_many():
            raise NotStartedError(f"{dead.told()} It is not started again after {MAX_RESTARTS} restarts within {RESTART_WINDOW}.")
        # Assumption: the platform's entity says nothing of a restart once it is ready again; here it goes on saying why.
        self._launch(f"Started again. {dead.told()}")

    def _sleep(self) -> None:
        """Have no process until one is wanted again."""
        with self._changed:
            self._order = ""
            self._changed.wait_for(lambda: self._wanted or self._retired)
            self._changed.wait_for(lambda: self._retired, self._settings.cold_start_seconds)
            if self._retired:
                return
        self._launch()

    def _replace(self) -> None:
        """Start a second process, have calls go there, and end the first when those inside it have had their time."""
        log.warning("served entity %s: a call ran out of time; its process is replaced", self.name)
        try:
            fresh = self._start()
        except NotStartedError as error:
            log.warning("served entity %s: %s The process with the hanging call goes on.", self.name, error)
            fresh = None
        with self._changed:
            self._order = ""
            old = self._current
            if fresh is None or old is None:
                return
            draining = [other for other in self._others if other is not fresh]
            self._current, self._others = fresh, [*draining, old]
            self._become("DEPLOYMENT_READY", "Started again, because a call took longer than any may.")
        for launch in draining:  # whoever is still in there has hung through two lives
            launch.child.end(0.0)
        threading.Thread(target=self._drain, args=(old,), name=f"drain-{self.name}", daemon=True).start()

    def _drain(self, launch: Launch) -> None:
        launch.child.wait(self._settings.drain_seconds)
        launch.child.end(0.0)

    def _start(self) -> Launch:
        """Start a process and return it when its probe was answered well; `NotStartedError` says what went wrong."""
        self._number += 1
        path = self._sockets / f"{self._key}.{self._number}"  # short: a Unix socket's path has about 107 bytes
        try:
            launch = Launch(path, self._spawn(path), self._notice)
        except (ApiError, UserError, OSError, subprocess.SubprocessError) as error:
            raise NotStartedError(str(error)) from error
        with self._changed:
            self._others.append(launch)
            retired = self._retired
        launch.probe(REMOVED if retired else "", seconds=self._settings.start_seconds, clock=self._clock)
        return launch

    def _notice(self) -> None:
        """A process has ended."""
        with self._changed:
            self._others = [launch for launch in self._others if launch.status is None]
            self._changed.notify_all()

    # What others tell the keeper:

    async def _awake(self) -> None:
        """Wait until a process that is scaled to zero runs, or cannot."""
        with self._changed:
            if self._retired or not self._asleep():
                return
            woken = self._waiters.add()
        self.wake()
        await woken

    def _asleep(self) -> bool:
        return self._current is None and self.ready

    def _check_idle(self) -> None:
        now, limit = self._clock.now(), self._settings.idle_seconds
        with self._changed:
            if self._calls or self._entered != self._seen or self._current is None:
                self._seen, self._idle_from = self._entered, now
            elif self.scale_to_zero and limit is not None and (now - self._idle_from).total_seconds() >= limit and not self._order:
                self._current.child.end(GRACE_SECONDS)
                self._others.append(self._current)
                self._current, self._order = None, "sleep"
                self._become("DEPLOYMENT_READY", SCALED_TO_ZERO)

    def _become(self, deployment: Deployment, message: str = "") -> None:
        with self._changed:
            if self._state.deployment != "DEPLOYMENT_ABORTED":
                self._state = EntityState(deployment, message)
            if not self._asleep():
                self._waiters.tell()
            self._changed.notify_all()
