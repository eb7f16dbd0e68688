"""What a person sees while the dry run works: each line with the seconds since the start, and, on a terminal, what is being done now."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

_REDRAWS_A_SECOND = 4


class Display:
    """Lines above, one moving line below: phase, last thing said, elapsed seconds."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._begun = clock()
        self._now = "starting"
        self._spinner = Spinner("dots")
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=_REDRAWS_A_SECOND, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """Show `line` for good."""
        self._now = line
        self._console.print(Text(f"{self._elapsed():7.1f} s  {line}"), soft_wrap=True)

    def _elapsed(self) -> float:
        return self._clock() - self._begun

    def _render(self) -> RenderableType:
        self._spinner.update(text=Text(f" {self._elapsed():.0f} s · {self._now}"[: self._console.width - 4]))
        return self._spinner
