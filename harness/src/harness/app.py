"""The composition root: builds engines, services and routes, and knows everyone. Only the command line and the dry run import it."""

import gc
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import msgspec
import uvicorn

from harness.cli.connection import Connection, find
from harness.config import SERVICE_PRINCIPAL_ID, USER_NAME, Layout
from harness.engines.processes import Lifeline, end
from harness.engines.spark_aot import is_trained, start_training_of
from harness.errors import UserError
from harness.http import observed
from harness.parts import Parts, build
from harness.people import checked_user

log = logging.getLogger(__name__)
Progress = Callable[[str], None]
LOOPBACK = "127.0.0.1"
_SECONDS_TO_LISTEN = 30.0
_IDLE_SECONDS = 60.0


class Harness:
    """One running harness: `with Harness(layout, progress) as harness: harness.connection`.

    Entering returns when everything answers; leaving ends every process it started, in reverse order.
    """

    def __init__(
        self,
        layout: Layout,
        progress: Progress,
        *,
        port: int = 0,
        token: str | None = None,
        user: str = USER_NAME,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`port` 0 takes a free one; `token` None draws one, the same again in the same state folder.

        `user`: whose the token is, an email address or the application id of a service principal. `time_ns`: what calls to served models
        are dated by in inference tables, in nanoseconds since 1970.
        """
        self._layout = Layout(layout.state.absolute())  # its processes need not share our working folder
        self._progress = progress
        self._port = port
        self._token = token
        self._user = checked_user(user)
        self._time_ns = time_ns
        self._closing = ExitStack()
        self._connection: Connection | None = None
        self._lifeline = Lifeline()
        self._ended = threading.Event()
        self._last_call: Callable[[], float] = time.monotonic

    @property
    def connection(self) -> Connection:
        """How to reach it; only while it runs."""
        if self._connection is None:
            raise UserError(f"{self._layout.state}: the harness is not running")
        return self._connection

    def __enter__(self) -> Self:
        running = find(self._layout.state)
        if running is not None:
            message = f"{self._layout.state}: a harness runs in this state folder already (process {running.pid})"
            raise UserError(f"{message}; end it with `harness down --state {self._layout.state}`, or choose another --state")
        try:
            self._start()
        except BaseException:  # Ctrl-C too: whatever stops the start, what it has started ends
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End everything; twice without harm."""
        self._ended.set()
        self._closing.close()
        self._connection = None

    def train_when_idle(self) -> None:
        """Make Spark's start-up cache, if there is none, once nobody has asked for anything for a while; it ends with the harness."""
        if not is_trained():
            threading.Thread(target=self._train_when_idle, name="train", daemon=True).start()

    def _train_when_idle(self) -> None:
        while not self._ended.wait(_IDLE_SECONDS):
            if time.monotonic() - self._last_call() > _IDLE_SECONDS:
                process = start_training_of(self._lifeline, self._layout.logs / "spark-training.log")
                self._closing.callback(end, process)
                return

    def _start(self) -> None:
        layout = self._layout.make()
        listening = self._closing.enter_context(_listen(self._port))
        host = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        token = self._token or _token(layout)
        self._closing.callback(self._lifeline.close)
        parts = build(layout, self._lifeline, host=host, token=token, user=self._user, time_ns=self._time_ns)
        self._last_call = parts.last_call
        self._closing.callback(parts.close)
        self._closing.enter_context(observed(parts.calls.add))
        self._serve(parts, listening)
        start_engines(parts, self._progress)
        parts.start_services()
        gc.freeze()  # what is there now stays: a full collection over it would cost some call tens of milliseconds
        self._connection = Connection(
            host=host,
            token=token,
            spark_remote=parts.spark.remote,
            state=str(layout.state.resolve()),
            pid=os.getpid(),
            client_id=SERVICE_PRINCIPAL_ID,
            client_secret=parts.credentials.client_secret,
        )
        layout.connection.touch(mode=0o600)  # it holds the token
        layout.connection.write_bytes(msgspec.json.encode(self._connection))
        self._closing.callback(layout.connection.unlink, missing_ok=True)

    def _serve(self, parts: Parts, listening: socket.socket) -> None:
        config = uvicorn.Config(
            parts.application, http=parts.direct, log_config=None, access_log=False, timeout_graceful_shutdown=5, lifespan="on"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="http", daemon=True)
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join()

        self._closing.callback(stop)
        deadline = time.monotonic() + _SECONDS_TO_LISTEN
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise UserError(f"the harness's HTTP server did not start; see {self._layout.logs / 'harness.log'}")
            time.sleep(0.005)


def start_engines(parts: Parts, progress: Progress) -> None:
    """Start Spark, MLflow and the base environment side by side; the first that fails is raised."""
    starts: Mapping[str, Callable[[Progress], None]] = parts.engines()
    pool = ThreadPoolExecutor(max_workers=len(starts), thread_name_prefix="start")
    try:
        for started in [pool.submit(start, progress) for start in starts.values()]:
            started.result()
    finally:  # whoever interrupts does not wait for engines that are about to be ended
        pool.shutdown(wait=False, cancel_futures=True)


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
    except OSError as error:
        listening.close()
        message = f"port {port} on {LOOPBACK} cannot be used ({error.strerror}); choose another with --port, or 0 for a free one"
        raise UserError(message) from error
    return listening


def _token(layout: Layout) -> str:
    """Return the state folder's token, drawn at its first use and readable by its owner only."""
    path = layout.state / "token"
    if not path.exists():
        draft = path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(f"dapi{secrets.token_hex(16)}")
        draft.rename(path)  # so that a token is there whole or not at all
    return path.read_text()
