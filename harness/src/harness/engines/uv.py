"""Running uv: one command, its last lines when it fails."""

import os
import subprocess
from pathlib import Path

from uv import find_uv_bin

from harness.errors import UserError

# The same resolution everywhere and for as long as this version of the harness lives; the root pyproject.toml has the same date.
EXCLUDE_NEWER = "2026-11-20T00:00:00Z"
_TOLD_LINES = 12


def uv(*arguments: str, folder: Path, what: str, stdin: str = "") -> str:
    """Run uv in `folder` and return what it printed, or raise `UserError` that says why `what` could not be had."""
    command = [find_uv_bin(), "--no-progress", "--no-python-downloads", *arguments]
    # No project of the user is to have a say: neither its virtual environment, nor the settings of a pyproject.toml above.
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT")}
    done = subprocess.run(command, cwd=folder, env=environment, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"{what} could not be installed.\n{_last_lines(done.stderr)}\n{_advice(done.stderr)}")
    return done.stdout


def _last_lines(text: str) -> str:
    return "\n".join(f"  uv: {line}" for line in text.strip().splitlines()[-_TOLD_LINES:])


def _advice(text: str) -> str:
    if "No space left" in text:
        return "Make room on the disk and start again; nothing half-made is used."
    if any(sign in text for sign in ("dns error", "Failed to fetch", "error sending request", "Network", "timed out", "offline")):
        return "No network, or no package index: connect (uv reads UV_DEFAULT_INDEX, HTTPS_PROXY, SSL_CERT_FILE) and start again."
    return "Correct the dependency named above, or the versions it asks for, and start again."
