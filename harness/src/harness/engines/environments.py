"""Interpreters for tasks and models: one base environment a user, and small overlays with what it lacks.

A base environment is made once by uv, its bytecode compiled. An overlay is a folder that goes first on `sys.path`; its name is a hash of
the dependency list and of each wheel's content, so an unchanged environment costs milliseconds and a rebuilt wheel is never mistaken for
the old one.
"""

import fcntl
import hashlib
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from harness.config import Layout, cache_folder
from harness.engines import requirements as req
from harness.engines.base_environment import BASE_REQUIREMENTS, base_key, differences
from harness.engines.uv import EXCLUDE_NEWER, uv
from harness.errors import UserError

Progress = Callable[[str], None]
_COMPLETE = ".complete"  # written last: a folder without it was left behind by a process that was killed
_WHEEL = re.compile(r"(?P<path>.+\.whl)(?:\[(?P<extras>[^\]]*)\])?")


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter, the folders its `sys.path` begins with, and what a user should know about it."""

    python: Path
    path: tuple[Path, ...] = ()
    replaces: frozenset[str] = frozenset()
    """Distributions of the base that an overlay has in another version."""
    notes: tuple[str, ...] = ()


class Environments:
    """Makes and finds environments; safe to use from several threads and by several harnesses at once."""

    def __init__(self, *, layout: Layout, python: str = sys.executable, progress: Progress = lambda _: None) -> None:
        self._overlays = layout.environments.resolve()
        self._python = python
        self._progress = progress
        self._folder = cache_folder().resolve() / "environments" / f"base-{base_key()}"
        self._installed: req.Installed | None = None
        self._lock = threading.RLock()

    def base(self, progress: Progress | None = None) -> Environment:
        """Return the base environment, made if it is not there; `UserError` when it cannot be made."""
        with self._lock:
            if self._installed is None:
                with _made_once(self._folder) as folder:
                    if folder is not None:
                        self._make_base(folder, progress or self._progress)
                self._installed = req.installed_in(_site_packages(self._folder))
        return Environment(self._folder / "bin" / "python")

    def overlay(self, dependencies: Sequence[str], *, version: str, progress: Progress | None = None) -> Environment:
        """Return an environment with `dependencies`: requirements, `-r FILE`s and wheels (`….whl`, `….whl[extra]`).

        Only what the base lacks is installed; a requirement that nothing declares is not there, as on the platform.
        """
        base = self.base()
        installed = self._base_distributions()
        line = differences(version, {name: found.version for name, found in installed.items()})
        wanted = _Wanted.read(dependencies)
        notes: tuple[str, ...] = (line,) if line else ()
        if not wanted.wheels and req.satisfied(wanted.requirements, installed):
            return Environment(base.python, notes=notes)
        folder = self._overlays / wanted.key(self._folder.name)
        with _made_once(folder) as fresh:
            if fresh is not None:
                (progress or self._progress)(f"installing {', '.join(wanted.told)}")
                self._install(wanted, fresh)
        replaced = {
            name for name, found in req.installed_in(folder).items() if name in installed and installed[name].version != found.version
        }
        if replaced:
            notes += (f"replaced by the job's dependencies: {', '.join(sorted(replaced))}",)
        return Environment(base.python, (folder,), frozenset(replaced), notes)

    def model_environment(self, requirements: Path) -> Environment:
        """Return an environment for a model with this `requirements.txt`; a file that is not there asks for nothing.

        Assumption: `mlflow==V` is satisfied by the base's `mlflow-skinny==V`, which has all that loading and scoring a model needs.
        """
        base = self.base()
        installed = dict(self._base_distributions())
        installed["mlflow"] = req.Distribution("mlflow", installed["mlflow-skinny"].version)
        lines = req.file_lines(requirements) if requirements.exists() else []
        wanted = [req.parse(line, str(requirements)) for line in lines if not line.startswith("-")]
        lacking = req.missing(wanted, installed)
        if not lacking and len(wanted) == len(lines):
            return Environment(base.python, notes=("runs on the base environment, which satisfies the model's requirements",))
        told = ", ".join(lacking) or "options in its requirements.txt"
        self._progress(f"building an environment for a model: {told}")
        wheels = [line for line in lines if not line.startswith("mlflow==")]
        overlay = self.overlay(wheels, version="6")
        return Environment(
            overlay.python, overlay.path, overlay.replaces, (f"runs on an environment of its own, because the base lacks {told}",)
        )

    def _base_distributions(self) -> req.Installed:
        assert self._installed is not None  # noqa: S101 - `base()` was called
        return self._installed

    def _make_base(self, folder: Path, progress: Progress) -> None:
        progress("making the base environment of tasks and models (once, about half a minute)")
        uv("venv", "--no-project", "--python", self._python, "--allow-existing", str(folder), folder=folder, what="The base environment")
        command = [
            "pip",
            "install",
            "--python",
            str(folder / "bin" / "python"),
            "--exclude-newer",
            EXCLUDE_NEWER,
            "--compile-bytecode",
            "-r",
            "-",
        ]
        uv(*command, folder=folder, what="The base environment", stdin="\n".join(BASE_REQUIREMENTS))

    def _install(self, wanted: "_Wanted", folder: Path) -> None:
        """Install what the base lacks: the wheels alone where that is enough, else what uv resolves beyond the base as well."""
        python = str(self._folder / "bin" / "python")
        installed = {**self._base_distributions(), **{wheel.name: wheel for wheel in wanted.wheels.values()}}
        files = [str(path) for path in wanted.wheels]
        if not req.satisfied(wanted.all_requirements(), installed):
            files = self._beyond_base(wanted, folder)
        command = [
            "pip",
            "install",
            "--python",
            python,
            "--target",
            str(folder),
            "--no-deps",
            "--exclude-newer",
            EXCLUDE_NEWER,
            "--compile-bytecode",
        ]
        uv(*command, *files, folder=folder, what=", ".join(wanted.told))

    def _beyond_base(self, wanted: "_Wanted", folder: Path) -> list[str]:
        """Return, pinned, everything that a resolution that prefers the base's versions adds to the base, the wheels among it."""
        base = {found.name: found.version for found in self._base_distributions().values()}
        pins = folder / "resolved.txt"
        pins.write_text("".join(f"{name}=={version}\n" for name, version in base.items()))  # uv keeps to an output file that is there
        command = ["pip", "compile", "-", "--python", str(self._folder / "bin" / "python"), "--exclude-newer", EXCLUDE_NEWER]
        options = ["--no-header", "--no-annotate", "--no-strip-markers", "--quiet", "--output-file", str(pins)]
        uv(*command, *options, folder=folder, what=", ".join(wanted.told), stdin="\n".join(wanted.lines()))
        resolved = [line.strip() for line in pins.read_text().splitlines() if line.strip()]
        return [line for line in resolved if base.get(line.partition("==")[0]) != line.partition("==")[2].partition(" ")[0]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A list of dependencies, read."""

    wheels: dict[Path, req.Distribution]
    extras: dict[Path, str]
    requirements: tuple[Requirement, ...]
    told: tuple[str, ...]

    @classmethod
    def read(cls, dependencies: Sequence[str]) -> "_Wanted":
        wheels: dict[Path, req.Distribution] = {}
        extras: dict[Path, str] = {}
        requirements: list[Requirement] = []
        for text in _expanded(dependencies):
            wheel = _WHEEL.fullmatch(text)
            if wheel and "://" not in text:
                path = Path(wheel["path"])
                wheels[path] = req.read_wheel(path)
                extras[path] = wheel["extras"] or ""
            else:
                requirements.append(req.parse(text, "dependencies"))
        told = tuple(path.name for path in wheels) + tuple(str(requirement) for requirement in requirements)
        return cls(wheels, extras, tuple(requirements), told)

    def key(self, base: str) -> str:
        digest = hashlib.sha256(base.encode())
        for path in self.wheels:
            digest.update(f"\n{path.name}[{self.extras[path]}]\n".encode() + hashlib.sha256(path.read_bytes()).digest())
        digest.update("\n".join(str(requirement) for requirement in self.requirements).encode())
        return digest.hexdigest()[:24]

    def all_requirements(self) -> list[Requirement]:
        """Return what is asked for, the wheels themselves among it, with their extras."""
        own = [Requirement(f"{wheel.name}[{self.extras[path]}]") for path, wheel in self.wheels.items()]
        return [*own, *self.requirements]

    def lines(self) -> Iterator[str]:
        """Return it as a requirements file."""
        for path, wheel in self.wheels.items():
            yield f"{wheel.name}[{self.extras[path]}] @ {path.resolve().as_uri()}"
        yield from map(str, self.requirements)


def _expanded(dependencies: Sequence[str]) -> Iterator[str]:
    for text in dependencies:
        if text.startswith("-r "):
            path = Path(text.removeprefix("-r ").strip())
            if not path.is_file():
                raise UserError(f"{path}: no such requirements file")
            yield from _only_requirements(path)
        else:
            yield text


def _only_requirements(path: Path) -> list[str]:
    """Return the requirements in a file, or raise `UserError` for an option in it."""
    lines = req.file_lines(path)
    option = next((line for line in lines if line.startswith("-")), None)
    if option is not None:
        raise UserError(f"{path}: option '{option}' is not supported in a requirements file of an environment; list requirements only")
    return lines


@contextmanager
def _made_once(folder: Path) -> Iterator[Path | None]:
    """Give `folder`, empty, to whoever has to fill it, or None when it is complete. Other threads and processes wait meanwhile."""
    if (folder / _COMPLETE).exists():
        yield None
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / _COMPLETE).exists():
            yield None
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder
        (folder / _COMPLETE).touch()


def _site_packages(environment: Path) -> Path:
    return next((environment / "lib").glob("python3.*")) / "site-packages"
