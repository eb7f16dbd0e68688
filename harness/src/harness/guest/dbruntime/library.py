"""`dbutils.library`."""

from collections.abc import Callable


class Library:
    """`dbutils.library`: `restartPython`, in a notebook."""

    def __init__(self) -> None:
        self.on_restart: Callable[[], None] | None = None

    def restartPython(self) -> None:  # noqa: N802 - the platform's name
        """Begin anew, with what %pip has installed."""
        if self.on_restart is None:
            raise RuntimeError("dbutils.library.restartPython: only a notebook can restart Python; this task is none")
        self.on_restart()
