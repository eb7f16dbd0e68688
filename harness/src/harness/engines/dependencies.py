"""The `dependencies` of an environment, read: each is a line as pip's requirements files have it."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement

from harness.engines import requirements as req
from harness.errors import UserError

Locate = Callable[[str], Path]
_WHEEL = re.compile(r"(?P<path>.+\.whl)(?:\[(?P<extras>[^\]]*)\])?")
_OPTION = re.compile(r"(?P<name>--[a-z-]+|-[a-zA-Z])(?:\s*=\s*|\s+)?(?P<value>.*)")
_FILES = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
# Options of pip that uv has too; they go for the whole environment, as they do with pip.
_PASSED = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--only-binary": "--only-binary",
    "--no-binary": "--no-binary",
}
_FLAGS = {"--no-index": "--no-index", "--pre": "--pre"}
_MOST_NESTED = 20


@dataclass(frozen=True, slots=True)
class Dependencies:
    """A list of dependencies, read."""

    wheels: dict[Path, req.Distribution] = field(default_factory=dict)
    extras: dict[Path, str] = field(default_factory=dict)
    requirements: tuple[Requirement, ...] = ()
    constraints: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """For uv."""

    @property
    def told(self) -> str:
        """What is asked for, in one line."""
        return ", ".join([*(path.name for path in self.wheels), *map(str, self.requirements)])

    def key(self, base: str) -> str:
        """Return what changes with the base, the content of a wheel, or anything that is asked for."""
        digest = hashlib.sha256(base.encode())
        for path in self.wheels:
            digest.update(f"\n{path.name}[{self.extras[path]}]\n".encode() + _content(path))
        for requirement in self.requirements:
            digest.update(f"\n{requirement}".encode() + b"".join(_content(file) for file in _local(requirement)))
        digest.update("\n".join(["", *self.options, *self.constraints]).encode())
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


def read_dependencies(dependencies: Sequence[str], *, locate: Locate = Path) -> Dependencies:
    """Return `dependencies` read, or raise `UserError` that says which line of which file is not supported.

    `locate` tells where an absolute path of the workspace lies on this machine; relative paths start from the file they are written in.
    """
    found = _Found(locate)
    for text in dependencies:
        found.line(text.strip(), where="dependencies", folder=Path(), depth=0)
    return Dependencies(found.wheels, found.extras, tuple(found.requirements), tuple(found.constraints), tuple(found.options))


class _Found:
    """What has been read so far."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate
        self.wheels: dict[Path, req.Distribution] = {}
        self.extras: dict[Path, str] = {}
        self.requirements: list[Requirement] = []
        self.constraints: list[str] = []
        self.options: list[str] = []

    def line(self, text: str, *, where: str, folder: Path, depth: int) -> None:
        wheel = _WHEEL.fullmatch(text)
        if text.startswith("-"):
            self._option(text, where=where, folder=folder, depth=depth)
        elif wheel and "://" not in text and " @ " not in text:
            path = self._path(wheel["path"], folder)
            self.wheels[path] = req.read_wheel(path)
            self.extras[path] = wheel["extras"] or ""
        elif text.startswith((".", "/", "file:")):
            raise UserError(f"{where}: '{text}' is a folder or a source archive, which is not supported; build a wheel of it and name that")
        else:
            self.requirements.append(req.parse(text, where))

    def _option(self, text: str, *, where: str, folder: Path, depth: int) -> None:
        read = _OPTION.fullmatch(text)
        name, value = (read["name"], read["value"].strip()) if read else (text, "")
        if name in _FILES and value:
            self._file(self._path(value, folder), only_constraints=_FILES[name] == "-c", depth=depth + 1)
        elif name in _PASSED and value:
            is_path = _PASSED[name] == "--find-links" and "://" not in value
            self.options += [_PASSED[name], str(self._path(value, folder).resolve()) if is_path else value]
        elif name in _FLAGS and not value:
            self.options.append(_FLAGS[name])
        elif name in ("-e", "--editable"):
            raise UserError(f"{where}: '{text}': editable installs are not supported; build a wheel of the folder and name that")
        else:
            known = ", ".join([*_FILES, *_PASSED, *_FLAGS])
            raise UserError(f"{where}: option '{name}' is not supported; expected one of {known}")

    def _file(self, path: Path, *, only_constraints: bool, depth: int) -> None:
        if not path.is_file():
            raise UserError(f"{path}: no such requirements file")
        if depth > _MOST_NESTED:
            raise UserError(f"{path}: requirements files name each other in a circle; remove one '-r'")
        for line in req.file_lines(path):
            if only_constraints:
                self.constraints.append(str(req.parse(line, str(path))))
            else:
                self.line(line, where=str(path), folder=path.parent, depth=depth)

    def _path(self, text: str, folder: Path) -> Path:
        return self._locate(text) if text.startswith("/") else folder / text


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _local(requirement: Requirement) -> list[Path]:
    """Return the file of this machine that a requirement names (`name @ file:///…`)."""
    address = urlsplit(requirement.url or "")
    path = Path(unquote(address.path))
    return [path] if address.scheme == "file" and path.is_file() else []
