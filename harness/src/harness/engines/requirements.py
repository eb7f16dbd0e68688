"""Which requirements a set of installed distributions satisfies. Reads metadata, installs nothing."""

import threading
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import HeaderParser
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from harness.errors import UserError

_READING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution's name, version and what it requires."""

    name: str
    version: str
    requires: tuple[Requirement, ...] = field(default=(), repr=False)
    python: str = ""
    """Which versions of Python it says it runs on (`Requires-Python`); empty for all."""


Installed = Mapping[str, Distribution]
"""Distributions by canonical name."""


def installed_in(folder: Path) -> Installed:
    """Return the distributions in a `site-packages` (or `--target`) folder."""
    found = (
        Distribution(canonicalize_name(d.metadata["Name"]), d.version, tuple(map(Requirement, d.requires or ())))
        for d in distributions(path=[str(folder)])
    )
    return {distribution.name: distribution for distribution in found}


def read_wheel(path: Path) -> Distribution:
    """Return what a wheel says of itself, or raise `UserError` when it is none."""
    try:
        with zipfile.ZipFile(path) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1)
            headers = HeaderParser().parsestr(wheel.read(name).decode())
    except (OSError, zipfile.BadZipFile, StopIteration) as error:
        raise UserError(f"{path}: not a wheel ({error or 'no METADATA in it'}); build it again with `uv build --wheel`") from error
    requires = tuple(_read(line) for line in headers.get_all("Requires-Dist", ()))
    return Distribution(canonicalize_name(headers["Name"]), headers["Version"], requires, headers.get("Requires-Python", ""))


def parse(line: str, where: str) -> Requirement:
    """Return one requirement, or raise `UserError` that says where it stands."""
    try:
        return _read(line)
    except InvalidRequirement as error:
        raise UserError(f"{where}: '{line}' is not a requirement ({error}); expected for instance 'pandas==2.3.3'") from error


def file_lines(path: Path) -> list[str]:
    """Return the lines of a `requirements.txt`, continued ones joined, without comments."""
    try:
        text = path.read_text("utf-8").replace("\\\n", " ")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: cannot be read as text ({error}); a requirements file is UTF-8") from error
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def satisfied(requirements: Iterable[Requirement], installed: Installed) -> bool:
    """Return whether `installed` holds all of `requirements` and, through extras, all that those ask for."""
    return not missing(requirements, installed)


def missing(requirements: Iterable[Requirement], installed: Installed) -> list[str]:
    """Return the requirements that `installed` does not satisfy, as they are written."""
    lacking: list[str] = []
    seen: set[tuple[str, tuple[str, ...]]] = set()
    ahead: list[tuple[Requirement, Sequence[str]]] = [(requirement, ("",)) for requirement in requirements]
    while ahead:
        requirement, extras = ahead.pop(0)
        if requirement.marker is not None and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        found = installed.get(canonicalize_name(requirement.name))
        if found is None or requirement.url or not requirement.specifier.contains(found.version, prereleases=True):
            lacking.append(str(requirement))
        elif (key := (found.name, tuple(sorted(requirement.extras)))) not in seen:
            seen.add(key)
            ahead += [(deeper, ("", *requirement.extras)) for deeper in found.requires]
    return lacking


def _read(line: str) -> Requirement:
    """Read one at a time: markers are read with `ast`, which in Python 3.11 fails now and then when two threads are at it."""
    with _READING:
        return Requirement(line)
