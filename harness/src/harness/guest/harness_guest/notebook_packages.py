"""`%pip`, inside a notebook's process."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness_guest import workspace_paths

UV = "HARNESS_UV"
FOLDER = "HARNESS_TASK_FOLDER"
_FROM = re.compile(r"(?P<name>\S+?)(==\S+)? (\(from|@) (?P<url>[^)\s]+)\)?")
_PLACES = frozenset({"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--index", "--default-index"})


class PackageError(RuntimeError):
    """`%pip` could not do what it was asked for."""


def install(arguments: Sequence[str]) -> None:
    """Install into a folder of this task, which comes first on its path; modules that are imported already stay until Python restarts."""
    command, *given = arguments or [""]
    if command != "install":
        raise PackageError(f"%pip {' '.join(arguments)}: only 'install' is emulated")
    folder = packages()
    wanted = _real([argument for argument in given if argument not in ("-q", "--quiet", "-U", "--upgrade")])
    upgrade = ["--upgrade"] if {"-U", "--upgrade"} & set(given) else []
    lacking = _lacking(_uv("--dry-run", *upgrade, *wanted))
    if lacking:
        print(_uv("--no-deps", "--target", str(folder), *_options(wanted), *lacking))  # noqa: T201 - what the cell shows
    else:
        print(f"Requirements already satisfied: {' '.join(given)}")  # noqa: T201 - what the cell shows
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def _uv(*arguments: str) -> str:
    uv = os.environ.get(UV) or shutil.which("uv")
    if uv is None:
        raise PackageError("%pip: uv is not there; expected in HARNESS_UV")
    command = [uv, "pip", "install", "--no-progress", "--color", "never", "--python", sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PackageError(f"%pip install failed:\n{done.stderr.strip()}")
    return done.stderr.strip()


def _lacking(told: str) -> list[str]:
    """Return, of what uv says it would do, the requirements to add: what is there already stays as it is, as with pip."""
    added = [line.removeprefix(" + ") for line in told.splitlines() if line.startswith(" + ")]
    return [_FROM.sub(r"\g<name> @ \g<url>", line) for line in added]


def _options(arguments: Sequence[str]) -> list[str]:
    """Return those arguments that say where packages come from."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    found = [[one, other] if one in _PLACES else [one] for one, other in pairs if one.partition("=")[0] in _PLACES]
    return [argument for pair in found for argument in pair]


def packages() -> Path:
    """Return the folder of what this task has installed."""
    return Path(os.environ.get(FOLDER, "."), "packages")


def _real(arguments: Sequence[str]) -> list[str]:
    """Return paths of the workspace as paths of this machine: uv is a process of its own and does not know them."""
    return [str(workspace_paths.installed.real(argument)) for argument in arguments]
