"""Base environments, made once by uv, their bytecode compiled: one for all tasks, or one for each environment version.

By default one serves every `environment_version`: one warm interpreter, the quickest start, and each task's log says what differs. With
`HARNESS_ENVIRONMENTS=platform` a task has the platform's own library versions, and its Python where this machine has that.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement

from harness.config import cache_folder
from harness.engines import requirements as req
from harness.engines.base_environment import ALONE_REQUIREMENTS, BASE_REQUIREMENTS, base_key
from harness.engines.folders import made_once
from harness.engines.platform_versions import POSSIBLE, platform_version
from harness.engines.uv import EXCLUDE_NEWER, run_uv, uv
from harness.errors import UserError

Progress = Callable[[str], None]
SETTING = "HARNESS_ENVIRONMENTS"
SHARED, PLATFORM = "shared", "platform"


@dataclass(frozen=True, slots=True)
class Base:
    """A base environment: its folder, what is installed in it, and its Python (`3.12`)."""

    folder: Path
    installed: req.Installed
    python_version: str

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.folder / "bin" / "python"


@dataclass(slots=True)
class Bases:
    """The base environments of this machine's user; safe to use from several threads and by several harnesses at once."""

    interpreter: str
    """What the shared one is made with."""
    progress: Progress
    exact: bool
    """Whether a version that can have its own has it."""
    _made: dict[str, Base] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def shared(self, progress: Progress | None = None) -> Base:
        """Return the base of models, and of tasks that have none of their own."""
        return self._base("", self.interpreter, BASE_REQUIREMENTS, progress)

    def of_version(self, version: str, progress: Progress | None = None) -> Base:
        """Return the base of an environment version."""
        if not self.exact or version not in POSSIBLE:
            return self.shared(progress)
        known = self._made.get(version)
        return known or self._base(version, self._interpreter_of(version), platform_requirements(version), progress)

    def _base(self, version: str, interpreter: str, requirements: Sequence[str], progress: Progress | None) -> Base:
        with self._lock:
            if version not in self._made:
                folder = cache_folder().resolve() / "environments" / f"base-{base_key(requirements, interpreter)}"
                with made_once(folder) as fresh:
                    if fresh is not None:
                        _make(fresh, version, interpreter, requirements, progress or self.progress)
                site = site_packages(folder)
                self._made[version] = Base(folder, req.installed_in(site), site.parent.name.removeprefix("python"))
            return self._made[version]

    def _interpreter_of(self, version: str) -> str:
        """Return the interpreter of a version's Python, the shared one's where this machine has none; nothing is downloaded."""
        wanted = platform_version(version).python
        if sys.version_info[:2] == tuple(map(int, wanted.split("."))):
            return self.interpreter
        found = run_uv("python", "find", wanted, folder=Path.cwd())  # fails also where the first that PATH names is a shim of pyenv's
        if found.status == 0 and found.output.strip():
            return found.output.strip()
        kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{wanted}.*/bin/python"))
        return str(kept[-1]) if kept else self.interpreter


def from_environment() -> bool:
    """Return whether the user asks for the platform's versions, or raise `UserError` for what is no answer."""
    given = os.environ.get(SETTING, SHARED)
    if given not in {SHARED, PLATFORM}:
        raise UserError(f"{SETTING}={given}: expected {SHARED} or {PLATFORM}")
    return given == PLATFORM


def platform_requirements(version: str) -> tuple[str, ...]:
    """Return what the base of an environment version holds: the platform's pins, and beside them what the harness needs in a task."""
    pins = {name: f"{name}{allowed}" for name, allowed in platform_version(version).specifiers().items() if name not in POSSIBLE[version]}
    ours = [text for text in BASE_REQUIREMENTS if Requirement(text).name not in pins]
    return (*ours, *pins.values())


def site_packages(environment: Path) -> Path:
    """Return where an environment's packages lie."""
    return next((environment / "lib").glob("python3.*")) / "site-packages"


def _make(folder: Path, version: str, interpreter: str, requirements: Sequence[str], progress: Progress) -> None:
    what = f"The base environment{f' of version {version}' if version else ''}"
    progress(f"making {what[0].lower()}{what[1:]}{'' if version else ' of tasks and models'} (once, about half a minute)")
    uv("venv", "--no-project", "--python", interpreter, "--allow-existing", str(folder), folder=folder, what=what)
    python = str(folder / "bin" / "python")
    command = ["pip", "install", "--python", python, "--exclude-newer", EXCLUDE_NEWER, "--compile-bytecode"]
    uv(*command, "-r", "-", folder=folder, what=what, stdin="\n".join(requirements))
    uv(*command, "--no-deps", *ALONE_REQUIREMENTS, folder=folder, what=what)
