"""Moving in a process of its own, so that tables are written without a thread that stops the one which answers calls."""

import logging
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import msgspec

from harness.inference_tables.ports import Moved, Order

log = logging.getLogger(__name__)
CLOSE_SECONDS = 10.0


class MoverProcess:
    """Starts `harness.inference_tables.mover` with the first order, and again when it died.

    It ends when its standard input does, so with this process at the latest; what it commits then it commits whole.
    """

    def __init__(self, log_file: Path) -> None:
        self._log_file = log_file
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._decoder = msgspec.json.Decoder(Moved)

    @property
    def pid(self) -> int | None:
        """The process's id, when there is a process."""
        return self._process.pid if self._process else None

    def move(self, order: Order) -> Moved:
        """Commit once, over there."""
        with self._lock:
            return self._move(order)

    def close(self) -> None:
        """Let the process end with what it does now."""
        with self._lock:
            self._end()

    def _move(self, order: Order) -> Moved:
        process = self._running()
        assert process.stdin is not None  # noqa: S101 - a pipe, see below
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            self._end()
            return Moved(order.committed, f"the process that writes inference tables ended; see {self._log_file}")
        return self._decoder.decode(answer)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # an order that it died before reading
                    pipe.close()
        try:
            process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("the process that writes inference tables did not end within %g s", CLOSE_SECONDS)
            process.kill()
            process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._log_file.parent.mkdir(parents=True, exist_ok=True)
            with self._log_file.open("ab") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "harness.inference_tables.mover"],  # -P: nothing from the folder it is started in
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=output,
                    start_new_session=True,  # Ctrl-C is for the harness, which then ends it in its own time
                )
        return self._process
