"""Interpreters for tasks and models: a base environment, and small overlays with what it lacks.

An overlay is a folder that goes first on `sys.path`; its name is a hash of the dependency list and of each wheel's content, so an
unchanged environment costs milliseconds and a rebuilt wheel is never mistaken for the old one.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.config import Layout
from harness.engines import requirements as req
from harness.engines.bases import Base, Bases, from_environment
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

    def __init__(
        self, *, layout: Layout, python: str = sys.executable, progress: Progress = lambda _: None, exact: bool | None = None
    ) -> None:
        """`exact` gives each environment version its own base (harness/engines/bases.py); the user's setting where it is None."""
        self._overlays = layout.environments.resolve()
        self._files = layout.files.resolve()
        self._used: set[Path] = set()
        self._progress = progress
        self._bases = Bases(python, progress, from_environment() if exact is None else exact)

    def base(self, progress: Progress | None = None) -> Environment:
        """Return the shared base environment, made if it is not there; `UserError` when it cannot be made."""
        return Environment(self._bases.shared(progress).python)

    def overlay(self, dependencies: Sequence[str], *, version: str, progress: Progress | None = None) -> Environment:
        """Return an environment with `dependencies`: requirements, `-r FILE`s and wheels (`….whl`, `….whl[extra]`).

        Only what the base lacks is installed; a requirement that nothing declares is not there, as on the platform.
        """
        base = self._bases.of_version(version, progress)
        line = differences(version, {name: found.version for name, found in base.installed.items()}, base.python_version)
        return self._overlay(base, dependencies, (line,) if line else (), progress)

    def _overlay(self, base: Base, dependencies: Sequence[str], notes: tuple[str, ...], progress: Progress | None) -> Environment:
        wanted, installed = read_dependencies(dependencies, locate=self._locate), base.installed
        if not wanted.wheels and req.satisfied(wanted.requirements, installed):
            return Environment(base.python, notes=notes)
        folder = self._overlays / wanted.key(base.folder.name)
        self._used.add(folder)
        tell = progress or self._progress
        with made_once(folder, lambda: tell(f"waiting for another task that installs the same: {wanted.told}")) as fresh:
            if fresh is not None:
                tell(f"installing {wanted.told}")
                self._install(wanted, fresh, base, tell)
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
        base = self._bases.shared()
        installed = dict(base.installed)
        installed["mlflow"] = req.Distribution("mlflow", installed["mlflow-skinny"].version)
        lines = req.file_lines(requirements) if requirements.exists() else []
        wanted = [req.parse(line, str(requirements)) for line in lines if not line.startswith("-")]
        lacking = req.missing(wanted, installed)
        if not lacking and len(wanted) == len(lines):
            return Environment(base.python, notes=("runs on the base environment, which satisfies the model's requirements",))
        told = ", ".join(lacking) or "options in its requirements.txt"
        self._progress(f"building an environment for a model: {told}")
        wheels = [line for line in lines if not line.startswith("mlflow==")]
        overlay = self._overlay(base, wheels, (), None)
        note = f"runs on an environment of its own, because the base lacks {told}"
        return Environment(overlay.python, overlay.path, overlay.replaces, (note,))

    def _locate(self, path: str) -> Path:
        """Return where an absolute path lies on this machine, those of the workspace among them."""
        return self._files / path.lstrip("/") if path.startswith(_ROOTS) else Path(path)

    def _install(self, wanted: Dependencies, folder: Path, base: Base, progress: Progress) -> None:
        """Install what the base lacks: the wheels alone where that is enough, else what uv resolves beyond the base as well."""
        installed = {**base.installed, **{wheel.name: wheel for wheel in wanted.wheels.values()}}
        files = [str(path) for path in wanted.wheels]
        if not req.satisfied(wanted.all_requirements(), installed):
            files = self._beyond_base(wanted, folder, base, progress)
        command = [
            "pip",
            "install",
            "--python",
            str(base.python),
            "--target",
            str(folder),
            "--no-deps",
            "--exclude-newer",
            EXCLUDE_NEWER,
            "--compile-bytecode",
        ]
        uv(*command, *wanted.options, *files, folder=folder, what=wanted.told, progress=progress)

    def _beyond_base(self, wanted: Dependencies, folder: Path, base: Base, progress: Progress) -> list[str]:
        """Return, pinned, everything that a resolution that prefers the base's versions adds to the base, the wheels among it."""
        there = {found.name: found.version for found in base.installed.values()}
        pins = folder / "resolved.txt"
        pins.write_text("".join(f"{name}=={version}\n" for name, version in there.items()))  # uv keeps to an output file that is there
        command = ["pip", "compile", "-", "--python", str(base.python), "--exclude-newer", EXCLUDE_NEWER]
        options = ["--no-header", "--no-annotate", "--no-strip-markers", "--output-file", str(pins), *wanted.options]
        if wanted.constraints:
            (folder / "constraints.txt").write_text("\n".join(wanted.constraints))
            options += ["--constraint", str(folder / "constraints.txt")]
        uv(*command, *options, folder=folder, what=wanted.told, stdin="\n".join(wanted.lines()), progress=progress)
        resolved = [line.strip() for line in pins.read_text().splitlines() if line.strip()]
        return [line for line in resolved if there.get(line.partition("==")[0]) != line.partition("==")[2].partition(" ")[0]]
