"""Scripts that use a client as its own documentation does, each alone in a process, against the session's harness."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.connection import Connection

pytestmark = pytest.mark.platform
SCRIPTS = sorted((Path(__file__).parents[1] / "clients").glob("*.py"))
_SECONDS = 600
# What a user's shell has, and nothing that this process was told about mlflow or Spark.
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME", "HARNESS_CACHE")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_client_gets_what_it_expects(connection: Connection, script: Path, tmp_path: Path) -> None:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    told = {**connection.environment(), "DATABRICKS_CONFIG_FILE": os.devnull}

    ran = subprocess.run(
        [sys.executable, str(script)],
        env={**kept, **told, "PYTHONDONTWRITEBYTECODE": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )

    assert ran.returncode == 0, f"{script.name} failed:\n{ran.stdout[-4000:]}\n{ran.stderr[-8000:]}"
