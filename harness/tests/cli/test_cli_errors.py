"""Bad input at the command line: one sentence, status 2, nothing half-written."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the `harness` command."""
    return subprocess.run([sys.executable, "-m", "harness", *arguments], capture_output=True, text=True, check=False)


def test_port_in_use_is_named(tmp_path: Path) -> None:
    """A port somebody else has is named, with what to do, and nothing is left that says a harness runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = harness("up", "--state", str(tmp_path), "--port", str(port))

    assert done.returncode == 2
    assert f"port {port} on 127.0.0.1 cannot be used" in done.stderr
    assert "--port" in done.stderr
    assert not (tmp_path / "harness.json").exists()


def test_down_where_nothing_runs_says_so(tmp_path: Path) -> None:
    """Ending what does not run is no error."""
    done = harness("down", "--state", str(tmp_path))

    assert (done.returncode, str(tmp_path) in done.stderr.replace("\n", "")) == (0, True)


@pytest.mark.parametrize("command", ["up", "down", "deploy", "run", "summary", "destroy", "dashboard", "doctor", "routes"])
def test_every_command_explains_itself(command: str) -> None:
    """`--help` works for each command that the README names."""
    assert harness(command, "--help").returncode == 0
