"""The `dependencies` of an environment, and where their files lie on this machine. Pure but for the port."""

import re

from harness.jobs.ports import DependencyFiles
from harness.jobs.settings import invalid

_ROOTS = ("/Workspace/", "/Volumes/")
_INDEX_OPTIONS = (
    "--index-url",
    "-i ",
    "--extra-index-url",
    "--find-links http",
    "-f http",
    "--no-index",
    "--pre",
    "--only-binary",
    "--no-binary",
)
_WHEEL = re.compile(r"(?P<path>.+\.whl)(?P<extras>\[[^\]]*\])?")


def local(dependency: str, files: DependencyFiles) -> str:
    """Return `dependency` with a path of the workspace replaced by one of this machine; `ApiError` when there is no such file."""
    text = dependency.strip()
    option, _, listed = text.partition(" ")
    if option in ("-r", "--requirement"):
        return f"-r {_file(listed.strip(), files)}"
    wheel = _WHEEL.fullmatch(text)
    if wheel:
        return _file(wheel["path"], files) + (wheel["extras"] or "")
    if text.startswith(_INDEX_OPTIONS):  # read by harness/engines/dependencies.py
        return text
    if text.startswith(("-", "/", ".")):
        raise invalid(
            f"Dependency '{dependency}' is not supported; expected a wheel under /Workspace or /Volumes, '-r FILE', or 'name==version'"
        )
    return text


def _file(path: str, files: DependencyFiles) -> str:
    if not path.startswith(_ROOTS):
        raise invalid(f"Dependency '{path}' is not a file of the workspace; its path must begin with {' or '.join(_ROOTS)}")
    return str(files.file(path))
