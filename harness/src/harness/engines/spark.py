"""Spark, Delta and Spark Connect in a process of their own, as the harness sees them."""

import contextlib
import errno
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.config import Layout
from harness.engines.jars import resolve_jars
from harness.engines.java import spark_jars
from harness.engines.java_classes import compiled_jar
from harness.engines.processes import Lifeline, end, guest_path
from harness.engines.spark_aot import aot_file
from harness.engines.spark_conf import FORGET, Order
from harness.errors import UserError
from harness.names import check_name

_START_SECONDS = 180.0
_CONTROL_SECONDS = 30.0
_TRAINING_SECONDS = 300.0
_LOG_LINES = 8


def engine_jars(progress: Callable[[str], None]) -> list[Path]:
    """Return the engine's class path, fetching and compiling what the cache lacks."""
    jars = resolve_jars(progress)
    return [*jars.delta, compiled_jar(jars, progress), *spark_jars()]


class SparkEngine:
    """The Spark engine of one harness: tables are the folders of `layout.warehouse`, sessions are Spark Connect's.

    Every folder in the warehouse is a catalog, in every session, from its next statement on.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        lifeline: Lifeline,
        harness_url: str,
        token: str,
        catalogs: Sequence[str],
        port: int = 0,
        aot_output: Path | None = None,
    ) -> None:
        """`port` 0 takes a free one; `aot_output` makes this a training run (`harness.engines.spark_aot`)."""
        self._layout = layout
        self._lifeline = lifeline
        self._harness_url = harness_url
        self._token = token
        self._catalogs = tuple(catalogs)
        self._port = port
        self._aot_output = aot_output
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def remote(self) -> str:
        """What a client's `SPARK_REMOTE` must be; known once started."""
        return f"sc://127.0.0.1:{self._port}"

    @property
    def log(self) -> Path:
        """Everything the engine has printed."""
        return self._layout.logs / "spark.log"

    def start(self, progress: Callable[[str], None]) -> None:
        """Start, and return when sessions can be opened."""
        jars = engine_jars(progress)
        self._port = _free_port(self._port)
        for catalog in self._catalogs:
            self._folder(catalog).mkdir(parents=True, exist_ok=True)
        cache = aot_file(jars)
        order = Order(
            port=self._port,
            warehouse=str(self._layout.warehouse.resolve()),
            files=str(self._layout.files.resolve()),
            scratch=str(self._scratch()),
            pythons=str(self._layout.udf_python.resolve()),
            jars=[str(jar) for jar in jars],
            harness_url=self._harness_url,
            token=self._token,
            aot_cache=str(cache) if cache.exists() else None,
            aot_output=str(self._aot_output) if self._aot_output else None,
        )
        progress("starting Spark")
        self._process = self._lifeline.spawn(
            [sys.executable, "-m", "harness.engines.spark_driver"],
            log=self.log,
            environment={"PYTHONPATH": guest_path()},
            folder=self._scratch(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._tell(msgspec.json.encode(order))
        self._hear(_START_SECONDS)
        progress(f"Spark is ready at {self.remote}")

    def add_catalog(self, name: str) -> None:
        """Make the catalog `name`; every session, also an open one, sees it from its next statement on."""
        self._folder(name).mkdir(parents=True, exist_ok=True)
        with self._lock:
            self._tell(check_name(name, "catalog").encode())
            self._hear(_CONTROL_SECONDS)

    def forget(self, user: str, catalog: str) -> None:
        """Close the sessions of `user`, and let go of what is remembered of `catalog`, which is about to be removed."""
        with self._lock:
            self._tell(f"{FORGET}{user} {check_name(catalog, 'catalog')}".encode())
            self._hear(_CONTROL_SECONDS)

    def alive(self) -> bool:
        """Return whether the engine runs."""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End the engine; twice without harm. A training run is given the time to write its cache."""
        if self._process is None:
            return
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        if self._aot_output is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_TRAINING_SECONDS)
        end(self._process)
        self._process = None

    def _scratch(self) -> Path:
        folder = (self._layout.state / "spark").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _folder(self, catalog: str) -> Path:
        return self._layout.warehouse / check_name(catalog, "catalog")

    def _tell(self, line: bytes) -> None:
        process = self._running()
        assert process.stdin is not None  # noqa: S101 - opened as a pipe
        try:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
        except BrokenPipeError as error:
            raise self._ended() from error

    def _hear(self, seconds: float) -> Any:
        """Return the driver's next answer."""
        process = self._running()
        assert process.stdout is not None  # noqa: S101 - opened as a pipe
        deadline = time.monotonic() + seconds
        while not select.select([process.stdout], [], [], min(1.0, seconds))[0]:
            if time.monotonic() > deadline:
                end(process)
                message = f"Spark did not answer within {seconds:.0f} s; see {self.log}; the machine may be overloaded: try again"
                raise UserError(message)
        line = process.stdout.readline()
        if not line:
            raise self._ended()
        answer = msgspec.json.decode(line)
        if "error" in answer:
            end(process)
            message = f"{answer['error']}; see {self.log}"
            raise UserError(message)
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            message = "the Spark engine is not running; start it first"
            raise UserError(message)
        return self._process

    def _ended(self) -> UserError:
        status = end(self._running())
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return UserError("\n".join([f"the Spark engine ended with status {status}; the last lines of {self.log}:", *lines]))


def _free_port(port: int) -> int:
    """Return `port`, or a free one for 0, or raise a UserError naming the port that is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that is only waiting after its last owner is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            message = f"port {port} for Spark Connect cannot be had ({error.strerror}); end what listens there, or choose another port"
            raise UserError(message) from error
        number: int = probe.getsockname()[1]
        return number
