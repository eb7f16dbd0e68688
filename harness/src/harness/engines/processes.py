"""Starting and ending the processes that belong to a harness.

Each gets a process group of its own and the read end of the lifeline (see `harness_guest.lifeline`), so none outlives the harness.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

GUEST = Path(__file__).resolve().parent.parent / "guest"
VARIABLE = "HARNESS_LIFELINE"  # read by guest/harness_guest/lifeline.py
GRACE_SECONDS = 5.0


class Lifeline:
    """A pipe whose write end only this process holds."""

    def __init__(self) -> None:
        self.read_end, self._write_end = os.pipe()
        os.set_inheritable(self.read_end, True)

    def spawn(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stdin: int | None = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start `command` in its own process group, its output appended to `log` (or `stdout`), tied to this lifeline.

        The command must call `harness_guest.lifeline.follow()` early. `environment` is added to the harness's own.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            return subprocess.Popen(
                list(command),
                stdin=stdin,
                stdout=output if stdout is None else stdout,
                stderr=output,
                env={**os.environ, **(environment or {}), VARIABLE: str(self.read_end)},
                cwd=folder,
                pass_fds=(self.read_end,),
                start_new_session=True,
            )

    def close(self) -> None:
        """Let go: everything spawned on this lifeline and still alive ends. Twice without harm."""
        for descriptor in (self._write_end, self.read_end):
            if descriptor >= 0:
                os.close(descriptor)
        self.read_end = self._write_end = -1


def end(process: subprocess.Popen[bytes], grace: float = GRACE_SECONDS) -> int:
    """End the process group of `process`, politely and then for good, and return its exit status."""
    if process.poll() is None:
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    _signal(process.pid, signal.SIGKILL)  # whatever it left behind in its group
    return process.wait()


def guest_path(*more: str) -> str:
    """Return a PYTHONPATH that begins with the guest folder."""
    return os.pathsep.join([str(GUEST), *more])


def python() -> str:
    """Return the interpreter the harness itself runs on."""
    return sys.executable


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
