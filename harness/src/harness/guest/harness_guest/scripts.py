"""A Python file as a task: run as a program is, with the modules beside it."""

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path


def run_script(file: str, arguments: Sequence[str]) -> None:
    """Run `file` as `__main__` with `arguments`; what lies in its folder can be imported, as by `python FILE`."""
    sys.argv = [file, *arguments]
    sys.path.insert(0, str(Path(file).parent))
    runpy.run_path(file, run_name="__main__")
