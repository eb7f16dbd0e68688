"""`%pip` and restarting Python, inside a notebook's process."""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness_guest import workspace_paths

if TYPE_CHECKING:
    from harness_guest.notebook_shell import Shell

UV = "HARNESS_UV"
FOLDER = "HARNESS_TASK_FOLDER"


class PackageError(RuntimeError):
    """`%pip` could not do what it was asked for."""


def install(arguments: Sequence[str]) -> None:
    """Install into a folder of this task, which comes first on its path; modules that are imported already stay until Python restarts."""
    command, *given = arguments or [""]
    if command != "install":
        raise PackageError(f"%pip {' '.join(arguments)}: only 'install' is emulated")
    folder = _folder()
    wanted = [argument for argument in given if argument not in ("-q", "--quiet", "-U", "--upgrade")]
    upgrade = ["--upgrade"] if {"-U", "--upgrade"} & set(given) else []
    uv = os.environ.get(UV) or shutil.which("uv")
    if uv is None:
        raise PackageError("%pip: uv is not there; expected in HARNESS_UV")
    done = subprocess.run(
        [uv, "pip", "install", "--no-progress", "--python", sys.executable, "--target", str(folder), *upgrade, *_real(wanted)],
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stderr.strip())  # noqa: T201 - what the cell shows
    if done.returncode != 0:
        raise PackageError(f"%pip install {' '.join(given)} failed:\n{done.stderr.strip()}")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def restart(shell: "Shell") -> None:
    """Begin anew: nothing is defined, and what was installed takes the place of what was imported before."""
    installed = {path.stem for path in _folder().iterdir()} if _folder().is_dir() else set()
    for name in [name for name in sys.modules if name.partition(".")[0] in installed]:
        del sys.modules[name]
    shell.reset()


def _folder() -> Path:
    return Path(os.environ.get(FOLDER, "."), "packages")


def _real(arguments: Sequence[str]) -> list[str]:
    """Return paths of the workspace as paths of this machine: uv is a process of its own and does not know them."""
    return [str(workspace_paths.installed.real(argument)) for argument in arguments]
