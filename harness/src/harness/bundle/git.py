"""What `${bundle.git.…}` says: of the repository that a bundle lies in, as git tells it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

_ASKED = {
    "branch": ("symbolic-ref", "--short", "--quiet", "HEAD"),
    "commit": ("rev-parse", "--verify", "--quiet", "HEAD"),
    "origin_url": ("config", "--get", "remote.origin.url"),
}


def read_git(folder: Path) -> Mapping[str, str]:
    """Return branch, commit and origin of the repository around `folder`; nothing where git knows none, or is not there."""
    return {name: _ask(folder, arguments) for name, arguments in _ASKED.items()}


def _ask(folder: Path, arguments: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
