"""Builds a bundle's wheels: each artifact's build command in its folder, or not at all when its sources are as they were."""

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uv

from harness.bundle.dynamic import with_content_version
from harness.bundle.model import Artifact
from harness.errors import UserError

Progress = Callable[[str], None]
_RECORD, _LOCK = ".built.json", ".built.lock"
_NOT_SOURCES = {"dist", "build", "__pycache__", "node_modules"}
_LINES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Built:
    """What was built from what: the key of the sources, and the SHA-256 of each wheel by its file name."""

    key: str
    wheels: dict[str, str]


def build_artifacts(artifacts: Sequence[Artifact], folder: Path, progress: Progress) -> dict[Path, Path]:
    """Leave each artifact's wheel in `dist/` of its folder (or where its `files:` say), or raise with the end of what its build printed.

    Artifacts are built at the same time; an artifact whose sources have not changed since its last build is left alone.
    Return which wheel stands in for which, where an artifact's version is dynamic.
    """
    for artifact in artifacts:
        _check_folder(artifact, folder)
    with ThreadPoolExecutor(max_workers=max(1, min(len(artifacts), os.cpu_count() or 1))) as pool:
        built = list(pool.map(lambda artifact: _build(artifact, folder, progress), artifacts))
    wheels = [path for artifact, paths in zip(artifacts, built, strict=True) if artifact.dynamic_version for path in paths]
    return {path: with_content_version(path, folder.resolve() / ".databricks" / "wheels") for path in wheels}


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def source_key(artifact: Artifact, folder: Path) -> str:
    """Return what changes when a source file, its name or the build command changes."""
    digest = hashlib.sha256(f"{artifact.executable or ''}\0{artifact.build or ''}\0{artifact.files}".encode())
    for path in sorted(_sources(folder)):
        digest.update(f"\0{path.relative_to(folder).as_posix()}\0{sha256(path)}".encode())
    return digest.hexdigest()


def _check_folder(artifact: Artifact, folder: Path) -> None:
    where = f"{artifact.at}: artifacts.{artifact.key}"
    if not (folder / artifact.path).is_dir():
        raise UserError(f"{where}: there is no folder {artifact.path}; correct 'path'")
    if not any((folder / artifact.path / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise UserError(f"{where}: {artifact.path} holds no pyproject.toml; expected a Python project there, correct 'path'")


def _build(artifact: Artifact, folder: Path, progress: Progress) -> list[Path]:
    at = folder / artifact.path
    dist = at / "dist"
    dist.mkdir(exist_ok=True)
    with _locked(dist / _LOCK):
        key = source_key(artifact, at)
        if _is_built(dist / _RECORD, key, _wheels(artifact, folder)):
            progress(f"{artifact.key}: wheel is up to date")
            return _wheels(artifact, folder)
        for old in dist.glob("*.whl"):
            old.unlink()
        progress(f"{artifact.key}: building")
        _run(artifact, at)
        wheels = _wheels(artifact, folder)
        if not wheels:
            message = f"artifacts.{artifact.key}: the build left no wheel in {', '.join(artifact.files) or f'{artifact.path}/dist'}"
            raise UserError(f"{artifact.at}: {message}; in a uv workspace, build with 'uv build --wheel --out-dir dist'")
        (dist / _RECORD).write_bytes(msgspec.json.encode(Built(key, _digests(wheels))))
        progress(f"{artifact.key}: built {', '.join(path.name for path in wheels)}")
        return wheels


def _wheels(artifact: Artifact, folder: Path) -> list[Path]:
    """Return the wheels that a build has left."""
    patterns = artifact.files or (f"{artifact.path}/dist/*.whl",)
    return sorted({path.resolve() for pattern in patterns for path in matching(folder, pattern) if path.suffix == ".whl"})


def _digests(wheels: Sequence[Path]) -> dict[str, str]:
    return {path.name: sha256(path) for path in wheels}


def _is_built(record: Path, key: str, wheels: Sequence[Path]) -> bool:
    try:
        built = msgspec.json.decode(record.read_bytes(), type=Built)
    except (FileNotFoundError, msgspec.DecodeError):
        return False
    return bool(wheels) and built == Built(key, _digests(wheels))


def _run(artifact: Artifact, folder: Path) -> None:
    tool = uv.find_uv_bin()
    # The build command is the bundle's own shell text, as for the official client; `uv` in it is ours where PATH has none.
    shell = artifact.executable or "/bin/sh"
    command = [shell, "-c", artifact.build] if artifact.build else [tool, "build", "--wheel", "--out-dir", "dist"]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment["PATH"] = os.pathsep.join([environment.get("PATH", os.defpath), str(Path(tool).parent)])
    shown = artifact.build or "uv build --wheel --out-dir dist"
    try:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError as error:
        raise UserError(f"{artifact.at}: artifacts.{artifact.key}: '{shell}' cannot run '{shown}': {error}") from error
    if done.returncode != 0:
        end = "\n".join(done.stdout.decode(errors="replace").splitlines()[-_LINES_SHOWN:])
        raise UserError(f"{artifact.at}: artifacts.{artifact.key}: '{shown}' failed in {artifact.path} (exit {done.returncode}):\n{end}")


def matching(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield what matches a glob that may lead out of `folder`."""
    start = folder
    parts = pattern.removeprefix("./").split("/")
    while parts and parts[0] == "..":  # pathlib's glob does not go upwards
        start, parts = start.parent, parts[1:]
    yield from start.glob("/".join(parts))


def _sources(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NOT_SOURCES and not name.startswith(".") and not name.endswith(".egg-info")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time build here: tests and a user may deploy the same bundle at once."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
