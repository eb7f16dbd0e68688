"""Inside a forked process: call one function of this package, as `python -m` would in a fresh one."""

import faulthandler
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """What a process is to call; it travels as JSON."""

    function: str
    """`module:name` of a function of one argument, the command line."""
    arguments: Sequence[str]
    log: str
    environment: Mapping[str, str]
    path: Sequence[str]

    def run(self) -> int:
        """Call the function and return the exit status of the process."""
        self._become()
        module, _, name = self.function.partition(":")
        try:
            getattr(importlib.import_module(module), name)(self.arguments)
        except SystemExit as leave:
            if leave.code is None or isinstance(leave.code, int):
                return leave.code or 0
            print(leave.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
            return 1
        except BaseException:  # noqa: BLE001 - the interpreter's own last resort
            traceback.print_exc()
            return 1
        return 0

    def _become(self) -> None:
        os.environ.clear()
        os.environ.update(self.environment)
        sys.path[:0] = self.path
        importlib.invalidate_caches()
        sys.argv = [self.function, *self.arguments]
        file = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file, stream.fileno())
            stream.reconfigure(write_through=True)  # type: ignore[union-attr]  # a real stream, as with PYTHONUNBUFFERED
        os.close(file)
        faulthandler.enable()  # a segmentation fault leaves its stack in the log
