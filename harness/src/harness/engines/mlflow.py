"""The real MLflow server, as a process of the harness."""

import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx

from harness.config import Layout, cache_folder
from harness.engines.mlflow_child import ARTIFACTS, DATABASE
from harness.engines.processes import Lifeline, end, guest_path, python
from harness.errors import UserError

Progress = Callable[[str], None]
START_SECONDS = 120.0
_POLL_SECONDS = 0.05
_PROBE = "/api/2.0/mlflow/experiments/get?experiment_id=0"
_PROBE_SECONDS = 30.0
_LOG_TAIL_BYTES = 2000


class MlflowServer:
    """One MLflow server on 127.0.0.1 with its database and artifacts in `layout.mlflow`.

    A new state folder begins with a copy of a database made earlier (kept in the cache folder), which saves the migrations' seconds.
    """

    def __init__(self, *, layout: Layout, lifeline: Lifeline, port: int = 0) -> None:
        self._folder = layout.mlflow
        self._log = layout.logs / "mlflow.log"
        self._lifeline = lifeline
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT` of the running server."""
        if not self._url:
            raise UserError("The MLflow server has not been started")
        return self._url

    def alive(self) -> bool:
        """Return whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, progress: Progress) -> None:
        """Start the server and wait until it answers; nothing happens when it runs already."""
        if self.alive():
            return
        began = time.monotonic()
        progress("MLflow server: starting")
        self._check_port()
        (self._folder / ARTIFACTS).mkdir(parents=True, exist_ok=True)
        fresh = not _use_template(self._folder / DATABASE)
        self._process = self._spawn()
        try:
            self._wait(began + START_SECONDS)
        except BaseException:  # Ctrl-C too: a server that never answered is not left behind
            self.close()
            raise
        if fresh:
            _keep_template(self._folder / DATABASE)
        progress(f"MLflow server: ready at {self._url} after {time.monotonic() - began:.1f} s")

    def close(self) -> None:
        """End the server; twice without harm."""
        if self._process is not None:
            end(self._process)
        self._process = None
        self._url = ""

    @property
    def _port_file(self) -> Path:
        return self._folder / "port"

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._port_file.unlink(missing_ok=True)
        command = [python(), "-m", "harness.engines.mlflow_child", str(self._folder), str(self._port), str(self._port_file)]
        return self._lifeline.spawn(command, log=self._log, environment={"PYTHONPATH": guest_path()}, folder=self._folder)

    def _check_port(self) -> None:
        try:
            socket.create_server(("127.0.0.1", self._port)).close()
        except OSError as error:
            message = f"MLflow server: port {self._port} on 127.0.0.1 cannot be used ({error.strerror}); choose another one, or 0 for any"
            raise UserError(message) from error

    def _wait(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            if not self.alive():
                raise UserError(f"MLflow server: the process ended while starting; the end of {self._log}:\n{self._log_tail()}")
            if self._answers():
                return
            time.sleep(_POLL_SECONDS)
        raise UserError(f"MLflow server: no answer after {START_SECONDS:.0f} s; the end of {self._log}:\n{self._log_tail()}")

    def _answers(self) -> bool:
        if not self._port_file.exists():
            return False
        url = f"http://127.0.0.1:{self._port_file.read_text()}"
        try:
            # The port is open before the application is loaded: the request waits for it. `/health` would not do: it answers
            # before the database has been opened (and migrated), which happens at the first real call.
            healthy = httpx.get(url + _PROBE, timeout=_PROBE_SECONDS, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False
        if healthy:
            self._url = url
        return healthy

    def _log_tail(self) -> str:
        return self._log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")


def template_database() -> Path:
    """Return where the initialised database of this version of mlflow is kept (it may not be there yet)."""
    from importlib.metadata import version

    return cache_folder() / "mlflow" / version("mlflow") / "template.db"


def _use_template(database: Path) -> bool:
    """Copy the template to `database` unless that is there; return whether there is a database now."""
    if database.exists():
        return True
    template = template_database()
    if not template.exists():
        return False
    part = database.with_suffix(".part")
    shutil.copyfile(template, part)
    part.replace(database)
    return True


def _keep_template(database: Path) -> None:
    """Keep a copy of a database nobody has used yet; two harnesses may do so at once."""
    template = template_database()
    template.parent.mkdir(parents=True, exist_ok=True)
    part = template.with_name(f"{database.stat().st_ino}-{time.monotonic_ns()}.part")
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(part)) as copy:
        source.backup(copy)
    part.replace(template)
