"""A process that ends with its parent, however the parent ends.

The harness keeps the write end of one pipe and gives every process it starts the read end. When the harness is gone the kernel closes
the write end, every reader sees the end of the file, and ends its own process group.
"""

import os
import signal
import threading

VARIABLE = "HARNESS_LIFELINE"


def follow() -> None:
    """End this process group as soon as the harness that started it is gone; without a lifeline, do nothing."""
    line = descriptor()
    if line is not None:
        threading.Thread(target=_wait, args=(line,), name="lifeline", daemon=True).start()


def descriptor() -> int | None:
    """Return the file that ends when the harness is gone, or None without a lifeline."""
    found = os.environ.get(VARIABLE)
    return None if found is None else int(found)


def _wait(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.killpg(0, signal.SIGKILL)
