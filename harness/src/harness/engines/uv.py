"""Running uv: one command, its lines as they come, its last lines when it fails."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from harness.errors import UserError

# The same resolution everywhere and for as long as this version of the harness lives; the root pyproject.toml has the same date.
EXCLUDE_NEWER = "2026-11-20T00:00:00Z"
_TOLD_LINES = 12
_OFFLINE = ("dns error", "Failed to fetch", "error sending request", "Network", "timed out", "offline", "network was disabled")


@dataclass(frozen=True, slots=True)
class Ran:
    """How one command of uv ended."""

    status: int
    output: str
    errors: str

    @property
    def offline(self) -> bool:
        """Whether it failed because no index could be reached."""
        return self.status != 0 and any(sign in self.errors for sign in _OFFLINE)


def run_uv(*arguments: str, folder: Path, stdin: str = "", progress: Callable[[str], None] | None = None) -> Ran:
    """Run uv in `folder`, telling `progress` each line as it says it, and return how that ended."""
    command = [find_uv_bin(), "--no-progress", "--no-python-downloads", *arguments]
    # No project of the user is to have a say: neither its virtual environment, nor the settings of a pyproject.toml above.
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT")}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output:
        given.write(stdin.encode())
        given.seek(0)
        process = subprocess.Popen(command, cwd=folder, env=environment, stdin=given, stdout=output, stderr=subprocess.PIPE, text=True)
        lines: list[str] = []
        with process:
            for line in process.stderr or ():
                lines.append(line)
                if progress is not None and line.strip():
                    progress(f"uv: {line.rstrip()}")
        output.seek(0)
        return Ran(process.returncode, output.read().decode(errors="replace"), "".join(lines))


def uv(*arguments: str, folder: Path, what: str, stdin: str = "", progress: Callable[[str], None] | None = None) -> str:
    """Run uv in `folder` and return what it printed, or raise `UserError` that says why `what` could not be had."""
    ran = run_uv(*arguments, folder=folder, stdin=stdin, progress=progress)
    if ran.status != 0:
        raise UserError(f"{what} could not be installed.\n{_last_lines(ran.errors)}\n{_advice(ran)}")
    return ran.output


def _last_lines(text: str) -> str:
    return "\n".join(f"  uv: {line}" for line in text.strip().splitlines()[-_TOLD_LINES:])


def _advice(ran: Ran) -> str:
    if "No space left" in ran.errors:
        return "Make room on the disk and start again; nothing half-made is used."
    if ran.offline:
        return "No network, or no package index: connect (uv reads UV_DEFAULT_INDEX, HTTPS_PROXY, SSL_CERT_FILE) and start again."
    return "Correct the dependency named above, or the versions it asks for, and start again."
