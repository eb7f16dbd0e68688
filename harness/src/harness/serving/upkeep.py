"""What is looked at from time to time while model servers run: their memory, their logs, whether anybody calls them."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

_PAGE_STATUS = "VmRSS:"


class Upkeep:
    """A thread that looks every so often, from the first `start` to `close`."""

    def __init__(self, look: Callable[[], None], seconds: float) -> None:
        self._look = look
        self._seconds = seconds
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="serving-upkeep", daemon=True)

    def start(self) -> None:
        """Begin; again without harm."""
        if self._thread.ident is None:
            self._thread.start()

    def close(self) -> None:
        """End; twice without harm."""
        self._closed.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(self._seconds):
            self._look()


def resident_bytes(pid: int) -> int:
    """Return how much memory the process has, what it shares with others included; 0 when it is gone."""
    status = Path(f"/proc/{pid}/status")
    if status.parent.parent.joinpath("self").exists():
        try:
            lines = status.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return next((int(line.split()[1]) << 10 for line in lines if line.startswith(_PAGE_STATUS)), 0)
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()  # macOS
    return int(shown) << 10 if shown else 0


def sacrifice_first(pid: int) -> None:
    """Have the kernel, when memory runs out, end this process before the harness."""
    try:
        Path(f"/proc/{pid}/oom_score_adj").write_text("500")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return  # gone, or no Linux


def bound(log: Path, limit: int) -> None:
    """Keep a log that a process appends to at about `limit` bytes: the older half goes to a second file, in place of the one before.

    Assumption: what is printed in the microseconds between copying and cutting is lost, as with logrotate's copytruncate.
    """
    try:
        if log.stat().st_size <= limit:
            return
        with log.open("r+b") as file:
            file.seek(-(limit // 2), 2)
            older(log).write_bytes(file.read())
            file.truncate(0)
    except FileNotFoundError:
        return


def older(log: Path) -> Path:
    """Return where the older part of a log is."""
    return log.with_name(f"{log.name}.1")


def tail(log: Path, size: int) -> str:
    """Return the last `size` bytes of a log, its older part included."""
    found = _last(log, size)
    if len(found) < size:
        found = _last(older(log), size - len(found)) + found
    return found.decode(errors="replace")


def _last(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - size))
            return file.read(size)
    except FileNotFoundError:
        return b""
