"""Whether dependencies would install and import on the platform's environment versions, found by resolving them against the pins."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.engines.dependencies import Dependencies
from harness.engines.platform_versions import PlatformVersion
from harness.engines.requirements import Distribution
from harness.engines.uv import EXCLUDE_NEWER, Ran, run_uv
from harness.engines.wheel_imports import read_imports, undeclared

Status = Literal["ok", "conflict", "python", "imports", "unknown"]
_TOLD_LINES = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: a wheel, or the environment of a job with the version that it declares."""

    name: str
    dependencies: Dependencies
    declared: str = ""
    beside: Mapping[Path, Distribution] = field(default_factory=dict)
    """Wheels of the same project, which no index has."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of a subject on one environment version, and why."""

    version: str
    status: Status
    details: tuple[str, ...] = ()


def check(subject: Subject, there: PlatformVersion) -> Verdict:
    """Return whether `subject` would install and import on one environment version.

    Only the pins noted in platform_versions.py are known; the platform has more packages installed than those.
    """
    wrong = list(_wrong_python(subject, there))
    if wrong:
        return Verdict(there.version, "python", tuple(wrong))
    with tempfile.TemporaryDirectory() as folder:
        ran = _resolve(subject, there, Path(folder), pinned=True)
        if ran.offline:
            return Verdict(there.version, "unknown", ("no package index was reached, so nothing was resolved; " + _cause(ran),))
        if ran.status != 0:
            return Verdict(there.version, "conflict", tuple(_conflicts(subject, there, Path(folder), ran)))
    resolved = _resolved(ran.output)
    if "pyspark" in resolved:
        # docs.databricks.com/compute/serverless/dependencies: what installs PySpark stops the session
        return Verdict(there.version, "conflict", ("brings pyspark, which must not be installed on serverless compute; remove it",))
    missing = list(_missing_imports(subject, there, resolved))
    return Verdict(there.version, "imports" if missing else "ok", tuple(missing))


def _wrong_python(subject: Subject, there: PlatformVersion) -> Iterator[str]:
    for wheel in subject.dependencies.wheels.values():
        if wheel.python and not SpecifierSet(wheel.python).contains(Version(there.python)):
            yield f"{wheel.name} requires Python {wheel.python}; version {there.version} has {there.python}"


def _resolve(subject: Subject, there: PlatformVersion, folder: Path, *, pinned: bool) -> Ran:
    """Resolve for the platform: within its pins, or as near to them as can be."""
    constraints = [f"{wheel.name} @ {path.resolve().as_uri()}" for path, wheel in subject.beside.items()]
    constraints += subject.dependencies.constraints
    if pinned:
        constraints += there.constraints()
    (folder / "constraints.txt").write_text("\n".join(constraints))
    # uv keeps to the versions in an output file that is there, as far as it can
    (folder / "resolved.txt").write_text("".join(f"{name}=={_newest(pin)}\n" for name, pin in there.pins.items()))
    options = [
        "--python-version",
        there.python,
        "--python-platform",
        "linux",
        "--exclude-newer",
        EXCLUDE_NEWER,
        "--no-header",
        "--no-annotate",
    ]
    files = ["--constraint", str(folder / "constraints.txt"), "--output-file", str(folder / "resolved.txt")]
    lines = "\n".join(subject.dependencies.lines())
    return run_uv("pip", "compile", "-", *options, *files, *subject.dependencies.options, folder=folder, stdin=lines)


def _newest(pin: str) -> str:
    return pin if pin.count(".") > 1 else f"{pin}.0"


def _resolved(text: str) -> dict[str, str]:
    """Return the version of each distribution in a resolution, empty for a wheel given as a file."""
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        requirement = Requirement(line)
        found[canonicalize_name(requirement.name)] = next((each.version for each in requirement.specifier), "")
    return found


def _conflicts(subject: Subject, there: PlatformVersion, folder: Path, pinned: Ran) -> Iterator[str]:
    """Say which pins stand in the way, and whether pip would get round them by replacing them."""
    free = _resolve(subject, there, folder, pinned=False)
    if free.status != 0:
        yield f"cannot be installed on Python {there.python}, whatever the pins: {_cause(free)}"
        return
    specifiers = there.specifiers()
    resolved = _resolved(free.output)
    replaced = [name for name in specifiers if resolved.get(name) and not specifiers[name].contains(resolved[name], prereleases=True)]
    for name in replaced:
        wanted = ", ".join(_wanting(subject, name)) or "what it depends on"
        yield f"{name} {there.pins[name]} is pinned; {wanted} needs for instance {resolved[name]}"
    yield f"pip would replace {'these' if len(replaced) > 1 else 'this'} there, at each start" if replaced else _cause(pinned)


def _wanting(subject: Subject, name: str) -> Iterator[str]:
    for wheel in subject.dependencies.wheels.values():
        for requirement in wheel.requires:
            if canonicalize_name(requirement.name) == name and requirement.specifier:
                yield f"{wheel.name} ({requirement.name}{requirement.specifier})"
    for requirement in subject.dependencies.requirements:
        if canonicalize_name(requirement.name) == name:
            yield f"the dependency {requirement}"


def _missing_imports(subject: Subject, there: PlatformVersion, resolved: Mapping[str, str]) -> Iterator[str]:
    read = {path: read_imports(path) for path in subject.dependencies.wheels}
    present = {*resolved, *there.pins}
    beside = {module for path, wheel in subject.beside.items() if wheel.name in resolved for module in read_imports(path).own}
    beside |= {module for imports in read.values() for module in imports.own}
    for path, imports in read.items():
        for module in undeclared(imports, present, beside):
            name = subject.dependencies.wheels[path].name
            yield f"{name} imports '{module}', which nothing that it declares provides (as far as names tell)"


def _cause(ran: Ran) -> str:
    lines = [line.strip() for line in ran.errors.splitlines() if line.strip() and not line.startswith(("hint", "error: No solution"))]
    return " ".join(lines[:_TOLD_LINES]).removeprefix("cause: ")
