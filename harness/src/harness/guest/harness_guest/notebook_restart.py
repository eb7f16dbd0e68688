"""Restarting Python in the middle of a notebook: the same process begins anew, and goes on with the next cell."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from harness_guest.notebook_packages import packages

if TYPE_CHECKING:
    from harness_guest.entry import Spec

_FILE = "restart.json"


class PythonRestart(BaseException):
    """Python is to begin anew; no error, so that no handler of the notebook stops it. The rest of the cell is not run."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[tuple[str, str, int]] = []
        """Path, file and next cell of each notebook under way, the outermost first."""


def begin_anew(spec: "Spec", *, stack: Sequence[tuple[str, str, int]], widgets: Mapping[str, object], cells: Sequence[object]) -> NoReturn:
    """Replace this process's program by a fresh interpreter that goes on where `stack` says; its number stays, and its output."""
    program = {**spec.program, "left": {"stack": list(stack), "widgets": widgets, "cells": list(cells)}}
    path = [str(packages()), *(each for each in spec.path if each != str(packages()))]
    after = replace(spec, program=program, path=path, header=())
    state = Path(spec.folder, _FILE)
    state.write_text(json.dumps(asdict(after)))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execve(sys.executable, [sys.executable, "-m", __name__, str(state)], dict(spec.environment))  # noqa: S606 - no shell is wanted


def main() -> int:
    """Go on with the notebook that the named file tells of."""
    from harness_guest.entry import Spec, run

    told: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return run(Spec(**told))


if __name__ == "__main__":
    sys.exit(main())
