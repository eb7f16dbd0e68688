"""What the README tells a user to type exists."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = re.findall(r"^\./run (.+?)(?:\s+#.*)?$", (ROOT / "README.md").read_text(), flags=re.MULTILINE)


def test_f19_readme_has_its_two_commands() -> None:
    """The door: one command runs the main job, one passes the tests."""
    assert {"dry-run", "tests"} <= set(COMMANDS)


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("harness ")])
def test_f19_readme_command_exists(line: str) -> None:
    """Each `./run harness …` line names a command and options that the command line knows."""
    _, command, *words = line.split()
    told = subprocess.run([str(ROOT / ".venv" / "bin" / "harness"), command, "--help"], capture_output=True, text=True, check=False)

    assert told.returncode == 0
    options = [word for word in words if word.startswith("-")]
    assert [option for option in options if option not in told.stdout] == []


def test_ci_is_the_test_command_of_the_readme() -> None:
    """`.ci/run` calls `./run tests` and nothing else."""
    assert "exec ./run tests" in (ROOT / ".ci" / "run").read_text()
