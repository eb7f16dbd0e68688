"""Interpreters for tasks and models: one base environment a user, and small overlays with what it lacks.

A base environment is made once by uv, its bytecode compiled. An overlay is a folder that goes first on `sys.path`; its name is a hash of
the dependency list and of each wheel's content, so an unchanged environment costs milliseconds and a rebuilt wheel is never mistaken for
the old one.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.config import Layout, cache_folder
from harness.engines import requirements as req
from harness.engines.base_environment import BASE_REQUIREMENTS, base_key
from harness.engines.dependencies import Dependencies, read_dependencies
from harness.engines.folders import made_once, remove_unused
from harness.engines.platform_versions import differences
from harness.engines.uv import EXCLUDE_NEWER, uv

Progress = Callable[[str], None]
_DAYS_UNUSED = 30.0  # an overlay that nobody has used for so long goes when the next one is made
_ROOTS = ("/Workspace/", "/Volumes/")


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
        self._files = layout.files.resolve()
        self._used: set[Path] = set()
        self._python = python
        self._progress = progress
        self._folder = cache_folder().resolve() / "environments" / f"base-{base_key()}"
        self._installed: req.Installed | None = None
        self._lock = threading.RLock()

    def base(self, progress: Progress | None = None) -> Environment:
        """Return the base environment, made if it is not there; `UserError` when it cannot be made."""
        with self._lock:
            if self._installed is None:
                with made_once(self._folder) as folder:
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
        wanted = read_dependencies(dependencies, locate=self._locate)
        notes: tuple[str, ...] = (line,) if line else ()
        if not wanted.wheels and req.satisfied(wanted.requirements, installed):
            return Environment(base.python, notes=notes)
        folder = self._overlays / wanted.key(self._folder.name)
        self._used.add(folder)
        tell = progress or self._progress
        with made_once(folder, lambda: tell(f"waiting for another task that installs the same: {wanted.told}")) as fresh:
            if fresh is not None:
                tell(f"installing {wanted.told}")
                self._install(wanted, fresh, tell)
                remove_unused(self._overlays, days=_DAYS_UNUSED, in_use=frozenset(self._used))
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

    def _locate(self, path: str) -> Path:
        """Return where an absolute path lies on this machine, those of the workspace among them."""
        return self._files / path.lstrip("/") if path.startswith(_ROOTS) else Path(path)

    def _install(self, wanted: Dependencies, folder: Path, progress: Progress) -> None:
        """Install what the base lacks: the wheels alone where that is enough, else what uv resolves beyond the base as well."""
        python = str(self._folder / "bin" / "python")
        installed = {**self._base_distributions(), **{wheel.name: wheel for wheel in wanted.wheels.values()}}
        files = [str(path) for path in wanted.wheels]
        if not req.satisfied(wanted.all_requirements(), installed):
            files = self._beyond_base(wanted, folder, progress)
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
        uv(*command, *wanted.options, *files, folder=folder, what=wanted.told, progress=progress)

    def _beyond_base(self, wanted: Dependencies, folder: Path, progress: Progress) -> list[str]:
        """Return, pinned, everything that a resolution that prefers the base's versions adds to the base, the wheels among it."""
        base = {found.name: found.version for found in self._base_distributions().values()}
        pins = folder / "resolved.txt"
        pins.write_text("".join(f"{name}=={version}\n" for name, version in base.items()))  # uv keeps to an output file that is there
        command = ["pip", "compile", "-", "--python", str(self._folder / "bin" / "python"), "--exclude-newer", EXCLUDE_NEWER]
        options = ["--no-header", "--no-annotate", "--no-strip-markers", "--output-file", str(pins), *wanted.options]
        if wanted.constraints:
            (folder / "constraints.txt").write_text("\n".join(wanted.constraints))
            options += ["--constraint", str(folder / "constraints.txt")]
        uv(*command, *options, folder=folder, what=wanted.told, stdin="\n".join(wanted.lines()), progress=progress)
        resolved = [line.strip() for line in pins.read_text().splitlines() if line.strip()]
        return [line for line in resolved if base.get(line.partition("==")[0]) != line.partition("==")[2].partition(" ")[0]]


def _site_packages(environment: Path) -> Path:
    return next((environment / "lib").glob("python3.*")) / "site-packages"
